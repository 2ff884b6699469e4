#pragma once
#include "tangra/base/tensor.h"

namespace tangra::linalg {

/// The eigenvalues of a symmetric matrix A: [n, n], and its eigenvectors when they were asked for.
///
/// Bounds (LAPACK Users' Guide, 4.7): |computed - true| <= p(n) eps |A|_2 for every eigenvalue, so small ones
/// of an ill-conditioned matrix have no correct digits; p grows modestly with n. Bits depend on the number of
/// threads.
struct SymmetricEigen {
  Tensor<double> values;   ///< [n], ascending
  Tensor<double> vectors;  ///< [n, n], row r belongs to values[r]; [0] where not asked for
  bool converged = true;   ///< false: `values` and `vectors` are of no use
};

/// By LAPACK's dsyevr. a: [n, n], destroyed; only its lower triangle is read; one of its strides has to be 1.
/// Throws Error(numerics) where the lower triangle has an entry that is not finite, Error(input) where n is
/// beyond what LAPACK's 32-bit integers count.
SymmetricEigen symmetric_eigen(MatrixView<double> a, bool vectors, int threads);

/// The same by cyclic Jacobi rotations, in plain loops: the independent check, for n up to a few hundred.
SymmetricEigen symmetric_eigen_reference(MatrixView<const double> a, bool vectors);

/// How a Cholesky factorisation ended.
struct CholeskyOutcome {
  Index failing_pivot =
      -1;  ///< the first leading minor that is not positive is that of rows 0 to this one; -1: none
  bool definite() const { return failing_pivot < 0; }
};

/// A = L L^T by LAPACK's dpotrf. a: [n, n], column_stride 1; its lower triangle is read and becomes L, the
/// other is left alone. Where a pivot fails, the lower triangle holds no factor. Throws as symmetric_eigen
/// does.
CholeskyOutcome cholesky(MatrixView<double> a, int threads);

/// Solves L L^T X = B. l: [n, n], column_stride 1, lower triangle as left by cholesky(); b: [n, count] with
/// column_stride 1, becomes X.
void solve_cholesky(MatrixView<const double> l, MatrixView<double> b, int threads);

}  // namespace tangra::linalg
