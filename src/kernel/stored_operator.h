#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tangra/kernel/kernel_file.h"
#include "tangra/linalg/linear_operator.h"

namespace tangra::kernel {

/// What is read off a stored kernel in one pass.
struct StoredNorms {
  double trace = 0;
  double frobenius = 0;
  double largest_row_sum = 0;  ///< max_i sum_j |K_ij|
  /// |(K - K^T) x| for an x of random signs, whose root mean square over x is |K - K^T|_F. Infinite where K is not square.
  double asymmetry = 0;
};

/// A kernel in a file as an operator, K itself or a train x test one: every product reads the file once, piece by piece, and
/// holds a few pieces at a time. Of a lower triangle each piece serves both sides of the diagonal.
///
///   const kernel::KernelFile file("K.zarr");
///   const kernel::StoredOperator k(file, true);
///   k.apply(x, y, context);  // x: [columns, b], y: [rows, b]; 2 rows columns b operations
class StoredOperator final : public linalg::LinearOperator {
 public:
  /// The file has to outlive the operator. `symmetric` is the caller's promise, which norms() can check; a lower triangle is
  /// symmetric in any case. Throws Error(input) where the file holds no matrix, or a promised symmetry is no square.
  StoredOperator(const KernelFile& file, bool symmetric);

  Index rows() const override { return rows_; }
  Index columns() const override { return columns_; }
  bool symmetric() const override { return symmetric_; }
  /// Products and sums are in float64; the bits do not depend on the threads. Throws Error(input) for a piece that is
  /// damaged or absent, Error(memory) where not even one piece fits.
  void apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const override;

  /// One pass over the file, with the same bits for any number of threads. Throws Error(input), naming the entry of `name`,
  /// where one is not finite, and as apply().
  StoredNorms norms(const std::string& name, const Context& context) const;

 private:
  using Piece = KernelFile::Piece;
  using Use = std::function<void(const Piece&, MatrixView<const double>, std::size_t)>;
  void for_pieces(const Context& context, std::size_t numbers_for_row, const Use& use,
                  const std::function<void(const Piece&, std::size_t)>& done) const;

  const KernelFile& file_;
  Index rows_ = 0;
  Index columns_ = 0;
  bool symmetric_;
};

}  // namespace tangra::kernel
