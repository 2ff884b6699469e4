#include "tangra/analysis/shift_invert.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/lapack.h"

namespace tangra::analysis {
namespace {

/// k - shift 1 in memory of its own, and its Cholesky factor.
class Shifted {
 public:
  Shifted(MatrixView<const double> k, const Context& context)
      : k_(k),
        context_(context),
        memory_(context.memory, static_cast<std::size_t>(k.rows * k.rows) * sizeof(double),
                "a factor of the kernel") {
    entries_ = Tensor<double>::uninitialized(Shape{k.rows, k.rows});
  }

  MatrixView<double> matrix() { return tangra::matrix(entries_.data(), k_.rows, k_.rows); }

  void shift(double by) {
    context_.check_cancelled();
    const MatrixView<double> a = matrix();
    for (Index i = 0; i < k_.rows; ++i) {
      for (Index j = 0; j <= i; ++j) a(i, j) = k_(i, j);
      a(i, i) -= by;
    }
  }

  bool factor(double by) {
    shift(by);
    return linalg::cholesky(matrix(), context_.pool.size()).definite();
  }

 private:
  MatrixView<const double> k_;
  const Context& context_;
  Reservation memory_;
  Tensor<double> entries_;
};

class Inverse final : public linalg::LinearOperator {
 public:
  explicit Inverse(MatrixView<const double> factor) : factor_(factor) {}
  Index rows() const override { return factor_.rows; }
  Index columns() const override { return factor_.rows; }
  bool symmetric() const override { return true; }
  void apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const override {
    context.check_cancelled();
    for (Index i = 0; i < x.rows; ++i) {
      for (Index j = 0; j < x.columns; ++j) y(i, j) = x(i, j);
    }
    linalg::solve_cholesky(factor_, y, context.pool.size());
  }

 private:
  MatrixView<const double> factor_;
};

class Negative final : public linalg::LinearOperator {
 public:
  explicit Negative(MatrixView<const double> k) : inner_(k, true) {}
  Index rows() const override { return inner_.rows(); }
  Index columns() const override { return inner_.columns(); }
  bool symmetric() const override { return true; }
  void apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const override {
    inner_.apply(x, y, context);
    for (Index i = 0; i < y.rows; ++i) {
      for (Index j = 0; j < y.columns; ++j) y(i, j) = -y(i, j);
    }
  }

 private:
  linalg::MatrixOperator inner_;
};

/// Factors k - shift 1 for a shift below all eigenvalues; returns the shift.
double factor_below_all(MatrixView<const double> k, Shifted& shifted, double bound, const Context& context) {
  double shift = -bound;
  if (shifted.factor(shift)) return shift;
  // Eigenvalues below: a rough one first, then on until none is left.
  const Eigenpairs rough = largest_eigenpairs(Negative(k), {.count = 1, .tolerance = 1e-2}, context);
  shift = std::min(-rough.values.front() - rough.residuals.front(), shift) - bound;
  while (!shifted.factor(shift)) shift *= 1.5;
  return shift;
}

/// Puts the pairs into ascending order, which rounding may have disturbed among equal ones.
void sort_ascending(Eigenpairs& pairs, Index n) {
  const std::size_t count = pairs.values.size();
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return pairs.values[i]; });
  const std::vector<double> values = pairs.values, residuals = pairs.residuals;
  const Tensor<double> vectors = std::move(pairs.vectors);
  pairs.vectors = Tensor<double>::uninitialized(vectors.shape());
  for (std::size_t r = 0; r < count; ++r) {
    pairs.values[r] = values[order[r]];
    pairs.residuals[r] = residuals[order[r]];
    std::copy_n(vectors.data() + static_cast<Index>(order[r]) * n, n,
                pairs.vectors.data() + static_cast<Index>(r) * n);
  }
}

/// Replaces the inverse's values and residuals by those of k.
void measure(MatrixView<const double> k, Eigenpairs& pairs, const Context& context) {
  const Index count = static_cast<Index>(pairs.values.size()), n = k.rows;
  const MatrixView<const double> vectors = matrix<const double>(pairs.vectors.data(), count, n);
  Tensor<double> products = Tensor<double>::uninitialized(Shape{count, n});
  linalg::gemm<double>(context, linalg::Engine::fast, vectors, k, false, matrix(products.data(), count, n));
  for (Index r = 0; r < count; ++r) {
    const double* kv = products.data() + r * n;
    double value = 0, squares = 0;
    for (Index i = 0; i < n; ++i) value += vectors(r, i) * kv[i];
    for (Index i = 0; i < n; ++i) {
      const double difference = kv[i] - value * vectors(r, i);
      squares += difference * difference;
    }
    pairs.values[static_cast<std::size_t>(r)] = value;
    pairs.residuals[static_cast<std::size_t>(r)] = std::sqrt(squares);
  }
  sort_ascending(pairs, n);
}

double norm_bound(MatrixView<const double> k) {
  double largest = 0;
  for (Index i = 0; i < k.rows; ++i) {
    double sum = 0;
    for (Index j = 0; j < k.columns; ++j) sum += std::abs(k(i, j));
    largest = std::max(largest, sum);
  }
  return largest;
}

}  // namespace

Index eigenvalues_below(MatrixView<const double> k, double shift, const Context& context) {
  TANGRA_ENSURE(k.rows == k.columns);
  Shifted shifted(k, context);
  shifted.shift(shift);
  return linalg::factor_indefinite(shifted.matrix(), context.pool.size()).negative;
}

SmallestEigenpairs smallest_eigenpairs(MatrixView<const double> k, double bound, const KrylovOptions& options,
                                       const Context& context) {
  TANGRA_ENSURE(k.rows == k.columns && k.rows > 0);
  const double norm = norm_bound(k);
  const double least = std::max(bound, static_cast<double>(k.rows) * 0x1p-53 * norm);
  Shifted shifted(k, context);
  SmallestEigenpairs result;
  if (norm == 0) {
    result.pairs = largest_eigenpairs(linalg::MatrixOperator(k, true), options, context);
    return result;
  }
  result.shift = factor_below_all(k, shifted, least, context);
  for (int attempt = 0; attempt < 2; ++attempt) {
    result.pairs = largest_eigenpairs(Inverse(shifted.matrix()), options, context);
    measure(k, result.pairs, context);
    const double worst = *std::ranges::max_element(result.pairs.residuals);
    if (worst <= options.tolerance * norm) break;
    result.pairs.converged = false;
    result.pairs.message = "a residual exceeds the tolerance";
    // Close to one eigenvalue the inverse is dominated by it, and tells little of the others: step back.
    const double further =
        result.pairs.values.front() - std::abs(result.pairs.values.back() - result.pairs.values.front());
    if (attempt > 0 || !shifted.factor(std::min(further, result.shift))) break;
    result.shift = std::min(further, result.shift);
  }
  result.pairs.lowest = result.pairs.values.front();
  result.pairs.norm = norm;
  return result;
}

}  // namespace tangra::analysis
