// Finite networks approach the closed form as 1 / sqrt(width).
#include <cmath>
#include <random>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/infinite/closed_form.h"
#include "tangra/load/chain/chain.h"

namespace tangra::infinite {
namespace {

struct Case {
  const char* name;
  Activation activation;
  int hidden;
  bool ntk;  ///< ntk(1.4, 0.3); else standard with he
};

/// The closed form's layers for hidden layers of this width.
std::vector<Layer> layers_of(const Case& each, Index inputs, Index width) {
  std::vector<Layer> layers;
  for (int l = 0; l <= each.hidden; ++l) {
    const auto in = static_cast<double>(l == 0 ? inputs : width);
    Layer layer = each.ntk ? Layer{1.96, 0.09, 1.96, 0.09, {}} : Layer{2, 0, in, 1, {}};
    layer.activation = l == each.hidden ? Activation::identity : each.activation;
    layers.push_back(layer);
  }
  return layers;
}

Tensor<double> finite_kernel(const Case& each, const Tensor<double>& x, Index width, std::uint64_t seed,
                             const Context& context) {
  const std::string w = std::to_string(width), f = each.activation == Activation::relu  ? "relu"
                                                   : each.activation == Activation::erf ? "erf"
                                                                                        : "identity";
  std::string text = "Chain(Dense(" + std::to_string(x.shape()[1]) + " => " + w + ", " + f + "), ";
  for (int l = 1; l < each.hidden; ++l) text += "Dense(" + w + " => " + w + ", " + f + "), ";
  text += "Dense(" + w + " => 1))";
  load::ChainOptions options{.init = each.ntk ? "normal" : "he", .seed = seed};
  if (each.ntk)
    options.parameterization = {.kind = load::Parameterization::Kind::ntk, .sigma_w = 1.4, .sigma_b = 0.3};
  const auto graph = std::make_shared<const Graph>(load::load_chain(text, options));
  test::KernelOptions kernel{.reduce = "output=0", .by = kernel::PartsBy::total};
  return std::move(test::kernel_of<double>(graph, x, nullptr, kernel, context).parts.back());
}

double distance(const Tensor<double>& a, const Tensor<double>& b) {
  double squares = 0, scale = 0;
  for (Index i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]), scale += b[i] * b[i];
  return std::sqrt(squares / scale);
}

/// The slope of log y over log x by least squares.
double slope(const std::vector<double>& x, const std::vector<double>& y) {
  double mx = 0, my = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) mx += std::log(x[i]) / n, my += std::log(y[i]) / n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (std::log(x[i]) - mx) * (std::log(x[i]) - mx);
    xy += (std::log(x[i]) - mx) * (std::log(y[i]) - my);
  }
  return xy / xx;
}

constexpr int seeds = 48;

class FiniteKernel : public ::testing::TestWithParam<Case> {};

TEST_P(FiniteKernel, ApproachesTheClosedFormWithSlopeMinusOneHalf) {
  const test::TestContext context;
  const Tensor<double> x = test::random_tensor({6, 20}, 3, -1.5, 1.5);
  std::vector<double> slopes;
  for (int seed = 0; seed < seeds; ++seed) {
    std::vector<double> widths, distances;
    for (Index width = 64; width <= (GetParam().hidden == 1 ? 2048 : 512); width *= 2) {
      const Tensor<double> limit =
          closed_form(layers_of(GetParam(), 20, width), Kind::ntk, matrix<const double>(x.data(), 6, 20),
                      nullptr, context.context);
      widths.push_back(static_cast<double>(width));
      distances.push_back(distance(
          finite_kernel(GetParam(), x, width, static_cast<std::uint64_t>(seed), context.context), limit));
    }
    slopes.push_back(slope(widths, distances));
  }
  double mean = 0, squares = 0;
  for (const double each : slopes) mean += each / seeds;
  for (const double each : slopes) squares += (each - mean) * (each - mean);
  const double error = std::sqrt(squares / (seeds - 1) / seeds);  // standard error of the mean over the seeds
  EXPECT_LT(error, 0.03);
  EXPECT_NEAR(mean, -0.5, 3 * error) << "standard error " << error;
}

INSTANTIATE_TEST_SUITE_P(Chains, FiniteKernel,
                         ::testing::Values(Case{"relu", Activation::relu, 1, true},
                                           Case{"erf", Activation::erf, 1, true},
                                           Case{"relu_deep", Activation::relu, 2, true}),
                         [](const auto& each) { return each.param.name; });

// With one hidden layer the mean over networks is the closed form at every width. Under the standard
// parameterisation the two layers have different weight at different widths, so distances follow no single
// power.
TEST(StandardKernel, HasTheClosedFormAsItsMean) {
  const test::TestContext context;
  const Tensor<double> x = test::random_tensor({4, 20}, 3, -1.5, 1.5);
  constexpr int networks = 400;
  for (const Activation activation : {Activation::relu, Activation::erf, Activation::identity}) {
    for (const Index width : {40, 200}) {
      const Case each{"", activation, 1, false};
      const Tensor<double> limit =
          closed_form(layers_of(each, 20, width), Kind::ntk, matrix<const double>(x.data(), 4, 20), nullptr,
                      context.context);
      std::vector<double> mean(16, 0), squares(16, 0);
      for (int seed = 0; seed < networks; ++seed) {
        const Tensor<double> k =
            finite_kernel(each, x, width, static_cast<std::uint64_t>(seed), context.context);
        for (std::size_t i = 0; i < 16; ++i) {
          const double difference = k[static_cast<Index>(i)] - limit[static_cast<Index>(i)];
          mean[i] += difference / networks;
          squares[i] += difference * difference / networks;
        }
      }
      for (std::size_t i = 0; i < 16; ++i) {
        const double error = std::sqrt(squares[i] / networks);  // standard error of the mean
        EXPECT_LT(error, 0.02 * limit[static_cast<Index>(i / 4 * 5)]);
        EXPECT_LT(std::abs(mean[i]), 4 * error) << "entry " << i << ", width " << width;
      }
    }
  }
}

}  // namespace
}  // namespace tangra::infinite
