#pragma once
// Not for other rooms: what .npy files and the members of .npz files have in common.
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "tangra/formats/npy.h"

namespace tangra::formats {

/// Fills the span with the next bytes or throws.
using ReadNext = std::function<void(std::span<std::byte>)>;
/// Fills the span with the bytes from that offset behind the header on, or throws.
using ReadAt = std::function<void(std::uint64_t offset, std::span<std::byte>)>;

/// Parses the header of an array that takes `total` bytes with its header. Throws Error(input) where it is
/// malformed or claims another size; nothing of a claimed size is allocated before.
NpyHeader parse_npy_header(const ReadNext& next, std::uint64_t total, const std::string& where);

/// Rows [begin, end) (all of a scalar: 0, 1). Row-major data are read in a single call.
Array read_npy_data(const NpyHeader& header, Index begin, Index end, const ReadAt& read,
                    const std::string& where);

}  // namespace tangra::formats
