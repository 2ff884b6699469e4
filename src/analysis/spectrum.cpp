#include "tangra/analysis/spectrum.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/linalg/lapack.h"

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

void check_entries(MatrixView<double> k) {
  double largest = 0;
  for (Index i = 0; i < k.rows; ++i) {
    for (Index j = 0; j < k.columns; ++j) {
      if (!std::isfinite(k(i, j))) {
        throw Error(ErrorKind::input,
                    {.what = "the kernel has an entry that is not finite",
                     .where = "entry (" + std::to_string(i) + ", " + std::to_string(j) + ")",
                     .got = std::to_string(k(i, j)),
                     .expected = {},
                     .cure = {}});
      }
      largest = std::max(largest, std::abs(k(i, j)));
    }
  }
  for (Index i = 0; i < k.rows; ++i) {
    for (Index j = 0; j < i; ++j) {
      if (std::abs(k(i, j) - k(j, i)) <= symmetry_tolerance * largest) continue;
      throw Error(ErrorKind::input,
                  {.what = "the kernel is not symmetric",
                   .where = "entries (" + std::to_string(i) + ", " + std::to_string(j) + ") and transposed",
                   .got = in_words(k(i, j)) + " and " + in_words(k(j, i)),
                   .expected = "equal numbers",
                   .cure = "A train x test kernel has singular values, not eigenvalues"});
    }
  }
}

/// What is read off the matrix before the solver destroys it.
struct Norms {
  double trace = 0;
  double squares = 0;
  double largest_row_sum = 0;  ///< of absolute values: an upper bound of | |K| |_2
};

Norms norms_of(MatrixView<double> k) {
  Norms norms;
  for (Index i = 0; i < k.rows; ++i) {
    double row_sum = 0;
    for (Index j = 0; j < k.columns; ++j) {
      norms.squares += k(i, j) * k(i, j);
      row_sum += std::abs(k(i, j));
    }
    norms.trace += k(i, i);
    norms.largest_row_sum = std::max(norms.largest_row_sum, row_sum);
  }
  return norms;
}

void find_ranks(Spectrum& result) {
  double squares = 0;
  double positive = 0;
  for (const double value : result.eigenvalues) {
    squares += value * value;
    positive += std::max(value, 0.0);
  }
  const double sum = std::accumulate(result.eigenvalues.begin(), result.eigenvalues.end(), 0.0);
  const double largest = result.eigenvalues.front();
  result.effective_rank = squares > 0 ? sum * sum / squares : 0;
  result.stable_rank = largest > 0 ? squares / (largest * largest) : 0;
  double entropy = 0;
  for (const double value : result.eigenvalues) {
    if (value > 0) entropy -= value / positive * std::log(value / positive);
  }
  result.entropy_rank = positive > 0 ? std::exp(entropy) : 0;
}

void find_verdict(Spectrum& result) {
  const double smallest = result.eigenvalues.back();
  const double bound = result.rounding_bound;
  for (const double value : result.eigenvalues) {
    result.within_rounding += std::abs(value) <= bound;
    result.negative_beyond_rounding += value < -bound;
  }
  if (smallest > bound) {
    result.verdict = "positive definite";
    result.advice =
        "The smallest eigenvalue, " + in_words(smallest) + ", exceeds the rounding bound " + in_words(bound);
  } else if (result.negative_beyond_rounding == 0) {
    result.verdict = "semidefinite within rounding";
    result.advice = std::to_string(result.within_rounding) + " eigenvalues lie between " + in_words(-bound) +
                    " and " + in_words(bound) +
                    " and cannot be told from 0; a ridge above the bound makes solves safe";
  } else {
    result.verdict = "not positive semidefinite";
    result.advice = std::to_string(result.negative_beyond_rounding) +
                    " eigenvalues are negative far beyond rounding, down to " + in_words(smallest) +
                    ": this is no Gram matrix. Check how it was made (mixed-up samples, a product of "
                    "kernels of different networks, entries altered by hand)";
  }
}

}  // namespace

Spectrum spectrum(MatrixView<double> k, const SpectrumOptions& options, const Context& context) {
  if (k.rows != k.columns || k.rows == 0) {
    throw Error(ErrorKind::input, {.what = "only a square kernel has eigenvalues",
                                   .where = {},
                                   .got = std::to_string(k.rows) + " x " + std::to_string(k.columns),
                                   .expected = "as many rows as columns, one or more",
                                   .cure = {}});
  }
  check_entries(k);
  context.check_cancelled();
  const Norms norms = norms_of(k);
  Spectrum result;
  result.size = k.rows;
  result.trace = norms.trace;
  result.frobenius = std::sqrt(norms.squares);
  Tensor<double> kept;
  if (options.residuals) {
    kept = Tensor<double>::uninitialized({k.rows, k.columns});
    for (Index i = 0; i < k.rows; ++i) std::copy_n(&k(i, 0), k.columns, kept.data() + i * k.columns);
  }
  const linalg::SymmetricEigen eigen = linalg::symmetric_eigen(k, options.residuals, context.pool.size());
  if (!eigen.converged) {
    throw Error(ErrorKind::numerics, {.what = "the eigenvalue solver did not converge",
                                      .where = "dsyevr",
                                      .got = {},
                                      .expected = {},
                                      .cure = {}});
  }
  const Index n = result.size;
  for (Index r = n; r-- > 0;) {
    result.eigenvalues.push_back(eigen.values[r]);
    if (!options.residuals) continue;
    double squares = 0;
    for (Index i = 0; i < n; ++i) {
      double difference = -eigen.values[r] * eigen.vectors[r * n + i];
      for (Index j = 0; j < n; ++j) difference += kept[i * n + j] * eigen.vectors[r * n + j];
      squares += difference * difference;
    }
    result.residuals.push_back(std::sqrt(squares));
  }
  const double norm = std::max(std::abs(result.eigenvalues.front()), std::abs(result.eigenvalues.back()));
  const double size = static_cast<double>(n);
  const double of_solver = size * solver_epsilon * norm;
  const double of_storage = options.storage_epsilon * norms.largest_row_sum;
  const double of_entries = size * options.entry_error;
  result.rounding_bound = of_solver + of_storage + of_entries;
  result.rounding_bound_from = "solver " + in_words(of_solver) + " + storage " + in_words(of_storage) +
                               " + entries " + in_words(of_entries);
  const double smallest = result.eigenvalues.back();
  result.condition =
      smallest > 0 ? result.eigenvalues.front() / smallest : std::numeric_limits<double>::infinity();
  find_ranks(result);
  find_verdict(result);
  return result;
}

}  // namespace tangra::analysis
