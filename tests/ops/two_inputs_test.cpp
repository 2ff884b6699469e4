// Derivatives of operators of several inputs at their kinks, and careful forms far from where naive ones
// hold.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/single_node.h"

namespace tangra::ops {
namespace {

using Numbers = std::vector<double>;
using Integers = std::vector<Index>;
constexpr double infinity = std::numeric_limits<double>::infinity();

struct Applied {
  Numbers value;
  std::vector<Numbers> slopes;  ///< pull-back of ones, by input
  Numbers pushed;               ///< of ones in every input
};

/// The operator on vectors.
Applied apply(const std::string& op, const std::vector<Numbers>& inputs, const Attributes& attributes = {}) {
  std::vector<Tensor<double>> tensors;
  std::vector<Tensor<double>> ones;
  for (const Numbers& input : inputs) {
    const Shape shape{std::ssize(input)};
    tensors.push_back(test::one_sample<double>(shape, input));
    ones.push_back(Tensor<double>(shape.with_leading(1).with_leading(1)));
    std::fill(ones.back().begin(), ones.back().end(), 1.0);
  }
  const test::SingleNode<double> node(op, attributes, std::move(tensors));
  Tensor<double> cotangent(node.shape().with_leading(1).with_leading(1));
  std::fill(cotangent.begin(), cotangent.end(), 1.0);
  Applied result{test::numbers(node.forward()), {}, test::numbers(node.pushforward(1, ones))};
  for (const Tensor<double>& slope : node.pullback(1, cotangent))
    result.slopes.push_back(test::numbers(slope));
  return result;
}

TEST(KinksOfTwoInputs, TheFirstOfEqualOnesHasTheDerivative) {
  const Applied largest = apply("Max", {{1, 2, 0}, {1, 1, 3}});
  EXPECT_EQ(largest.slopes[0], (Numbers{1, 1, 0}));
  EXPECT_EQ(largest.slopes[1], (Numbers{0, 0, 1}));
  const Applied smallest = apply("Min", {{1, 2, 0}, {1, 1, 3}});
  EXPECT_EQ(smallest.slopes[0], (Numbers{1, 0, 1}));
  EXPECT_EQ(smallest.slopes[1], (Numbers{0, 1, 0}));
}

TEST(KinksOfTwoInputs, PReluTakesTheNegativeSide) {
  const Applied result = apply("PRelu", {{0, 2, -3}, {0.25, 0.25, 0.25}});
  EXPECT_EQ(result.slopes[0], (Numbers{0.25, 1, 0.25}));
  EXPECT_EQ(result.slopes[1], (Numbers{0, 0, -3}));
}

TEST(KinksOfTwoInputs, ComparisonsAreFlat) {
  for (const char* op : {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor"}) {
    const Applied result = apply(op, {{1, 2}, {1, 0}});
    EXPECT_EQ(result.slopes[0], (Numbers{0, 0})) << op;
    EXPECT_EQ(result.slopes[1], (Numbers{0, 0})) << op;
    EXPECT_EQ(result.pushed, (Numbers{0, 0})) << op;
  }
}

TEST(KinksOfTwoInputs, NanIsNotHidden) {
  const double nan = std::nan("");
  for (const char* op : {"Max", "Min"}) {
    EXPECT_TRUE(std::isnan(apply(op, {{nan}, {1}}).value[0]));
    EXPECT_TRUE(std::isnan(apply(op, {{1}, {nan}}).value[0]));
  }
  for (const char* op : {"ReduceMax", "ReduceMin"}) {
    EXPECT_TRUE(std::isnan(apply(op, {{1, nan, 2}}).value[0]));
    EXPECT_TRUE(std::isnan(apply(op, {{nan, 2}}).value[0]));
  }
}

TEST(Choices, SayWhatWasChosenAndHowFarAheadItIs) {
  const auto choices = [](const std::string& op, const std::vector<Numbers>& inputs) {
    std::vector<Tensor<double>> tensors;
    for (const Numbers& input : inputs)
      tensors.push_back(test::one_sample<double>({std::ssize(input)}, input));
    return test::SingleNode<double>(op, {}, std::move(tensors)).choices();
  };
  const std::vector<Choice> largest = choices("ReduceMax", {{1, 4, 2}});
  ASSERT_EQ(largest.size(), 1U);
  EXPECT_EQ(largest[0].entry, 1);
  EXPECT_EQ(largest[0].lead, 2);
  const std::vector<Choice> smaller = choices("Min", {{1, 4}, {3, 2}});
  ASSERT_EQ(smaller.size(), 2U);
  EXPECT_EQ(smaller[0].entry, 0);
  EXPECT_EQ(smaller[1].entry, 1);
  EXPECT_EQ(smaller[1].lead, 2);
  const std::vector<Choice> less = choices("Less", {{1}, {3}});
  ASSERT_EQ(less.size(), 1U);
  EXPECT_EQ(less[0].lead, 2);
  const std::vector<Choice> floor = choices("Floor", {{1.75}});
  ASSERT_EQ(floor.size(), 1U);
  EXPECT_EQ(floor[0].lead, 0.25);
  EXPECT_TRUE(choices("Add", {{1}, {3}}).empty());
  EXPECT_TRUE(choices("ReduceSum", {{1, 3}}).empty());
}

TEST(CarefulForms, WhereSelects) {
  const Applied result = apply("Where", {{1, 0}, {2, infinity}, {std::nan(""), 3}});
  EXPECT_EQ(result.value, (Numbers{2, 3}));
  EXPECT_EQ(result.slopes[0], (Numbers{0, 0}));
  EXPECT_EQ(result.slopes[1], (Numbers{1, 0}));
  EXPECT_EQ(result.slopes[2], (Numbers{0, 1}));
  EXPECT_EQ(result.pushed, (Numbers{1, 1}));
}

TEST(CarefulForms, PowAtBaseZeroAndBelow) {
  const Applied zero = apply("Pow", {{0, 0, 0, 0}, {0, 1, 2, 3}});
  EXPECT_EQ(zero.value, (Numbers{1, 0, 0, 0}));
  EXPECT_EQ(zero.slopes[0], (Numbers{0, 1, 0, 0}));
  EXPECT_EQ(zero.slopes[1], (Numbers{0, 0, 0, 0}));
  const Applied negative = apply("Pow", {{-2, -2, -2}, {3, 2, -1}});
  EXPECT_EQ(negative.value, (Numbers{-8, 4, -0.5}));
  EXPECT_EQ(negative.slopes[0], (Numbers{12, -4, -0.25}));
  EXPECT_TRUE(std::isnan(negative.slopes[1][0]));
}

TEST(CarefulForms, ProductsWithZeros) {
  EXPECT_EQ(apply("ReduceProd", {{2, 0, 3, 5}}).slopes[0], (Numbers{0, 30, 0, 0}));
  EXPECT_EQ(apply("ReduceProd", {{2, 0, 0}}).slopes[0], (Numbers{0, 0, 0}));
  EXPECT_EQ(apply("ReduceProd", {{2, 3, 5}}).slopes[0], (Numbers{15, 10, 6}));
}

TEST(CarefulForms, LogSumExpOfLargeNumbers) {
  const Applied large = apply("ReduceLogSumExp", {{1000, 1000, -1e5}});
  EXPECT_NEAR(large.value[0], 1000 + std::log(2.0), 1e-12);
  EXPECT_EQ(large.slopes[0], (Numbers{0.5, 0.5, 0}));
  // One entry dominates: what the other adds survives.
  EXPECT_NEAR(apply("ReduceLogSumExp", {{0, -40}}).value[0] / std::exp(-40.0), 1, 1e-15);
  EXPECT_EQ(apply("ReduceLogSumExp", {{-infinity, -infinity}}).value[0], -infinity);
}

TEST(CarefulForms, MishFarToBothSides) {
  // mish(x) = x e^x (1 + O(e^x)) to the left, so its slope is (1 + x) e^x there.
  const Applied left = apply("Mish", {{-40, -800}});
  EXPECT_NEAR(left.value[0] / (-40 * std::exp(-40.0)), 1, 1e-15);
  EXPECT_NEAR(left.slopes[0][0] / (-39 * std::exp(-40.0)), 1, 1e-13);
  EXPECT_EQ(left.slopes[0][1], 0);
  const Applied right = apply("Mish", {{40, 800}});
  EXPECT_EQ(right.value, (Numbers{40, 800}));
  EXPECT_EQ(right.slopes[0], (Numbers{1, 1}));
}

TEST(CarefulForms, AnInfiniteSlopeMeetsAZero) {
  // sqrt'(0) is infinite, and the sum of squares of zeros has the derivative 0: their product is that of a
  // norm at 0.
  EXPECT_EQ(apply("Sqrt", {{0}}).slopes[0][0], infinity);
  const test::SingleNode<double> squares("ReduceSumSquare", {}, [] {
    std::vector<Tensor<double>> inputs;
    inputs.push_back(test::one_sample<double>({2}, {0, 0}));
    return inputs;
  }());
  Tensor<double> cotangent({1, 1, 1});
  cotangent[0] = infinity;
  EXPECT_EQ(test::numbers(squares.pullback(1, cotangent)[0]), (Numbers{0, 0}));
}

}  // namespace
}  // namespace tangra::ops
