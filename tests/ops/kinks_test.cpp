// Derivatives exactly at a kink, and careful forms far from where naive ones hold.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/support.h"
#include "tangra/ops/op.h"

namespace tangra::ops {
namespace {

struct ValueAndSlope {
  std::vector<double> value;
  std::vector<double> slope;  ///< pull-back of `cotangent`
};

template <class T = double>
ValueAndSlope apply(const std::string& op, std::vector<double> x, const Attributes& attributes = {},
                    std::vector<double> cotangent = {}, const std::vector<double>& side = {}) {
  test::TestContext context;
  const Node node{.op = op, .name = "node", .attributes = attributes, .inputs = {0}, .outputs = {1}};
  const std::vector<Shape> shapes{{static_cast<Index>(x.size())}};
  const std::vector<Shape> outputs = find_op(op)->infer(node, shapes);
  const auto size = static_cast<std::size_t>(outputs[0].elements());
  if (cotangent.empty()) cotangent.assign(size, 1.0);
  const std::vector<T> input(x.begin(), x.end());
  const std::vector<T> sides(side.begin(), side.end());
  const std::vector<T> u(cotangent.begin(), cotangent.end());
  std::vector<T> y(size, std::numeric_limits<T>::quiet_NaN());
  std::vector<T> pulled(x.size(), T(0));
  const std::vector<Operand<T>> operands{{input.data(), Index(x.size())}};
  const std::vector<Operand<T>> side_operands{{side.empty() ? input.data() : sides.data(), Index(x.size())}};
  const std::vector<Operand<T>> results{{y.data(), Index(y.size())}};
  Call<T> call{.context = context.context, .engine = linalg::Engine::fast, .node = node, .input_shapes = shapes,
               .output_shapes = outputs, .samples = 1, .inputs = operands, .outputs = {}, .sides = side_operands};
  std::vector<T*> y_pointer{y.data()};
  find_op(op)->forward(call, y_pointer);
  call.outputs = results;
  std::vector<const T*> u_pointer{u.data()};
  std::vector<T*> pulled_pointer{pulled.data()};
  find_op(op)->pullback(call, 1, u_pointer, pulled_pointer);
  return {{y.begin(), y.end()}, {pulled.begin(), pulled.end()}};
}

using Numbers = std::vector<double>;

TEST(Kinks, TakeTheStatedSide) {
  EXPECT_EQ(apply("Relu", {0, -0.0, 1, -1}).slope, (Numbers{0, 0, 1, 0}));
  EXPECT_EQ(apply("LeakyRelu", {0, 1}, {{"alpha", 0.25}}).slope, (Numbers{0.25, 1}));
  EXPECT_EQ(apply("Clip", {-1, 1, 0}, {{"min", -1.0}, {"max", 1.0}}).slope, (Numbers{0, 0, 1}));
  EXPECT_EQ(apply("NormalizedRelu", {0}).slope, (Numbers{0}));
  EXPECT_EQ(apply("Elu", {0}, {{"alpha", 0.5}}).slope, (Numbers{0.5}));
  EXPECT_EQ(apply("ReduceL2", {0, 0, 0}).slope, (Numbers{0, 0, 0}));
  EXPECT_EQ(apply("ReduceL1", {0, -2, 3}).slope, (Numbers{0, -1, 1}));
  EXPECT_EQ(apply("ReduceMax", {1, 3, 3, 2}).slope, (Numbers{0, 1, 0, 0}));
  EXPECT_EQ(apply("ReduceMin", {3, 1, 2, 1}).slope, (Numbers{0, 1, 0, 0}));
  EXPECT_EQ(apply("Abs", {0, -0.0, 2, -2}).slope, (Numbers{0, 0, 1, -1}));
  EXPECT_EQ(apply("HardSigmoid", {-2, 2, 0, 3}, {{"alpha", 0.25}}).slope, (Numbers{0, 0.25, 0.25, 0}));
  EXPECT_EQ(apply("HardSigmoid", {-2, 2, 0, 3}, {{"alpha", -0.25}}).slope, (Numbers{0, -0.25, -0.25, 0}));
  EXPECT_EQ(apply("HardSwish", {-3, 3, 4}).slope, (Numbers{0, 1.5, 1}));
  EXPECT_EQ(apply("ThresholdedRelu", {1, 1.5}).slope, (Numbers{0, 1}));
  EXPECT_EQ(apply("Celu", {0}, {{"alpha", 0.5}}).slope, (Numbers{1}));
  for (const char* op : {"Floor", "Ceil", "Round", "Sign", "Not"}) {
    EXPECT_EQ(apply(op, {0, 0.5, -1}).slope, (Numbers{0, 0, 0})) << op;
  }
}

TEST(Kinks, SidesMayComeFromAnotherRun) {
  const ValueAndSlope crossed = apply("Relu", {1e-9, -1e-9}, {}, {}, {-1e-9, 1e-9});
  EXPECT_EQ(crossed.slope, (Numbers{0, 1}));
  EXPECT_EQ(crossed.value, (Numbers{0, -1e-9}));
  const ValueAndSlope largest = apply("ReduceMax", {1, 1 + 1e-9}, {}, {}, {1 + 1e-9, 1});
  EXPECT_EQ(largest.slope, (Numbers{1, 0}));
  EXPECT_EQ(largest.value, (Numbers{1}));
  EXPECT_EQ(apply("Floor", {2 - 1e-9}, {}, {}, {2}).value, (Numbers{2}));
}

TEST(CarefulForms, SaturatedSigmoidKeepsItsSlope) {
  const ValueAndSlope far = apply("Sigmoid", {40, -40, 700, -700});
  // exp(-40) relative to 1e-15: 1 - sigma(40) would be 0.
  EXPECT_NEAR(far.slope[0] / std::exp(-40.0), 1, 1e-15);
  EXPECT_EQ(far.slope[0], far.slope[1]);
  EXPECT_GT(far.slope[2], 0);
  EXPECT_EQ(far.value[2], 1);
  EXPECT_NEAR(apply("Tanh", {20}).slope[0] / (4 * std::exp(-40.0)), 1, 1e-15);
  EXPECT_EQ(apply("Sigmoid", {1e6, -1e6}).slope, (Numbers{0, 0}));
}

TEST(CarefulForms, SoftmaxOfLargeLogits) {
  // p = (1, e, 0): the derivative of the winner is the sum of the others, e = exp(-30), and not 1 - 1.
  const double e = std::exp(-30.0);
  const ValueAndSlope first = apply("Softmax", {1000, 970, -1e5}, {}, {1, 0, 0});
  EXPECT_NEAR(first.slope[0] / e, 1, 1e-12);
  EXPECT_NEAR(first.slope[1] / -e, 1, 1e-12);
  EXPECT_EQ(first.slope[2], 0);
  const ValueAndSlope logarithm = apply("LogSoftmax", {1000, 970, -1e5}, {}, {1, 0, 0});
  EXPECT_NEAR(logarithm.slope[0] / e, 1, 1e-12);
  EXPECT_NEAR(logarithm.value[0] / -e, 1, 1e-12);
  EXPECT_EQ(logarithm.value[2], -101000);
}

TEST(CarefulForms, GeluAndSoftplusFarToTheLeft) {
  // erfc(z) has the condition number 2 z^2 = 100 here: a rounding of its argument counts a hundredfold.
  EXPECT_NEAR(apply("Gelu", {-10}).value[0] / (-10 * 0.5 * std::erfc(10 / std::sqrt(2.0))), 1, 400 * 0x1p-53);
  EXPECT_LT(apply("Gelu", {-10}).value[0], 0);
  EXPECT_NEAR(apply("Softplus", {-50}).value[0] / std::exp(-50.0), 1, 1e-14);
  EXPECT_EQ(apply("Softplus", {800}).value[0], 800);
}

TEST(CarefulForms, WhatOverflowedBeforeDoesNotVanish) {
  const double nan = std::nan("");
  EXPECT_TRUE(std::isnan(apply("Relu", {nan}).value[0]));
  EXPECT_TRUE(std::isnan(apply("NormalizedRelu", {nan}).value[0]));
  EXPECT_TRUE(std::isnan(apply("Clip", {nan}, {{"min", 0.0}}).value[0]));
}

TEST(CarefulForms, ActivationsFarOutHaveTheSlopesOfTheirAsymptotes) {
  for (const auto& [op, attributes] : std::vector<std::pair<std::string, Attributes>>{
           {"Gelu", {}}, {"Gelu", {{"approximate", std::string("tanh")}}}, {"Silu", {}}, {"Softplus", {}}}) {
    EXPECT_EQ(apply<float>(op, {1e20, -1e20}, attributes).slope, (Numbers{1, 0})) << op;
    EXPECT_EQ(apply<double>(op, {1e200, -1e200}, attributes).slope, (Numbers{1, 0})) << op;
  }
}

TEST(CarefulForms, AZeroSlopeSelectsNothing) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(apply("Relu", {-1}, {}, {infinity}).slope, (Numbers{0}));
}

}  // namespace
}  // namespace tangra::ops
