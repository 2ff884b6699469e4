#include "tangra/analysis/spectrum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tangra/analysis/shift_invert.h"
#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/lapack.h"

namespace tangra::analysis {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t square_bytes(Index n) {
  return static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * sizeof(double);
}

double largest_size(const Spectrum& result) {
  return std::max(std::abs(result.eigenvalues.front()), std::abs(result.smallest));
}

void set_verdict(Spectrum& result, const Verdict& verdict) {
  result.verdict = verdict.name;
  result.statement = verdict.statement;
  result.advice = verdict.advice;
}

void set_counts(Spectrum& result, const SignCounts& counts) {
  result.within_rounding = counts.within;
  result.negative_beyond_rounding = counts.negative;
}

void set_bound(Spectrum& result, const MatrixNorms& norms, const SpectrumOptions& options) {
  const RoundingBound bound = rounding_bound(result.size, largest_size(result), norms, options.errors);
  result.rounding_bound = bound.total();
  result.rounding_bound_from = bound.in_words();
}

/// Figures from the trace, the Frobenius norm and the largest eigenvalue.
void set_figures(Spectrum& result) {
  const double largest = result.eigenvalues.front();  // squares of ratios: those of the numbers may overflow
  result.effective_rank = result.frobenius > 0 ? std::pow(result.trace / result.frobenius, 2) : 0;
  result.stable_rank = largest > 0 ? std::pow(result.frobenius / largest, 2) : 0;
  result.decay = decay_of(result.eigenvalues, result.rounding_bound);
}

double condition(double largest, double smallest) {
  return smallest > 0 ? largest / smallest : infinity;
}

/// |K v - lambda v| for the rows v of `vectors` [n, n], ascending like their values; listed largest first.
std::vector<double> residuals_of(MatrixView<const double> k, const linalg::SymmetricEigen& eigen,
                                 const Context& context) {
  constexpr Index rows_at_once = 256;
  const Index n = k.rows;
  std::vector<double> residuals(static_cast<std::size_t>(n));
  Tensor<double> products = Tensor<double>::uninitialized(Shape{std::min(rows_at_once, n), n});
  for (Index first = 0; first < n; first += rows_at_once) {
    const Index count = std::min(rows_at_once, n - first);
    context.check_cancelled();
    linalg::gemm<double>(context, linalg::Engine::fast,
                         matrix(eigen.vectors.data(), n, n).block(first, 0, count, n), k, false,
                         matrix(products.data(), count, n));
    context.pool.parallel_for(count, [&](Index r, int) {
      const double* v = eigen.vectors.data() + (first + r) * n;
      double squares = 0;
      for (Index i = 0; i < n; ++i) {
        const double difference = products[r * n + i] - eigen.values[first + r] * v[i];
        squares += difference * difference;
      }
      residuals[static_cast<std::size_t>(n - 1 - first - r)] = std::sqrt(squares);
    });
    context.report("residuals", static_cast<double>(first + count), static_cast<double>(n));
  }
  return residuals;
}

void reverse_rows(Tensor<double>& vectors) {
  const Index n = vectors.shape()[1];
  for (Index low = 0, high = vectors.shape()[0] - 1; low < high; ++low, --high)
    std::swap_ranges(vectors.data() + low * n, vectors.data() + (low + 1) * n, vectors.data() + high * n);
}

/// Counts the eigenvalues above the last gap among those that were found.
InertiaCheck check_inertia(MatrixView<const double> k, const Spectrum& result, double margin,
                           const Context& context) {
  InertiaCheck check{.at = result.eigenvalues.front() + margin, .found = 0};
  for (std::size_t i = result.eigenvalues.size(); i-- > 1;) {
    if (result.eigenvalues[i - 1] - result.eigenvalues[i] <= 2 * margin) continue;
    check.at = (result.eigenvalues[i - 1] + result.eigenvalues[i]) / 2;
    check.found = static_cast<Index>(i);
    break;
  }
  check.counted = k.rows - eigenvalues_below(k, check.at, context);
  return check;
}

void take(Spectrum& result, Eigenpairs& pairs, bool vectors) {
  result.eigenvalues = std::move(pairs.values);
  result.residuals = std::move(pairs.residuals);
  if (vectors) result.vectors = std::move(pairs.vectors);
  result.complete = static_cast<Index>(result.eigenvalues.size()) == result.size;
  result.converged = pairs.converged;
  result.message = std::move(pairs.message);
  result.method = "block Krylov";
  result.applications = pairs.applications;
  result.entropy_rank = result.complete ? entropy_rank_of(result.eigenvalues) : unknown;
  result.condition_of_range = unknown;
}

}  // namespace

