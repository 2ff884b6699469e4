#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/load/chain/layer_spec.h"
#include "tangra/load/chain/parser.h"

namespace tangra::load {
namespace {

using Kind = LayerSpec::Kind;

LayerSpec read(std::string_view text) {
  return read_layers({.text = text, .name = "chain"});
}

/// The number that stands alone in a text.
Expression number(std::string_view text) {
  const Expression call = parse({.text = text, .name = "chain"});
  EXPECT_EQ(call.kind, Expression::Kind::number);
  return call;
}

TEST(ChainParser, ReadsFluxsOwnExample) {
  const LayerSpec chain =
      read("Chain(Dense(784 => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)");
  ASSERT_EQ(chain.layers.size(), 4U);
  EXPECT_EQ(chain.kind, Kind::chain);
  EXPECT_EQ(chain.layers[0].kind, Kind::dense);
  EXPECT_EQ(chain.layers[0].in, 784);
  EXPECT_EQ(chain.layers[0].out, 60);
  EXPECT_TRUE(chain.layers[0].bias);
  EXPECT_EQ(chain.layers[2].function->op, "Sigmoid");
  EXPECT_EQ(chain.layers[3].kind, Kind::function);
  EXPECT_EQ(chain.layers[3].function->op, "Softmax");
  EXPECT_EQ(chain.layers[3].path, "3");
}

TEST(ChainParser, PassesOverBlanksCommentsAndTrailingCommas) {
  const LayerSpec chain = read(
      "# a small network\n"
      "model = Chain(  #= with a #= nested =# comment, =#\r\n"
      "\tDense(2, 3, relu,),   # the old form\n"
      "  softmax,\n"
      ");\n"
      "# the end");
  ASSERT_EQ(chain.layers.size(), 2U);
  EXPECT_EQ(chain.layers[0].in, 2);
  EXPECT_EQ(chain.layers[0].out, 3);
  EXPECT_EQ(chain.layers[0].function->op, "Relu");
}

TEST(ChainParser, ReadsKeywordsBehindCommasAndSemicolons) {
  for (const std::string_view text : {"Chain(Dense(2 => 3, relu; bias=false, init=he))",
                                      "Chain(Dense(2 => 3, relu, bias = false, init = he))",
                                      "Chain(Flux.Dense(2 => 3, NNlib.relu; init=Flux.he, bias=false,))",
                                      "Chain(Dense(2, 3, relu; bias=false, init=he))"}) {
    const LayerSpec dense = read(text).layers[0];
    EXPECT_FALSE(dense.bias) << text;
    EXPECT_EQ(dense.init, Initializer::he) << text;
    EXPECT_EQ(dense.function->op, "Relu") << text;
  }
  EXPECT_TRUE(read("Chain(Dense(2 => 3; bias=true))").layers[0].bias);
  EXPECT_FALSE(read("Chain(Dense(2 => 3;))").layers[0].function.has_value());
}

TEST(ChainParser, ReadsJuliasNumbers) {
  const auto real = [](std::string_view text) { return number(text).real; };
  EXPECT_EQ(number("1_000").integer, 1000);
  EXPECT_TRUE(number("1_000").whole);
  EXPECT_EQ(real("0.01f0"), 0.01);  // the shortest decimal, not the nearest float32
  EXPECT_EQ(real("2f-1"), 0.2);
  EXPECT_EQ(real("1e-3"), 1e-3);
  EXPECT_EQ(real("1.5E+2"), 150.0);
  EXPECT_EQ(real(".5"), 0.5);
  EXPECT_EQ(real("2."), 2.0);
  EXPECT_EQ(real("-0.25"), -0.25);
  EXPECT_FALSE(number("2.").whole);
  EXPECT_FALSE(number("1e3").whole);
}

TEST(ChainParser, MultipliesWidths) {
  const LayerSpec dense = read("Chain(Dense(28^2 * 3 => 2 * 3 * 5))").layers[0];
  EXPECT_EQ(dense.in, 2352);
  EXPECT_EQ(dense.out, 30);
  EXPECT_EQ(number("7^0").integer, 1);
}

TEST(ChainParser, ReadsFunctionsInEveryForm) {
  const auto function = [](const std::string& text) {
    return *read("Chain(Dense(2 => 2, " + text + "))").layers[0].function;
  };
  for (const char* text :
       {"leakyrelu(0.2)", "x -> leakyrelu(x, 0.2)", "z -> leakyrelu.(z, 0.2f0)", "leaky_relu(.2)"}) {
    EXPECT_EQ(function(text).op, "LeakyRelu") << text;
    EXPECT_EQ(function(text).attributes.real("alpha", 0), 0.2) << text;
  }
  EXPECT_EQ(function("leakyrelu").attributes.real("alpha", 0), 0.01);
  EXPECT_EQ(function("leakyrelu(-0.5)").attributes.real("alpha", 0), -0.5);
  EXPECT_EQ(function("elu").attributes.real("alpha", 0), 1.0);
  EXPECT_EQ(function("elu(0.5)").attributes.real("alpha", 0), 0.5);
  EXPECT_EQ(function("x -> relu(x)").op, "Relu");
  EXPECT_EQ(function("hardtanh").attributes.real("min", 0), -1.0);
  EXPECT_EQ(function("hardtanh").attributes.real("max", 0), 1.0);
  EXPECT_EQ(function("relu6").attributes.real("min", 1), 0.0);
  EXPECT_EQ(function("relu6").attributes.real("max", 0), 6.0);
  EXPECT_EQ(function("gelu").attributes.text("approximate", ""), "tanh");
  EXPECT_EQ(function("gelu_tanh").attributes.text("approximate", ""), "tanh");
  EXPECT_EQ(function("gelu_erf").attributes.text("approximate", ""), "none");
  EXPECT_DOUBLE_EQ(function("selu").attributes.real("gamma", 0), 1.0507009873554805);
  EXPECT_DOUBLE_EQ(function("selu").attributes.real("alpha", 0), 1.6732632423543772);
}

TEST(ChainParser, KnowsEveryFunction) {
  const std::pair<const char*, const char*> all[] = {{"identity", "Identity"},
                                                     {"relu", "Relu"},
                                                     {"leakyrelu", "LeakyRelu"},
                                                     {"leaky_relu", "LeakyRelu"},
                                                     {"elu", "Elu"},
                                                     {"selu", "Selu"},
                                                     {"gelu", "Gelu"},
                                                     {"gelu_tanh", "Gelu"},
                                                     {"gelu_erf", "Gelu"},
                                                     {"silu", "Silu"},
                                                     {"swish", "Silu"},
                                                     {"softplus", "Softplus"},
                                                     {"softsign", "Softsign"},
                                                     {"sigmoid", "Sigmoid"},
                                                     {"σ", "Sigmoid"},
                                                     {"tanh", "Tanh"},
                                                     {"tanh_fast", "Tanh"},
                                                     {"erf", "Erf"},
                                                     {"hardtanh", "Clip"},
                                                     {"hard_tanh", "Clip"},
                                                     {"exp", "Exp"},
                                                     {"log", "Log"},
                                                     {"relu6", "Clip"},
                                                     {"normalised_relu", "NormalizedRelu"},
                                                     {"softmax", "Softmax"},
                                                     {"logsoftmax", "LogSoftmax"},
                                                     {"log_softmax", "LogSoftmax"}};
  for (const auto& [name, op] : all) {
    const LayerSpec layer = read("Chain(" + std::string(name) + ")").layers[0];
    EXPECT_EQ(layer.kind, Kind::function) << name;
    EXPECT_EQ(layer.function->op, op) << name;
  }
}

TEST(ChainParser, GivesPathsByPlaceOrName) {
  const LayerSpec chain = read(
      "Chain(first = Dense(2 => 2), SkipConnection(Dense(2 => 2), +), Parallel(vcat, Chain(relu, Dense(2 => "
      "2)), "
      "side = tanh), Chain(Chain(relu)))");
  EXPECT_EQ(chain.path, "");
  EXPECT_EQ(chain.layers[0].path, "first");
  EXPECT_EQ(chain.layers[1].path, "1");
  EXPECT_EQ(chain.layers[1].layers[0].path, "1.0");
  EXPECT_EQ(chain.layers[2].layers[0].layers[1].path, "2.0.1");
  EXPECT_EQ(chain.layers[2].layers[1].path, "2.side");
  EXPECT_EQ(chain.layers[3].layers[0].layers[0].path, "3.0.0");
  EXPECT_EQ(chain.layers[1].join, Join::add);
  EXPECT_EQ(chain.layers[2].join, Join::concatenate);
  EXPECT_EQ(read("Chain(SkipConnection(relu, .*))").layers[0].join, Join::multiply);
  EXPECT_EQ(read("Chain(Parallel(*, relu, tanh))").layers[0].join, Join::multiply);
}

TEST(ChainParser, TakesALayerThatIsNoChainAsAChainOfOne) {
  const LayerSpec chain = read("Dense(2 => 3)");
  EXPECT_EQ(chain.kind, Kind::chain);
  EXPECT_EQ(chain.layers.at(0).path, "0");
}

}  // namespace
}  // namespace tangra::load
