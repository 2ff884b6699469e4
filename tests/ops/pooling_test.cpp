// Pooling against hand numbers, at ties and at the border, and what infer refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/single_node.h"

namespace tangra::ops::test {
namespace {

using tangra::test::error_of;
using Integers = std::vector<Index>;
using Numbers = std::vector<double>;

SingleNode<double> pooled(const std::string& op, const Attributes& attributes, const Shape& shape,
                          const Numbers& entries) {
  std::vector<Tensor<double>> inputs;
  inputs.push_back(one_sample<double>(shape, entries));
  return SingleNode<double>(op, attributes, std::move(inputs));
}

Numbers slopes(const SingleNode<double>& node, const Numbers& cotangent) {
  return numbers(node.pullback(1, one_sample<double>(node.shape().with_leading(1), cotangent))[0]);
}

TEST(MaxPool, OneMaximumTakesAll) {
  const Attributes two_by_two{{"kernel_shape", Integers{2, 2}}};
  const auto square = pooled("MaxPool", two_by_two, {1, 2, 3}, {5, 5, 5, 5, 5, 5});
  EXPECT_EQ(numbers(square.forward()), (Numbers{5, 5}));
  EXPECT_EQ(slopes(square, {1, 10}), (Numbers{1, 10, 0, 0, 0, 0}));
  const auto column = pooled("MaxPool", two_by_two, {1, 2, 2}, {1, 3, 3, 2});
  EXPECT_EQ(slopes(column, {1}), (Numbers{0, 1, 0, 0})) << "first in row-major order";
  const auto shared = pooled("MaxPool", {{"kernel_shape", Integers{3}}}, {1, 4}, {0, 7, 7, 0});
  EXPECT_EQ(slopes(shared, {1, 10}), (Numbers{0, 11, 0, 0}));
  EXPECT_EQ(slopes(pooled("GlobalMaxPool", {}, {2, 3}, {1, 1, 1, 0, 2, 2}), {1, 10}),
            (Numbers{1, 0, 0, 0, 10, 0}));
  EXPECT_EQ(
      numbers(square.pushforward(1,
                                 [] {
                                   std::vector<Tensor<double>> tangents;
                                   tangents.push_back(one_sample<double>({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6}));
                                   return tangents;
                                 }())),
      (Numbers{1, 2}));
}

TEST(MaxPool, PaddingNeverWins) {
  const auto node =
      pooled("MaxPool", {{"kernel_shape", Integers{2}}, {"pads", Integers{1, 1}}}, {1, 3}, {-3, -2, -1});
  EXPECT_EQ(numbers(node.forward()), (Numbers{-3, -2, -1, -1}));
  EXPECT_EQ(slopes(node, {1, 10, 100, 1000}), (Numbers{1, 10, 1100}));
  const double infinity = std::numeric_limits<double>::infinity();
  const auto lowest = pooled("MaxPool", {{"kernel_shape", Integers{2}}}, {1, 2}, {-infinity, -infinity});
  EXPECT_EQ(slopes(lowest, {1}), (Numbers{1, 0}));
}

TEST(MaxPool, SaysWhatItChoseAndByHowMuch) {
  const auto node =
      pooled("MaxPool", {{"kernel_shape", Integers{2}}, {"strides", Integers{2}}, {"ceil_mode", Index{1}}},
             {2, 3}, {1, 4, 2, 6, 6, -1});
  const std::vector<Choice> choices = node.choices();
  ASSERT_EQ(choices.size(), 4U);
  EXPECT_EQ(choices[0].entry, 1);
  EXPECT_EQ(choices[0].lead, 3);
  EXPECT_EQ(choices[1].entry, 2);
  EXPECT_EQ(choices[1].lead, std::numeric_limits<double>::infinity()) << "alone in its window";
  EXPECT_EQ(choices[2].entry, 3);
  EXPECT_EQ(choices[2].lead, 0);
  EXPECT_EQ(choices[3].entry, 5);
  EXPECT_TRUE(pooled("GlobalAveragePool", {}, {1, 2}, {1, 2}).choices().empty());
}

TEST(MaxPool, SidesMayComeFromAnotherRun) {
  tangra::test::TestContext context;
  const Node node{.op = "MaxPool",
                  .name = "node",
                  .attributes = {{"kernel_shape", Integers{2}}},
                  .inputs = {0},
                  .outputs = {1}};
  const std::vector<Shape> in{{1, 2}};
  const std::vector<Shape> out{{1, 1}};
  const Numbers x{2, 1};
  const Numbers side{1, 2};
  const std::vector<Operand<double>> inputs{{x.data(), 2}};
  const std::vector<Operand<double>> sides{{side.data(), 2}};
  double y = 0;
  std::vector<double*> results{&y};
  find_op("MaxPool")->forward({.context = context.context,
                               .engine = linalg::Engine::fast,
                               .node = node,
                               .input_shapes = in,
                               .output_shapes = out,
                               .samples = 1,
                               .inputs = inputs,
                               .outputs = {},
                               .sides = sides},
                              results);
  EXPECT_EQ(y, 1);
}

TEST(MaxPool, LengthsFollowTheRounding) {
  const auto length = [](Index entries, Attributes attributes) {
    return inferred("MaxPool", attributes, {{1, entries}})[1];
  };
  EXPECT_EQ(length(7, {{"kernel_shape", Integers{2}}, {"strides", Integers{2}}}), 3);
  EXPECT_EQ(length(7, {{"kernel_shape", Integers{2}}, {"strides", Integers{2}}, {"ceil_mode", Index{1}}}), 4);
  // Rounded up there would be a third window, but it would start in the padding behind the image.
  EXPECT_EQ(length(2, {{"kernel_shape", Integers{1}},
                       {"strides", Integers{2}},
                       {"pads", Integers{0, 0}},
                       {"ceil_mode", Index{1}}}),
            1);
  EXPECT_EQ(length(3, {{"kernel_shape", Integers{3}},
                       {"strides", Integers{3}},
                       {"pads", Integers{1, 1}},
                       {"ceil_mode", Index{1}}}),
            2);
  EXPECT_EQ(length(5, {{"kernel_shape", Integers{3}},
                       {"strides", Integers{3}},
                       {"pads", Integers{1, 1}},
                       {"ceil_mode", Index{1}}}),
            2);
  EXPECT_EQ(length(7, {{"kernel_shape", Integers{3}},
                       {"strides", Integers{2}},
                       {"auto_pad", std::string("SAME_UPPER")}}),
            4);
  EXPECT_EQ(
      length(8,
             {{"kernel_shape", Integers{3}}, {"strides", Integers{2}}, {"auto_pad", std::string("VALID")}}),
      3);
}

TEST(AveragePool, CountsPaddingOnlyWhereAsked) {
  Attributes attributes{{"kernel_shape", Integers{2}}, {"pads", Integers{1, 1}}};
  EXPECT_EQ(numbers(pooled("AveragePool", attributes, {1, 2}, {4, 8}).forward()), (Numbers{4, 6, 8}));
  attributes.set("count_include_pad", Index{1});
  const auto counted = pooled("AveragePool", attributes, {1, 2}, {4, 8});
  EXPECT_EQ(numbers(counted.forward()), (Numbers{2, 6, 4}));
  EXPECT_EQ(slopes(counted, {1, 10, 100}), (Numbers{5.5, 55}));
  // What a window reaches over beyond the padding, by ceil_mode, is no padding.
  const auto beyond = pooled("AveragePool",
                             {{"kernel_shape", Integers{3}},
                              {"strides", Integers{3}},
                              {"pads", Integers{1, 1}},
                              {"ceil_mode", Index{1}},
                              {"count_include_pad", Index{1}}},
                             {1, 3}, {3, 6, 8});
  EXPECT_EQ(numbers(beyond.forward()), (Numbers{3, 4}));
}

TEST(AveragePool, MeansOverAWholeImage) {
  const auto node = pooled("GlobalAveragePool", {}, {2, 1, 2}, {1, 3, 10, 20});
  EXPECT_EQ(node.shape(), (Shape{2, 1, 1}));
  EXPECT_EQ(numbers(node.forward()), (Numbers{2, 15}));
  EXPECT_EQ(slopes(node, {1, 10}), (Numbers{0.5, 0.5, 5, 5}));
}

TEST(LpPool, IsANormWithDerivativeZeroAtZero) {
  const Attributes pair{{"kernel_shape", Integers{2}}, {"strides", Integers{2}}};
  const auto node = pooled("LpPool", pair, {1, 4}, {3, -4, 0, 0});
  EXPECT_EQ(numbers(node.forward()), (Numbers{5, 0}));
  EXPECT_EQ(slopes(node, {1, 1}), (Numbers{0.6, -0.8, 0, 0}));
  const auto sum = pooled("GlobalLpPool", {{"p", Index{1}}}, {1, 3}, {3, -4, 0});
  EXPECT_EQ(numbers(sum.forward()), (Numbers{7}));
  EXPECT_EQ(slopes(sum, {1}), (Numbers{1, -1, 0}));
  EXPECT_NEAR(pooled("GlobalLpPool", {{"p", Index{3}}}, {1, 2}, {1, -2}).forward()[0], std::cbrt(9.0), 1e-15);
  EXPECT_EQ(pooled("GlobalLpPool", {{"p", Index{2}}}, {1, 1}, {1e200}).forward()[0], 1e200)
      << "no power overflows";
  const Node one{.op = "LpPool", .name = "n", .attributes = {{"p", Index{1}}}, .inputs = {}, .outputs = {}};
  EXPECT_EQ(find_op("LpPool")->kinks(one), (Numbers{0}));
}

void expect_refused(const std::string& op, const Attributes& attributes, const Shape& input,
                    const std::string& words) {
  const Error error = error_of([&] { inferred(op, attributes, {input}); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
}

TEST(Pooling, RefusesWhatDoesNotFit) {
  for (const std::string op : {"MaxPool", "AveragePool", "LpPool"}) {
    expect_refused(op, {}, {1, 4}, "kernel_shape does not fit the input");
    expect_refused(op, {{"kernel_shape", Integers{5}}}, {1, 4}, "longer than the padded input");
    expect_refused(op, {{"kernel_shape", Integers{2, 2}}}, {1, 4}, "kernel_shape does not fit the input");
    expect_refused(op, {{"kernel_shape", Integers{0}}}, {1, 4}, "out of range");
    expect_refused(op, {{"kernel_shape", Integers{2}}, {"pads", Integers{-1, 0}}}, {1, 4},
                   "pads has an entry");
    expect_refused(op, {{"kernel_shape", Integers{2}}}, {1, 0}, "out of range");
    expect_refused(op, {{"kernel_shape", Integers{2}}}, {4}, "not an image");
  }
  const Attributes outside{{"kernel_shape", Integers{2}}, {"pads", Integers{2, 0}}};
  const Attributes between{
      {"kernel_shape", Integers{2}}, {"dilations", Integers{3}}, {"pads", Integers{1, 1}}};
  for (const std::string op : {"MaxPool", "AveragePool"}) {
    expect_refused(op, outside, {1, 4}, "padding alone");
    expect_refused(op, between, {1, 2}, "padding alone");
  }
  Attributes counted = outside;
  counted.set("count_include_pad", Index{1});
  EXPECT_EQ(inferred("AveragePool", counted, {{1, 4}}), (Shape{1, 5}));
  expect_refused("LpPool", {{"kernel_shape", Integers{2}}, {"p", Index{0}}}, {1, 4}, "p is less than 1");
  expect_refused("GlobalMaxPool", {}, {1, 2, 0}, "out of range");
}

}  // namespace
}  // namespace tangra::ops::test
