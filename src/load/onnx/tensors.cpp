#include "tangra/load/onnx/tensors.h"

#include <onnx/onnx_pb.h>

#include <bit>
#include <charconv>

#include "tangra/formats/input_file.h"
#include "tangra/formats/refuse.h"

namespace tangra::load::onnx {
namespace {

using formats::refuse;
using ::onnx::TensorProto;

/// Bytes of an array of this shape. Throws Error(input) for a shape that no array has.
std::uint64_t claimed_bytes(std::size_t width, const Shape& shape, const std::string& where) {
  auto bytes = static_cast<Index>(width);
  bool none = false;
  for (const Index length : shape) {
    none = none || length == 0;
    if (length < 0 || (length > 0 && __builtin_mul_overflow(bytes, length, &bytes))) {
      refuse(where, "no array can have this shape", to_string(shape),
             "lengths of 0 or more, and less than 2^63 bytes");
    }
  }
  return none ? 0 : static_cast<std::uint64_t>(bytes);
}

/// A number without sign in decimal digits.
std::uint64_t number(const std::string& text, const std::string& where) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    refuse(where, "the place of an array outside the file is damaged", "\"" + text + "\"", "a number");
  }
  return value;
}

/// The file beside the model. It must lie in the model's folder once every link is followed.
std::filesystem::path file_beside(const std::string& location, const ArrayPlace& place) {
  const std::filesystem::path relative = location;
  const std::string cure = "Keep the model's own files in one folder and refer to them by their names";
  bool leaves = relative.empty() || relative.is_absolute() || place.folder.empty();
  for (const auto& part : relative) leaves = leaves || part == "..";
  if (leaves) {
    refuse(place.where, "the array lies outside the model's folder", "\"" + location + "\"",
           "a file in that folder", cure);
  }
  std::error_code error;
  const auto folder = std::filesystem::canonical(place.folder, error);
  const auto file = std::filesystem::canonical(place.folder / relative, error);
  if (error)
    refuse(place.where, "the file with the array's entries is not there", (place.folder / relative).string());
  const auto inside = file.lexically_relative(folder);
  if (inside.empty() || *inside.begin() == "..") {
    refuse(place.where, "a link leads out of the model's folder", file.string(), "a file in that folder",
           cure);
  }
  return file;
}

Array external_array(const TensorProto& tensor, DType type, const Shape& shape, std::uint64_t bytes,
                     const ArrayPlace& place) {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number(entry.value(), place.where);
    if (entry.key() == "length") length = number(entry.value(), place.where);
  }
  const formats::InputFile file(file_beside(location, place));
  if (length && *length != bytes) {
    refuse(place.where, "the array has another length than its shape asks for",
           std::to_string(*length) + " bytes", std::to_string(bytes) + " for shape " + to_string(shape));
  }
  if (offset > file.size() || bytes > file.size() - offset) {
    refuse(place.where, "the array goes beyond the end of " + file.name(),
           std::to_string(file.size()) + " bytes",
           std::to_string(bytes) + " from byte " + std::to_string(offset) + " on");
  }
  return Array(type, shape, [&](std::span<std::byte> target) { file.read_at(offset, target); });
}

/// The entries of one of the repeated fields, each narrowed to T.
template <class T, class Field>
Array typed_array(const Field& field, DType type, const Shape& shape, const std::string& where) {
  const Index wanted = shape.elements();
  if (field.size() != wanted) {
    refuse(where, "the number of entries does not fit the shape", std::to_string(field.size()) + " entries",
           std::to_string(wanted) + " for shape " + to_string(shape));
  }
  return Array(type, shape, [&](std::span<std::byte> target) {
    auto* entries = reinterpret_cast<T*>(target.data());
    for (int k = 0; k < field.size(); ++k) entries[k] = static_cast<T>(field.Get(k));
  });
}

