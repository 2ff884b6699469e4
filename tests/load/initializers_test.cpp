#include "tangra/load/chain/initializers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/support.h"
#include "tangra/base/rng.h"
#include "tangra/load/chain/chain.h"

namespace tangra::load {
namespace {

std::span<const float> entries(const Graph& graph, std::string_view name) {
  return graph.parameter(graph.find_parameter(name)).data.as<float>();
}

TEST(Initializers, GiveTheSameBitsForEver) {
  const struct {
    const char* init;
    const char* name;
    float first, last;
  } golden[] = {
      {"glorot_uniform", "0.weight", -0x1.bdb982p-5F, 0x1.95bbf4p-2F},
      {"glorot_uniform", "1.weight", 0x1.6b3c1p-5F, -0x1.401c8cp-2F},
      {"normal", "0.weight", -0x1.42dc66p-4F, 0x1.37d7d4p-1F},
      {"normal", "0.bias", -0x1.24f0c6p+0F, -0x1.2939e2p+0F},
      {"normal", "1.bias", -0x1.1800d2p-3F, -0x1.32a0b2p+0F},
      {"lecun", "0.weight", -0x1.20c68ep-5F, 0x1.16ebc2p-2F},
      {"lecun", "1.weight", 0x1.e0141ep-6F, -0x1.b05894p-3F},
      {"he", "0.weight", -0x1.9863eep-5F, 0x1.8a742ap-2F},
      {"he", "1.weight", 0x1.537782p-5F, -0x1.31b6fcp-2F},
      {"pytorch", "0.weight", -0x1.cc57aap-6F, 0x1.a30a5cp-3F},
      {"pytorch", "1.bias", -0x1.012ba4p-4F, -0x1.c6a1fep-2F},
  };
  for (const auto& [init, name, first, last] : golden) {
    const Graph graph = load_chain("Chain(Dense(5 => 3, tanh), Dense(3 => 2))", {.init = init, .seed = 42});
    EXPECT_EQ(entries(graph, name).front(), first) << init << " " << name;
    EXPECT_EQ(entries(graph, name).back(), last) << init << " " << name;
  }
}

/// What docs/chain.md says, entry by entry.
double expected(Initializer init, bool bias, const RandomStream& stream, std::uint64_t i, double in,
                double out) {
  const double uniform = 2 * stream.uniform(i) - 1;
  const double normal = stream.normal(i);
  switch (init) {
    case Initializer::ones:
      return 1;
    case Initializer::normal:
      return normal;
    case Initializer::pytorch:
      return uniform / std::sqrt(in);
    case Initializer::glorot_uniform:
      return bias ? 0 : uniform * std::sqrt(6 / (in + out));
    case Initializer::lecun:
      return bias ? 0 : normal / std::sqrt(in);
    case Initializer::he:
      return bias ? 0 : normal * std::sqrt(2 / in);
  }
  return 0;
}

TEST(Initializers, FollowTheirFormulas) {
  for (const std::string_view name : initializer_names()) {
    const Initializer init = initializer_of(name, "here");
    for (const bool bias : {false, true}) {
      const Draw what{.initializer = init,
                      .shape = bias ? Shape{7} : Shape{7, 11},
                      .bias = bias,
                      .fan_in = 11,
                      .fan_out = 7,
                      .seed = 5,
                      .stream = 3};
      const Array array = draw(what);
      EXPECT_EQ(array.type(), DType::float32);
      const auto drawn = array.as<float>();
      for (std::size_t i = 0; i < drawn.size(); ++i) {
        const auto wanted = static_cast<float>(expected(init, bias, RandomStream(5, 3), i, 11, 7));
        EXPECT_FLOAT_EQ(drawn[i], wanted) << name << " " << i;
      }
    }
  }
}

TEST(Initializers, CountTheFansOfEveryLayer) {
  const struct {
    const char* text;
    Shape input;
    const char* name;
    double in, out, pytorch_in;
  } layers[] = {
      {"Conv((3, 2), 4 => 6)", {4, 5, 5}, "0.weight", 24, 36, 24},
      {"Conv((3, 2), 4 => 6)", {4, 5, 5}, "0.bias", 24, 36, 24},
      {"Conv((3, 2), 4 => 6; groups = 2)", {4, 5, 5}, "0.weight", 12, 36, 12},
      {"Conv((5,), 2 => 3)", {2, 7}, "0.weight", 10, 15, 10},
      {"CrossCor((3, 2), 4 => 6)", {4, 5, 5}, "0.weight", 24, 36, 24},
      {"DepthwiseConv((3, 3), 4 => 8)", {4, 5, 5}, "0.weight", 9, 72, 9},
      {"ConvTranspose((3, 2), 4 => 6)", {4, 5, 5}, "0.weight", 24, 36, 36},
      {"ConvTranspose((3, 2), 4 => 6)", {4, 5, 5}, "0.bias", 24, 36, 36},
      {"ConvTranspose((3, 2), 4 => 6; groups = 2)", {4, 5, 5}, "0.weight", 12, 36, 18},
      {"Bilinear((3, 3) => 2)", {3}, "0.weight", 9, 2, 3},
      {"MultiHeadAttention(6 => (4, 10) => 3; nheads = 2)", {5, 6}, "0.q_proj.weight", 6, 4, 6},
      {"MultiHeadAttention(6 => (4, 10) => 3; nheads = 2)", {5, 6}, "0.v_proj.weight", 6, 10, 6},
      {"MultiHeadAttention(6 => (4, 10) => 3; nheads = 2)", {5, 6}, "0.out_proj.weight", 10, 3, 10},
      {"MultiHeadAttention(6 => 6 => 3; nheads = 2, bias = true)", {5, 6}, "0.out_proj.bias", 6, 3, 6}};
  for (const std::string_view init : initializer_names()) {
    for (const auto& [text, input, name, in, out, pytorch_in] : layers) {
      const Graph graph = load_chain(text, {.init = std::string(init), .seed = 11, .shape = input});
      const ParameterId id = graph.find_parameter(name);
      const auto drawn = graph.parameter(id).data.as<float>();
      const RandomStream stream(11, static_cast<std::uint64_t>(id));
      const bool bias = graph.parameter(id).role == ParameterRole::bias;
      for (std::size_t i = 0; i < drawn.size(); ++i) {
        const auto wanted = static_cast<float>(expected(initializer_of(init, "here"), bias, stream, i,
                                                        init == "pytorch" ? pytorch_in : in, out));
        ASSERT_FLOAT_EQ(drawn[i], wanted) << text << " " << name << " " << init;
      }
    }
  }
}

TEST(Initializers, GainsAreOneAndShiftsZeroButUnderOnes) {
  const std::string text = "Chain(LayerNorm(3), Scale(3), GroupNorm(3, 1), BatchNorm(3))";
  for (const std::string_view init : initializer_names()) {
    const Graph graph = load_chain(text, {.init = std::string(init), .shape = Shape{3, 3}});
    for (const Parameter& own : graph.parameters) {
      const bool one =
          own.name.ends_with("weight") || own.name.ends_with("var") || (init == "ones" && own.trainable);
      for (const float entry : own.data.as<float>())
        EXPECT_EQ(entry, one ? 1.0F : 0.0F) << own.name << " " << init;
    }
  }
}

TEST(Initializers, EmbeddingsAreNormalUnlessTheySayOtherwise) {
  const auto drawn = [](const std::string& layer, const std::string& init) {
    const Graph graph = load_chain(layer, {.init = init, .seed = 3, .shape = Shape{4}});
    const auto own = entries(graph, "0.weight");
    return std::vector<float>(own.begin(), own.end());
  };
  const RandomStream stream(3, 0);
  for (const std::string init : {"", "glorot_uniform", "normal", "lecun", "he", "pytorch"}) {
    const std::vector<float> own = drawn("Embedding(7 => 2)", init);
    for (std::size_t i = 0; i < own.size(); ++i)
      EXPECT_EQ(own[i], static_cast<float>(stream.normal(i))) << init;
  }
  EXPECT_EQ(drawn("Embedding(7 => 2)", "ones"), std::vector<float>(14, 1.0F));
  // Its own initialiser counts as that of the matrix from 7 to 2.
  EXPECT_EQ(drawn("Embedding(7 => 2; init = he)", "")[5],
            static_cast<float>(stream.normal(5) * std::sqrt(2.0 / 7)));
  EXPECT_EQ(drawn("Embedding(7 => 2; init = normal)", "ones")[5], static_cast<float>(stream.normal(5)));
}

TEST(Initializers, HaveTheVarianceThatTheyPromise) {
  constexpr Index in = 300, out = 100, count = in * out;
  const std::pair<Initializer, double> variances[] = {{Initializer::glorot_uniform, 2.0 / (in + out)},
                                                      {Initializer::normal, 1.0},
                                                      {Initializer::lecun, 1.0 / in},
                                                      {Initializer::he, 2.0 / in},
                                                      {Initializer::pytorch, 1.0 / (3 * in)}};
  for (const auto& [init, variance] : variances) {
    const Array array =
        draw({.initializer = init, .shape = {out, in}, .bias = false, .fan_in = in, .fan_out = out});
    double sum = 0, square = 0;
    for (const double entry : array.as<float>()) {
      sum += entry;
      square += entry * entry;
    }
    // Five standard errors; a squared normal has variance 2 sigma^4, a squared uniform less.
    EXPECT_NEAR(sum / count, 0, 5 * std::sqrt(variance / count));
    EXPECT_NEAR(square / count, variance, 5 * variance * std::sqrt(2.0 / count));
  }
}

TEST(Initializers, OnesFillsBiasesToo) {
  const Graph graph = load_chain("Chain(Dense(2 => 3))", {.init = "ones"});
  for (const Parameter& parameter : graph.parameters) {
    for (const float entry : parameter.data.as<float>()) EXPECT_EQ(entry, 1.0F);
  }
}

TEST(Initializers, AParameterDoesNotDependOnTheSizesOfOthers) {
  const Graph small = load_chain("Chain(Dense(2 => 3), Dense(3 => 4))", {.init = "normal", .seed = 9});
  const Graph large = load_chain("Chain(Dense(50 => 3), Dense(3 => 4))", {.init = "normal", .seed = 9});
  const Graph other = load_chain("Chain(Dense(2 => 3), Dense(3 => 4))", {.init = "normal", .seed = 10});
  EXPECT_TRUE(std::ranges::equal(entries(small, "1.weight"), entries(large, "1.weight")));
  EXPECT_TRUE(std::ranges::equal(entries(small, "1.bias"), entries(large, "1.bias")));
  EXPECT_FALSE(std::ranges::equal(entries(small, "1.weight"), entries(other, "1.weight")));
  EXPECT_NE(entries(small, "0.bias")[0], entries(small, "0.weight")[0]);
}

TEST(Initializers, ALayersOwnComesFirst) {
  const Graph graph = load_chain("Chain(Dense(2 => 3; init=ones), Dense(3 => 4))", {.init = "he"});
  EXPECT_EQ(entries(graph, "0.weight")[5], 1.0F);
  EXPECT_EQ(entries(graph, "0.bias")[2], 1.0F);
  EXPECT_NE(entries(graph, "1.weight")[5], 1.0F);
  EXPECT_EQ(entries(graph, "1.bias")[2], 0.0F);
}

TEST(Initializers, TheDefaultFollowsTheParameterisation) {
  const std::string text = "Chain(Dense(5 => 3))";
  const auto same = [&](const ChainOptions& a, const ChainOptions& b) {
    return std::ranges::equal(entries(load_chain(text, a), "0.weight"),
                              entries(load_chain(text, b), "0.weight"));
  };
  const Parameterization ntk{.kind = Parameterization::Kind::ntk};
  EXPECT_TRUE(same({}, {.init = "glorot_uniform"}));
  EXPECT_TRUE(same({.parameterization = ntk}, {.init = "normal"}));
  EXPECT_TRUE(same({.init = "ones", .parameterization = ntk}, {.init = "ones"}));
}

}  // namespace
}  // namespace tangra::load
