#pragma once
#include "tangra/base/context.h"
#include "tangra/base/tensor.h"

namespace tangra::linalg {

/// A linear map that can be applied to vectors: all that solvers and spectra know of a kernel.
class LinearOperator {
 public:
  virtual ~LinearOperator() = default;
  virtual Index rows() const = 0;
  virtual Index columns() const = 0;
  /// Promises <A u, v> = <u, A v> up to rounding, and rows() = columns().
  virtual bool symmetric() const = 0;
  /// y = A x for b vectors at once. x: [columns, b] with any strides, y: [rows, b] with column_stride 1,
  /// written in full whatever it held. Throws Error(interrupted) where the context is cancelled.
  virtual void apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const = 0;
};

/// A matrix that is stored, as an operator. Does not own the memory.
class MatrixOperator final : public LinearOperator {
 public:
  /// `symmetric` is the caller's promise; both triangles have to be there.
  MatrixOperator(MatrixView<const double> matrix, bool symmetric);
  Index rows() const override { return matrix_.rows; }
  Index columns() const override { return matrix_.columns; }
  bool symmetric() const override { return symmetric_; }
  void apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const override;

 private:
  MatrixView<const double> matrix_;
  bool symmetric_;
};

}  // namespace tangra::linalg
