// Normalisations against their definitions, and where a naive variance would have no digit left.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/single_node.h"

namespace tangra::ops {
namespace {

using Numbers = std::vector<double>;

struct Array {
  Shape shape;
  Numbers entries;
};

template <class T = double>
test::SingleNode<T> node(const std::string& op, const std::vector<Array>& inputs,
                         const Attributes& attributes) {
  std::vector<Tensor<T>> tensors;
  for (const Array& input : inputs) tensors.push_back(test::one_sample<T>(input.shape, input.entries));
  return test::SingleNode<T>(op, attributes, std::move(tensors));
}

template <class T = double>
Numbers value(const std::string& op, const std::vector<Array>& inputs, const Attributes& attributes) {
  return test::numbers(node<T>(op, inputs, attributes).forward());
}

/// (x - mean) / sqrt(variance + epsilon) by two plain passes.
Numbers normalised(const Numbers& x, double epsilon) {
  double mean = 0;
  for (const double entry : x) mean += entry / static_cast<double>(x.size());
  double variance = 0;
  for (const double entry : x) variance += (entry - mean) * (entry - mean) / static_cast<double>(x.size());
  Numbers result;
  for (const double entry : x) result.push_back((entry - mean) / std::sqrt(variance + epsilon));
  return result;
}

void expect_near(const Numbers& found, const Numbers& wanted, double tolerance = 1e-14) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t e = 0; e < found.size(); ++e) EXPECT_NEAR(found[e], wanted[e], tolerance) << "entry " << e;
}

TEST(Normalisation, BatchUsesItsRunningStatistics) {
  const std::vector<Array> inputs{
      {{2, 2}, {1, 3, 5, 9}}, {{2}, {2, 1}}, {{2}, {0.5, 0}}, {{2}, {1, 5}}, {{2}, {3, 15}}};
  EXPECT_EQ(value("BatchNormalization", inputs, {{"epsilon", 1.0}}), (Numbers{0.5, 2.5, 0, 1}));
}

TEST(Normalisation, LayerNormalisesTheLastAxes) {
  const Numbers x{1, 2, 4, -1, 0, 3};
  const Numbers row0 = normalised({1, 2, 4}, 0.5);
  const Numbers row1 = normalised({-1, 0, 3}, 0.5);
  const std::vector<Array> inputs{{{2, 3}, x}, {{3}, {1, 2, 3}}, {{3}, {10, 20, 30}}};
  expect_near(
      value("LayerNormalization", inputs, {{"epsilon", 0.5}}),
      {row0[0] + 10, 2 * row0[1] + 20, 3 * row0[2] + 30, row1[0] + 10, 2 * row1[1] + 20, 3 * row1[2] + 30});
  const std::vector<Array> whole{{{2, 3}, x}, {{}, {1}}};
  expect_near(value("LayerNormalization", whole, {{"epsilon", 0.5}, {"axis", Index{0}}}), normalised(x, 0.5));
}

TEST(Normalisation, GroupsOfChannels) {
  const Numbers x{1, 2, 4, -1, 0, 3, 7, 8};
  const Numbers low = normalised({1, 2, 4, -1}, 0.5);
  const Numbers high = normalised({0, 3, 7, 8}, 0.5);
  const auto grouped = [&](const Array& gain) {
    const Array zero{gain.shape, Numbers(gain.entries.size(), 0)};
    return value("GroupNormalization", {{{4, 2}, x}, gain, zero},
                 {{"num_groups", Index{2}}, {"epsilon", 0.5}});
  };
  expect_near(grouped({{4}, {1, 2, 3, 4}}),
              {low[0], low[1], 2 * low[2], 2 * low[3], 3 * high[0], 3 * high[1], 4 * high[2], 4 * high[3]});
  expect_near(grouped({{2}, {1, 2}}),
              {low[0], low[1], low[2], low[3], 2 * high[0], 2 * high[1], 2 * high[2], 2 * high[3]});
  const std::vector<Array> instance{{{2, 4}, x}, {{2}, {1, 2}}, {{2}, {0, 1}}};
  expect_near(
      value("InstanceNormalization", instance, {{"epsilon", 0.5}}),
      {low[0], low[1], low[2], low[3], 2 * high[0] + 1, 2 * high[1] + 1, 2 * high[2] + 1, 2 * high[3] + 1});
}

TEST(Normalisation, RootMeanSquareHasNoMean) {
  const std::vector<Array> inputs{{{2}, {1, 7}}, {{2}, {3, 1}}};
  expect_near(value("RMSNormalization", inputs, {{"epsilon", 0.0}}), {0.6, 1.4});
}

TEST(Normalisation, ResponseOfTheChannelsAround) {
  // size 2: channel c and the next one.
  const double alpha = 0.5;
  expect_near(
      value("LRN", {{{3}, {1, 2, 3}}}, {{"size", Index{2}}, {"alpha", alpha}, {"beta", 1.0}, {"bias", 2.0}}),
      {1 / (2 + 0.25 * 5), 2 / (2 + 0.25 * 13), 3 / (2 + 0.25 * 9)});
}

TEST(CarefulForms, NormalisationOfEntriesWithALargeOffset) {
  // The same entries moved by 2^20, which float32 still holds exactly: E x^2 - (E x)^2 would be noise.
  const double offset = 1048576;
  const Numbers x{0, 1, 2, 5, 3};
  Numbers moved;
  for (const double entry : x) moved.push_back(entry + offset);
  const auto of = [](const Numbers& entries) {
    return node<float>("LayerNormalization", {{{5}, entries}, {{5}, {1, 2, 3, 4, 5}}}, {{"epsilon", 1e-5}});
  };
  expect_near(test::numbers(of(moved).forward()), test::numbers(of(x).forward()), 0);
  const Tensor<float> u = test::random_tensor<float>({1, 1, 5}, 1);
  expect_near(test::numbers(of(moved).pullback(1, u)[0]), test::numbers(of(x).pullback(1, u)[0]), 0);
}

TEST(CarefulForms, AGroupOfOneEntryHasNoDerivative) {
  const std::vector<Array> inputs{{{2, 1}, {3, -4}}, {{1}, {2}}, {{1}, {0.5}}};
  const test::SingleNode<double> one = node("LayerNormalization", inputs, {});
  EXPECT_EQ(test::numbers(one.forward()), (Numbers{0.5, 0.5}));
  EXPECT_EQ(test::numbers(one.pullback(1, test::random_tensor<double>({1, 1, 2, 1}, 2))[0]), (Numbers{0, 0}));
}

}  // namespace
}  // namespace tangra::ops
