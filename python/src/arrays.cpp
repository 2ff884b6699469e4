#include "arrays.h"

#include <cstring>

#include "tangra/base/error.h"

namespace tangra::python {
namespace {

DType type_of(const Given& given, const char* argument) {
  const nb::dlpack::dtype type = given.dtype();
  const auto is = [&](auto code, unsigned bits) {
    return type.lanes == 1 && type.code == static_cast<std::uint8_t>(code) && type.bits == bits;
  };
  using Code = nb::dlpack::dtype_code;
  if (is(Code::Float, 32)) return DType::float32;
  if (is(Code::Float, 64)) return DType::float64;
  if (is(Code::Float, 16)) return DType::float16;
  if (is(Code::Int, 64)) return DType::int64;
  if (is(Code::Int, 32)) return DType::int32;
  if (is(Code::Int, 16)) return DType::int16;
  if (is(Code::Int, 8)) return DType::int8;
  if (is(Code::UInt, 32)) return DType::uint32;
  if (is(Code::UInt, 16)) return DType::uint16;
  if (is(Code::UInt, 8)) return DType::uint8;
  throw Error(ErrorKind::usage, {.what = "arrays of this type cannot be taken", .where = argument, .got = {},
                                 .expected = "real numbers: float64, float32, or integers", .cure = {}});
}

Shape shape_of(const Given& given) {
  Shape shape;
  for (std::size_t axis = 0; axis < given.ndim(); ++axis) shape.append(static_cast<Index>(given.shape(axis)));
  return shape;
}

nb::dlpack::dtype type_for_python(DType type) {
  using Code = nb::dlpack::dtype_code;
  const auto bits = static_cast<std::uint8_t>(8 * bytes_of(type));
  Code code = Code::UInt;
  if (is_floating(type)) code = Code::Float;
  if (type == DType::int8 || type == DType::int16 || type == DType::int32 || type == DType::int64) code = Code::Int;
  if (type == DType::boolean) code = Code::Bool;
  return {static_cast<std::uint8_t>(code), bits, 1};
}

/// Access is nb::ro, or nothing.
template <class... Access>
nb::object shared(const Array& array) {
  auto kept = std::make_unique<const Array>(array);
  const nb::capsule owner(kept.get(), [](void* memory) noexcept { delete static_cast<const Array*>(memory); });
  const Array& own = *kept.release();
  std::vector<std::size_t> shape;
  for (const Index length : own.shape()) shape.push_back(static_cast<std::size_t>(length));
  void* entries = const_cast<std::byte*>(own.data());
  return nb::cast(nb::ndarray<nb::numpy, Access...>(entries, shape.size(), shape.data(), owner, nullptr,
                                                    type_for_python(own.type()), nb::device::cpu::value, 0));
}

}  // namespace

Array lent_by_python(const Given& given, const char* argument) {
  return Array(type_of(given, argument), shape_of(given), static_cast<const std::byte*>(given.data()),
               std::make_shared<const Given>(given));
}

Array from_python(const Given& given, const char* argument) {
  return Array(type_of(given, argument), shape_of(given), [&](std::span<std::byte> entries) {
    if (!entries.empty()) std::memcpy(entries.data(), given.data(), entries.size());
  });
}

nb::object to_numpy(const Array& array) { return shared<>(array); }
nb::object to_read_only(const Array& array) { return shared<nb::ro>(array); }

nb::tuple to_tuple(const Shape& shape) {
  nb::list lengths;
  for (const Index length : shape) lengths.append(length);
  return nb::tuple(lengths);
}

Shape to_shape(const nb::sequence& lengths) {
  Shape shape;
  for (const nb::handle length : lengths) shape.append(nb::cast<Index>(length));
  return shape;
}

}  // namespace tangra::python
