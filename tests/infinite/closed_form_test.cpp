#include "tangra/infinite/closed_form.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <random>

#include "support/support.h"

namespace tangra::infinite {
namespace {

using test::TestContext;
constexpr double pi = std::numbers::pi;

double relu(double x) {
  return x > 0 ? x : 0;
}
double relu_slope(double x) {
  return x > 0 ? 1 : 0;
}
double erf_slope(double x) {
  return 2 / std::sqrt(pi) * std::exp(-x * x);
}

/// E f(u) f(v) over the Gaussian plane by polar coordinates: u = a r cos t, v = b r cos(t - angle). Radius
/// and angle by Gauss' rule of order 5 in pieces that end at the kinks, where u or v is 0.
double expectation(const std::function<double(double)>& f, const Covariance& c, int pieces = 12) {
  const double a = std::sqrt(c.uu), b = std::sqrt(c.vv);
  const double angle = std::acos(std::clamp(c.uv / (a * b), -1.0, 1.0));
  std::vector<double> ends = {0, 2 * pi, pi / 2, 3 * pi / 2};
  for (const double kink : {angle + pi / 2, angle + 3 * pi / 2}) ends.push_back(std::fmod(kink, 2 * pi));
  std::ranges::sort(ends);
  static const double nodes[] = {-0.906179845938664, -0.538469310105683, 0, 0.538469310105683,
                                 0.906179845938664};
  static const double weights[] = {0.236926885056189, 0.478628670499366, 0.568888888888889, 0.478628670499366,
                                   0.236926885056189};
  const auto over = [&](double from, double to, int parts, const std::function<double(double)>& g) {
    double sum = 0;
    const double half = (to - from) / parts / 2;
    for (int piece = 0; piece < parts; ++piece) {
      for (int i = 0; i < 5; ++i) sum += half * weights[i] * g(from + half * (2 * piece + 1 + nodes[i]));
    }
    return sum;
  };
  double total = 0;
  for (std::size_t piece = 0; piece + 1 < ends.size(); ++piece) {
    total += over(ends[piece], ends[piece + 1], pieces, [&](double t) {
      return over(0, 12, 40, [&](double r) {
        return f(a * r * std::cos(t)) * f(b * r * std::cos(t - angle)) * r * std::exp(-r * r / 2) / (2 * pi);
      });
    });
  }
  return total;
}

const Covariance covariances[] = {{1, 0.3, 1},  {2, -1.1, 0.7}, {0.5, 0.4999, 0.5},
                                  {4, 0, 0.01}, {1, 1, 1},      {4, -4, 4}};

TEST(Dual, OfReluIsTheExpectation) {
  for (const Covariance& c : covariances) {
    const Dual found = dual(Activation::relu, c);
    EXPECT_NEAR(found.values, expectation(relu, c, 30), 1e-9);
    EXPECT_NEAR(found.derivatives, expectation(relu_slope, c, 30), 1e-9);
  }
  EXPECT_EQ(dual(Activation::relu, {0, 0, 3}).values, 0);
  EXPECT_EQ(dual(Activation::relu, {0, 0, 3}).derivatives, 0);
}

TEST(Dual, OfErfIsTheExpectation) {
  for (const Covariance& c : covariances) {
    const Dual found = dual(Activation::erf, c);
    EXPECT_NEAR(found.values, expectation([](double x) { return std::erf(x); }, c, 30), 1e-9);
    EXPECT_NEAR(found.derivatives, expectation(erf_slope, c, 30), 1e-9);
  }
}

Tensor<double> samples(Index n, Index d, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Tensor<double> x(Shape{n, d});
  for (double& entry : x) entry = normal(random);
  return x;
}

MatrixView<const double> view(const Tensor<double>& x) {
  return matrix(x.data(), x.shape()[0], x.shape()[1]);
}

/// The two kernels by the recursions of the literature with sigma_w, sigma_b, and expectations by quadrature.
std::pair<double, double> by_recursion(int depth, double sigma_w, double sigma_b,
                                       const std::function<double(double)>& f,
                                       const std::function<double(double)>& slope, const double* x,
                                       const double* y, Index d) {
  Covariance s;
  for (Index k = 0; k < d; ++k) {
    s.uu += x[k] * x[k] / static_cast<double>(d);
    s.uv += x[k] * y[k] / static_cast<double>(d);
    s.vv += y[k] * y[k] / static_cast<double>(d);
  }
  const auto layer = [&](double mean) { return sigma_w * sigma_w * mean + sigma_b * sigma_b; };
  s = {layer(s.uu), layer(s.uv), layer(s.vv)};
  double tangent = s.uv;
  for (int l = 1; l < depth; ++l) {
    const double slopes = sigma_w * sigma_w * expectation(slope, s);
    s = {layer(expectation(f, {s.uu, s.uu, s.uu})), layer(expectation(f, s)),
         layer(expectation(f, {s.vv, s.vv, s.vv}))};
    tangent = s.uv + slopes * tangent;
  }
  return {s.uv, tangent};
}

TEST(ClosedForm, FollowsTheRecursionsOfTheLiterature) {
  const TestContext test;
  const Index n = 3, d = 5;
  const Tensor<double> x = samples(n, d, 1);
  const double sigma_w = 1.3, sigma_b = 0.4;
  for (const Activation activation : {Activation::relu, Activation::erf}) {
    for (const int depth : {1, 2, 4}) {
      std::vector<Layer> layers(
          static_cast<std::size_t>(depth),
          {sigma_w * sigma_w, sigma_b * sigma_b, sigma_w * sigma_w, sigma_b * sigma_b, activation});
      layers.back().activation = Activation::identity;
      const Tensor<double> nngp = closed_form(layers, Kind::nngp, view(x), nullptr, test.context);
      const Tensor<double> ntk = closed_form(layers, Kind::ntk, view(x), nullptr, test.context);
      const bool is_relu = activation == Activation::relu;
      for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j) {
          const auto [covariance, tangent] = by_recursion(
              depth, sigma_w, sigma_b, is_relu ? relu : [](double z) { return std::erf(z); },
              is_relu ? relu_slope : erf_slope, x.data() + i * d, x.data() + j * d, d);
          EXPECT_NEAR(nngp[i * n + j], covariance, 1e-8);
          EXPECT_NEAR(ntk[i * n + j], tangent, 1e-7);
        }
      }
    }
  }
}

