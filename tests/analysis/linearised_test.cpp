#include "tangra/analysis/linearised.h"

#include <algorithm>

#include "operators.h"

namespace tangra::analysis {
namespace {

using tangra::test::error_of;
using tangra::test::TestContext;
using test::view;

/// A linear model f = f_0 + J theta with N samples, O outputs and P parameters, as plain loops.
struct Model {
  Model(Index n, Index o, Index p, unsigned seed) : samples(n), outputs(o), parameters(p) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    for (auto* table : {&jacobian, &start, &targets}) {
      const Index count = table == &jacobian ? n * o * p : n * o;
      for (Index i = 0; i < count; ++i) table->push_back(normal(random));
    }
  }

  /// targets become one-hot.
  void classify() {
    for (Index i = 0; i < samples; ++i) {
      for (Index a = 0; a < outputs; ++a) targets[at(i * outputs + a)] = a == i % outputs ? 1 : 0;
    }
  }

  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  std::vector<double> predicted(const std::vector<double>& theta) const {
    std::vector<double> f = start;
    for (Index r = 0; r < samples * outputs; ++r) {
      for (Index p = 0; p < parameters; ++p) f[at(r)] += jacobian[at(r * parameters + p)] * theta[at(p)];
    }
    return f;
  }

  /// dL/df of the mean squared or the cross-entropy loss, times -1.
  std::vector<double> pull(const std::vector<double>& f, bool squares) const {
    std::vector<double> g(f.size());
    for (Index i = 0; i < samples; ++i) {
      double sum = 0;
      for (Index a = 0; a < outputs; ++a) sum += std::exp(f[at(i * outputs + a)]);
      for (Index a = 0; a < outputs; ++a) {
        const std::size_t r = at(i * outputs + a);
        g[r] = (targets[r] - (squares ? f[r] : std::exp(f[r]) / sum)) / static_cast<double>(samples);
      }
    }
    return g;
  }

  std::vector<double> slope(const std::vector<double>& theta, bool squares) const {
    const std::vector<double> g = pull(predicted(theta), squares);
    std::vector<double> moves(at(parameters), 0.0);
    for (Index r = 0; r < samples * outputs; ++r) {
      for (Index p = 0; p < parameters; ++p) moves[at(p)] += jacobian[at(r * parameters + p)] * g[at(r)];
    }
    return moves;
  }

  /// theta after `time` of gradient flow, by the classical method of order 4 with many small steps.
  std::vector<double> flow(double time, int steps, bool squares) const {
    std::vector<double> theta(at(parameters), 0.0);
    const double h = time / steps;
    const auto moved = [&](const std::vector<double>& by, double factor) {
      std::vector<double> result = theta;
      for (std::size_t p = 0; p < result.size(); ++p) result[p] += factor * by[p];
      return result;
    };
    for (int step = 0; step < steps; ++step) {
      const auto k1 = slope(theta, squares), k2 = slope(moved(k1, h / 2), squares),
                 k3 = slope(moved(k2, h / 2), squares), k4 = slope(moved(k3, h), squares);
      for (std::size_t p = 0; p < theta.size(); ++p)
        theta[p] += h / 6 * (k1[p] + 2 * k2[p] + 2 * k3[p] + k4[p]);
    }
    return theta;
  }

  std::vector<double> descent(double rate, Index steps, bool squares) const {
    std::vector<double> theta(at(parameters), 0.0);
    for (Index step = 0; step < steps; ++step) {
      const auto moves = slope(theta, squares);
      for (std::size_t p = 0; p < theta.size(); ++p) theta[p] += rate * moves[p];
    }
    return theta;
  }

  /// The full kernel J J^T: [N O, N O].
  Tensor<double> kernel() const {
    const Index n = samples * outputs;
    Tensor<double> k(Shape{n, n});
    for (Index r = 0; r < n; ++r) {
      for (Index s = 0; s < n; ++s) {
        for (Index p = 0; p < parameters; ++p)
          k[r * n + s] += jacobian[at(r * parameters + p)] * jacobian[at(s * parameters + p)];
      }
    }
    return k;
  }

