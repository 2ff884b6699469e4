#include "tangra/analysis/regression.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "tangra/analysis/verdict.h"
#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/lapack.h"

namespace tangra::analysis {
namespace {

using linalg::Engine;

constexpr double largest_jitter = 1e-6;  // of the largest diagonal entry

std::string in_words(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

void check(MatrixView<const double> k, MatrixView<const double> y, double ridge) {
  if (!(ridge >= 0) || !std::isfinite(ridge)) {
    throw Error(ErrorKind::usage, {.what = "a ridge cannot be negative",
                                   .where = "ridge",
                                   .got = in_words(ridge),
                                   .expected = "a finite number, 0 or above",
                                   .cure = {}});
  }
  if (y.rows != k.rows) {
    throw Error(ErrorKind::input, {.what = "targets and kernel belong to different samples",
                                   .where = {},
                                   .got = std::to_string(y.rows) + " rows of targets",
                                   .expected = std::to_string(k.rows),
                                   .cure = {}});
  }
  for (Index i = 0; i < y.rows; ++i) {
    for (Index c = 0; c < y.columns; ++c) {
      if (std::isfinite(y(i, c))) continue;
      throw Error(ErrorKind::input, {.what = "a target is not finite",
                                     .where = "row " + std::to_string(i) + ", column " + std::to_string(c),
                                     .got = std::to_string(y(i, c)),
                                     .expected = {},
                                     .cure = {}});
    }
  }
}

Tensor<double> copy_of(MatrixView<const double> a) {
  Tensor<double> copy = Tensor<double>::uninitialized(Shape{a.rows, a.columns});
  for (Index i = 0; i < a.rows; ++i) {
    for (Index j = 0; j < a.columns; ++j) copy[i * a.columns + j] = a(i, j);
  }
  return copy;
}

MatrixView<double> view(Tensor<double>& a) {
  return matrix(a.data(), a.shape()[0], a.shape()[1]);
}
MatrixView<const double> view(const Tensor<double>& a) {
  return matrix(a.data(), a.shape()[0], a.shape()[1]);
}

/// Cholesky of k + shift 1, where the upper triangle and `diagonal` still hold k.
bool factor(MatrixView<double> k, const std::vector<double>& diagonal, double shift, const Context& context) {
  context.check_cancelled();
  for (Index i = 0; i < k.rows; ++i) {
    for (Index j = 0; j < i; ++j) k(i, j) = k(j, i);
    k(i, i) = diagonal[static_cast<std::size_t>(i)] + shift;
  }
  return linalg::cholesky(k, context.pool.size()).definite();
}

/// Solves the block x block system of each sample: e_i = (inverse_i)^-1 alpha_i. inverse: [block, block] of
/// sample i.
void solve_block(MatrixView<double> inverse, MatrixView<double> alpha) {
  if (inverse.rows == 1) {
    for (Index c = 0; c < alpha.columns; ++c) alpha(0, c) /= inverse(0, 0);
    return;
  }
  const bool definite = linalg::cholesky(inverse, 1).definite();
  if (definite) return linalg::solve_cholesky(inverse, alpha, 1);
  for (Index r = 0; r < alpha.rows; ++r) {  // rounding has eaten the block: say so
    for (Index c = 0; c < alpha.columns; ++c) alpha(r, c) = std::nan("");
  }
}

}  // namespace

RidgeFit fit_ridge(Tensor<double> k, MatrixView<const double> y, double ridge, const Context& context) {
  TANGRA_ENSURE(k.shape().rank() == 2);
  check(view(k), y, ridge);
  checked_norms(view(k));
  const Index n = y.rows;
  RidgeFit fit{.ridge = ridge};
  std::vector<double> diagonal(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) diagonal[static_cast<std::size_t>(i)] = k[i * n + i];
  const double largest =
      std::abs(*std::ranges::max_element(diagonal, {}, [](double entry) { return std::abs(entry); }));
  fit.solved = factor(view(k), diagonal, ridge, context);
  for (double jitter = static_cast<double>(n) * 0x1p-52 * largest; !fit.solved; jitter *= 10) {
    if (jitter > largest_jitter * largest || largest == 0) {
      fit.message = "the kernel with its ridge is not positive definite, also with a jitter of " +
                    in_words(fit.jitter) +
                    ": it has negative eigenvalues beyond rounding, or a larger ridge is needed";
      return fit;
    }
    fit.jitter = jitter;
    fit.solved = factor(view(k), diagonal, ridge + jitter, context);
  }
  if (fit.jitter > 0) {
    fit.message = "the kernel with its ridge was not positive definite within rounding; " +
                  in_words(fit.jitter) + " was added to its diagonal";
  }
  fit.alpha = copy_of(y);
  linalg::solve_cholesky(view(k), view(fit.alpha), context.pool.size());
  double energy = 0, log_determinant = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index c = 0; c < y.columns; ++c) energy += y(i, c) * fit.alpha[i * y.columns + c];
    log_determinant += 2 * std::log(k[i * n + i]);
  }
  fit.log_likelihood =
      -0.5 * energy - 0.5 * static_cast<double>(y.columns) *
                          (log_determinant + static_cast<double>(n) * std::log(2 * std::numbers::pi));
  fit.factor = std::move(k);
  return fit;
}

