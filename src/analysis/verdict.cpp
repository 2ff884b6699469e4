#include "tangra/analysis/verdict.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tangra/base/error.h"

namespace tangra::analysis {
namespace {

constexpr double solver_epsilon = 0x1p-53;
/// What may be missing to symmetry before the matrix is refused, as a share of the largest entry.
constexpr double symmetry_tolerance = 1e-6;

std::string in_words(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

std::string entry_name(Index row, Index column) {
  return "(" + std::to_string(row) + ", " + std::to_string(column) + ")";
}

/// |K - K^T|_F.
double checked_asymmetry(MatrixView<const double> k, double largest) {
  double squares = 0;  // of shares of the largest entry
  for (Index i = 0; i < k.rows; ++i) {
    for (Index j = 0; j < i; ++j) {
      const double difference = std::abs(k(i, j) - k(j, i));
      if (difference <= symmetry_tolerance * largest) {
        if (difference > 0) squares += 2 * (difference / largest) * (difference / largest);
        continue;
      }
      throw Error(ErrorKind::input, {.what = "the kernel is not symmetric",
                                     .where = "entries " + entry_name(i, j) + " and transposed",
                                     .got = in_words(k(i, j)) + " and " + in_words(k(j, i)) + ", " + in_words(difference) + " apart",
                                     .expected = "equal numbers, or within 1e-6 of the largest entry, " + in_words(largest),
                                     .cure = "A train x test kernel has singular values, not eigenvalues"});
    }
  }
  return largest * std::sqrt(squares);
}

/// Entries may be so large that their squares overflow, or so small that they vanish.
double frobenius_norm(MatrixView<const double> k, double largest) {
  if (largest == 0) return 0;
  double squares = 0;
  for (Index i = 0; i < k.rows; ++i) {
    for (Index j = 0; j < k.columns; ++j) squares += (k(i, j) / largest) * (k(i, j) / largest);
  }
  return largest * std::sqrt(squares);
}

std::string eigenvalues_in_words(Index count) {
  return std::to_string(count) + (count == 1 ? " eigenvalue" : " eigenvalues");
}

Verdict not_semidefinite(double smallest, double bound, const std::string& how_many) {
  return {
      .name = "not positive semidefinite",
      .statement = "NOT positive semidefinite: " + in_words(smallest) + ", far beyond " + in_words(bound),
      .advice = how_many + " below -" + in_words(bound) +
                ", which rounding does not explain: this is no Gram matrix. Check how it was made (mixed-up "
                "samples, a product of kernels of different networks, entries altered by hand)"};
}

/// The directions that are known to be null: the largest of the null spaces, which may lie in each other.
const NullSpace* largest(std::span<const NullSpace> null_spaces) {
  const auto found = std::ranges::max_element(null_spaces, {}, &NullSpace::dimension);
  return found == null_spaces.end() || found->dimension <= 0 ? nullptr : &*found;
}

std::string advice_within(Index within, std::span<const NullSpace> null_spaces) {
  const std::string cure = "a ridge above the bound makes solves safe";
  const NullSpace* known = largest(null_spaces);
  if (known == nullptr) return "They cannot be told from 0; " + cure;
  std::string text = std::to_string(known->dimension) + " are 0 in truth: " + known->reason;
  if (within > known->dimension) {
    text += ". The other " + std::to_string(within - known->dimension) + " cannot be told from 0";
  } else if (within < known->dimension) {
    text += ". Fewer lie within the bound, so the kernel's error exceeds the estimate: compute it in float64";
  }
  return text + "; " + cure;
}

}  // namespace

MatrixNorms checked_norms(MatrixView<const double> k) {
  if (k.rows != k.columns || k.rows == 0) {
    throw Error(ErrorKind::input, {.what = "only a square kernel has eigenvalues",
                                   .where = {},
                                   .got = std::to_string(k.rows) + " x " + std::to_string(k.columns),
                                   .expected = "as many rows as columns, one or more",
                                   .cure = {}});
  }
  MatrixNorms norms;
  double largest = 0;
  for (Index i = 0; i < k.rows; ++i) {
    double row_sum = 0;
    for (Index j = 0; j < k.columns; ++j) {
      const double entry = k(i, j);
      if (!std::isfinite(entry)) {
        throw Error(ErrorKind::input, {.what = "the kernel has an entry that is not finite",
                                       .where = "entry " + entry_name(i, j),
                                       .got = std::to_string(entry),
                                       .expected = {},
                                       .cure = {}});
      }
      largest = std::max(largest, std::abs(entry));
      row_sum += std::abs(entry);
    }
    norms.trace += k(i, i);
    norms.largest_row_sum = std::max(norms.largest_row_sum, row_sum);
  }
  norms.asymmetry = checked_asymmetry(k, largest);
  norms.frobenius = frobenius_norm(k, largest);
  return norms;
}

std::string RoundingBound::in_words() const {
  return "solver " + analysis::in_words(solver) + " + storage " + analysis::in_words(storage) +
         " + entries " + analysis::in_words(entries) + (asymmetry > 0 ? " + asymmetry " + analysis::in_words(asymmetry) : "");
}

RoundingBound rounding_bound(Index n, double norm, const MatrixNorms& norms, const EntryErrors& errors) {
  // n times the rms of the errors, which is `relative` times the rms |K|_F / n of the entries.
  return {.solver = static_cast<double>(n) * solver_epsilon * norm,
          .storage = errors.storage_epsilon * norms.largest_row_sum,
          .entries = errors.relative * norms.frobenius,
          .asymmetry = norms.asymmetry / 2};
}

SignCounts count_signs(std::span<const double> eigenvalues, double bound) {
  SignCounts counts;
  for (const double value : eigenvalues) {
    counts.negative += value < -bound;
    counts.within += std::abs(value) <= bound;
  }
  return counts;
}

Verdict judge(double smallest, const SignCounts& counts, double bound,
              std::span<const NullSpace> null_spaces) {
  Verdict verdict;
  if (counts.negative > 0) {
    return not_semidefinite(
        smallest, bound, eigenvalues_in_words(counts.negative) + (counts.negative == 1 ? " lies" : " lie"));
  }
  if (counts.within > 0) {
    verdict.name = "semidefinite within rounding";
    verdict.statement = verdict.name + ": " + eigenvalues_in_words(counts.within) + " between -" +
                        in_words(bound) + " and " + in_words(bound);
    verdict.advice = advice_within(counts.within, null_spaces);
  } else {
    verdict.name = "positive definite";
    verdict.statement = verdict.name;
    verdict.advice =
        "The smallest eigenvalue, " + in_words(smallest) + ", exceeds the rounding bound " + in_words(bound);
    if (const NullSpace* known = largest(null_spaces)) {
      verdict.advice += ", although " + std::to_string(known->dimension) + " are 0 in truth (" +
                        known->reason + "): the kernel's error exceeds the estimate. Compute it in float64";
    }
  }
  return verdict;
}

Verdict judge_upper_bound(double smallest_at_most, double bound, std::span<const NullSpace> null_spaces) {
  if (smallest_at_most < -bound)
    return not_semidefinite(smallest_at_most, bound, "At least one eigenvalue lies");
  Verdict verdict{.name = "undetermined"};
  verdict.statement = "undetermined: the smallest eigenvalue is at most " + in_words(smallest_at_most);
  verdict.advice = "Without K only an upper bound of the smallest eigenvalue is known";
  if (const NullSpace* known = largest(null_spaces)) {
    verdict.statement = "undetermined: the smallest eigenvalue is at most 0";
    verdict.advice = std::to_string(known->dimension) + " eigenvalues are 0 in truth: " + known->reason;
  }
  verdict.advice += "; store K to have its sign judged";
  return verdict;
}

Decay decay_of(std::span<const double> eigenvalues, double bound) {
  double weights = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
  Index rank = 0;
  for (const double value : eigenvalues) {
    if (!(value > bound) || value <= 0) break;
    ++rank;
    const double weight = 1 / static_cast<double>(rank);
    const double log_rank = std::log(static_cast<double>(rank)), log_value = std::log(value);
    weights += weight;
    x += weight * log_rank;
    y += weight * log_value;
    xx += weight * log_rank * log_rank;
    xy += weight * log_rank * log_value;
    yy += weight * log_value * log_value;
  }
  if (rank < 3) return {};
  const double spread = xx - x * x / weights, mixed = xy - x * y / weights, height = yy - y * y / weights;
  return {.exponent = -mixed / spread, .fit = height > 0 ? mixed * mixed / (spread * height) : 1};
}

double entropy_rank_of(std::span<const double> eigenvalues) {
  double positive = 0;
  for (const double value : eigenvalues) positive += std::max(value, 0.0);
  if (positive <= 0) return 0;
  double entropy = 0;
  for (const double value : eigenvalues) {
    if (value > 0) entropy -= value / positive * std::log(value / positive);
  }
  return std::exp(entropy);
}

}  // namespace tangra::analysis
