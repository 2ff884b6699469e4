#pragma once
#include "tangra/ops/spatial/window.h"

namespace tangra::ops {

/// The patches of images: P[k, d], k = (channel, tap) in the order of a convolution's weight, d a position.
/// Entries in the padding are 0.
class PatchMap {
 public:
  explicit PatchMap(const Window& window);
  const Window& window() const { return window_; }

  /// Writes P[k, d] for the channels [0, channels) of `image` and the positions [first, last) to
  /// to[k * row_stride + (d - first) * column_stride].
  template <class T>
  void gather(const T* image, Index channels, Index first, Index last, T* to, Index row_stride,
              Index column_stride) const;
  /// The adjoint of gather: adds from[k * row_stride + (d - first)] to the entries of the image that P[k, d]
  /// is read from.
  template <class T>
  void scatter(const T* from, Index row_stride, Index channels, Index first, Index last, T* image) const;

 private:
  /// A piece of a line of positions, and where it starts among all that were asked for.
  struct Line {
    Index z, y;
    Index first, last;  ///< of the last axis
    Index column;
  };
  template <class Use>
  void each_line(Index first, Index last, const Use& use) const;
  /// Calls use(row, inside positions first, last, entry of the image for position `first`) for each row of P
  /// on a line; first == last where all of it is padding.
  template <class Use>
  void each_row(const Line& line, Index channels, const Use& use) const;

  Window window_;
  std::vector<std::pair<Index, Index>>
      inside_;  ///< of the last axis: by tap, the positions that lie in the image
};

extern template void PatchMap::gather<float>(const float*, Index, Index, Index, float*, Index, Index) const;
extern template void PatchMap::gather<double>(const double*, Index, Index, Index, double*, Index,
                                              Index) const;
extern template void PatchMap::scatter<float>(const float*, Index, Index, Index, Index, float*) const;
extern template void PatchMap::scatter<double>(const double*, Index, Index, Index, Index, double*) const;

}  // namespace tangra::ops
