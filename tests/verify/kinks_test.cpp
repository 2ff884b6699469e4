// Kinks, saturation, and parts that are zero in truth raise no false alarm.
#include <gtest/gtest.h>

#include <algorithm>

#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

ValueId fixed(RandomNet& net, const std::string& name, Shape shape, std::vector<double> entries) {
  Tensor<double> data(std::move(shape));
  std::ranges::copy(entries, data.begin());
  return net.builder().parameter({.name = name,
                                  .layer = "0",
                                  .role = ParameterRole::weight,
                                  .why = "a test's",
                                  .trainable = true,
                                  .data = Array(data),
                                  .value = no_id});
}

void set_sample(Problem& problem, Index sample, std::vector<double> entries) {
  std::ranges::copy(entries, problem.inputs.data() + sample * static_cast<Index>(entries.size()));
}

class AtTheKink : public testing::TestWithParam<std::string> {};

TEST_P(AtTheKink, StepsAcrossAreSkippedAndCounted) {
  RandomNet net(4000);
  const ValueId x = net.input(2);
  const ValueId w = fixed(net, "w", {3, 2}, {1, -1, 0.5, 0.25, -0.75, 1});
  const ValueId h =
      net.apply(GetParam(), {net.apply("Linear", {x, w, fixed(net, "b", {3}, {0, 0.125, 0.25})})});
  Problem problem = net.problem(net.dense("1", h, 2), 3, "full");
  set_sample(problem, 0, {1, 1});  // the first unit stands at exactly 0
  const VerifyResult result = verified(problem);
  EXPECT_TRUE(result.agree) << result.first_failure;
  EXPECT_GE(result.entries_excluded, 3) << "both weights and the bias of that unit";
  EXPECT_LE(result.entries_excluded, 4);
  EXPECT_GE(result.steps_skipped, 3 * 10) << "every step size was tried";
  EXPECT_LT(result.steps_skipped, result.steps / 2);
  ASSERT_FALSE(result.notes.empty());
  EXPECT_NE(result.notes.front().find("differences: w: no step works for 2 derivatives"), std::string::npos)
      << result.notes.front();
}

INSTANTIATE_TEST_SUITE_P(Kinks, AtTheKink, testing::Values("Relu", "LeakyRelu", "Selu", "NormalizedRelu"));

TEST(Kinks, NearAKinkSmallerStepsServe) {
  RandomNet net(4010);
  const ValueId x = net.input(2);
  const ValueId w = fixed(net, "w", {2, 2}, {1, -1, 0.5, 0.25});
  const ValueId h = net.apply("Relu", {net.apply("Linear", {x, w, fixed(net, "b", {2}, {1e-5, 0.125})})});
  Problem problem = net.problem(net.dense("1", h, 2), 3, "full");
  set_sample(problem, 0, {1, 1});
  const VerifyResult result = verified(problem);
  EXPECT_TRUE(result.agree) << result.first_failure;
  EXPECT_GT(result.steps_skipped, 0);
  EXPECT_EQ(result.entries_excluded, 0);
}

TEST(Kinks, ASampleOfZerosWithoutBiases) {
  RandomNet net(4020);
  ValueId h = net.apply("Relu", {net.dense("0", net.input(3), 4, false)});
  h = net.apply("Relu", {net.dense("1", h, 4, false)});
  Problem problem = net.problem(net.dense("2", h, 2, false), 2, "full");
  set_sample(problem, 0, {0, 0, 0});
  const VerifyResult result = verified(problem);
  EXPECT_TRUE(result.agree) << result.first_failure;
}

TEST(Kinks, AtTheBoundsOfClip) {
  RandomNet net(4030);
  const ValueId x = net.input(2);
  const ValueId w = fixed(net, "w", {2, 2}, {1, 0.5, 0.5, -0.5});
  const ValueId h = net.apply("Clip", {net.apply("Linear", {x, w})}, {{"min", -1.0}, {"max", 1.5}});
  Problem problem = net.problem(net.dense("1", h, 2), 3, "full");
  set_sample(problem, 0, {1, 1});   // 1.5 and 0
  set_sample(problem, 1, {-1, 1});  // -0.5 and -1
  const VerifyResult result = verified(problem);
  EXPECT_TRUE(result.agree) << result.first_failure;
  EXPECT_EQ(result.entries_excluded, 4);
}

TEST(Kinks, InParametersAlone) {
  RandomNet net(4040);
  const ValueId w = net.apply("Relu", {fixed(net, "w", {2, 2}, {1, 0, -0.5, 0.25})});
  const ValueId h = net.apply("Tanh", {net.apply("Linear", {net.input(2), w})});
  const Problem problem = net.problem(net.dense("1", h, 2), 3, "full");
  const VerifyResult result = verified(problem);
  EXPECT_TRUE(result.agree) << result.first_failure;
  EXPECT_EQ(result.entries_excluded, 3) << "one weight at 0, three samples";
}

TEST(Kinks, SaturatedSigmoids) {
  for (const double scale : {10.0, 100.0, 1000.0}) {
    RandomNet net(4050);
    ValueId h =
        net.apply("Sigmoid", {net.apply("Linear", {net.input(4), net.parameter("0.weight", {5, 4}, scale)})});
    h = net.apply("Sigmoid", {net.apply("Linear", {h, net.parameter("1.weight", {5, 5}, scale)})});
    expect_agreement(net.problem(net.dense("2", h, 2), 4, "full"),
                     "weights of size " + std::to_string(scale));
  }
}

