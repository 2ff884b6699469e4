#pragma once
// Not for other rooms: where the kernel of a convolution or of a pooling lies. Flux's (width, height, depth)
// are our (depth, height, width).
#include "tangra/load/chain/layers/arguments.h"

namespace tangra::load {

struct Window {
  std::vector<Index> kernel;  ///< by our spatial axes
  std::vector<Index> strides;
  std::vector<Index> dilations;
  std::vector<Index> pads;            ///< before each axis, then behind each
  std::vector<Index> output_padding;  ///< of a transposed convolution; else empty

  Index axes() const { return static_cast<Index>(kernel.size()); }
  Index taps() const;
};

enum class WindowUse { convolution, transposed, pool };

/// The window of a layer whose first argument is the size of its kernel, with stride, pad and, but for pools,
/// dilation by name. The stride of a pool is its kernel unless it is given.
Window read_window(const Arguments& arguments, WindowUse use);

/// "(3, height, width)" for 3 channels and two axes; `channels` may be a word.
std::string image_words(const std::string& channels, Index axes);
/// "3,32,32", a shape of that kind.
std::string image_example(Index channels, Index axes);

}  // namespace tangra::load
