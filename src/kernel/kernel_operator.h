#pragma once
#include <vector>

#include "tangra/factors/apply.h"
#include "tangra/factors/contraction.h"
#include "tangra/linalg/linear_operator.h"

namespace tangra::kernel {

/// Which kernel an operator stands for: one plane of a reduction.
template <class T>
struct OperatorSpec {
  const factors::FactorSource<T>* rows = nullptr;     ///< outlives the operator
  const factors::FactorSource<T>* columns = nullptr;  ///< null: the rows, and the operator is symmetric
  factors::RowLayout layout;
  Index plane = 0;           ///< of a diagonal kernel: the output
  std::vector<Index> sizes;  ///< entries of each parameter
  double divisor = 1;
};

/// A kernel that is applied without being formed: K x = sum_t J_t (J'_t^T x), t over the directions that a trace sums.
/// One product of b vectors costs 4 N R P b operations and memory for R P b entries, R the summed directions. The factors
/// are kept from product to product where half of the free memory holds them, and made anew otherwise.
///
/// rows(): N times the outputs that stay (RowLayout::full), in the order of a stored kernel. The bits of a product do not
/// depend on the threads. Products have the rounding of T, whatever the vectors' type. Errors are those of
/// FactorSource::make, and Error(memory) where not even one vector fits.
template <class T>
class KernelOperator final : public linalg::LinearOperator {
 public:
  KernelOperator(OperatorSpec<T> spec, const Context& context);

  Index rows() const override { return spec_.rows->samples() * spec_.layout.full; }
  Index columns() const override { return column_source().samples() * spec_.layout.full; }
  bool symmetric() const override { return spec_.columns == nullptr; }
  void apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const override;

  /// Whether the factors are kept.
  bool keeps_factors() const { return !row_blocks_.empty(); }

 private:
  using Blocks = std::vector<factors::FactorBlock<T>>;

  const factors::FactorSource<T>& column_source() const { return symmetric() ? *spec_.rows : *spec_.columns; }
  void keep(const factors::FactorBlock<T>& sample, const Context& context);
  Blocks make(const factors::FactorSource<T>& source, const Blocks& kept, Index first, Index last,
              const Context& context) const;
  void transposed_product(MatrixView<const double> x, factors::ParameterVectors<T>& w, const Context& context) const;
  void product(const factors::ParameterVectors<T>& w, MatrixView<double> y, const Context& context) const;

  OperatorSpec<T> spec_;
  Index block_ = 1;         ///< samples whose factors are made together
  Index parameters_ = 0;    ///< entries of the parameters that have a term
  Blocks row_blocks_;       ///< kept factors, or nothing
  Blocks column_blocks_;
  Reservation working_;  ///< what a block takes that is made anew, for every thread
  Reservation kept_;
};

/// What a KernelOperator takes at least, its products with one vector at a time included. entries: of a vector in the space of
/// the parameters, in all directions that are summed.
template <class T>
std::size_t operator_memory(const factors::FactorSource<T>& source, Index entries, const Context& context);

extern template std::size_t operator_memory<float>(const factors::FactorSource<float>&, Index, const Context&);
extern template std::size_t operator_memory<double>(const factors::FactorSource<double>&, Index, const Context&);
extern template class KernelOperator<float>;
extern template class KernelOperator<double>;

}  // namespace tangra::kernel
