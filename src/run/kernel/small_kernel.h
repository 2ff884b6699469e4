#pragma once
// Not for other rooms: kernels of a few samples at a network's present parameters, in memory.
#include <string>

#include "tangra/differentiate/program.h"
#include "tangra/run/session.h"
#include "tangra/run/training.h"

namespace tangra::run {

/// The kernel of `of` between rows and columns (null: the rows) under a reduction, in the shape that kernel::lower gives it.
/// Throws Error(memory) where it does not fit, and what assembly throws.
template <class T>
Tensor<double> small_kernel(const differentiate::Program<T>& program, const Tensor<T>& rows, const Tensor<T>* columns,
                            ValueId of, const std::string& reduce, const Context& context);

/// `count` numbers below `total`, evenly spread; all where there are fewer.
std::vector<Index> spread(Index count, Index total);

/// A data set's samples in the type of the computation, with labels that the loss can take. Throws Error(input) where
/// there are no samples or no labels, or a label is no class.
template <class T>
train::Samples<T> labelled_samples(const Loaded& loaded, const train::Loss& loss);

/// The samples with these numbers.
template <class T>
train::Samples<T> chosen(const train::Samples<T>& samples, const std::vector<Index>& numbers);

/// See RateBound. The eigenvalue is found by a block Lanczos method on the kernel's operator, without the kernel.
template <class T>
RateBound rate_bound(const differentiate::Program<T>& program, const train::Loss& loss, const train::Samples<T>& samples,
                     double momentum, const Context& context);

/// Compares kernels [n, n] with a first one.
class KernelMotion {
 public:
  KernelMotion(Tensor<double> initial, std::vector<Index> labels, Index top);
  /// Throws Error(numerics) where LAPACK does not converge.
  KernelMoment moment(Index epoch, const Tensor<double>& kernel, const Context& context) const;

 private:
  Tensor<double> initial_;
  Tensor<double> initial_centred_;
  Tensor<double> labels_;  ///< Y Y^T
  Tensor<double> labels_centred_;
  Index top_;
};

#define TANGRA_DECLARE(T)                                                                                              \
  extern template Tensor<double> small_kernel<T>(const differentiate::Program<T>&, const Tensor<T>&, const Tensor<T>*, \
                                                 ValueId, const std::string&, const Context&);                         \
  extern template train::Samples<T> labelled_samples<T>(const Loaded&, const train::Loss&);                            \
  extern template train::Samples<T> chosen<T>(const train::Samples<T>&, const std::vector<Index>&);                   \
  extern template RateBound rate_bound<T>(const differentiate::Program<T>&, const train::Loss&,                       \
                                          const train::Samples<T>&, double, const Context&);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::run