Array from_fields(const TensorProto& tensor, DType type, const Shape& shape, const std::string& where) {
  switch (type) {
    case DType::float32:
      return typed_array<float>(tensor.float_data(), type, shape, where);
    case DType::float64:
      return typed_array<double>(tensor.double_data(), type, shape, where);
    case DType::int64:
      return typed_array<std::int64_t>(tensor.int64_data(), type, shape, where);
    case DType::int32:
      return typed_array<std::int32_t>(tensor.int32_data(), type, shape, where);
    case DType::int16:
      return typed_array<std::int16_t>(tensor.int32_data(), type, shape, where);
    case DType::int8:
      return typed_array<std::int8_t>(tensor.int32_data(), type, shape, where);
    case DType::uint16:
    case DType::float16:
      return typed_array<std::uint16_t>(tensor.int32_data(), type, shape, where);
    case DType::uint8:
      return typed_array<std::uint8_t>(tensor.int32_data(), type, shape, where);
    case DType::uint32:
      return typed_array<std::uint32_t>(tensor.uint64_data(), type, shape, where);
    case DType::uint64:
      return typed_array<std::uint64_t>(tensor.uint64_data(), type, shape, where);
    case DType::boolean:
      return typed_array<bool>(tensor.int32_data(), type, shape, where);
  }
  return {};
}

Array from_raw(const std::string& raw, DType type, const Shape& shape, std::uint64_t bytes,
               const std::string& where) {
  if (raw.size() != bytes) {
    refuse(where, "the array has another length than its shape asks for",
           std::to_string(raw.size()) + " bytes", std::to_string(bytes) + " for shape " + to_string(shape));
  }
  return Array(type, shape, [&](std::span<std::byte> target) {
    if (!raw.empty()) std::memcpy(target.data(), raw.data(), raw.size());
  });
}

/// Any byte but 0 is true; a bool must not hold another one than 1.
Array sound_booleans(const Array& bytes) {
  return Array(DType::boolean, bytes.shape(), [&](std::span<std::byte> target) {
    for (std::size_t k = 0; k < target.size(); ++k)
      target[k] = bytes.data()[k] != std::byte{0} ? std::byte{1} : std::byte{0};
  });
}

/// The upper halves of float32 numbers.
Array from_bfloat16(const Array& halves) {
  return Array(DType::float32, halves.shape(), [&](std::span<std::byte> target) {
    auto* entries = reinterpret_cast<float*>(target.data());
    const auto* source = reinterpret_cast<const std::uint16_t*>(halves.data());
    for (Index k = 0; k < halves.size(); ++k)
      entries[k] = std::bit_cast<float>(std::uint32_t{source[k]} << 16);
  });
}

}  // namespace

std::optional<DType> type_of(int number) {
  switch (number) {
    case TensorProto::FLOAT:
      return DType::float32;
    case TensorProto::DOUBLE:
      return DType::float64;
    case TensorProto::FLOAT16:
      return DType::float16;
    case TensorProto::BFLOAT16:
      return DType::float32;
    case TensorProto::INT8:
      return DType::int8;
    case TensorProto::INT16:
      return DType::int16;
    case TensorProto::INT32:
      return DType::int32;
    case TensorProto::INT64:
      return DType::int64;
    case TensorProto::UINT8:
      return DType::uint8;
    case TensorProto::UINT16:
      return DType::uint16;
    case TensorProto::UINT32:
      return DType::uint32;
    case TensorProto::UINT64:
      return DType::uint64;
    case TensorProto::BOOL:
      return DType::boolean;
    default:
      return std::nullopt;
  }
}

Array array_of(const TensorProto& tensor, const ArrayPlace& place) {
  const auto named = type_of(tensor.data_type());
  if (!named) {
    refuse(place.where, "the array has a type that no network here computes with",
           "ONNX's type number " + std::to_string(tensor.data_type()), "a number or a truth value");
  }
  if (tensor.has_segment()) refuse(place.where, "the array is stored in segments, which ONNX never defined");
  if (tensor.dims_size() > 64)
    refuse(place.where, "the array has too many axes", std::to_string(tensor.dims_size()), "64 at most");
  const bool is_bfloat16 = tensor.data_type() == TensorProto::BFLOAT16;
  const DType type = is_bfloat16 ? DType::uint16 : *named;
  const Shape shape(std::vector<Index>(tensor.dims().begin(), tensor.dims().end()));
  const std::uint64_t bytes = claimed_bytes(bytes_of(type), shape, place.where);
  Array array;
  if (tensor.data_location() == TensorProto::EXTERNAL)
    array = external_array(tensor, type, shape, bytes, place);
  else if (tensor.has_raw_data())
    array = from_raw(tensor.raw_data(), type, shape, bytes, place.where);
  else
    array = from_fields(tensor, type, shape, place.where);
  if (type == DType::boolean) return sound_booleans(array);
  if (is_bfloat16) return from_bfloat16(array);
  return type == DType::float16 ? Array(array.converted<float>()) : array;
}

}  // namespace tangra::load::onnx
