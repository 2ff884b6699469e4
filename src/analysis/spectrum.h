#pragma once
#include <string>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"

namespace tangra::analysis {

/// What a kernel's eigenvalues say.
struct Spectrum {
  Index size = 0;
  std::vector<double> eigenvalues;  ///< largest first
  std::vector<double> residuals;    ///< |K v - lambda v|, where eigenvectors were computed
  double rounding_bound = 0;        ///< eigenvalues below it in absolute value cannot be told from 0
  std::string rounding_bound_from;  ///< the summands in words
  std::string verdict;  ///< "positive definite", "semidefinite within rounding", "not positive semidefinite"
  std::string advice;   ///< in words: what the verdict means and what to do
  Index within_rounding = 0;  ///< eigenvalues with |lambda| <= rounding_bound
  Index negative_beyond_rounding = 0;
  double condition = 0;  ///< largest / smallest; infinity where the smallest is not positive
  double trace = 0;
  double frobenius = 0;
  double effective_rank = 0;  ///< participation ratio: (sum lambda)^2 / sum lambda^2
  double entropy_rank = 0;    ///< exp of the entropy of lambda / sum lambda over the positive ones
  double stable_rank = 0;     ///< sum lambda^2 / lambda_max^2
};

struct SpectrumOptions {
  double storage_epsilon = 0;  ///< unit roundoff of the type the kernel was computed in; 0 for exact float64
  double entry_error = 0;      ///< root mean square of the entries' measured error, 0 where it is not known
  bool residuals = false;      ///< compute eigenvectors too and list the residuals
};

/// All eigenvalues of a symmetric kernel by LAPACK. k: [n, n], destroyed. Throws Error(input) where it is not
/// square, not symmetric or not finite, Error(numerics) where LAPACK does not converge, Error(memory) where
/// the work does not fit.
///
/// rounding_bound = n eps |K|_2 + storage_epsilon | |K| |_2 (bounded by its row sums) + n entry_error: the
/// backward error of the eigenvalue solver, the rounding of the entries, and the measured error of the
/// entries as a random matrix.
Spectrum spectrum(MatrixView<double> k, const SpectrumOptions& options, const Context& context);

}  // namespace tangra::analysis
