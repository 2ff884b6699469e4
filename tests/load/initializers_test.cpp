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
