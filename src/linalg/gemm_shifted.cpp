#include "tangra/linalg/gemm_shifted.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/linalg/blocking.h"
#include "tangra/linalg/simd/micro_kernel.h"

namespace tangra::linalg {

template <class T>
Index shifted_columns(Index columns) {
  return round_up(columns, micro_kernels<T>().right_rows);
}

template <class T>
void gemm_shifted(MatrixView<const T> a, const T* x, std::span<const Index> offsets, Index columns, MatrixView<T> c) {
  const MicroKernels<T>& kernels = micro_kernels<T>();
  const Index k = a.columns;
  TANGRA_ENSURE(static_cast<Index>(offsets.size()) == k && c.rows == a.rows && c.column_stride == 1 &&
                c.columns >= shifted_columns<T>(columns));
  if (a.rows == 0 || columns == 0) return;
  const Index panels = divide_up(a.rows, kernels.left_rows);
  const Index height = divide_up(a.rows, panels);  // about equal ones: a few rows alone leave the multipliers waiting
  thread_local Tensor<T> memory;
  const Index panel_entries = kernels.left_rows * k;
  if (memory.size() < panels * panel_entries) memory = Tensor<T>::uninitialized(Shape{panels * panel_entries});
  for (Index p = 0; p < panels; ++p) {
    kernels.pack_left(a.block(p * height, 0, std::min(height, a.rows - p * height), k), memory.data() + p * panel_entries);
  }
  for (Index column = 0; column < columns; column += kernels.right_rows) {
    for (Index p = 0; p < panels; ++p) {
      kernels.chain({.k = k,
                     .rows = std::min(height, a.rows - p * height),
                     .left = memory.data() + p * panel_entries,
                     .right = x + column,
                     .right_offsets = offsets.data(),
                     .out = &c(p * height, column),
                     .out_stride = c.row_stride,
                     .from_zero = true});
    }
  }
}

#define TANGRA_INSTANTIATE(T)                 \
  template Index shifted_columns<T>(Index);   \
  template void gemm_shifted<T>(MatrixView<const T>, const T*, std::span<const Index>, Index, MatrixView<T>);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::linalg
