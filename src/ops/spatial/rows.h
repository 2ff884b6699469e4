#pragma once
#include "tangra/base/index.h"

namespace tangra::ops {

/// One array for each sample and direction: row i * R + r is direction r of sample i.
template <class T>
struct Rows {
  T* data = nullptr;
  Index sample_stride = 0;
  Index direction_stride = 0;
  Index directions = 1;  ///< R

  T* at(Index row) const {
    return data + row / directions * sample_stride + row % directions * direction_stride;
  }
  /// All rows are the same array.
  bool shared() const { return sample_stride == 0 && (direction_stride == 0 || directions == 1); }
  /// The same rows, each from its entry `offset` on.
  Rows from(Index offset) const { return {data + offset, sample_stride, direction_stride, directions}; }
};

}  // namespace tangra::ops
