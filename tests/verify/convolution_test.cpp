// Networks of convolutions and pooling: every method agrees, and steps at which another maximum wins are
// skipped.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tangra/differentiate/sweeps.h"
#include "tangra/verify/problem.h"
#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

using Integers = std::vector<Index>;

/// Conv or ConvTranspose with a weight "NAME.weight" of this shape and a bias.
ValueId convolution(RandomNet& net, const std::string& op, const std::string& name, ValueId x,
                    const Shape& weight, const Attributes& attributes = {}) {
  const bool transposed = op == "ConvTranspose";
  const double fan_in =
      static_cast<double>(weight.elements()) / static_cast<double>(weight[transposed ? 1 : 0]);
  const Index channels = transposed ? weight[1] : weight[0];
  return net.apply(op,
                   {x, net.parameter(name + ".weight", weight, 1 / std::sqrt(fan_in)),
                    net.parameter(name + ".bias", {channels}, 0.1)},
                   attributes);
}

ValueId flattened(RandomNet& net, ValueId x) {
  return net.apply("Reshape", {x}, {{"shape", Integers{-1}}});
}

const Attributes halved{{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}};
const Attributes padded{{"pads", Integers{1, 1, 1, 1}}};

TEST(ConvolutionNets, AgreeForEveryReduction) {
  for (const std::string& reduction : reductions) {
    RandomNet net(5000);
    ValueId h = net.builder().input("x", {2, 6, 5});
    h = net.apply("Tanh", {convolution(net, "Conv", "0", h, {3, 2, 3, 3}, padded)});
    h = net.apply("AveragePool", {h}, halved);
    h = net.apply("Relu", {convolution(net, "Conv", "1", h, {4, 3, 2, 2}, {{"strides", Integers{1, 2}}})});
    h = flattened(net, net.apply("GlobalAveragePool", {h}));
    expect_agreement(net.problem(net.dense("2", h, 3), 3, reduction), reduction);
  }
}

TEST(ConvolutionNets, AgreeWithMaxima) {
  RandomNet net(5010);
  ValueId h = net.builder().input("x", {1, 6, 6});
  h = net.apply("MaxPool", {net.apply("Relu", {convolution(net, "Conv", "0", h, {3, 1, 3, 3}, padded)})},
                halved);
  h = flattened(net, net.apply("Tanh", {convolution(net, "Conv", "1", h, {4, 3, 3, 3})}));
  expect_agreement(net.problem(net.dense("2", h, 3), 3, "full"), "LeNet");
}

TEST(ConvolutionNets, AgreeWhereTheyDecode) {
  RandomNet net(5020);
  ValueId h = net.apply("Reshape", {net.dense("0", net.input(3), 8)}, {{"shape", Integers{2, 2, 2}}});
  h = convolution(net, "ConvTranspose", "1", net.apply("Tanh", {h}), {2, 3, 3, 2},
                  {{"strides", Integers{2, 1}}});
  h = convolution(net, "ConvTranspose", "2", net.apply("Tanh", {h}), {3, 1, 2, 2},
                  {{"pads", Integers{1, 0, 1, 1}}});
  expect_agreement(net.problem(flattened(net, h), 3, "full"), "decoder");
}

TEST(ConvolutionNets, AgreeWithGroupsAndOneDimension) {
  RandomNet net(5030);
  ValueId h = net.builder().input("x", {4, 7});
  h = convolution(net, "Conv", "0", h, {4, 1, 3}, {{"group", Index{4}}, {"pads", Integers{1, 0}}});
  h = net.apply("Gelu", {convolution(net, "Conv", "1", h, {6, 4, 1})});
  h = convolution(net, "Conv", "2", h, {4, 3, 2}, {{"group", Index{2}}, {"dilations", Integers{2}}});
  h = flattened(net, net.apply("LpPool", {h}, {{"kernel_shape", Integers{2}}}));
  expect_agreement(net.problem(net.dense("3", h, 2), 3, "full"), "depthwise separable");
}

TEST(ConvolutionNets, AgreeWhereAWeightIsTied) {
  RandomNet net(5040);
  ValueId h = net.builder().input("x", {2, 4, 4});
  const ValueId w = net.parameter("w", {2, 2, 3, 3}, 0.25);
  h = net.apply("Tanh", {net.apply("Conv", {h, w}, padded)});
  h = net.apply("Tanh", {net.apply("Conv", {h, w}, padded)});
  h = net.apply("ConvTranspose", {h, w}, padded);  // the same matrix, used the other way round
  const ValueId flat = net.apply("Reshape", {w}, {{"shape", Integers{2, 18}}});
  const ValueId some =
      net.apply("Slice", {flattened(net, h)}, {{"starts", Integers{3}}, {"ends", Integers{21}}});
  expect_agreement(net.problem(net.apply("Linear", {some, flat}), 3, "full"), "tied");
}

