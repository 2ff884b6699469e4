#pragma once
#include <vector>

#include "tangra/factors/contraction.h"

namespace tangra::factors {

/// Vectors in the space of the parameters: for each parameter [V, size], with V = layout.inner * b, vector (t, b) for the
/// summed index t and the column b.
template <class T>
using ParameterVectors = std::vector<Tensor<T>>;

/// Zeros for parameters with these sizes; parameters of size 0 take no memory.
template <class T>
ParameterVectors<T> parameter_vectors(const std::vector<Index>& sizes, Index vectors);

/// w += J_t^T x for every summed index t, with the rows (i, f) of plane `plane` in J. x: [samples * layout.full, b] with any
/// strides. Large products run on the pool.
///
/// The bits of w depend on the blocks' borders only where layout.full > 1 or a term is explicit; never on the threads.
template <class T>
void add_transposed_product(const FactorBlock<T>& block, const RowLayout& layout, Index plane, MatrixView<const T> x,
                            ParameterVectors<T>& w, const Context& context);

/// y += sum_t J_t w_t. y: [samples * layout.full, b] with any strides.
template <class T>
void add_product(const FactorBlock<T>& block, const RowLayout& layout, Index plane, const ParameterVectors<T>& w,
                 MatrixView<T> y, const Context& context);

#define TANGRA_DECLARE(T)                                                                                             \
  extern template ParameterVectors<T> parameter_vectors<T>(const std::vector<Index>&, Index);                         \
  extern template void add_transposed_product<T>(const FactorBlock<T>&, const RowLayout&, Index, MatrixView<const T>, \
                                                 ParameterVectors<T>&, const Context&);                               \
  extern template void add_product<T>(const FactorBlock<T>&, const RowLayout&, Index, const ParameterVectors<T>&,     \
                                      MatrixView<T>, const Context&);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