  Index samples, outputs, parameters;
  std::vector<double> jacobian, start, targets;
};

double length(const std::vector<double>& v) {
  double sum = 0;
  for (const double entry : v) sum += entry * entry;
  return std::sqrt(sum);
}

void expect_state(const LinearisedState& state, const Model& model, const std::vector<double>& theta) {
  const std::vector<double> f = model.predicted(theta);
  double size = 1;  // descent that diverges makes numbers of any size
  for (const double entry : f) size = std::max(size, std::abs(entry));
  const double bound = 1e-8 * size;
  for (std::size_t i = 0; i < f.size(); ++i) ASSERT_NEAR(state.outputs[static_cast<Index>(i)], f[i], bound);
  EXPECT_NEAR(state.distance, length(theta), bound);
  // The weights alone give theta - theta_0 = J^T a, so any other sample's outputs.
  for (Index p = 0; p < model.parameters; ++p) {
    double sum = 0;
    for (Index r = 0; r < model.samples * model.outputs; ++r)
      sum += model.jacobian[Model::at(r * model.parameters + p)] * state.weights[r];
    ASSERT_NEAR(sum, theta[Model::at(p)], bound);
  }
}

TEST(LinearisedSquares, FollowsGradientFlowAndDescentOfTheParameters) {
  const TestContext test;
  for (const Index parameters : {7, 40}) {  // a singular kernel, and a definite one
    const Model model(5, 3, parameters, 3);
    Tensor<double> k = model.kernel();
    const auto column = [](const std::vector<double>& v) {
      return matrix(v.data(), static_cast<Index>(v.size()), 1);
    };
    const LinearisedSquares linear(matrix(k.data(), 15, 15), column(model.start), column(model.targets), 5,
                                   test.context);
    for (const double time : {0.0, 0.1, 2.0})
      expect_state(linear.flow(time, test.context), model, model.flow(time, 4000, true));
    const double rate = 0.9 * linear.largest_rate();
    for (const Index steps : {0, 1, 2, 31}) {
      for (const double each : {0.1 * rate, rate, 1.3 * linear.largest_rate()})
        expect_state(linear.descent(each, steps, test.context), model, model.descent(each, steps, true));
    }
    // The loss is that of the outputs.
    const LinearisedState state = linear.flow(0.1, test.context);
    double loss = 0;
    for (Index i = 0; i < 15; ++i) loss += std::pow(state.outputs[i] - model.targets[Model::at(i)], 2) / 10;
    EXPECT_NEAR(state.loss, loss, 1e-12);
  }
}

TEST(LinearisedSquares, ASharedKernelTrainsEachOutputByItself) {
  const TestContext test;
  const Index n = 9;
  const Tensor<double> k = test::gram(n, 12, 1);
  Model model(n, 2, 1, 2);
  Tensor<double> shared = k.clone(), full = test::repeated(k, 2);
  const LinearisedSquares by_output(matrix(shared.data(), n, n),
                                    matrix<const double>(model.start.data(), n, 2),
                                    matrix<const double>(model.targets.data(), n, 2), n, test.context);
  const LinearisedSquares whole(matrix(full.data(), 2 * n, 2 * n),
                                matrix<const double>(model.start.data(), 2 * n, 1),
                                matrix<const double>(model.targets.data(), 2 * n, 1), n, test.context);
  const LinearisedState a = by_output.flow(3, test.context), b = whole.flow(3, test.context);
  for (Index i = 0; i < 2 * n; ++i) EXPECT_NEAR(a.outputs[i], b.outputs[i], 1e-12);
  EXPECT_NEAR(a.loss, b.loss, 1e-12);
  EXPECT_NEAR(a.distance, b.distance, 1e-12);
  EXPECT_NEAR(by_output.largest_rate(), whole.largest_rate(), 1e-10);
}

TEST(LinearisedSquares, MovesAtAConstantSpeedWhereTheKernelIsZero) {
  const TestContext test;
  Tensor<double> k(Shape{3, 3});
  k[8] = 5;  // the third sample alone learns
  const std::vector<double> start = {1, 2, 3}, targets = {4, 4, 4};
  const LinearisedSquares linear(matrix(k.data(), 3, 3), matrix(start.data(), 3, 1),
                                 matrix(targets.data(), 3, 1), 3, test.context);
  EXPECT_NEAR(linear.largest_rate(), 2 * 3 / 5.0, 1e-15);
  const LinearisedState flow = linear.flow(6, test.context), descent = linear.descent(0.5, 12, test.context);
  for (const LinearisedState* state : {&flow, &descent}) {
    EXPECT_EQ(state->time, 6);
    EXPECT_NEAR(state->weights[0], 6.0 / 3 * 3, 1e-14);
    EXPECT_NEAR(state->weights[1], 6.0 / 3 * 2, 1e-14);
    EXPECT_EQ(state->outputs[0], 1);
  }
  EXPECT_NEAR(flow.outputs[2], 4 - std::exp(-5 * 6.0 / 3), 1e-14);
}

TEST(CrossEntropyFlow, FollowsTheParameters) {
  const TestContext test;
  Model model(4, 3, 30, 5);
  model.classify();
  const Tensor<double> k = model.kernel();
  const std::vector<double> times = {0, 0.3, 0.3, 4};
  const LinearisedPath path = cross_entropy_flow(
      linalg::MatrixOperator(view(k), true), matrix<const double>(model.start.data(), 4, 3),
      matrix<const double>(model.targets.data(), 4, 3), times, {}, test.context);
  ASSERT_TRUE(path.integration.finished) << path.integration.message;
  ASSERT_EQ(path.states.size(), 4u);
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(path.states[i].time, times[i]);
    expect_state(path.states[i], model, model.flow(times[i], 8000, false));
  }
  double loss = 0;
  const std::vector<double> f = model.predicted(model.flow(4, 8000, false));
  for (Index i = 0; i < 4; ++i) {
    double sum = 0;
    for (Index a = 0; a < 3; ++a) sum += std::exp(f[Model::at(i * 3 + a)]);
    loss += (std::log(sum) - f[Model::at(i * 3 + i % 3)]) / 4;
  }
  EXPECT_NEAR(path.states[3].loss, loss, 1e-9);
  EXPECT_LT(path.states[3].loss, path.states[0].loss);
}

