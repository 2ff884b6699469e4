#pragma once
#include "tangra/ops/spatial/rows.h"
#include "tangra/ops/spatial/window.h"

namespace tangra::ops {

/// A convolution of stride 1 without patches: in an image with zeros around it, whose lines follow one another at a fixed
/// pitch, the patches of one tap are the image itself, shifted. Many images lie one behind the other in one long line, and
/// share the zeros between them.
template <class T>
class ShiftedConvolution {
 public:
  /// Whether the window is such a one.
  static bool fits(const Window& window);
  /// Images of `in` channels, maps of `out`.
  ShiftedConvolution(const Window& window, Index in, Index out);

  /// How many images are best taken together.
  Index images_at_once() const;

  /// maps (+)= weight * images for the rows [first, first + count). weight: [out, in * taps]; an image is [in, image], a map
  /// [out, positions].
  void apply(Index first, Index count, Rows<const T> images, MatrixView<const T> weight, bool accumulate, Rows<T> maps) const;

 private:
  void put_images(Index first, Index count, Rows<const T> images, T* lines, Index length) const;
  void take_maps(Index first, Index count, const T* lines, Index length, bool accumulate, Rows<T> maps) const;

  Window window_;
  Index in_;
  Index out_;
  Window::PerAxis pitch_{};  ///< lengths of an image with its zeros
  Index cell_ = 0;           ///< entries from one image to the next
  Index start_ = 0;          ///< of the first entry of an image in its cell
  std::vector<Index> taps_;  ///< by how much each tap is shifted
};

extern template class ShiftedConvolution<float>;
extern template class ShiftedConvolution<double>;

/// The window of the adjoint by the image: a convolution of the maps with the flipped kernel.
Window adjoint_window(const Window& window);
/// Its weight: [in, out * taps] of a weight [out, in * taps].
template <class T>
void flip_weight(const T* weight, Index out, Index in, Index taps, T* flipped) {
  for (Index o = 0; o < out; ++o) {
    for (Index i = 0; i < in; ++i, weight += taps) {
      for (Index t = 0; t < taps; ++t) flipped[(i * out + o) * taps + taps - 1 - t] = weight[t];
    }
  }
}

}  // namespace tangra::ops