Spectrum spectrum(MatrixView<double> k, const SpectrumOptions& options, const Context& context) {
  const MatrixNorms norms = checked_norms(k);
  context.check_cancelled();
  const Index n = k.rows;
  Spectrum result{.size = n,
                  .null_spaces = options.null_spaces,
                  .trace = norms.trace,
                  .frobenius = norms.frobenius};
  const bool vectors = options.residuals || options.vectors;
  Tensor<double> kept;
  Reservation of_vectors, of_copy;
  if (vectors) of_vectors = Reservation(context.memory, square_bytes(n), "eigenvectors");
  if (options.residuals) {
    of_copy = Reservation(context.memory, square_bytes(n), "a copy of the kernel for residuals");
    kept = Tensor<double>::uninitialized({n, n});
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) kept[i * n + j] = k(i, j);
    }
  }
  linalg::SymmetricEigen eigen = linalg::symmetric_eigen(k, vectors, context.pool.size());
  linalg::ensure_converged(eigen);
  context.check_cancelled();
  result.method = eigen.routine;
  result.eigenvalues.assign(eigen.values.begin(), eigen.values.end());
  std::ranges::reverse(result.eigenvalues);
  result.smallest = result.eigenvalues.back();
  if (options.residuals)
    result.residuals = residuals_of(matrix<const double>(kept.data(), n, n), eigen, context);
  if (options.vectors) {
    result.vectors = std::move(eigen.vectors);
    reverse_rows(result.vectors);
  }
  set_bound(result, norms, options);
  set_figures(result);
  const double bound = result.rounding_bound, largest = result.eigenvalues.front();
  result.entropy_rank = entropy_rank_of(result.eigenvalues);
  result.condition = condition(largest, result.smallest);
  const auto in_range = std::ranges::find_if(result.eigenvalues.rbegin(), result.eigenvalues.rend(),
                                             [&](double value) { return value > bound; });
  result.condition_of_range = in_range == result.eigenvalues.rend() ? unknown : largest / *in_range;
  const SignCounts counts = count_signs(result.eigenvalues, bound);
  set_counts(result, counts);
  set_verdict(result, judge(result.smallest, counts, bound, options.null_spaces));
  return result;
}

