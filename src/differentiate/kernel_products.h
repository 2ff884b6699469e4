#pragma once
#include "tangra/differentiate/basis.h"
#include "tangra/differentiate/sweeps.h"

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

extern template class KernelProducts<float>;
extern template class KernelProducts<double>;

}  // namespace tangra::differentiate
