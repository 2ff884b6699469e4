#include <algorithm>
#include <vector>

#include "source.h"
#include "tangra/formats/gzip.h"

namespace tangra::data {

extern const unsigned char digits_gzip[];  // made by CMake from digits.bin.gz
extern const std::size_t digits_gzip_size;

namespace {

constexpr Index digit_count = 1797;
constexpr std::size_t pixels = 64;
constexpr std::size_t row_bytes = pixels + 1;

Rows read_digits(Index begin, Index end) {
  const auto packed = std::as_bytes(std::span(digits_gzip, digits_gzip_size));
  const std::vector<std::byte> all = formats::gunzip(packed, digit_count * row_bytes, "the built-in digits");
  const auto row = [&](std::size_t i) {
    return std::span(all).subspan((static_cast<std::size_t>(begin) + i) * row_bytes, row_bytes);
  };
  const auto count = static_cast<std::size_t>(end - begin);
  Rows rows;
  rows.inputs = Array(DType::uint8, Shape{end - begin, 1, 8, 8}, [&](std::span<std::byte> target) {
    for (std::size_t i = 0; i < count; ++i)
      std::copy_n(row(i).begin(), pixels, target.subspan(i * pixels).begin());
  });
  rows.labels = Array(DType::uint8, Shape{end - begin}, [&](std::span<std::byte> target) {
    for (std::size_t i = 0; i < count; ++i) target[i] = row(i)[pixels];
  });
  return rows;
}

}  // namespace

Source digits_source() {
  return {.name = "digits",
          .count = digit_count,
          .read = read_digits,
          .divisor = 16,
          .channels_first = true,
          .note = {}};
}

}  // namespace tangra::data
