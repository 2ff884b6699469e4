#include "tangra/train/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/train/batches.h"

namespace tangra::train {
namespace {

using Vectors = factors::ParameterVectors<double>;

Vectors vectors(unsigned seed) {
  Vectors result;
  result.push_back(test::random_tensor({1, 7}, seed));
  result.emplace_back(Shape{1, 0});  // frozen
  result.push_back(test::random_tensor({1, 70001}, seed + 1));  // more than one task
  return result;
}

Vectors copied(const Vectors& from) {
  Vectors copy;
  for (const Tensor<double>& tensor : from) copy.push_back(tensor.clone());
  return copy;
}

TEST(Optimizer, GradientDescentByHand) {
  test::TestContext own;
  Vectors theta(1);
  theta[0] = Tensor<double>({1, 2});
  theta[0][0] = 1;
  theta[0][1] = -2;
  Vectors g = copied(theta);
  g[0][0] = 0.5;
  g[0][1] = 4;
  Optimizer<double> optimizer({.method = Method::gd, .rate = 0.25}, g);
  optimizer.step(theta, g, own.context);
  EXPECT_EQ(theta[0][0], 0.875);
  EXPECT_EQ(theta[0][1], -3);
  EXPECT_TRUE(optimizer.state().empty());
}

TEST(Optimizer, MomentumByHand) {
  test::TestContext own;
  Vectors theta(1);
  theta[0] = Tensor<double>({1, 1});
  Vectors g = copied(theta);
  Optimizer<double> optimizer({.method = Method::gd, .rate = 0.5, .momentum = 0.75}, g);
  g[0][0] = 1;
  optimizer.step(theta, g, own.context);  // v = 1
  g[0][0] = 2;
  optimizer.step(theta, g, own.context);  // v = 2.75
  g[0][0] = 0;
  optimizer.step(theta, g, own.context);  // v = 2.0625
  EXPECT_EQ(theta[0][0], -0.5 * (1 + 2.75 + 2.0625));
}

TEST(Optimizer, AdamAgainstAPlainLoop) {
  test::TestContext own;
  const OptimizerSpec spec{.method = Method::adam, .rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6};
  Vectors theta = vectors(3);
  const Vectors start = copied(theta);
  Optimizer<double> optimizer(spec, theta);
  std::vector<Vectors> gradients;
  for (unsigned t = 0; t < 5; ++t) {
    gradients.push_back(vectors(10 + 2 * t));
    optimizer.step(theta, gradients.back(), own.context);
  }
  EXPECT_EQ(optimizer.steps(), 5);
  for (const std::size_t p : {0U, 2U}) {
    for (Index e = 0; e < theta[p].size(); ++e) {
      double m = 0, v = 0, value = start[p][e], power1 = 1, power2 = 1;
      for (const Vectors& gradient : gradients) {
        const double g = gradient[p][e];
        m = 0.8 * m + (1 - 0.8) * g;
        v = 0.95 * v + (1 - 0.95) * g * g;
        power1 *= 0.8;
        power2 *= 0.95;
        value -= 0.01 * (m / (1 - power1)) / (std::sqrt(v / (1 - power2)) + 1e-6);
      }
      // Five steps of size about the rate, each with a few roundings.
      ASSERT_NEAR(theta[p][e], value, 1e-15) << p << " " << e;
    }
  }
}

TEST(Optimizer, RefusesNumbersOutOfRange) {
  const auto kind = [](OptimizerSpec spec) { return test::error_of([&] { spec.validate(); }).kind(); };
  EXPECT_NO_THROW((OptimizerSpec{.method = Method::gd, .rate = 0.1, .momentum = 0.9}.validate()));
  EXPECT_EQ(kind({.method = Method::gd, .rate = 0}), ErrorKind::usage);
  EXPECT_EQ(kind({.method = Method::gd, .rate = -1}), ErrorKind::usage);
  EXPECT_EQ(kind({.method = Method::gd, .rate = 1, .momentum = 1}), ErrorKind::usage);
  EXPECT_EQ(kind({.method = Method::adam, .rate = 1, .momentum = 0.5}), ErrorKind::usage);
  EXPECT_EQ(kind({.method = Method::adam, .rate = 1, .beta2 = 1}), ErrorKind::usage);
  EXPECT_EQ(kind({.method = Method::adam, .rate = 1, .epsilon = 0}), ErrorKind::usage);
}

TEST(Batches, OrderIsAFixedPermutation) {
  // These numbers must never change: a seed means the same training run for ever.
  EXPECT_EQ(shuffled(10, 0, 0), (std::vector<Index>{8, 7, 5, 6, 2, 3, 0, 9, 1, 4}));
  std::vector<Index> order = shuffled(1009, 5, 3);
  EXPECT_EQ(order, shuffled(1009, 5, 3));
  EXPECT_NE(order, shuffled(1009, 5, 4));
  EXPECT_NE(order, shuffled(1009, 6, 3));
  std::ranges::sort(order);
  for (Index i = 0; i < 1009; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(shuffled(0, 1, 1).empty());
}

TEST(Batches, EveryPlaceIsEquallyLikely) {
  // Sample 0's place among 4 over 4,000 epochs: counts are 1,000 +- 5 standard deviations of 27.
  std::vector<int> counts(4);
  for (Index epoch = 0; epoch < 4000; ++epoch) {
    const std::vector<Index> order = shuffled(4, 1, epoch);
    ++counts[static_cast<std::size_t>(std::ranges::find(order, 0) - order.begin())];
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 137);
}

}  // namespace
}  // namespace tangra::train
