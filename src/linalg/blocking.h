#pragma once
#include <algorithm>

#include "tangra/base/index.h"

namespace tangra::linalg {

/// How far an inner product runs at most before the next micro-tile gets its turn. Measured: in a tile, whose
/// chains wait in buffers, right panels may well come from the second-level cache (256 was 2 to 5% slower);
/// gemm wants its block of left panels there. No bit depends on it: a chain goes on where it was.
inline constexpr Index tile_chain_block = 1024;
inline constexpr Index gemm_chain_block = 512;

/// What the left panels of a block of rows may take of a core's second-level cache, in bytes.
inline constexpr Index left_block_bytes = 320 << 10;

inline Index divide_up(Index count, Index by) {
  return (count + by - 1) / by;
}
inline Index round_up(Index count, Index to) {
  return divide_up(count, to) * to;
}

/// Rows of a block: a multiple of `height`, so that they fit into left_block_bytes, all blocks about equally
/// high.
inline Index row_block(Index rows, Index height, Index bytes_per_row) {
  const Index most =
      std::clamp(left_block_bytes / std::max<Index>(1, bytes_per_row) / height, Index{4}, Index{24});
  const Index blocks = divide_up(divide_up(rows, height), most);
  return blocks == 0 ? height : round_up(divide_up(rows, blocks), height);
}

}  // namespace tangra::linalg
