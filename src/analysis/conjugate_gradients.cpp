#include "tangra/analysis/conjugate_gradients.h"

#include <algorithm>
#include <cmath>

#include "block_basis.h"
#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/lapack.h"

namespace tangra::analysis {
namespace {

using linalg::Engine;

constexpr Index columns_at_once = 32;

MatrixView<double> view(Tensor<double>& a) {
  return matrix(a.data(), a.shape()[0], a.shape()[1]);
}
MatrixView<const double> view(const Tensor<double>& a) {
  return matrix(a.data(), a.shape()[0], a.shape()[1]);
}

/// P^-1 = U (lambda_r + ridge) (Lambda + ridge)^-1 U^T + (1 - U U^T).
class Preconditioner {
 public:
  Preconditioner(const linalg::LinearOperator& k, double ridge, Index rank, std::uint64_t seed,
                 const Context& context)
      : ridge_(ridge), context_(context) {
    rank = std::min(rank, k.rows());
    if (rank == 0) return;
    const Index n = k.rows();
    BlockBasis test(n, rank, seed, context);
    test.append_random(rank);
    const MatrixView<const double> omega = test.columns(0, rank);
    memory_ = Reservation(context.memory, static_cast<std::size_t>(2 * n * rank) * sizeof(double),
                          "a preconditioner");
    Tensor<double> y = Tensor<double>::uninitialized(Shape{n, rank});
    for (Index first = 0; first < rank; first += columns_at_once) {
      const Index count = std::min(columns_at_once, rank - first);
      k.apply(omega.block(0, first, n, count), view(y).block(0, first, n, count), context);
    }
    double squares = 0;
    for (const double entry : y) squares += entry * entry;
    if (!std::isfinite(squares)) return;  // the iteration meets the same number and says so
    // A little is added, for the Cholesky factor, and taken away again.
    const double shift = 0x1p-52 * std::sqrt(static_cast<double>(n) * squares);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < rank; ++j) y[i * rank + j] += shift * omega(i, j);
    }
    Tensor<double> c(Shape{rank, rank});
    linalg::gemm<double>(context, Engine::fast, omega.transposed(), view(std::as_const(y)), false, view(c));
    if (!linalg::cholesky(view(c), 1).definite()) return;
    approximate(c, y, shift);
  }

  Index rank() const { return static_cast<Index>(values_.size()); }

  /// z = P^-1 r.
  void apply(const Tensor<double>& r, Tensor<double>& z) const {
    std::ranges::copy(r, z.begin());
    if (values_.empty()) return;
    const Index columns = r.shape()[1];
    Tensor<double> share(Shape{rank(), columns});
    linalg::gemm<double>(context_, Engine::fast, view(vectors_).transposed(), view(r), false, view(share));
    for (Index i = 0; i < rank(); ++i) {
      const double factor = (values_.back() + ridge_) / (values_[static_cast<std::size_t>(i)] + ridge_) - 1;
      for (Index j = 0; j < columns; ++j) share[i * columns + j] *= factor;
    }
    linalg::gemm<double>(context_, Engine::fast, view(vectors_), view(std::as_const(share)), true, view(z));
  }

