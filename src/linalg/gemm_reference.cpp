#include "tangra/linalg/gemm_reference.h"

namespace tangra::linalg {

template <class T>
void gemm_reference(MatrixView<const T> a, MatrixView<const T> b, bool accumulate, MatrixView<T> c) {
  for (Index i = 0; i < c.rows; ++i) {
    for (Index j = 0; j < c.columns; ++j) {
      T entry = accumulate ? c(i, j) : T{0};
      for (Index k = 0; k < a.columns; ++k) entry += a(i, k) * b(k, j);
      c(i, j) = entry;
    }
  }
}

template void gemm_reference<float>(MatrixView<const float>, MatrixView<const float>, bool,
                                    MatrixView<float>);
template void gemm_reference<double>(MatrixView<const double>, MatrixView<const double>, bool,
                                     MatrixView<double>);

}  // namespace tangra::linalg
