#pragma once
// Not for other rooms: what the readers share when they meet a claimed shape.
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "tangra/base/array.h"
#include "tangra/formats/refuse.h"

namespace tangra::formats {

/// Deflate cannot make more than this many bytes of one.
inline constexpr std::uint64_t deflate_ratio = 1032;

/// Bytes of an array of this type and claimed shape. Throws Error(input) where a length is negative, or the
/// product of the lengths that are not zero is beyond an Index.
inline std::uint64_t claimed_bytes(DType type, const Shape& shape, const std::string& where) {
  auto bytes = static_cast<Index>(bytes_of(type));
  bool none = false;
  for (const Index length : shape) {
    none = none || length == 0;
    if (length < 0 || (length > 0 && __builtin_mul_overflow(bytes, length, &bytes))) {
      refuse(where, "no array can have the shape that the header claims", to_string(shape),
             "lengths of 0 or more, and less than 2^63 bytes");
    }
  }
  return none ? 0 : static_cast<std::uint64_t>(bytes);
}

/// Throws Error(input) unless rows [begin, end) of the first axis are there.
inline void check_rows(const Shape& shape, Index begin, Index end, const std::string& where) {
  if (shape.empty())
    refuse(where, "a single number has no rows to select", to_string(shape), "at least one axis");
  if (begin < 0 || end < begin || end > shape[0]) {
    refuse(where, "these rows are not in the file", std::to_string(begin) + ":" + std::to_string(end),
           "rows within 0:" + std::to_string(shape[0]));
  }
}

/// Turns the byte order of every number of `width` bytes around.
inline void reverse_bytes(std::span<std::byte> bytes, std::size_t width) {
  for (std::size_t i = 0; width > 1 && i + width <= bytes.size(); i += width) {
    for (std::size_t a = i, b = i + width - 1; a < b; ++a, --b) std::swap(bytes[a], bytes[b]);
  }
}

/// Throws Error(input) where a boolean is neither 0 nor 1: it could not be looked at as bool.
inline void check_booleans(DType type, std::span<const std::byte> bytes, const std::string& where) {
  if (type != DType::boolean) return;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (std::to_integer<unsigned>(bytes[i]) > 1) {
      refuse(where, "entry " + std::to_string(i) + " is no boolean",
             std::to_string(std::to_integer<unsigned>(bytes[i])), "0 or 1");
    }
  }
}

}  // namespace tangra::formats
