#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tangra/analysis/krylov.h"
#include "tangra/analysis/verdict.h"
#include "tangra/base/context.h"
#include "tangra/base/tensor.h"

namespace tangra::analysis {

/// How many eigenvalues lie above a number, counted by the signs of an LDL^T: whether all of them were found.
struct InertiaCheck {
  double at = 0;
  Index found = 0;
  Index counted = 0;
  bool complete() const { return found == counted; }
};

/// What a kernel's eigenvalues say.
struct Spectrum {
  Index size = 0;
  std::vector<double> eigenvalues = {};  ///< largest first; all `size` of them where `complete`
  std::vector<double> residuals = {};    ///< |K v - lambda v|, where eigenvectors were computed
  Tensor<double> vectors = {};           ///< [eigenvalues, size], where they were asked for
  bool complete = true;
  bool converged = true;
  std::string message = {};  ///< what is missing where it did not converge
  std::string method = {};   ///< "dsyevr", "dsyevd_2stage", "block Krylov"
  Index applications = 0;    ///< vectors that K was applied to, by a Krylov method
  /// Of the largest eigenvalues, where K is stored and not all are known.
  std::optional<InertiaCheck> inertia = {};
  double smallest = 0;                   ///< eigenvalue
  double smallest_residual = 0;          ///< where it comes from a Krylov method and K is stored
  bool smallest_is_upper_bound = false;  ///< without K nothing better is known
  double rounding_bound = 0;             ///< eigenvalues below it in absolute value cannot be told from 0
  std::string rounding_bound_from = {};  ///< the summands in words
  /// "positive definite", "semidefinite within rounding", "not positive semidefinite"; or "undetermined",
  /// where only an upper bound of the smallest eigenvalue is known.
  std::string verdict = {};
  std::string statement = {};               ///< the verdict with its numbers
  std::string advice = {};                  ///< in words: what the verdict means and what to do
  std::vector<NullSpace> null_spaces = {};  ///< as they were told
  Index within_rounding = 0;                ///< eigenvalues with |lambda| <= rounding_bound
  Index negative_beyond_rounding = 0;
  /// Largest / smallest; infinite where the smallest is not positive, NaN where it is not known.
  double condition = 0;
  /// Largest / smallest of those above rounding_bound; NaN where not all are known.
  double condition_of_range = 0;
  double trace = 0;
  double frobenius = 0;
  double effective_rank = 0;  ///< participation ratio: (sum lambda)^2 / sum lambda^2
  /// exp of the entropy of lambda / sum lambda over the positive ones; NaN where not all are known.
  double entropy_rank = 0;
  double stable_rank = 0;  ///< sum lambda^2 / lambda_max^2
  Decay decay = {};        ///< of the eigenvalues that were computed
};

struct SpectrumOptions {
  EntryErrors errors = {};
  std::vector<NullSpace> null_spaces = {};
  bool residuals = false;     ///< compute eigenvectors too and list the residuals
  bool vectors = false;       ///< and keep them
  KrylovOptions krylov = {};  ///< for the largest eigenvalues alone; `count` of them
};

/// All eigenvalues of a symmetric kernel by LAPACK. k: [n, n], destroyed. Takes n^2 numbers more with
/// eigenvectors, 2 n^2 with residuals. Throws Error(input) where k is not square, not symmetric or not
/// finite, Error(numerics) where LAPACK does not converge, Error(memory) where the work does not fit.
///
/// rounding_bound is equation (11) of docs/math.md: the backward error of the eigenvalue solver, the rounding
/// of the entries, and the measured error of the entries as a random matrix.
Spectrum spectrum(MatrixView<double> k, const SpectrumOptions& options, const Context& context);

/// The largest options.krylov.count eigenvalues of a stored kernel, confirmed by inertia; the smallest one by
/// shift-invert; and the verdict, from counts of eigenvalues by inertia. k: [n, n], both triangles. Takes n^2
/// numbers more. `converged` is false where residuals or counts are not what they should be. Throws as above.
Spectrum top_spectrum(MatrixView<const double> k, const SpectrumOptions& options, const Context& context);

/// What is known of an operator whose matrix is not stored. Estimates may be NaN.
struct OperatorNorms {
  double trace = 0;
  double frobenius = 0;
  double largest_row_sum = 0;  ///< of |K|; 0 where it is not known
  double asymmetry = 0;        ///< |K - K^T|_F, or about it
};

/// The largest eigenvalues of an operator without K. The smallest is known by an upper bound alone; trace and
/// Frobenius norm are the caller's (estimates, as of density.h).
Spectrum top_spectrum(const linalg::LinearOperator& k, const OperatorNorms& norms,
                      const SpectrumOptions& options, const Context& context);
/// The same of eigenpairs that were found already. size: of the operator.
Spectrum top_spectrum(Eigenpairs largest, Index size, const OperatorNorms& norms,
                      const SpectrumOptions& options);

/// Adds eigenvalues that are exactly 0: those that J J^T has beside all of J^T J.
void add_zeros(Spectrum& whole, Index zeros);

}  // namespace tangra::analysis
