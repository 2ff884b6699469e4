#pragma once
#include "tangra/analysis/krylov.h"

namespace tangra::analysis {

/// How many eigenvalues of a stored symmetric k: [n, n] lie below `shift`: the negative pivots of the LDL^T
/// of k - shift 1 (Sylvester's law of inertia), exact for a matrix within about n eps |k| of k. Takes another
/// n^2 numbers and n^3 / 3 multiply-adds. Throws Error(memory).
Index eigenvalues_below(MatrixView<const double> k, double shift, const Context& context);

/// The algebraically smallest eigenpairs of a stored symmetric k: [n, n], values smallest first.
struct SmallestEigenpairs {
  Eigenpairs pairs = {};  ///< residuals are those of k itself; `lowest` is the smallest value
  double shift = 0;       ///< (k - shift 1)^-1 was iterated with; by Cholesky, so no eigenvalue lies below it
};

/// By block Krylov steps with the inverse of k - shift 1. `bound` is the distance from 0 at which the first
/// shift is tried; below it rounding hides eigenvalues. Takes another n^2 numbers. Throws as
/// largest_eigenpairs().
SmallestEigenpairs smallest_eigenpairs(MatrixView<const double> k, double bound, const KrylovOptions& options,
                                       const Context& context);

}  // namespace tangra::analysis
