#include "tangra/verify/measured_error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

using differentiate::Basis;
using differentiate::Program;

/// Both programs of a problem, and its samples in float32.
struct Runs {
  explicit Runs(const Problem& from)
      : problem(from),
        single(from.graph, test.context),
        wide(from.graph, test.context),
        inputs(from.inputs.shape()) {
    std::ranges::transform(from.inputs, inputs.begin(),
                           [](double entry) { return static_cast<float>(entry); });
  }
  MeasuredError measure(const SecondSet* second = nullptr) {
    return measure_error(single, wide, inputs, problem.of, problem.reduction, problem.basis, test.context,
                         second);
  }

  tangra::test::TestContext test;
  const Problem& problem;
  Program<float> single;
  Program<double> wide;
  Tensor<float> inputs;
};

Problem network(const std::string& activation, Index samples, const std::string& reduction) {
  RandomNet net(6000);
  ValueId h = net.apply(activation, {net.dense("0", net.input(13), 31)});
  h = net.apply(activation, {net.dense("1", h, 17)});
  return net.problem(net.dense("2", h, 3), samples, reduction);
}

TEST(MeasuredError, IsSmallOnHealthyNetworksAndNotZero) {
  for (const std::string activation : {"Tanh", "Relu", "Gelu", "Sigmoid"}) {
    for (const std::string& reduction : reductions) {
      const Problem problem = network(activation, 9, reduction);
      const MeasuredError error = Runs(problem).measure();
      EXPECT_LT(error.largest_relative, 1e-5) << activation << ", " << reduction;
      EXPECT_GT(error.largest_relative, 1e-9) << activation << ", " << reduction;
      EXPECT_LT(error.rms, 1e-5);
      EXPECT_GT(error.rms, 0);
      EXPECT_GT(error.largest_entry, 0);
      EXPECT_EQ(error.entries, problem.reduction.kernel_shape(4, 4).elements());
    }
  }
}

TEST(MeasuredError, SamplesAreSpreadEvenly) {
  const auto samples = [](Index count) { return Runs(network("Tanh", count, "full")).measure().samples; };
  EXPECT_EQ(samples(10), (std::vector<Index>{0, 3, 6, 9}));
  EXPECT_EQ(samples(3), (std::vector<Index>{0, 1, 2}));
  EXPECT_EQ(samples(1), (std::vector<Index>{0}));
}

TEST(MeasuredError, NoSamplesHaveNoError) {
  Problem problem = network("Tanh", 2, "full");
  problem.inputs = Tensor<double>(Shape{0, 13});
  const MeasuredError error = Runs(problem).measure();
  EXPECT_EQ(error.entries, 0);
  EXPECT_EQ(error.largest_relative, 0);
}

TEST(MeasuredError, ABasisIsAskedForTheSamplesThemselves) {
  Problem problem = network("Tanh", 10, "full");
  std::set<Index> asked;
  problem.basis = Basis::computed(3, 3, [&](Index sample, std::span<const double>, std::span<double> rows) {
    asked.insert(sample);
    for (std::size_t a = 0; a < 3; ++a) rows[4 * a] = static_cast<double>(1 + sample);
  });
  EXPECT_LT(Runs(problem).measure().largest_relative, 1e-5);
  EXPECT_EQ(asked, (std::set<Index>{0, 3, 6, 9}));
}

TEST(MeasuredError, BetweenTwoSets) {
  const Problem rows = network("Relu", 9, "full");
  const Problem columns = network("Relu", 2, "full");
  Runs runs(rows);
  const Runs other(columns);
  const SecondSet second{.inputs = other.inputs, .basis = columns.basis};
  const MeasuredError error = runs.measure(&second);
  EXPECT_EQ(error.samples.size(), 4u);
  EXPECT_EQ(error.samples2, (std::vector<Index>{0, 1}));
  EXPECT_EQ(error.entries, rows.reduction.kernel_shape(4, 2).elements());
  EXPECT_LT(error.largest_relative, 1e-5);
  EXPECT_GT(error.largest_relative, 0);
}

/// A relu that float64 finds at 1e-9 and float32 at 0: the same network on the other side of the kink.
TEST(MeasuredError, AReluThatFlipsIsCountedAndIsNoError) {
  RandomNet net(6010);
  Tensor<double> weight(Shape{2, 2});
  Tensor<double> bias(Shape{2});
  weight[0] = 1 + 1e-9;
  weight[3] = 1;
  bias[0] = -1;
  const auto kept = [&](const char* name, const Tensor<double>& data) {
    return net.builder().parameter({.name = name,
                                    .layer = "0",
                                    .role = ParameterRole::weight,
                                    .why = "a test's",
                                    .trainable = true,
                                    .data = Array(data),
                                    .value = no_id});
  };
  const ValueId x = net.input(2);
  const ValueId h = net.apply("Relu", {net.apply("Linear", {x, kept("w", weight), kept("b", bias)})});
  Problem problem = net.problem(net.dense("1", h, 2), 1, "full");
  problem.inputs[0] = 1;
  problem.inputs[1] = 1;
  const MeasuredError error = Runs(problem).measure();
  EXPECT_LT(error.largest_relative, 1e-6) << "float64 was not held to float32's side";
  EXPECT_EQ(error.near_kinks, 1);
}

TEST(MeasuredError, NothingIsNearAKinkInASmoothNetwork) {
  EXPECT_EQ(Runs(network("Tanh", 9, "full")).measure().near_kinks, 0);
  EXPECT_EQ(Runs(network("Relu", 9, "full")).measure().near_kinks, 0);
}

}  // namespace
}  // namespace tangra::verify::test
