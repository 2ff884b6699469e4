#pragma once
// Not for other rooms: the checksum behind every chunk.
#include <cstddef>
#include <cstdint>
#include <span>

namespace tangra::formats {

/// CRC-32C of the bytes, as RFC 3720 (appendix B.4) and Zarr's codec "crc32c" have it: the polynomial
/// 0x1EDC6F41 with its bits reversed, begun with ones and ended by inverting all bits. By the processor's
/// instruction where it has one.
std::uint32_t crc32c(std::span<const std::byte> bytes);

/// The same by tables alone, eight bytes at a time.
std::uint32_t crc32c_by_tables(std::span<const std::byte> bytes);

}  // namespace tangra::formats