TEST(ClosedForm, OfLinearNetworksIsTheInnerProduct) {
  const TestContext test;
  const Tensor<double> x = samples(4, 6, 2), y = samples(3, 6, 3);
  const auto columns = view(y);
  // Standard parameterisation, lecun: v = 1 / in. NTK = sum over layers of in_l m, and 1 for each bias.
  const std::vector<Layer> layers = {{1, 0, 6, 1, Activation::identity}, {1, 0, 50, 1, Activation::identity}};
  const Tensor<double> ntk = closed_form(layers, Kind::ntk, view(x), &columns, test.context);
  const Tensor<double> nngp = closed_form(layers, Kind::nngp, view(x), &columns, test.context);
  for (Index i = 0; i < 4; ++i) {
    for (Index j = 0; j < 3; ++j) {
      double mean = 0;
      for (Index k = 0; k < 6; ++k) mean += x[i * 6 + k] * y[j * 6 + k] / 6;
      EXPECT_NEAR(nngp[i * 3 + j], mean, 1e-14);
      EXPECT_NEAR(ntk[i * 3 + j], 6 * mean + 1 + 50 * mean + 1, 1e-13);
    }
  }
}

TEST(ClosedForm, KnowsThatASampleIsTheSameAsItself) {
  // An angle of sqrt(eps) in place of 0 would change the derivative by 1e-8.
  const TestContext test;
  const Tensor<double> x = samples(50, 37, 5);
  const std::vector<Layer> layers = {{2, 0, 2, 0, Activation::relu}, {1, 0, 1, 0, Activation::identity}};
  const Tensor<double> k = closed_form(layers, Kind::ntk, view(x), nullptr, test.context);
  for (Index i = 0; i < 50; ++i) {
    double mean = 0;
    for (Index c = 0; c < 37; ++c) mean += x[i * 37 + c] * x[i * 37 + c] / 37;
    EXPECT_NEAR(k[i * 50 + i], 2 * mean, 40 * 0x1p-53 * mean);
  }
}

TEST(ClosedForm, IsSymmetricAndTheSameForASampleAlone) {
  const TestContext one(1), two(2);
  const Tensor<double> x = samples(70, 11, 4);
  const std::vector<Layer> layers = {{2, 0.1, 2, 0.1, Activation::relu},
                                     {2, 0.1, 2, 0.1, Activation::erf},
                                     {1, 0, 1, 0, Activation::identity}};
  const Tensor<double> k = closed_form(layers, Kind::ntk, view(x), nullptr, one.context);
  const auto columns = view(x), alone = columns.block(13, 0, 1, 11);
  const Tensor<double> between = closed_form(layers, Kind::ntk, view(x), &columns, two.context);
  const Tensor<double> single = closed_form(layers, Kind::ntk, view(x), &alone, two.context);
  for (Index i = 0; i < 70; ++i) {
    for (Index j = 0; j < 70; ++j) {
      ASSERT_EQ(k[i * 70 + j], k[j * 70 + i]);
      ASSERT_EQ(k[i * 70 + j], between[i * 70 + j]);
    }
    ASSERT_EQ(single[i], k[i * 70 + 13]);
  }
}

}  // namespace
}  // namespace tangra::infinite
