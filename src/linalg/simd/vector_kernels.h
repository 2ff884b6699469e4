#pragma once
#include "tangra/base/index.h"

namespace tangra::linalg {

/// The loops of vectors.h as one SIMD target has them.
template <class T>
struct VectorKernels {
  void (*add)(const T*, Index, T*);
  void (*scale)(T, const T*, Index, bool, T*);
  void (*scale_each)(const T*, const T*, Index, bool, T*);
  T (*dot)(const T*, const T*, Index);  ///< the sum of the first alone where the second is null
};

}  // namespace tangra::linalg
