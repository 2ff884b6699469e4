#pragma once
#include <span>
#include <string>
#include <vector>

#include "tangra/base/tensor.h"

namespace tangra::analysis {

/// What is read off a symmetric matrix K: [n, n] at once.
struct MatrixNorms {
  double trace = 0;
  double frobenius = 0;
  double largest_row_sum = 0;  ///< max_i sum_j |K_ij|, an upper bound of the 2-norm of |K|
  double asymmetry = 0;        ///< |K - K^T|_F
};

/// Throws Error(input), naming the entry, where k is not square, has no rows, is not symmetric (beyond 1e-6
/// of its largest entry) or not finite.
MatrixNorms checked_norms(MatrixView<const double> k);

/// How far from 0 rounding may carry an eigenvalue: equation (11) of docs/math.md.
struct RoundingBound {
  double solver = 0;   ///< n u64 |K|
  double storage = 0;  ///< u_K | |K| |
  double entries = 0;  ///< n times the root mean square of the entries' measured error
  double asymmetry = 0;  ///< |K - K^T|_F / 2: how far the triangle that is read may be from (K + K^T) / 2
  double total() const { return solver + storage + entries + asymmetry; }
  std::string in_words() const;
};

/// Of how the entries came about.
struct EntryErrors {
  double storage_epsilon = 0;  ///< unit roundoff of the type the kernel was computed in; 0 for exact float64
  /// Root mean square of the entries' measured error, divided by that of the entries themselves; 0 where
  /// unknown.
  double relative = 0;
};

/// norm: |K|_2. n: its size.
RoundingBound rounding_bound(Index n, double norm, const MatrixNorms& norms, const EntryErrors& errors);

/// Directions in which a kernel is 0 in truth, known from the network and the sizes.
struct NullSpace {
  Index dimension = 0;
  std::string reason = {};  ///< "a softmax's outputs add up to 1 for each of the 30 samples"
};

/// Eigenvalues counted against the bound.
struct SignCounts {
  Index negative = 0;  ///< below -bound
  Index within = 0;    ///< from -bound to bound
};

SignCounts count_signs(std::span<const double> eigenvalues, double bound);

struct Verdict {
  std::string name =
      {};  ///< "positive definite", "semidefinite within rounding", "not positive semidefinite"
  std::string statement = {};  ///< the same with numbers, as a sentence without its full stop
  std::string advice = {};     ///< what it means and what to do
};

/// smallest: the smallest eigenvalue. The counts decide; the known null spaces explain what lies within
/// rounding.
Verdict judge(double smallest, const SignCounts& counts, double bound,
              std::span<const NullSpace> null_spaces);

/// Where no eigenvalue near 0 was computed: only an upper bound of the smallest one is known. The name is
/// "undetermined", or "not positive semidefinite" where even that lies below -bound.
Verdict judge_upper_bound(double smallest_at_most, double bound, std::span<const NullSpace> null_spaces);

/// How fast eigenvalues fall: lambda_r ~ r^-exponent.
struct Decay {
  double exponent = 0;  ///< 0 where fewer than three eigenvalues exceed the bound
  double fit = 0;       ///< R^2 of the line through log lambda over log r
};

/// Least squares over the eigenvalues (largest first) above `bound`, with weights 1/r, so that every factor
/// of two in rank counts the same.
Decay decay_of(std::span<const double> eigenvalues, double bound);

/// exp of the entropy of lambda / sum lambda over the positive eigenvalues (Roy and Vetterli, "The effective
/// rank", EUSIPCO 2007); 0 where none is positive.
double entropy_rank_of(std::span<const double> eigenvalues);

}  // namespace tangra::analysis