 private:
  /// The Nystroem approximation Y C^-1 Y^T - shift, with C = L L^T in `c`: eigenvalues and vectors of Y L^-T.
  void approximate(const Tensor<double>& c, Tensor<double>& y, double shift) {
    const Index n = y.shape()[0], rank = y.shape()[1];
    Tensor<double> inverse(Shape{rank, rank});  // L^-1
    for (Index i = 0; i < rank; ++i) inverse[i * rank + i] = 1;
    linalg::solve_lower(view(c), view(inverse), 1);
    Tensor<double> b = Tensor<double>::uninitialized(Shape{n, rank});
    linalg::gemm<double>(context_, Engine::fast, view(std::as_const(y)),
                         view(std::as_const(inverse)).transposed(), false, view(b));
    Tensor<double> gram(Shape{rank, rank});
    linalg::gemm<double>(context_, Engine::fast, view(std::as_const(b)).transposed(), view(std::as_const(b)),
                         false, view(gram));
    const linalg::SymmetricEigen eigen = linalg::symmetric_eigen_orthonormal(view(gram), 1);
    if (!eigen.converged) return;
    // Directions whose eigenvalue is lost in the rounding of the largest are no use.
    Index kept = 0;
    while (kept < rank && eigen.values[rank - 1 - kept] > 1e-12 * eigen.values[rank - 1]) ++kept;
    Tensor<double> w = Tensor<double>::uninitialized(Shape{rank, kept});
    for (Index r = 0; r < kept; ++r) {
      const double value = eigen.values[rank - 1 - r];
      values_.push_back(std::max(0.0, value - shift));
      for (Index i = 0; i < rank; ++i)
        w[i * kept + r] = eigen.vectors[(rank - 1 - r) * rank + i] / std::sqrt(value);
    }
    vectors_ = Tensor<double>::uninitialized(Shape{n, kept});
    linalg::gemm<double>(context_, Engine::fast, view(std::as_const(b)), view(std::as_const(w)), false,
                         view(vectors_));
  }

  double ridge_;
  const Context& context_;
  Reservation memory_;
  std::vector<double> values_;  ///< largest first
  Tensor<double> vectors_;      ///< [n, values]
};

/// Column by column: sum_i a_ij b_ij.
std::vector<double> products(const Tensor<double>& a, const Tensor<double>& b) {
  const Index columns = a.shape()[1];
  std::vector<double> sums(static_cast<std::size_t>(columns), 0.0);
  for (Index i = 0; i < a.shape()[0]; ++i) {
    for (Index j = 0; j < columns; ++j)
      sums[static_cast<std::size_t>(j)] += a[i * columns + j] * b[i * columns + j];
  }
  return sums;
}

/// y += factor_j x for each column j.
void add(Tensor<double>& y, const std::vector<double>& factors, const Tensor<double>& x) {
  const Index columns = y.shape()[1];
  for (Index i = 0; i < y.shape()[0]; ++i) {
    for (Index j = 0; j < columns; ++j)
      y[i * columns + j] += factors[static_cast<std::size_t>(j)] * x[i * columns + j];
  }
}

class Iteration {
 public:
  Iteration(const linalg::LinearOperator& k, double ridge, MatrixView<const double> b,
            const ConjugateGradientOptions& options, const Context& context)
      : k_(k),
        ridge_(ridge),
        options_(options),
        context_(context),
        memory_(context.memory, static_cast<std::size_t>(6 * b.rows * b.columns) * sizeof(double),
                "conjugate gradients"),
        b_(Tensor<double>::uninitialized(Shape{b.rows, b.columns})) {
    for (Index i = 0; i < b.rows; ++i) {
      for (Index j = 0; j < b.columns; ++j) b_[i * b.columns + j] = b(i, j);
    }
  }

  ConjugateGradients run(const Preconditioner& preconditioner) {
    ConjugateGradients result{.x = Tensor<double>(b_.shape())};
    const std::vector<double> scales = products(b_, b_);
    Tensor<double> r = b_.clone(), z = Tensor<double>::uninitialized(b_.shape());
    preconditioner.apply(r, z);
    Tensor<double> p = z.clone(), q = Tensor<double>::uninitialized(b_.shape());
    std::vector<double> rz = products(r, z);
    const std::size_t columns = scales.size();
    // A tenth of what is promised: what the recurrence believes and what is measured drift apart.
    const double target = 0.1 * options_.tolerance;
    for (;; ++result.iterations) {
      const std::vector<double> squares = products(r, r);
      std::vector<bool> active(columns);
      for (std::size_t j = 0; j < columns; ++j) active[j] = squares[j] > target * target * scales[j];
      const auto done = static_cast<double>(std::ranges::count(active, false));
      context_.report("solves", done, static_cast<double>(columns));
      if (std::ranges::find(active, true) == active.end() || result.iterations == options_.most_iterations)
        break;
      multiply(p, q);
      const std::vector<double> curvature = products(p, q);
      std::vector<double> step(columns, 0.0), back(columns, 0.0), turn(columns, 0.0);
      for (std::size_t j = 0; j < columns; ++j) {
        if (!std::isfinite(curvature[j])) refuse();
        if (active[j] && curvature[j] > 0) step[j] = rz[j] / curvature[j];
        back[j] = -step[j];
      }
      add(result.x, step, p);
      add(r, back, q);
      preconditioner.apply(r, z);
      const std::vector<double> next = products(r, z);
      for (std::size_t j = 0; j < columns; ++j) {
        if (step[j] != 0 && rz[j] != 0) turn[j] = next[j] / rz[j];
        if (step[j] != 0) rz[j] = next[j];
      }
      const Index width = static_cast<Index>(columns);
      for (Index i = 0; i < p.size(); ++i) p[i] = z[i] + turn[static_cast<std::size_t>(i % width)] * p[i];
    }
    measure(result, scales);
    return result;
  }

