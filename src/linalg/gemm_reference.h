#pragma once
#include "tangra/base/tensor.h"

namespace tangra::linalg {

/// What Engine::reference runs; see gemm.h. Serial, three loops: every entry is a sum in ascending k, rounded at each
/// step, whatever the strides.
template <class T>
void gemm_reference(MatrixView<const T> a, MatrixView<const T> b, bool accumulate, MatrixView<T> c);

extern template void gemm_reference<float>(MatrixView<const float>, MatrixView<const float>, bool,
                                           MatrixView<float>);
extern template void gemm_reference<double>(MatrixView<const double>, MatrixView<const double>, bool,
                                            MatrixView<double>);

}  // namespace tangra::linalg
