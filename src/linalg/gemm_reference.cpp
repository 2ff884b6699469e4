#include "tangra/linalg/gemm_reference.h"

namespace tangra::linalg {

template <class T>
void gemm_reference(MatrixView<const T> a, MatrixView<const T> b, bool accumulate, MatrixView<T> c) {
  if (b.column_stride == 1 && c.column_stride == 1) {
    // The same sums, in the same order of k: entries that lie side by side grow together.
    for (Index i = 0; i < c.rows; ++i) {
      T* const entries = c.data + i * c.row_stride;
      for (Index j = 0; j < c.columns && !accumulate; ++j) entries[j] = 0;
      for (Index k = 0; k < a.columns; ++k) {
        const T factor = a(i, k);
        const T* const row = b.data + k * b.row_stride;
        for (Index j = 0; j < c.columns; ++j) entries[j] += factor * row[j];
      }
    }
    return;
  }
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
