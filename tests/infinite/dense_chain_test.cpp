#include "tangra/infinite/dense_chain.h"

#include <cmath>

#include "support/support.h"
#include "tangra/load/chain/chain.h"

namespace tangra::infinite {
namespace {

TEST(DenseChain, HasTheNumbersOfTheParameterisation) {
  const Graph graph = load::load_chain(
      "Chain(Dense(5 => 7, relu), Dense(7 => 3; bias = false), Dense(3 => 2))",
      {.init = "normal",
       .parameterization = {.kind = load::Parameterization::Kind::ntk, .sigma_w = 1.5, .sigma_b = 0.2}});
  const std::vector<NamedLayer> layers = read_dense_chain(graph);
  ASSERT_EQ(layers.size(), 3u);
  for (const std::size_t l : {0, 1, 2}) {
    EXPECT_EQ(layers[l].name, std::to_string(l));
    EXPECT_NEAR(layers[l].layer.weight_variance, 2.25, 1e-14);
    EXPECT_NEAR(layers[l].layer.weight_gain, 2.25, 1e-14);
    EXPECT_NEAR(layers[l].layer.bias_variance, l == 1 ? 0 : 0.04, 1e-15);
    EXPECT_NEAR(layers[l].layer.bias_gain, l == 1 ? 0 : 0.04, 1e-15);
  }
  EXPECT_EQ(layers[0].layer.activation, Activation::relu);
  EXPECT_EQ(layers[1].layer.activation, Activation::identity);
  EXPECT_EQ(layers[0].in, 5);
  EXPECT_EQ(layers[0].out, 7);
}

TEST(DenseChain, HasTheNumbersOfStandardInitialisers) {
  Graph graph = load::load_chain(
      "Chain(Dense(5 => 7, erf; init = he), Dense(7 => 3; init = normal), Dense(3 => 2))", {.init = "lecun"});
  select_parameters(graph, "", "2.weight|0.bias");
  const std::vector<NamedLayer> layers = read_dense_chain(graph);
  const auto expect = [&](std::size_t l, double w, double b, double g, double c) {
    EXPECT_NEAR(layers[l].layer.weight_variance, w, 1e-14);
    EXPECT_NEAR(layers[l].layer.bias_variance, b, 1e-14);
    EXPECT_NEAR(layers[l].layer.weight_gain, g, 1e-14);
    EXPECT_NEAR(layers[l].layer.bias_gain, c, 1e-14);
  };
  expect(0, 2, 0, 5, 0);  // its bias is frozen
  expect(1, 7, 1, 7, 1);
  expect(2, 1, 0, 0, 1);  // its weight is frozen
}

TEST(DenseChain, RefusesWeightsThatNobodyHasDrawn) {
  Graph graph = load::load_chain("Chain(Dense(5 => 2))", {.init = "he"});
  graph.parameters[0].initializer.clear();
  const Error error = test::error_of([&] { read_dense_chain(graph); });
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  EXPECT_EQ(error.complaint().where, "0.weight");
  EXPECT_EQ(error.complaint().got, "weights from a file");
}

}  // namespace
}  // namespace tangra::infinite