TEST(CrossEntropyDescent, FollowsTheParameters) {
  const TestContext test;
  Model model(4, 3, 30, 6);
  model.classify();
  const Tensor<double> k = model.kernel();
  const std::vector<Index> steps = {0, 1, 50};
  const LinearisedPath path = cross_entropy_descent(
      linalg::MatrixOperator(view(k), true), matrix<const double>(model.start.data(), 4, 3),
      matrix<const double>(model.targets.data(), 4, 3), 0.05, steps, test.context);
  for (std::size_t i = 0; i < steps.size(); ++i)
    expect_state(path.states[i], model, model.descent(0.05, steps[i], false));
  // A kernel between samples acts on each output alone.
  const Tensor<double> between = test::gram(4, 6, 2), both = test::repeated(between, 3);
  const auto run = [&](const Tensor<double>& kernel) {
    return cross_entropy_descent(linalg::MatrixOperator(view(kernel), true),
                                 matrix<const double>(model.start.data(), 4, 3),
                                 matrix<const double>(model.targets.data(), 4, 3), 0.05, steps, test.context);
  };
  const LinearisedPath a = run(between), b = run(both);
  for (Index i = 0; i < 12; ++i) EXPECT_NEAR(a.states[2].outputs[i], b.states[2].outputs[i], 1e-13);
}