TEST(Kinks, LargeInputs) {
  for (const std::string activation : {"Tanh", "Relu", "Softplus"}) {
    RandomNet net(4060);
    const ValueId h = net.apply(activation, {net.dense("0", net.input(4), 5)});
    Problem problem = net.problem(net.dense("1", h, 2), 4, "full");
    for (double& entry : problem.inputs) entry *= 1000;
    expect_agreement(problem, activation);
  }
}

TEST(Kinks, SoftmaxOfLargeLogits) {
  for (const std::string end : {"Softmax", "LogSoftmax"}) {
    for (const std::string& reduction : reductions) {
      RandomNet net(4070);
      const ValueId h = net.apply("Tanh", {net.dense("0", net.input(3), 4)});
      const ValueId logits = net.apply("Linear", {h, net.parameter("1.weight", {5, 4}, 1000)});
      expect_agreement(net.problem(net.apply(end, {logits}), 3, reduction), end + ", " + reduction);
    }
  }
}

TEST(ZeroInTruth, TheSumAfterASoftmax) {
  for (const Index outputs : {1, 2, 5, 10}) {
    RandomNet net(4080 + static_cast<std::uint64_t>(outputs));
    const ValueId h = net.apply("Gelu", {net.dense("0", net.input(3), 7)});
    const Problem problem = net.problem(net.apply("Softmax", {net.dense("1", h, outputs)}), 4, "sum");
    const VerifyResult result = verified(problem);
    EXPECT_TRUE(result.agree) << outputs << ": " << result.first_failure;
    for (const PairResult& pair : result.pairs) EXPECT_LT(pair.largest_entry, 1e-20) << "not zero in truth";
  }
}

/// One number of rounding noise may vanish by chance in one precision and not in the other; many networks
/// show it.
TEST(ZeroInTruth, NoFalseAlarmInManySmallNetworks) {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    RandomNet net(20000 + seed);
    const auto outputs = static_cast<Index>(1 + seed / 3 % 5);
    ValueId h = net.input(static_cast<Index>(1 + seed % 7));
    if (seed % 4 != 0) h = net.apply("Tanh", {net.dense("0", h, static_cast<Index>(1 + seed % 9))});
    h = net.dense("1", h, outputs);
    std::string reduction = reductions[seed % reductions.size()];
    if (seed % 3 == 0) {
      reduction = "sum";
    } else {
      h = net.apply("Add", {h, net.parameter("shift", {1}, 0.5)});
      if (seed % 3 == 1)
        h = net.dense("2", net.apply("Tanh", {net.apply("Sub", {h, net.apply("ReduceMean", {h})})}), 2);
    }
    if (seed % 3 != 1) h = net.apply("Softmax", {h});
    expect_agreement(net.problem(h, static_cast<Index>(1 + seed / 5 % 3), reduction),
                     "seed " + std::to_string(seed));
  }
}

TEST(ZeroInTruth, WhatUnderflows) {
  RandomNet net(4085);
  const ValueId h = net.apply("Tanh", {net.dense("0", net.input(3), 4)});
  const ValueId logits = net.dense("1", h, 3);
  Tensor<double> steep(Shape{3});
  steep[0] = 372;  // probabilities of e^-372: their squares are subnormal numbers
  const ValueId shifted = net.apply("Add", {logits, net.builder().constant("steep", Array(steep))});
  for (const DType type : {DType::float64, DType::float32}) {
    RandomNet copy = net;
    VerifyOptions options;
    options.structured = type;
    const VerifyResult result =
        verified(copy.problem(copy.apply("Softmax", {shifted}), 3, "diagonal"), options);
    EXPECT_TRUE(result.agree) << result.first_failure;
  }
}

TEST(ZeroInTruth, AShiftThatASoftmaxTakesAway) {
  RandomNet net(4090);
  const ValueId h = net.apply("Tanh", {net.dense("0", net.input(3), 4)});
  const ValueId logits = net.apply("Add", {net.dense("1", h, 5), net.parameter("shift", {1}, 0.5)});
  expect_agreement(net.problem(net.apply("Softmax", {logits}), 3, "full"), "a shift of all logits");
}

TEST(ZeroInTruth, AShiftThatAMeanTakesAway) {
  RandomNet net(4100);
  const ValueId h = net.apply("Add", {net.dense("0", net.input(3), 7), net.parameter("shift", {1}, 0.5)});
  const ValueId centred = net.apply("Sub", {h, net.apply("ReduceMean", {h})});
  const ValueId length = net.apply("ReduceL2", {centred});
  expect_agreement(net.problem(net.dense("1", net.apply("Div", {centred, length}), 2), 3, "full"),
                   "normalisation");
}

TEST(ZeroInTruth, ALogSoftmaxOfOneOutput) {
  RandomNet net(4110);
  const ValueId h = net.apply("Tanh", {net.dense("0", net.input(3), 4)});
  expect_agreement(net.problem(net.apply("LogSoftmax", {net.dense("1", h, 1)}), 3, "full"), "one output");
}

}  // namespace
}  // namespace tangra::verify::test
