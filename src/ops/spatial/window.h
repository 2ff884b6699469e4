#pragma once
#include <array>
#include <utility>
#include <vector>

#include "tangra/ops/op.h"

namespace tangra::ops {

/// Where a kernel lies on an image, by spatial axes; missing ones lead with length 1. Position p of an axis
/// meets the entries  p * stride - begin + t * dilation,  t = 0 .. kernel - 1,  of the image; those outside
/// of it are padding.
struct Window {
  static constexpr std::size_t axes = 3;
  using PerAxis = std::array<Index, axes>;

  PerAxis image{1, 1, 1};
  PerAxis positions{1, 1, 1};
  PerAxis kernel{1, 1, 1};
  PerAxis stride{1, 1, 1};
  PerAxis dilation{1, 1, 1};
  PerAxis begin{0, 0, 0};  ///< padding before the image
  PerAxis end{0, 0, 0};    ///< padding behind it

  Index image_size() const { return image[0] * image[1] * image[2]; }
  Index position_count() const { return positions[0] * positions[1] * positions[2]; }
  Index taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  /// Entries of an axis that the kernel reaches over.
  Index reach(std::size_t axis) const { return (kernel[axis] - 1) * dilation[axis] + 1; }
  /// Every position meets the one entry of the image that has its own number.
  bool is_identity() const;
  /// The positions [first, last) for which tap `tap` lies in [low, high) of the axis.
  std::pair<Index, Index> positions_inside(std::size_t axis, Index tap, Index low, Index high) const;
  /// The taps [first, last) of a position that lie in [low, high) of the axis.
  std::pair<Index, Index> taps_inside(std::size_t axis, Index position, Index low, Index high) const;
};

/// The most spatial axes that a window has room for.
inline constexpr Index most_spatial_axes = static_cast<Index>(Window::axes);

/// The axes of `shape` from `first` on.
Shape spatial_part(const Shape& shape, Index first);
/// Throws unless the shape is one of channels and 1 to 3 spatial axes, all of length 1 or more.
void require_image(const Node& node, const Shape& shape);

/// Reads strides, dilations, pads, auto_pad and ceil_mode as ONNX defines them for a convolution or a
/// pooling. Positions of ceil_mode that would start behind the image are left out. Throws Error(input) for
/// attributes that do not fit and where no position is left.
Window read_window(const Node& node, const Shape& image, const Shape& kernel);
/// The same for a transposed convolution: `positions` is its input, the image its result. Reads
/// output_padding and output_shape too.
Window read_transposed_window(const Node& node, const Shape& positions, const Shape& kernel);
/// One position that meets the whole image.
Window whole_image(const Shape& image);

/// For each tap and position the number of the pixel that is met, -1 in the padding: [taps, positions].
std::vector<Index> pixels_of(const Window& window);

/// `channels` followed by the last `rank` axes of a window's lengths.
Shape channels_and(Index channels, const Window::PerAxis& lengths, Index rank);

}  // namespace tangra::ops