/// A convolution's weight from a parameter by index maps: some of them leave a matrix, some do not.
TEST(ConvolutionNets, AgreeWhereTheWeightIsAViewOfAParameter) {
  struct Way {
    const char* name;
    Shape stored;
    ValueId (*weight)(RandomNet&, ValueId);
  };
  const Way ways[] = {
      {"stored with the channels last",
       {2, 3, 2, 3},
       [](RandomNet& net, ValueId w) {
         return net.apply("Transpose", {w}, {{"perm", Integers{3, 2, 0, 1}}});
       }},
      {"stored as the matrix (k, c)",
       {12, 3},
       [](RandomNet& net, ValueId w) {
         return net.apply("Reshape", {net.apply("Transpose", {w})}, {{"shape", Integers{3, 2, 2, 3}}});
       }},
      {"some channels of a larger weight",
       {5, 2, 2, 3},
       [](RandomNet& net, ValueId w) {
         return net.apply("Slice", {w}, {{"starts", Integers{1}}, {"ends", Integers{4}}});
       }},
      {"some taps of a larger kernel",
       {3, 2, 2, 5},
       [](RandomNet& net, ValueId w) {
         return net.apply("Slice", {w},
                          {{"starts", Integers{4}},
                           {"ends", Integers{-100}},
                           {"axes", Integers{3}},
                           {"steps", Integers{-2}}});
       }},
      {"squashed", {3, 2, 2, 3}, [](RandomNet& net, ValueId w) { return net.apply("Tanh", {w}); }}};
  for (const Way& way : ways) {
    RandomNet net(5050);
    const ValueId x = net.builder().input("x", {2, 4, 4});
    const ValueId stored = net.parameter("w", way.stored, 0.3);
    const ValueId weight = way.weight(net, stored);
    ASSERT_EQ(net.builder().shape(weight), (Shape{3, 2, 2, 3})) << way.name;
    const ValueId h = flattened(net, net.apply("Tanh", {net.apply("Conv", {x, weight})}));
    // Another use of the whole parameter: the entries of both have to meet.
    const ValueId size = net.apply("ReduceSumSquare", {stored}, {{"keepdims", Index{0}}});
    expect_agreement(net.problem(net.apply("Add", {net.dense("1", h, 2), size}), 3, "full"), way.name);
  }
}

/// Two samples, (1, -1) and (x, y), through a 1 x 1 convolution and a maximum.
Problem maximum_of_two(RandomNet& net, double x, double y) {
  ValueId h = net.builder().input("x", {1, 2});
  h = net.apply("Conv", {h, net.parameter("w", {1, 1, 1}, 0, 1.5)});
  h = net.apply("Add", {h, net.parameter("b", {1, 2}, 0)});
  h = net.apply("GlobalMaxPool", {h});
  Problem problem = net.problem(flattened(net, h), 2, "full");
  const double entries[] = {1, -1, x, y};
  std::ranges::copy(entries, problem.inputs.data());
  return problem;
}

TEST(Maxima, StepsAtATieAreSkippedAndCounted) {
  RandomNet net(5060);
  const VerifyResult result = verified(maximum_of_two(net, 0.5, 0.5));
  EXPECT_TRUE(result.agree) << result.first_failure;
  EXPECT_EQ(result.entries_excluded, 2) << "the shift of either entry; the weight moves both alike";
  EXPECT_GE(result.steps_skipped, 2 * 10) << "every step size was tried";
}

TEST(Maxima, NearATieSmallerStepsServe) {
  RandomNet net(5070);
  const VerifyResult result = verified(maximum_of_two(net, 0.5, 0.5 + 1e-5));
  EXPECT_TRUE(result.agree) << result.first_failure;
  EXPECT_GT(result.steps_skipped, 0);
  EXPECT_EQ(result.entries_excluded, 0);
}

Index near_kinks(double x, double y, double error) {
  RandomNet net(5080);
  const Problem problem = maximum_of_two(net, x, y);
  const tangra::test::TestContext test;
  const differentiate::Program<double> program(problem.graph, test.context);
  const auto activations = differentiate::forward(program, one_input(problem.inputs.clone()), test.context);
  const std::vector<double> errors(problem.graph->values.size(), error);
  return differentiate::count_near_kinks(program, activations, errors, test.context);
}

TEST(Maxima, NearOnesAreCounted) {
  EXPECT_EQ(near_kinks(0.5, 0.5 + 1e-5, 1e-6), 0);
  EXPECT_EQ(near_kinks(0.5, 0.5 + 1e-5, 0.8e-5), 1) << "they lie 1.5e-5 apart, and either may be wrong";
  EXPECT_EQ(near_kinks(0.5, 0.5 + 1e-5, 2), 2);
  EXPECT_EQ(near_kinks(0.5, 0.5, 1e-6), 0) << "an exact tie is decided";
}

}  // namespace
}  // namespace tangra::verify::test
