#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "support/support.h"
#include "tangra/formats/npz.h"
#include "tangra/run/training.h"

namespace tangra::run {
namespace {

LineariseSpec spec_of(const std::string& network, Index n = 12) {
  LineariseSpec spec;
  spec.model.text = network;
  spec.model.parameterization = "ntk";
  spec.data.source = "digits";
  spec.data.n = n;
  spec.test.source = "digits";
  spec.test.samples = {1500, 1507};
  spec.steps = 60;
  spec.points = 6;
  return spec;
}

std::map<std::string, Tensor<double>> arrays_in(const std::filesystem::path& path) {
  std::map<std::string, Tensor<double>> arrays;
  for (const auto& [name, array] : formats::read_npz(path)) {
    if (is_floating(array.type())) arrays[name] = array.converted<double>();
  }
  return arrays;
}

TEST(RunLinearise, ANetworkThatIsLinearInItsParametersIsItsLinearisation) {
  for (const train::LossKind loss : {train::LossKind::mse, train::LossKind::cross_entropy}) {
    LineariseSpec spec = spec_of("Chain(Dense(64 => 10), softmax)");
    if (loss == train::LossKind::mse) spec.model.text = "Chain(Dense(64 => 10))";
    spec.loss = loss;
    const LineariseResult result = run_linearise(spec);
    ASSERT_EQ(result.moments.back().step, 60);
    EXPECT_LT(result.moments.back().train.network.loss(), result.moments.front().train.network.loss() * 0.9);
    // Outputs of size 1 after 60 steps, each with rounding of some eps times the eigenvectors' condition 1.
    EXPECT_LT(result.largest_distance, 1e-12);
    EXPECT_LT(result.largest_distance_test, 1e-12);
    EXPECT_LT(result.kernel_distance, 1e-13);
    EXPECT_NEAR(result.moments.back().train.network.loss(), result.moments.back().train.linearised.loss(), 1e-12);
    EXPECT_EQ(result.moments.back().test.network.correct, result.moments.back().test.linearised.correct);
  }
}

/// Gradient descent on the linearisation by plain loops over the explicit Jacobians.
TEST(RunLinearise, LinearisedOutputsAreThoseOfAPlainLoop) {
  const test::TemporaryFolder folder;
  for (const train::LossKind loss : {train::LossKind::mse, train::LossKind::cross_entropy}) {
    LineariseSpec spec = spec_of("Chain(Dense(64 => 5, tanh), Dense(5 => 10))", 6);
    spec.loss = loss;
    spec.rate = 0.3;
    spec.steps = 9;
    spec.out = (folder / (train::name_of(loss) + ".npz")).string();
    const LineariseResult result = run_linearise(spec);
    const auto found = arrays_in(spec.out);
    const auto jacobians = [&](const data::DataSpec& data) {
      JacobianSpec own;
      own.model = spec.model;
      own.data = data;
      own.precision = Precision::float64;
      std::vector<Tensor<double>> arrays;
      for (const NamedArray& one : run_jacobian(own).arrays) arrays.push_back(one.array.converted<double>());
      return arrays;  // the outputs, then one for each parameter
    };
    const auto train_arrays = jacobians(spec.data);
    const auto test_arrays = jacobians(spec.test);
    const auto labels = *data::load(spec.data).labels;
    Tensor<double> f = train_arrays[0].clone();
    Tensor<double> g = test_arrays[0].clone();
    std::size_t place = 0;
    for (Index step = 0; step <= spec.steps; ++step) {
      if (place < result.moments.size() && result.moments[place].step == step) {
        const double* on_train = found.at("linearised:train").data() + static_cast<Index>(place) * f.size();
        const double* on_test = found.at("linearised:test").data() + static_cast<Index>(place) * g.size();
        for (Index e = 0; e < f.size(); ++e) ASSERT_NEAR(on_train[e], f[e], 1e-12) << step;
        for (Index e = 0; e < g.size(); ++e) ASSERT_NEAR(on_test[e], g[e], 1e-12) << step;
        ++place;
      }
      std::vector<double> residual(static_cast<std::size_t>(f.size()));
      for (Index i = 0; i < 6; ++i) {
        double sum = 0;
        for (Index a = 0; a < 10; ++a) sum += std::exp(f[i * 10 + a]);
        for (Index a = 0; a < 10; ++a) {
          const double target = labels[static_cast<std::size_t>(i)] == a ? 1 : 0;
          const double value = loss == train::LossKind::mse ? f[i * 10 + a] : std::exp(f[i * 10 + a]) / sum;
          residual[static_cast<std::size_t>(i * 10 + a)] = value - target;
        }
      }
      for (std::size_t p = 1; p < train_arrays.size(); ++p) {
        const Index size = train_arrays[p].size() / 60;
        for (Index e = 0; e < size; ++e) {
          double gradient = 0;
          for (Index row = 0; row < 60; ++row) gradient += train_arrays[p][row * size + e] * residual[static_cast<std::size_t>(row)] / 6;
          for (Index row = 0; row < 60; ++row) f[row] -= 0.3 * train_arrays[p][row * size + e] * gradient;
          for (Index row = 0; row < 70; ++row) g[row] -= 0.3 * test_arrays[p][row * size + e] * gradient;
        }
      }
    }
    EXPECT_EQ(place, result.moments.size());
    // Both begin as the same network; the curved one goes another way.
    EXPECT_EQ(result.moments.front().train.distance, 0);
    EXPECT_EQ(result.moments.front().train.moved, 0);
    EXPECT_GT(result.largest_distance, 1e-4);
    double sum = 0;
    const Tensor<double>& network = found.at("network:train");
    const Index last = static_cast<Index>(result.moments.size()) - 1;
    for (Index e = 0; e < 60; ++e) {
      const double difference = network[last * 60 + e] - found.at("linearised:train")[last * 60 + e];
      sum += difference * difference;
    }
    EXPECT_NEAR(result.moments.back().train.distance, std::sqrt(sum / 6), 1e-14);
  }
}

TEST(RunLinearise, WideNetworksStayNearTheirLinearisation) {
  const auto distance = [](Index width) {
    LineariseSpec spec = spec_of("Chain(Dense(64 => " + std::to_string(width) + ", tanh), Dense(" + std::to_string(width) + " => 10))");
    spec.rate = 0.1;
    return run_linearise(spec).largest_distance;
  };
  // By 1 / sqrt(width) at least: a factor of 4, less what one seed scatters.
  EXPECT_LT(distance(1024), distance(64) / 3);
}

TEST(RunLinearise, TheDefaultRateIsATenthOfTheBound) {
  const LineariseResult result = run_linearise(spec_of("Chain(Dense(64 => 5, tanh), Dense(5 => 10))"));
  EXPECT_NEAR(result.rate, result.bound.bound / 10, 1e-12 * result.rate);
  EXPECT_FALSE(result.divergence);
}

TEST(RunLinearise, TellsOfDivergence) {
  const test::TemporaryFolder folder;
  LineariseSpec spec = spec_of("Chain(Dense(64 => 5), Dense(5 => 10))");
  spec.rate = 1e4;
  spec.steps = 500;
  spec.out = (folder / "F.npz").string();
  const LineariseResult result = run_linearise(spec);
  ASSERT_TRUE(result.divergence);
  EXPECT_FALSE(std::filesystem::exists(spec.out));
}

TEST(RunLinearise, RefusesWhatItCannotDo) {
  const auto kind = [](const auto& change) {
    LineariseSpec spec = spec_of("Chain(Dense(64 => 10))");
    change(spec);
    return test::error_of([&] { run_linearise(spec); }).kind();
  };
  EXPECT_EQ(kind([](LineariseSpec& spec) { spec.steps = 0; }), ErrorKind::usage);
  EXPECT_EQ(kind([](LineariseSpec& spec) { spec.points = 1; }), ErrorKind::usage);
  EXPECT_EQ(kind([](LineariseSpec& spec) { spec.rate = -1; }), ErrorKind::usage);
  EXPECT_EQ(kind([](LineariseSpec& spec) { spec.resources.memory = 10000; }), ErrorKind::memory);
  EXPECT_EQ(kind([](LineariseSpec& spec) {
              spec.model.text = "Chain(Dense(64 => 10), logsoftmax)";
              spec.loss = train::LossKind::cross_entropy;
            }),
            ErrorKind::unsupported);
}

}  // namespace
}  // namespace tangra::run
