#pragma once
// Not for other rooms: a kernel in a file, applied without being read into memory as a whole.
#include "tangra/analysis/verdict.h"
#include "tangra/kernel/kernel_file.h"
#include "tangra/linalg/linear_operator.h"

namespace tangra::run {

/// A symmetric kernel in a .npy or .zarr as a linear operator: every product reads the file once. The bits of a product
/// do not depend on the number of threads.
class StoredOperator final : public linalg::LinearOperator {
 public:
  /// n: the side of the matrix. The file has to outlive the operator.
  StoredOperator(const kernel::KernelFile& file, Index n) : file_(file), n_(n) {}

  Index rows() const override { return n_; }
  Index columns() const override { return n_; }
  bool symmetric() const override { return true; }
  void apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const override;

  /// One pass over the file. Throws Error(input) where an entry is not finite, or the matrix is not symmetric: told by
  /// |(K - K^T) x| for a random x, which is |K - K^T|_F on average, beyond 1e-6 |K|_F.
  analysis::MatrixNorms checked_norms(const std::string& name, const Context& context) const;

 private:
  template <class Use>
  void visit(const Context& context, const Use& use) const;

  const kernel::KernelFile& file_;
  Index n_;
};

}  // namespace tangra::run