Tensor<double> predict(const RidgeFit& fit, MatrixView<const double> k, const Context& context) {
  TANGRA_ENSURE(fit.solved && k.columns == fit.alpha.shape()[0]);
  Tensor<double> means = Tensor<double>::uninitialized(Shape{k.rows, fit.alpha.shape()[1]});
  linalg::gemm<double>(context, Engine::fast, k, view(fit.alpha), false, view(means));
  return means;
}

Tensor<double> posterior_covariance(const RidgeFit& fit, MatrixView<const double> k,
                                    const Tensor<double>& prior, Index block, const Context& context) {
  const Index n = k.columns, samples = k.rows / block;
  TANGRA_ENSURE(fit.solved && n == fit.factor.shape()[0] && prior.size() == samples * block * block);
  constexpr Index most_rows = 1024;
  const Index at_once = std::max<Index>(1, most_rows / block);
  Tensor<double> covariance = prior.clone();
  covariance.reshape(Shape{samples, block, block});
  for (Index first = 0; first < samples; first += at_once) {
    context.check_cancelled();
    const Index count = std::min(at_once, samples - first), rows = count * block;
    // w = L^-1 k^T: [n, rows], so k M^-1 k^T = w^T w.
    const Reservation memory(context.memory, static_cast<std::size_t>(n * rows) * sizeof(double),
                             "solves for variances");
    Tensor<double> w = copy_of(k.block(first * block, 0, rows, n).transposed());
    linalg::solve_lower(view(fit.factor), view(w), context.pool.size());
    context.pool.parallel_for(count, [&](Index sample, int) {
      double* out = covariance.data() + (first + sample) * block * block;
      for (Index i = 0; i < n; ++i) {
        const double* row = w.data() + i * rows + sample * block;
        for (Index a = 0; a < block; ++a) {
          for (Index b = 0; b < block; ++b) out[a * block + b] -= row[a] * row[b];
        }
      }
    });
  }
  return covariance;
}

Tensor<double> leave_one_out(RidgeFit& fit, Index block, const Context& context) {
  TANGRA_ENSURE(fit.solved && fit.factor.shape()[0] % block == 0);
  context.check_cancelled();
  linalg::invert_cholesky(view(fit.factor), context.pool.size());
  Tensor<double> residuals = fit.alpha.clone();
  const Index columns = residuals.shape()[1];
  for (Index i = 0; i < fit.factor.shape()[0]; i += block)
    solve_block(view(fit.factor).block(i, i, block, block), view(residuals).block(i, 0, block, columns));
  fit.factor = {};
  return residuals;
}

