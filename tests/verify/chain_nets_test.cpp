// Networks of images, sequences and tokens, written as chain texts: every method gives the same kernel of
// every parameter.
#include <gtest/gtest.h>

#include <cmath>

#include "tangra/load/chain/chain.h"
#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

/// The network with biases, gains and statistics away from 0 and 1, in float64.
std::shared_ptr<const Graph> network(const std::string& text, const Shape& input, RandomNet& random) {
  Graph graph = load::load_chain(text, {.init = "lecun", .shape = input});
  for (Parameter& own : graph.parameters) {
    Tensor<double> entries = own.data.converted<double>();
    const Tensor<double> noise = random.samples(own.data.shape());
    const bool variance = own.name.ends_with("running_var");
    for (Index k = 0; k < entries.size(); ++k)
      entries[k] += variance ? 0.2 * std::abs(noise[k]) : 0.1 * noise[k];
    own.data = Array(entries);
  }
  return std::make_shared<const Graph>(graph);
}

void expect_agreement_of(const std::string& text, const Shape& input, const std::string& reduction = "full",
                         Index samples = 3) {
  RandomNet random(9000);
  const auto graph = network(text, input, random);
  expect_agreement(problem_of(graph, random.samples(input.with_leading(samples)), graph->outputs.front(),
                              kernel::parse_reduction(reduction)),
                   text);
}

/// Whole numbers below `vocabulary`, with some that come twice in one sample.
Tensor<double> tokens(RandomNet& random, Index samples, Index length, Index vocabulary) {
  Tensor<double> entries = random.samples({samples, length});
  for (double& entry : entries) {
    entry = std::min(std::floor(std::abs(entry) / 2 * static_cast<double>(vocabulary)),
                     static_cast<double>(vocabulary - 1));
  }
  return entries;
}

TEST(ChainNets, LeNet) {
  const std::string text =
      "Chain(Conv((3, 3), 1 => 3, relu; pad = 1), MaxPool((2, 2)), Conv((3, 2), 3 => 4, tanh; bias = false), "
      "MeanPool((2, 2)), Flux.flatten, Dense(4 => 5, relu), Dense(5 => 3))";
  for (const std::string& reduction : reductions) expect_agreement_of(text, {1, 8, 9}, reduction);
}

TEST(ChainNets, ResidualNetworkWithBatchNorm) {
  expect_agreement_of(
      "Chain(Conv((3, 3), 2 => 3; pad = SamePad(), bias = false), BatchNorm(3, relu), "
      "SkipConnection(Chain(Conv((3, 3), 3 => 3; pad = 1, bias = false), BatchNorm(3, relu), "
      "  Conv((3, 3), 3 => 3; pad = 1, bias = false), BatchNorm(3)), +), relu, "
      "Parallel(+, Chain(Conv((3, 3), 3 => 4; stride = 2, pad = 1, bias = false), BatchNorm(4)), "
      "  Chain(Conv((1, 1), 3 => 4; stride = 2, bias = false), BatchNorm(4; affine = false))), relu, "
      "GlobalMeanPool(), flatten, Dropout(0.3), Dense(4 => 2))",
      {2, 5, 6});
}

TEST(ChainNets, DepthwiseSeparableWithSqueezeAndExcitation) {
  expect_agreement_of(
      "Chain(DepthwiseConv((3, 3), 2 => 4; pad = (1, 0)), GroupNorm(4, 2, gelu), Conv((1, 1), 4 => 4), "
      "SkipConnection(Chain(GlobalMeanPool(), Conv((1, 1), 4 => 2, relu), Conv((1, 1), 2 => 4, sigmoid)), "
      ".*), "
      "InstanceNorm(4, tanh; affine = true), AdaptiveMeanPool((2, 2)), flatten, Dense(16 => 2))",
      {2, 5, 6});
}

TEST(ChainNets, DecoderWithTransposedConvolutions) {
  expect_agreement_of(
      "Chain(Dense(3 => 8, tanh), x -> reshape(x, 2, 2, 2, :), "
      "ConvTranspose((3, 2), 2 => 4, tanh; stride = (2, 1), groups = 2), "
      "ConvTranspose((2, 2), 4 => 1; stride = 2, pad = SamePad()), ConvTranspose((2, 2), 1 => 1; pad = (1, "
      "0, 1, 1)), "
      "flatten)",
      {3}, "trace");
}

