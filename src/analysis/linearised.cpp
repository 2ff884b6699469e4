#include "tangra/analysis/linearised.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tangra/analysis/verdict.h"
#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/lapack.h"

namespace tangra::analysis {
namespace {

MatrixView<double> view(Tensor<double>& a) {
  return matrix(a.data(), a.shape()[0], a.shape()[1]);
}
MatrixView<const double> view(const Tensor<double>& a) {
  return matrix(a.data(), a.shape()[0], a.shape()[1]);
}

Tensor<double> copy_of(MatrixView<const double> a, const char* name) {
  Tensor<double> copy = Tensor<double>::uninitialized(Shape{a.rows, a.columns});
  for (Index i = 0; i < a.rows; ++i) {
    for (Index j = 0; j < a.columns; ++j) {
      copy[i * a.columns + j] = a(i, j);
      if (std::isfinite(a(i, j))) continue;
      throw Error(ErrorKind::input, {.what = std::string("one of the ") + name + " is not finite",
                                     .where = "row " + std::to_string(i) + ", column " + std::to_string(j),
                                     .got = std::to_string(a(i, j)),
                                     .expected = {},
                                     .cure = {}});
    }
  }
  return copy;
}

[[noreturn]] void refuse_sizes(Index got, Index expected) {
  throw Error(ErrorKind::input, {.what = "kernel, outputs and targets belong to different samples",
                                 .where = {},
                                 .got = std::to_string(got) + " rows",
                                 .expected = std::to_string(expected),
                                 .cure = {}});
}

/// probabilities = softmax of each row of logits: [rows, columns].
void softmax(std::span<const double> logits, Index columns, std::span<double> probabilities) {
  for (std::size_t row = 0; row < logits.size(); row += static_cast<std::size_t>(columns)) {
    const auto in = logits.subspan(row, static_cast<std::size_t>(columns));
    const auto out = probabilities.subspan(row, static_cast<std::size_t>(columns));
    const double largest = *std::ranges::max_element(in);
    double sum = 0;
    for (std::size_t c = 0; c < in.size(); ++c) sum += out[c] = std::exp(in[c] - largest);
    for (double& entry : out) entry /= sum;
  }
}

/// The part of both cross-entropy methods: how fast the weights move, and what that does to the outputs.
class CrossEntropy {
 public:
  CrossEntropy(const linalg::LinearOperator& k, MatrixView<const double> start,
               MatrixView<const double> targets, const Context& context)
      : k_(k), context_(context), start_(copy_of(start, "outputs")), targets_(copy_of(targets, "targets")) {
    if (targets.rows != start.rows || targets.columns != start.columns)
      refuse_sizes(targets.rows, start.rows);
    const bool shared = k.rows() == start.rows, full = k.rows() == start.rows * start.columns;
    if (!shared && !full) refuse_sizes(k.rows(), start.rows);
    columns_ = shared ? start.columns : 1;
    samples_ = static_cast<double>(start.rows);
  }

  std::size_t size() const { return static_cast<std::size_t>(start_.size()); }
  const Tensor<double>& start() const { return start_; }

  /// da = (y - softmax(f)) / N.
  void weights_slope(std::span<const double> outputs, std::span<double> slope) const {
    softmax(outputs, start_.shape()[1], slope);
    for (std::size_t i = 0; i < slope.size(); ++i)
      slope[i] = (targets_[static_cast<Index>(i)] - slope[i]) / samples_;
  }

  /// df = K da.
  void apply(std::span<const double> a, std::span<double> f) const {
    k_.apply(matrix(a.data(), k_.rows(), columns_), matrix(f.data(), k_.rows(), columns_), context_);
  }