Spectrum top_spectrum(MatrixView<const double> k, const SpectrumOptions& options, const Context& context) {
  const MatrixNorms norms = checked_norms(k);
  Spectrum result{
      .size = k.rows, .null_spaces = options.null_spaces, .trace = norms.trace, .frobenius = norms.frobenius};
  Eigenpairs largest = largest_eigenpairs(linalg::MatrixOperator(k, true), options.krylov, context);
  const double margin = 2 * options.krylov.tolerance * largest.norm;
  take(result, largest, options.vectors);
  result.smallest = largest.lowest;
  if (norms.frobenius == 0) {  // K = 0: no shift is definite, and nothing is to be searched
    result.converged = true;
    result.message.clear();
    set_figures(result);
    const SignCounts all{.negative = 0, .within = k.rows};
    set_counts(result, all);
    result.condition = condition(0, 0);
    set_verdict(result, judge(0, all, 0, options.null_spaces));
    return result;
  }
  // The bound decides where the smallest is looked for, and changes with it only where that is negative and
  // large.
  set_bound(result, norms, options);
  KrylovOptions one = options.krylov;
  one.count = 1;
  const SmallestEigenpairs smallest = smallest_eigenpairs(k, result.rounding_bound, one, context);
  result.smallest = smallest.pairs.values.front();
  result.smallest_residual = smallest.pairs.residuals.front();
  set_bound(result, norms, options);
  set_figures(result);
  const double bound = result.rounding_bound;
  // Nothing lies below a shift that Cholesky has passed.
  const SignCounts counts{.negative = smallest.shift >= -bound ? 0 : eigenvalues_below(k, -bound, context),
                          .within = result.smallest > bound ? 0 : eigenvalues_below(k, bound, context)};
  set_counts(result, {.negative = counts.negative,
                      .within = counts.within - std::min(counts.within, counts.negative)});
  result.inertia = check_inertia(k, result, margin, context);
  if (!smallest.pairs.converged || !result.inertia->complete()) {
    result.converged = false;
    if (!result.message.empty()) result.message += "; ";
    result.message += smallest.pairs.converged ? std::to_string(result.inertia->counted) +
                                                     " eigenvalues lie above a number above which " +
                                                     std::to_string(result.inertia->found) + " were found"
                                               : "the smallest eigenvalue: " + smallest.pairs.message;
  }
  result.condition = condition(result.eigenvalues.front(), result.smallest);
  set_verdict(result, judge(result.smallest,
                            {.negative = result.negative_beyond_rounding, .within = result.within_rounding},
                            bound, options.null_spaces));
  return result;
}

Spectrum top_spectrum(const linalg::LinearOperator& k, const OperatorNorms& norms,
                      const SpectrumOptions& options, const Context& context) {
  return top_spectrum(largest_eigenpairs(k, options.krylov, context), k.rows(), norms, options);
}

Spectrum top_spectrum(Eigenpairs largest, Index size, const OperatorNorms& norms,
                      const SpectrumOptions& options) {
  Spectrum result{
      .size = size, .null_spaces = options.null_spaces, .trace = norms.trace, .frobenius = norms.frobenius};
  take(result, largest, options.vectors);
  result.smallest = largest.lowest;
  result.smallest_is_upper_bound = !result.complete;
  // |K|_F is not smaller than the 2-norm of |K|, as the largest row sum is not.
  const double row_sum = norms.largest_row_sum > 0 ? std::min(norms.largest_row_sum, norms.frobenius) : norms.frobenius;
  set_bound(result, {.trace = norms.trace, .frobenius = norms.frobenius, .largest_row_sum = row_sum, .asymmetry = norms.asymmetry}, options);
  set_figures(result);
  const double bound = result.rounding_bound;
  if (result.complete) {
    const SignCounts counts = count_signs(result.eigenvalues, bound);
    set_counts(result, counts);
    set_verdict(result, judge(result.smallest, counts, bound, options.null_spaces));
    result.condition = condition(result.eigenvalues.front(), result.smallest);
  } else {
    result.condition = unknown;
    result.negative_beyond_rounding = result.smallest < -bound;
    set_verdict(result, judge_upper_bound(result.smallest, bound, options.null_spaces));
  }
  return result;
}

void add_zeros(Spectrum& whole, Index zeros) {
  TANGRA_ENSURE(whole.complete && zeros >= 0);
  if (zeros == 0) return;
  const auto place = std::ranges::find_if(whole.eigenvalues, [](double value) { return value < 0; });
  if (!whole.residuals.empty()) {
    whole.residuals.insert(whole.residuals.begin() + (place - whole.eigenvalues.begin()),
                           static_cast<std::size_t>(zeros), 0.0);
  }
  whole.eigenvalues.insert(place, static_cast<std::size_t>(zeros), 0.0);
  whole.size += zeros;
  whole.smallest = whole.eigenvalues.back();
  whole.condition = infinity;
  const SignCounts counts = count_signs(whole.eigenvalues, whole.rounding_bound);
  set_counts(whole, counts);
  set_verdict(whole, judge(whole.smallest, counts, whole.rounding_bound, whole.null_spaces));
}

}  // namespace tangra::analysis