TEST(ChainNets, UNet) {
  expect_agreement_of(
      "Chain(Conv((3, 3), 1 => 2, elu; pad = 1), "
      "SkipConnection(Chain(MaxPool((2, 2)), Conv((3, 3), 2 => 3, elu; pad = 1), "
      "  ConvTranspose((2, 2), 3 => 2, elu; stride = 2)), (mx, x) -> cat(mx, x, dims = 3)), "
      "Conv((1, 1), 4 => 1), flatten)",
      {1, 4, 4}, "trace");
}

TEST(ChainNets, TransformerBlock) {
  expect_agreement_of(
      "Chain(Dense(5 => 6), Scale(6, 3), "
      "SkipConnection(Chain(LayerNorm(6), MultiHeadAttention(6 => (4, 6) => 6; nheads = 2, bias = true), "
      "first), +), "
      "SkipConnection(Chain(LayerNorm(6), Dense(6 => 8, gelu), Dense(8 => 6)), +), "
      "LayerNorm(6), x -> mean(x; dims = 2), flatten, Dense(6 => 2))",
      {3, 5});
}

TEST(ChainNets, Mixer) {
  expect_agreement_of(
      "Chain(Conv((2, 2), 1 => 4; stride = 2), x -> reshape(x, 6, 4, :), "
      "SkipConnection(Chain(x -> permutedims(x, (2, 1, 3)), LayerNorm(4), x -> permutedims(x, (2, 1, 3)), "
      "  Dense(6 => 5, gelu), Dense(5 => 6)), +), x -> maximum(x; dims = 1), flatten, Dense(4 => 2))",
      {1, 4, 6});
}

TEST(ChainNets, BilinearForms) {
  expect_agreement_of(
      "Chain(Parallel(Bilinear((3, 2) => 3, tanh), Dense(4 => 3), Dense(4 => 2, tanh)), "
      "Bilinear(3 => 2; bias = false))",
      {4});
}

TEST(ChainNets, TokensThroughAnEmbedding) {
  const char* const texts[] = {
      "Chain(Embedding(7 => 4), x -> permutedims(x, (2, 1, 3)), "
      "Parallel(vcat, Chain(Conv((2,), 4 => 3, tanh), GlobalMaxPool(), flatten), "
      "  Chain(Conv((3,), 4 => 3, tanh), GlobalMaxPool(), flatten)), Dense(6 => 2))",
      "Chain(Embedding(7 => 4), Scale(4, 5), "
      "SkipConnection(Chain(LayerNorm(4), MultiHeadAttention(4; nheads = 2)), +), "
      "x -> mean(x; dims = 2), flatten, Dense(4 => 2))"};
  for (const std::string text : texts) {
    RandomNet random(9100);
    const auto graph = network(text, {5}, random);
    expect_agreement(
        problem_of(graph, tokens(random, 3, 5, 7), graph->outputs.front(), kernel::parse_reduction("full")),
        text);
  }
}

TEST(ChainNets, UnderTheNtkParameterisation) {
  RandomNet random(9200);
  const load::Parameterization ntk{.kind = load::Parameterization::Kind::ntk, .sigma_w = 1.4, .sigma_b = 0.1};
  const std::string text =
      "Chain(Conv((3, 3), 1 => 3, relu), DepthwiseConv((2, 2), 3 => 3, tanh), ConvTranspose((2, 2), 3 => 2), "
      "x -> reshape(x, 4, 8, :), MultiHeadAttention(4; nheads = 2), x -> mean(x; dims = 2), flatten, "
      "Bilinear(4 => 2))";
  const Shape input{1, 6, 6};
  const auto graph =
      std::make_shared<const Graph>(load::load_chain(text, {.parameterization = ntk, .shape = input}));
  expect_agreement(problem_of(graph, random.samples(input.with_leading(2)), graph->outputs.front(),
                              kernel::parse_reduction("full")),
                   text);
}

}  // namespace
}  // namespace tangra::verify::test
