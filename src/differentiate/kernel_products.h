#pragma once
#include "tangra/differentiate/basis.h"
#include "tangra/differentiate/sweeps.h"
#include "tangra/factors/plan.h"

namespace tangra::differentiate {

/// Columns of a kernel as J (J'^T e), by reverse and forward sweeps and no contraction of factors: the method of
/// vector products (Novak, Sohl-Dickstein, Schoenholz, "Fast Finite Width Neural Tangent Kernel", ICML 2022, section 3.2).
/// Holds the gradients of one sample of the columns at a time.
template <class T>
class KernelProducts {
 public:
  /// rows: the inputs of the kernel's rows, [N1, shape]; `basis` belongs to rows and columns alike.
  KernelProducts(const Program<T>& program, const Tensor<T>& rows, ValueId of, Basis basis, const Context& context);

  /// For sample `sample` of `columns` [N2, shape]: K[(i,r),(sample,s)] for all i, r, s, as [N1, R, R]. Only the parameters for
  /// which `chosen` is true count.
  Tensor<T> columns(const Tensor<T>& columns, Index sample, const std::vector<bool>& chosen) const;

 private:
  const Program<T>& program_;
  ValueId of_;
  Basis basis_;
  Context context_;
  Activations<T> activations_;
  Tensor<T> seeds_;  ///< [N1, R, O]
};

/// Bytes that KernelProducts of so many rows and its columns, one sample at a time, take: sweeps of all rows, the gradients of
/// a sample. source: factors of samples of this network under the same basis.
template <class T>
std::size_t product_bytes(const factors::FactorSource<T>& source, Index rows, const Graph& graph);

/// Adds a column of KernelProducts, [N1, R, R] of sample j of `columns`, to a kernel [planes, N1 full, columns full].
template <class T>
void add_column(const Tensor<T>& column, const factors::RowLayout& layout, double divisor, Index j, Index columns,
                Tensor<T>& kernel);

/// Makes kernels [planes, side, side] exactly symmetric: J g and g J round apart, and the lower triangle decides.
template <class T>
void mirror(Tensor<T>& kernel, Index planes, Index side);

#define TANGRA_DECLARE(T)                                                                                             \
  extern template std::size_t product_bytes<T>(const factors::FactorSource<T>&, Index, const Graph&);                \
  extern template void add_column<T>(const Tensor<T>&, const factors::RowLayout&, double, Index, Index, Tensor<T>&); \
  extern template void mirror<T>(Tensor<T>&, Index, Index);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE
extern template class KernelProducts<float>;
extern template class KernelProducts<double>;

}  // namespace tangra::differentiate