TEST(CrossEntropyDescent, TakesLogitsBeyondTheExponential) {
  const TestContext test;
  const std::vector<double> start = {2000, 0}, targets = {0, 1}, unit = {1};
  const std::vector<Index> steps = {1};
  const LinearisedPath path =
      cross_entropy_descent(linalg::MatrixOperator(matrix(unit.data(), 1, 1), true),
                            matrix(start.data(), 1, 2), matrix(targets.data(), 1, 2), 1, steps, test.context);
  EXPECT_EQ(path.states[0].outputs[0], 1999);
  EXPECT_EQ(path.states[0].outputs[1], 1);
  EXPECT_EQ(path.states[0].loss, 1998);
}

TEST(CrossEntropyFlow, RefusesSizesAndTimesThatDoNotFit) {
  const TestContext test;
  const Model model(4, 3, 1, 6);
  const auto message = [&](Index size, const std::vector<double>& times) {
    const Tensor<double> k = test::gram(size, 6, 1);
    const Error error = error_of([&] {
      cross_entropy_flow(linalg::MatrixOperator(view(k), true),
                         matrix<const double>(model.start.data(), 4, 3),
                         matrix<const double>(model.targets.data(), 4, 3), times, {}, test.context);
    });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return std::string(error.what());
  };
  EXPECT_NE(message(5, {0, 1}).find("different samples"), std::string::npos);  // 5 is neither 4 nor 12
  EXPECT_NE(message(4, {1, 0}).find("ascend"), std::string::npos);
  EXPECT_NE(message(12, {-1, 0}).find("ascend"), std::string::npos);
}

TEST(CrossEntropy, DoesNotOverflow) {
  const std::vector<double> logits = {1000, 0, -1000, 0}, targets = {1, 0, 0.5, 0.5};
  EXPECT_NEAR(cross_entropy(matrix(logits.data(), 2, 2), matrix(targets.data(), 2, 2)), 250, 1e-12);
}

TEST(RungeKutta, HasTheSolutionAtTheTimesAskedFor) {
  const TestContext test;
  // An oscillator: (cos t, -sin t); and t^4 beside it.
  const Slope slope = [](double t, std::span<const double> y, std::span<double> dy) {
    dy[0] = y[1], dy[1] = -y[0], dy[2] = 4 * t * t * t;
  };
  for (const double tolerance : {1e-6, 1e-10}) {
    std::vector<double> y = {1, 0, 0};
    const std::vector<double> times = {0, 0.5, 3, 20};
    std::size_t calls = 0;
    const Observer observer = [&](std::size_t index, double t, std::span<const double> at) {
      EXPECT_EQ(index, calls++);
      EXPECT_EQ(t, times[index]);
      EXPECT_NEAR(at[0], std::cos(t), 100 * tolerance);  // errors of some hundred steps add up
      EXPECT_NEAR(at[2], t * t * t * t, 1e-9 * (1 + t * t * t * t));
    };
    const RungeKuttaReport report =
        integrate(slope, y, times, observer, {.relative = tolerance, .absolute = tolerance}, test.context);
    EXPECT_TRUE(report.finished);
    EXPECT_EQ(calls, 4u);
    EXPECT_LT(report.steps, tolerance < 1e-8 ? 600 : 150);
  }
}

TEST(RungeKutta, SaysWhereItStopped) {
  const TestContext test;
  const Observer nothing = [](std::size_t, double, std::span<const double>) {};
  std::vector<double> y = {1};
  const Slope blows_up = [](double, std::span<const double> at, std::span<double> dy) {
    dy[0] = at[0] * at[0];
  };
  const std::vector<double> times = {0, 2};  // y = 1 / (1 - t)
  EXPECT_FALSE(integrate(blows_up, y, times, nothing, {}, test.context).finished);
  const Slope stiff = [](double, std::span<const double> at, std::span<double> dy) { dy[0] = -1e6 * at[0]; };
  y = {1};
  const RungeKuttaReport report = integrate(stiff, y, times, nothing, {.most_steps = 1000}, test.context);
  EXPECT_FALSE(report.finished);
  EXPECT_NE(report.message.find("1000 steps"), std::string::npos);
}

}  // namespace
}  // namespace tangra::analysis
