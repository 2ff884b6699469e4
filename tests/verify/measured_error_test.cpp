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
  MeasuredError measure_product(const SecondSet* second = nullptr) {
    return measure_product_error(single, wide, inputs, problem.of, problem.reduction, problem.basis,
                                 test.context, second);
  }
  MeasuredError measure_conjugate(const Tensor<float>* second = nullptr) {
    return measure_conjugate_error(single, wide, inputs, problem.of, test.context, second);
  }
  MeasuredError measure_parameter_space() {
    return measure_parameter_space_error(single, wide, inputs, problem.of, problem.reduction, problem.basis,
                                         test.context);
  }
  /// A float32 program whose first weight is off by a thousandth.
  void plant_a_fault() {
    std::vector<Tensor<float>> parameters;
    for (const Parameter& parameter : problem.graph->parameters) {
      parameters.push_back(parameter.data.converted<float>());
    }
    for (float& entry : parameters.front()) entry *= 1.001F;
    single.set_parameters(parameters, test.context);
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

void expect_small(const MeasuredError& error, const std::string& what) {
  EXPECT_LT(error.largest_relative, 1e-5) << what;
  EXPECT_GT(error.largest_relative, 1e-9) << what;
  EXPECT_GT(error.rms, 0) << what;
  EXPECT_GT(error.largest_entry, 0) << what;
}

TEST(MeasuredError, OfVectorProducts) {
  for (const std::string activation : {"Tanh", "Relu"}) {
    for (const std::string& reduction : reductions) {
      const Problem rows = network(activation, 9, reduction), columns = network(activation, 2, reduction);
      Runs runs(rows);
      const Runs other(columns);
      const SecondSet second{.inputs = other.inputs, .basis = columns.basis};
      const MeasuredError error = runs.measure_product();
      expect_small(error, activation + ", " + reduction);
      EXPECT_EQ(error.entries, rows.reduction.kernel_shape(4, 4).elements());
      const MeasuredError of_two = runs.measure_product(&second);
      expect_small(of_two, activation + ", " + reduction + ", two sets");
      EXPECT_EQ(of_two.entries, rows.reduction.kernel_shape(4, 2).elements());
      EXPECT_EQ(of_two.samples2, (std::vector<Index>{0, 1}));
    }
  }
}

/// Rows and columns have bases of their own, asked for the samples' numbers in either set.
TEST(MeasuredError, OfVectorProductsWithBases) {
  Problem rows = network("Tanh", 10, "full"), columns = network("Tanh", 3, "full");
  std::set<Index> asked;
  const auto scaled = [&](Index offset) {
    return Basis::computed(3, 3, [&asked, offset](Index sample, std::span<const double>, std::span<double> to) {
      asked.insert(offset + sample);
      for (std::size_t a = 0; a < 3; ++a) to[4 * a] = static_cast<double>(1 + offset + sample);
    });
  };
  rows.basis = scaled(0);
  columns.basis = scaled(100);
  Runs runs(rows);
  const Runs other(columns);
  const SecondSet second{.inputs = other.inputs, .basis = columns.basis};
  expect_small(runs.measure_product(&second), "bases");
  EXPECT_EQ(asked, (std::set<Index>{0, 3, 6, 9, 100, 101, 102}));
}

TEST(MeasuredError, OfAGramMatrixOfActivations) {
  for (const std::string activation : {"Tanh", "Relu"}) {
    const Problem rows = network(activation, 9, "full"), columns = network(activation, 2, "full");
    const Runs other(columns);
    Runs runs(rows);
    expect_small(runs.measure_conjugate(), activation);
    EXPECT_EQ(runs.measure_conjugate().entries, 16);
    expect_small(runs.measure_conjugate(&other.inputs), activation + ", two sets");
    EXPECT_EQ(runs.measure_conjugate(&other.inputs).entries, 8);
  }
}

TEST(MeasuredError, InTheSpaceOfParameters) {
  for (const std::string activation : {"Tanh", "Relu"}) {
    for (const std::string reduction : {"full", "output=1"}) {
      const MeasuredError error = Runs(network(activation, 9, reduction)).measure_parameter_space();
      expect_small(error, activation + ", " + reduction);
      EXPECT_EQ(error.samples.size(), 4U);
      EXPECT_EQ(error.parameters.size(), 256U);
      EXPECT_EQ(error.parameters.front(), 0);
      EXPECT_EQ(error.parameters.back(), 13 * 31 + 31 + 31 * 17 + 17 + 17 * 3 + 3 - 1);
      EXPECT_EQ(error.entries, 256 * 256);
    }
  }
}

TEST(MeasuredError, APlantedFaultIsSeenInEveryKind) {
  const Problem problem = network("Tanh", 9, "full");
  Runs runs(problem);
  runs.plant_a_fault();
  EXPECT_GT(runs.measure().largest_relative, 1e-5);
  EXPECT_GT(runs.measure_product().largest_relative, 1e-5);
  EXPECT_GT(runs.measure_conjugate().largest_relative, 1e-5);
  EXPECT_GT(runs.measure_parameter_space().largest_relative, 1e-5);
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
  Runs runs(problem);
  for (const MeasuredError& error : {runs.measure(), runs.measure_product(), runs.measure_conjugate()}) {
    EXPECT_EQ(error.entries, 0);
    EXPECT_EQ(error.largest_relative, 0);
  }
  EXPECT_EQ(runs.measure_parameter_space().largest_relative, 0);
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
  Runs runs(problem);
  for (const MeasuredError& other : {runs.measure_product(), runs.measure_parameter_space(), runs.measure_conjugate()}) {
    EXPECT_LT(other.largest_relative, 1e-6) << "float64 was not held to float32's side";
    EXPECT_EQ(other.near_kinks, 1);
  }
}

TEST(MeasuredError, KinksBehindWhatIsDifferentiatedDoNotCount) {
  RandomNet net(6020);
  const ValueId x = net.input(2);
  const ValueId h = net.dense("0", x, 5);
  const ValueId relu = net.apply("Relu", {net.apply("Sub", {h, h})});  // at its kink, whatever comes in
  Problem problem = net.problem(net.dense("1", relu, 2), 2, "full");
  EXPECT_GT(Runs(problem).measure_conjugate().near_kinks, 0);
  problem.of = h;
  EXPECT_EQ(Runs(problem).measure_conjugate().near_kinks, 0);
}

TEST(MeasuredError, NothingIsNearAKinkInASmoothNetwork) {
  EXPECT_EQ(Runs(network("Tanh", 9, "full")).measure().near_kinks, 0);
  EXPECT_EQ(Runs(network("Relu", 9, "full")).measure().near_kinks, 0);
}

}  // namespace
}  // namespace tangra::verify::test
