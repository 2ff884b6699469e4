#pragma once
#include <algorithm>

#include "tangra/base/index.h"

namespace tangra::linalg {

/// How far an inner product runs before the next micro-tile gets its turn: a right panel of this length (32 KiB of it
/// with AVX-512) stays in the first-level cache while left panels stream past. No bit depends on it: the chain goes on
/// where it was.
inline constexpr Index chain_block = 256;

/// What the left panels of a block of rows may take of a core's second-level cache, in bytes.
inline constexpr Index left_block_bytes = 320 << 10;

inline Index divide_up(Index count, Index by) { return (count + by - 1) / by; }
inline Index round_up(Index count, Index to) { return divide_up(count, to) * to; }

/// Rows of a block: a multiple of `height`, so that they fit into left_block_bytes, all blocks about equally high.
inline Index row_block(Index rows, Index height, Index bytes_per_row) {
  const Index most = std::clamp(left_block_bytes / std::max<Index>(1, bytes_per_row) / height, Index{4}, Index{24});
  const Index blocks = divide_up(divide_up(rows, height), most);
  return blocks == 0 ? height : round_up(divide_up(rows, blocks), height);
}

}  // namespace tangra::linalg