RidgePath::RidgePath(MatrixView<double> k, MatrixView<const double> y, const Context& context) {
  check(k, y, 0);
  checked_norms(k);
  const Index n = k.rows;
  memory_ =
      Reservation(context.memory, static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * sizeof(double),
                  "eigenvectors");
  linalg::SymmetricEigen eigen = linalg::symmetric_eigen(k, true, context.pool.size());
  linalg::ensure_converged(eigen);
  values_ = std::move(eigen.values);
  vectors_ = std::move(eigen.vectors);
  projected_ = Tensor<double>::uninitialized(Shape{n, y.columns});
  linalg::gemm<double>(context, Engine::fast, view(std::as_const(vectors_)), y, false, view(projected_));
}

RidgePath::Point RidgePath::at(double ridge, Index block, const Context& context) const {
  const Index n = values_.size(), columns = projected_.shape()[1];
  check(view(projected_), view(projected_), ridge);
  TANGRA_ENSURE(n % block == 0);
  Point point{.ridge = ridge};
  const double norm = std::max(std::abs(values_[0]), std::abs(values_[n - 1]));
  point.solved = values_[0] + ridge > static_cast<double>(n) * 0x1p-53 * norm;
  if (!point.solved) return point;
  std::vector<double> inverse(static_cast<std::size_t>(n));
  Tensor<double> scaled = Tensor<double>::uninitialized(Shape{n, columns}), shrunk = scaled.clone();
  for (Index r = 0; r < n; ++r) {
    const double factor = 1 / (values_[r] + ridge), kept = values_[r] * factor;
    inverse[static_cast<std::size_t>(r)] = factor;
    point.degrees_of_freedom += kept;
    for (Index c = 0; c < columns; ++c) {
      scaled[r * columns + c] = projected_[r * columns + c] * factor;
      shrunk[r * columns + c] = projected_[r * columns + c] * kept;
    }
  }
  point.alpha = Tensor<double>::uninitialized(Shape{n, columns});
  point.fitted = Tensor<double>::uninitialized(Shape{n, columns});
  linalg::gemm<double>(context, Engine::fast, view(vectors_).transposed(), view(std::as_const(scaled)), false,
                       view(point.alpha));
  linalg::gemm<double>(context, Engine::fast, view(vectors_).transposed(), view(std::as_const(shrunk)), false,
                       view(point.fitted));
  point.left_out = point.alpha.clone();
  context.pool.parallel_for(n / block, [&](Index sample, int) {
    Tensor<double> block_of_inverse(Shape{block, block});
    for (Index r = 0; r < n; ++r) {
      const double* v = vectors_.data() + r * n + sample * block;
      const double factor = inverse[static_cast<std::size_t>(r)];
      for (Index a = 0; a < block; ++a) {
        for (Index b = 0; b < block; ++b) block_of_inverse[a * block + b] += factor * v[a] * v[b];
      }
    }
    solve_block(view(block_of_inverse), view(point.left_out).block(sample * block, 0, block, columns));
  });
  return point;
}

double mean_squared_error(MatrixView<const double> residuals) {
  double sum = 0;
  for (Index i = 0; i < residuals.rows; ++i) {
    for (Index c = 0; c < residuals.columns; ++c) sum += residuals(i, c) * residuals(i, c);
  }
  return 0.5 * sum / static_cast<double>(residuals.rows);
}

double accuracy(MatrixView<const double> predictions, std::span<const Index> labels) {
  TANGRA_ENSURE(predictions.rows == static_cast<Index>(labels.size()) && predictions.rows > 0);
  Index right = 0;
  for (Index i = 0; i < predictions.rows; ++i) {
    Index best = 0;
    for (Index c = 1; c < predictions.columns; ++c) {
      if (predictions(i, c) > predictions(i, best)) best = c;
    }
    right += best == labels[static_cast<std::size_t>(i)];
  }
  return static_cast<double>(right) / static_cast<double>(predictions.rows);
}

}  // namespace tangra::analysis
