#include "tangra/base/array.h"

#include <bit>
#include <cmath>

#include "tangra/base/error.h"

namespace tangra {
namespace {

/// IEEE 754 binary16 to double, exactly.
double from_half(std::uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int fraction = half & 1023;
  double magnitude;
  if (exponent == 31) magnitude = fraction == 0 ? HUGE_VAL : std::nan("");
  else if (exponent == 0) magnitude = std::ldexp(fraction, -24);
  else magnitude = std::ldexp(1024 + fraction, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

template <class From, class To>
void convert(const std::byte* source, Index count, To* target) {
  const auto* values = reinterpret_cast<const From*>(source);
  for (Index i = 0; i < count; ++i) target[i] = static_cast<To>(values[i]);
}

}  // namespace

std::size_t bytes_of(DType type) {
  switch (type) {
    case DType::int8: case DType::uint8: case DType::boolean: return 1;
    case DType::float16: case DType::int16: case DType::uint16: return 2;
    case DType::float32: case DType::int32: case DType::uint32: return 4;
    case DType::float64: case DType::int64: case DType::uint64: return 8;
  }
  return 0;
}

std::string_view name_of(DType type) {
  switch (type) {
    case DType::float16: return "float16";
    case DType::float32: return "float32";
    case DType::float64: return "float64";
    case DType::int8: return "int8";
    case DType::int16: return "int16";
    case DType::int32: return "int32";
    case DType::int64: return "int64";
    case DType::uint8: return "uint8";
    case DType::uint16: return "uint16";
    case DType::uint32: return "uint32";
    case DType::uint64: return "uint64";
    case DType::boolean: return "bool";
  }
  return "";
}

bool is_floating(DType type) {
  return type == DType::float16 || type == DType::float32 || type == DType::float64;
}

std::byte* Array::allocated() {
  auto memory = std::make_shared<Tensor<std::byte>>(Shape{static_cast<Index>(bytes())});
  std::byte* first = memory->data();
  data_ = first;
  owner_ = std::move(memory);
  return first;
}

void Array::ensure_type(DType type) const { TANGRA_ENSURE(type == type_); }

template <class T>
Tensor<T> Array::converted() const {
  auto result = Tensor<T>::uninitialized(shape_);
  T* target = result.data();
  switch (type_) {
    case DType::float16: {
      const auto* halves = reinterpret_cast<const std::uint16_t*>(data());
      for (Index i = 0; i < size_; ++i) target[i] = static_cast<T>(from_half(halves[i]));
      break;
    }
    case DType::float32: convert<float>(data(), size_, target); break;
    case DType::float64: convert<double>(data(), size_, target); break;
    case DType::int8: convert<std::int8_t>(data(), size_, target); break;
    case DType::int16: convert<std::int16_t>(data(), size_, target); break;
    case DType::int32: convert<std::int32_t>(data(), size_, target); break;
    case DType::int64: convert<std::int64_t>(data(), size_, target); break;
    case DType::uint8: convert<std::uint8_t>(data(), size_, target); break;
    case DType::uint16: convert<std::uint16_t>(data(), size_, target); break;
    case DType::uint32: convert<std::uint32_t>(data(), size_, target); break;
    case DType::uint64: convert<std::uint64_t>(data(), size_, target); break;
    case DType::boolean: convert<std::uint8_t>(data(), size_, target); break;
  }
  return result;
}

template Tensor<float> Array::converted<float>() const;
template Tensor<double> Array::converted<double>() const;

Array Array::reshaped(Shape shape) const {
  ensure_same_elements(shape_, shape);
  Array result = *this;
  result.shape_ = std::move(shape);
  return result;
}

Array Array::rows(Index begin, Index end) const {
  TANGRA_ENSURE(shape_.rank() > 0 && 0 <= begin && begin <= end && end <= shape_[0]);
  Shape shape = shape_;
  shape[0] = end - begin;
  const std::size_t row_bytes = static_cast<std::size_t>(shape_.elements(1, shape_.rank())) * bytes_of(type_);
  return Array(type_, shape, [&](std::span<std::byte> target) {
    if (!target.empty()) std::memcpy(target.data(), data() + static_cast<std::size_t>(begin) * row_bytes, target.size());
  });
}

}  // namespace tangra