  LinearisedState state(double time, std::span<const double> outputs, std::span<const double> weights) const {
    LinearisedState state{
        .time = time, .outputs = Tensor<double>(start_.shape()), .weights = Tensor<double>(start_.shape())};
    std::ranges::copy(outputs, state.outputs.begin());
    std::ranges::copy(weights, state.weights.begin());
    state.loss = cross_entropy(view(std::as_const(state.outputs)), view(targets_));
    double squares = 0;  // a^T K a = a^T (f - f_0)
    for (Index i = 0; i < start_.size(); ++i) squares += state.weights[i] * (state.outputs[i] - start_[i]);
    state.distance = std::sqrt(std::max(0.0, squares));
    return state;
  }

 private:
  const linalg::LinearOperator& k_;
  const Context& context_;
  Tensor<double> start_;
  Tensor<double> targets_;
  Index columns_ = 1;
  double samples_ = 1;
};

}  // namespace

LinearisedSquares::LinearisedSquares(MatrixView<double> k, MatrixView<const double> start,
                                     MatrixView<const double> targets, Index samples, const Context& context)
    : samples_(samples), start_(copy_of(start, "outputs")), targets_(copy_of(targets, "targets")) {
  if (start.rows != k.rows) refuse_sizes(start.rows, k.rows);
  if (targets.rows != k.rows || targets.columns != start.columns) refuse_sizes(targets.rows, k.rows);
  checked_norms(k);
  const Index n = k.rows, columns = start.columns;
  TANGRA_ENSURE(samples > 0 && n % samples == 0);
  memory_ =
      Reservation(context.memory, static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * sizeof(double),
                  "eigenvectors");
  linalg::SymmetricEigen eigen = linalg::symmetric_eigen(k, true, context.pool.size());
  linalg::ensure_converged(eigen);
  values_ = std::move(eigen.values);
  vectors_ = std::move(eigen.vectors);
  Tensor<double> missing = targets_.clone();
  for (Index i = 0; i < missing.size(); ++i) missing[i] -= start_[i];
  projected_ = Tensor<double>::uninitialized(Shape{n, columns});
  linalg::gemm<double>(context, linalg::Engine::fast, view(std::as_const(vectors_)),
                       view(std::as_const(missing)), false, view(projected_));
}

template <class Phi>
LinearisedState LinearisedSquares::state(const Phi& phi, const Context& context) const {
  const Index n = values_.size(), columns = start_.shape()[1];
  LinearisedState state{.outputs = start_.clone(), .weights = Tensor<double>::uninitialized(start_.shape())};
  Tensor<double> a = Tensor<double>::uninitialized(start_.shape()),
                 ka = Tensor<double>::uninitialized(start_.shape());
  double squares = 0;
  for (Index r = 0; r < n; ++r) {
    const double factor = phi(values_[r]);
    for (Index c = 0; c < columns; ++c) {
      const Index at = r * columns + c;
      a[at] = factor * projected_[at];
      ka[at] = values_[r] * a[at];
      squares += a[at] * ka[at];
    }
  }
  const MatrixView<const double> back = view(vectors_).transposed();
  linalg::gemm<double>(context, linalg::Engine::fast, back, view(std::as_const(a)), false,
                       view(state.weights));
  linalg::gemm<double>(context, linalg::Engine::fast, back, view(std::as_const(ka)), true,
                       view(state.outputs));
  for (Index i = 0; i < targets_.size(); ++i) {
    const double residual = state.outputs[i] - targets_[i];
    state.loss += 0.5 * residual * residual / static_cast<double>(samples_);
  }
  state.distance = std::sqrt(std::max(0.0, squares));
  return state;
}

LinearisedState LinearisedSquares::flow(double time, const Context& context) const {
  TANGRA_ENSURE(time >= 0);
  const double rate = time / static_cast<double>(samples_);
  LinearisedState result =
      state([&](double value) { return value == 0 ? rate : -std::expm1(-value * rate) / value; }, context);
  result.time = time;
  return result;
}

LinearisedState LinearisedSquares::descent(double rate, Index steps, const Context& context) const {
  TANGRA_ENSURE(steps >= 0);
  const double each = rate / static_cast<double>(samples_), count = static_cast<double>(steps);
  const auto phi = [&](double value) {
    const double x = each * value;
    if (value == 0) return count * each;
    if (x < 1) return -std::expm1(count * std::log1p(-x)) / value;
    const double power = std::pow(x - 1, count);
    return (1 - (steps % 2 == 0 ? power : -power)) / value;
  };
  LinearisedState result = state(phi, context);
  result.time = rate * count;
  return result;
}

double LinearisedSquares::largest_rate() const {
  const double largest = values_[values_.size() - 1];
  return largest > 0 ? 2 * static_cast<double>(samples_) / largest : std::numeric_limits<double>::infinity();
}

LinearisedPath cross_entropy_flow(const linalg::LinearOperator& k, MatrixView<const double> start,
                                  MatrixView<const double> targets, std::span<const double> times,
                                  const RungeKuttaOptions& options, const Context& context) {
  const CrossEntropy problem(k, start, targets, context);
  if (!std::ranges::is_sorted(times) || (!times.empty() && !(times.front() >= 0))) {
    throw Error(
        ErrorKind::input,
        {.what = "times have to ascend from 0 or above", .where = {}, .got = {}, .expected = {}, .cure = {}});
  }
  // Outputs first, then weights.
  const std::size_t size = problem.size();
  std::vector<double> y(2 * size, 0.0);
  std::ranges::copy(problem.start(), y.begin());
  const Slope slope = [&](double, std::span<const double> at, std::span<double> moves) {
    problem.weights_slope(at.first(size), moves.last(size));
    problem.apply(moves.last(size), moves.first(size));
  };
  std::vector<double> stops{0};
  stops.insert(stops.end(), times.begin(), times.end());
  LinearisedPath path;
  const Observer observer = [&](std::size_t index, double time, std::span<const double> at) {
    if (index > 0) path.states.push_back(problem.state(time, at.first(size), at.last(size)));
  };
  path.integration = integrate(slope, y, stops, observer, options, context);
  return path;
}

LinearisedPath cross_entropy_descent(const linalg::LinearOperator& k, MatrixView<const double> start,
                                     MatrixView<const double> targets, double rate,
                                     std::span<const Index> steps, const Context& context) {
  const CrossEntropy problem(k, start, targets, context);
  const std::size_t size = problem.size();
  std::vector<double> f(problem.start().begin(), problem.start().end()), a(size, 0.0), slope(size),
      move(size);
  LinearisedPath path;
  Index done = 0;
  for (const Index stop : steps) {
    TANGRA_ENSURE(stop >= done);
    for (; done < stop; ++done) {
      context.check_cancelled();
      problem.weights_slope(f, slope);
      problem.apply(slope, move);
      for (std::size_t i = 0; i < size; ++i) {
        a[i] += rate * slope[i];
        f[i] += rate * move[i];
      }
    }
    path.states.push_back(problem.state(rate * static_cast<double>(done), f, a));
    context.report("steps", static_cast<double>(done), static_cast<double>(steps.back()));
  }
  path.integration.finished = true;
  return path;
}

double cross_entropy(MatrixView<const double> logits, MatrixView<const double> targets) {
  double sum = 0;
  for (Index i = 0; i < logits.rows; ++i) {
    double largest = -std::numeric_limits<double>::infinity(), rest = 0;
    for (Index c = 0; c < logits.columns; ++c) largest = std::max(largest, logits(i, c));
    for (Index c = 0; c < logits.columns; ++c) rest += std::exp(logits(i, c) - largest);
    for (Index c = 0; c < logits.columns; ++c) {
      if (targets(i, c) != 0) sum += targets(i, c) * (largest + std::log(rest) - logits(i, c));
    }
  }
  return sum / static_cast<double>(logits.rows);
}

}  // namespace tangra::analysis