 private:
  void multiply(const Tensor<double>& x, Tensor<double>& y) {
    context_.check_cancelled();
    k_.apply(view(x), view(y), context_);
    for (Index i = 0; i < y.size(); ++i) y[i] += ridge_ * x[i];
    applications_ += x.shape()[1];
  }

  void measure(ConjugateGradients& result, const std::vector<double>& scales) {
    Tensor<double> r = Tensor<double>::uninitialized(b_.shape());
    multiply(result.x, r);
    for (Index i = 0; i < r.size(); ++i) r[i] = b_[i] - r[i];
    const std::vector<double> squares = products(r, r);
    for (std::size_t j = 0; j < squares.size(); ++j) {
      if (!std::isfinite(squares[j])) refuse();
      result.residuals.push_back(scales[j] > 0 ? std::sqrt(squares[j] / scales[j]) : 0);
    }
    const auto missed =
        std::ranges::count_if(result.residuals, [&](double each) { return each > options_.tolerance; });
    result.converged = missed == 0;
    if (missed > 0) {
      result.message = std::to_string(missed) + " of " + std::to_string(squares.size()) +
                       " residuals exceed the tolerance after " + std::to_string(result.iterations) +
                       " iterations; a larger ridge or preconditioner helps";
    }
    result.applications = applications_;
  }

  [[noreturn]] static void refuse() {
    throw Error(ErrorKind::numerics, {.what = "the operator gave a number that is not finite",
                                      .where = "conjugate gradients",
                                      .got = {},
                                      .expected = {},
                                      .cure = "Look for overflow or NaN in the kernel or the network"});
  }

  const linalg::LinearOperator& k_;
  double ridge_;
  const ConjugateGradientOptions& options_;
  const Context& context_;
  Reservation memory_;
  Tensor<double> b_;
  Index applications_ = 0;
};

}  // namespace

std::size_t conjugate_gradients_memory(Index n, Index columns, const ConjugateGradientOptions& options) {
  // The preconditioner's test vectors and what the operator makes of them, twice; then six vectors for each right-hand side.
  return static_cast<std::size_t>(n * (4 * std::min(options.rank, n) + 6 * columns)) * sizeof(double);
}

ConjugateGradients conjugate_gradients(const linalg::LinearOperator& k, double ridge,
                                       MatrixView<const double> b, const ConjugateGradientOptions& options,
                                       const Context& context) {
  TANGRA_ENSURE(k.symmetric() && b.rows == k.rows());
  if (!(ridge > 0) || !std::isfinite(ridge)) {
    throw Error(ErrorKind::usage, {.what = "conjugate gradients need a ridge",
                                   .where = "ridge",
                                   .got = std::to_string(ridge),
                                   .expected = "a finite number above 0",
                                   .cure = {}});
  }
  const Preconditioner preconditioner(k, ridge, options.rank, options.seed, context);
  ConjugateGradients result = Iteration(k, ridge, b, options, context).run(preconditioner);
  result.applications += std::min(options.rank, k.rows());
  return result;
}

}  // namespace tangra::analysis
