#include "tangra/formats/zarr/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

namespace tangra::formats {
namespace {

constexpr std::uint32_t polynomial = 0x82F63B78;  // 0x1EDC6F41 from its last bit to its first

/// tables[k][b]: what byte b adds to the remainder when k bytes of zero follow it.
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ ((remainder & 1U) != 0 ? polynomial : 0);
    tables[0][byte] = remainder;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 255U];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

std::uint32_t one_byte(std::uint32_t remainder, std::byte byte) {
  return (remainder >> 8) ^ tables[0][(remainder ^ std::to_integer<std::uint32_t>(byte)) & 255U];
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(std::span<const std::byte> bytes) {
  std::uint64_t remainder = ~std::uint32_t{0};
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    remainder = __builtin_ia32_crc32di(remainder, word);
  }
  auto last = static_cast<std::uint32_t>(remainder);
  for (const std::byte byte : bytes) last = one_byte(last, byte);
  return ~last;
}

bool has_instruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}

#endif

}  // namespace

std::uint32_t crc32c_by_tables(std::span<const std::byte> bytes) {
  std::uint32_t remainder = ~std::uint32_t{0};
  if constexpr (std::endian::native == std::endian::little) {
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data(), 8);
      word ^= remainder;
      remainder = 0;
      for (std::size_t k = 0; k < 8; ++k) remainder ^= tables[7 - k][(word >> (8 * k)) & 255U];
    }
  }
  for (const std::byte byte : bytes) remainder = one_byte(remainder, byte);
  return ~remainder;
}

std::uint32_t crc32c(std::span<const std::byte> bytes) {
#if defined(__x86_64__)
  if (has_instruction()) return crc32c_by_instruction(bytes);
#endif
  return crc32c_by_tables(bytes);
}

}  // namespace tangra::formats
