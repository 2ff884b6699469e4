#pragma once
#include <vector>

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
  const char* routine = "dsyevr";  ///< of LAPACK
};

/// Throws Error(numerics) that names the routine, unless it converged.
void ensure_converged(const SymmetricEigen& eigen);

/// By LAPACK's dsyevr; values alone from 1,000 rows on by dsyevd_2stage. a: [n, n], destroyed; only its lower triangle is
/// read; one of its strides has to be 1.
/// Throws Error(numerics) where the lower triangle has an entry that is not finite, Error(input) where n is
/// beyond what LAPACK's 32-bit integers count.
SymmetricEigen symmetric_eigen(MatrixView<double> a, bool vectors, int threads);

/// The same with vectors that are orthonormal to a few eps, by LAPACK's dsyevd: for projected problems, whose
/// errors would add up. Its work array takes 2 n^2 numbers; a size that 32-bit integers cannot count (n over 32,766)
/// is refused by Error(input). a: destroyed, column_stride 1; only its lower triangle is read.
SymmetricEigen symmetric_eigen_orthonormal(MatrixView<double> a, int threads);

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

/// Solves L X = B alone; operands as for solve_cholesky().
void solve_lower(MatrixView<const double> l, MatrixView<double> b, int threads);

/// The inverse of A = L L^T by LAPACK's dpotri. l: [n, n], column_stride 1, lower triangle as left by
/// cholesky(); both triangles become A^-1.
void invert_cholesky(MatrixView<double> l, int threads);

/// A = U D U^T with D of blocks of 1 or 2 rows, by LAPACK's dsytrf (Bunch and Kaufman 1977); lives in the
/// memory of A. By Sylvester's law A has as many negative eigenvalues as D; A + E for some |E| of about n eps
/// |A|, to be exact.
struct IndefiniteFactor {
  MatrixView<double> factor = {};
  std::vector<int> pivots = {};
  Index negative = 0;  ///< eigenvalues of D below 0 ...
  Index zero = 0;      ///< ... and exactly 0: there is no solution then
};

/// a: [n, n], column_stride 1, destroyed; its lower triangle is read. Throws as symmetric_eigen does.
IndefiniteFactor factor_indefinite(MatrixView<double> a, int threads);

/// Solves A X = B for right-hand sides that are the rows of b: [count, n], column_stride 1; they become the
/// solutions. The factor must have no zero.
void solve_indefinite(const IndefiniteFactor& factor, MatrixView<double> b, int threads);

}  // namespace tangra::linalg
