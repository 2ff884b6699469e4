#pragma once
#include <span>

#include "tangra/base/tensor.h"

namespace tangra::linalg {

/// The columns that gemm_shifted writes where `columns` are asked for: a multiple of a micro-tile's width.
template <class T>
Index shifted_columns(Index columns);

/// C[m, j] = sum_k A[m, k] x[offsets[k] + j] for j < columns, each entry one chain of fused multiply-adds in ascending k, as
/// in gemm(): a product whose right factor's rows overlap in memory, as the patches of a convolution do in its padded image.
///
/// A: [m, k]. C: [m, shifted_columns(columns)] with column_stride 1; the columns behind the last are written too. x can be
/// read up to x[max(offsets) + shifted_columns(columns) - 1]. Runs on the calling thread.
template <class T>
void gemm_shifted(MatrixView<const T> a, const T* x, std::span<const Index> offsets, Index columns, MatrixView<T> c);

#define TANGRA_DECLARE(T)                                \
  extern template Index shifted_columns<T>(Index);       \
  extern template void gemm_shifted<T>(MatrixView<const T>, const T*, std::span<const Index>, Index, MatrixView<T>);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::linalg
