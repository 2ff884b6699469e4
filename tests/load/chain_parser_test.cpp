#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/load/chain/chain.h"
#include "tangra/load/chain/layer_spec.h"
#include "tangra/load/chain/parser.h"

namespace tangra::load {
namespace {

using Kind = LayerSpec::Kind;

LayerSpec read(std::string_view text) {
  return read_layers({.text = text, .name = "chain"});
}

/// The shape of the first weight, (out, in).
Shape weight_of(std::string_view text) {
  return load_chain(text).parameters.at(0).data.shape();
}

/// The nodes' operators.
std::vector<std::string> operators(std::string_view text) {
  const Graph graph = load_chain(text, {.input = Shape{2}});
  std::vector<std::string> result;
  for (const Node& node : graph.nodes) result.push_back(node.op);
  return result;
}

using Names = std::vector<std::string>;

/// The number that stands alone in a text.
Expression number(std::string_view text) {
  const Expression call = parse({.text = text, .name = "chain"});
  EXPECT_EQ(call.kind, Expression::Kind::number);
  return call;
}

TEST(ChainParser, ReadsFluxsOwnExample) {
  const std::string text =
      "Chain(Dense(784 => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)";
  const LayerSpec chain = read(text);
  ASSERT_EQ(chain.layers.size(), 4U);
  EXPECT_EQ(chain.kind, Kind::chain);
  EXPECT_EQ(chain.layers[0].kind, Kind::layer);
  EXPECT_EQ(chain.layers[0].type, "Dense");
  EXPECT_EQ(chain.layers[0].layer->weights(), 784 * 60);
  EXPECT_EQ(chain.layers[3].type, "softmax");
  EXPECT_EQ(chain.layers[3].path, "3");
  EXPECT_EQ(weight_of(text), (Shape{60, 784}));
  EXPECT_EQ(operators(text),
            (Names{"Linear", "Sigmoid", "Linear", "Sigmoid", "Linear", "Sigmoid", "Softmax"}));
}

TEST(ChainParser, PassesOverBlanksCommentsAndTrailingCommas) {
  const std::string text =
      "# a small network\n"
      "model = Chain(  #= with a #= nested =# comment, =#\r\n"
      "\tDense(2, 3, relu,),   # the old form\n"
      "  softmax,\n"
      ");\n"
      "# the end";
  EXPECT_EQ(weight_of(text), (Shape{3, 2}));
  EXPECT_EQ(operators(text), (Names{"Linear", "Relu", "Softmax"}));
}

TEST(ChainParser, ReadsKeywordsBehindCommasAndSemicolons) {
  for (const std::string_view text : {"Chain(Dense(2 => 3, relu; bias=false, init=he))",
                                      "Chain(Dense(2 => 3, relu, bias = false, init = he))",
                                      "Chain(Flux.Dense(2 => 3, NNlib.relu; init=Flux.he, bias=false,))",
                                      "Chain(Dense(2, 3, relu; bias=false, init=he))"}) {
    const Graph graph = load_chain(text);
    const Graph same = load_chain("Dense(2 => 3, relu; bias = false)", {.init = "he"});
    EXPECT_EQ(fingerprint(graph), fingerprint(same)) << text;
    EXPECT_EQ(graph.parameters.size(), 1U) << text;
  }
  EXPECT_EQ(load_chain("Chain(Dense(2 => 3; bias=true))").parameters.size(), 2U);
  EXPECT_EQ(operators("Chain(Dense(2 => 3;))"), (Names{"Linear"}));
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
  EXPECT_EQ(weight_of("Chain(Dense(28^2 * 3 => 2 * 3 * 5))"), (Shape{30, 2352}));
  EXPECT_EQ(number("7^0").integer, 1);
}

TEST(ChainParser, ReadsFunctionsInEveryForm) {
  const auto function = [](const std::string& text) {
    return load_chain("Chain(Dense(2 => 2, " + text + "))").nodes.at(1);
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
    EXPECT_EQ(operators("Chain(" + std::string(name) + ")"), Names{op}) << name;
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
  EXPECT_EQ(chain.layers[1].join.kind, Join::Kind::add);
  EXPECT_EQ(chain.layers[2].join.kind, Join::Kind::concatenate);
}

TEST(ChainParser, ReadsHowBranchesAreJoined) {
  const auto join = [](const std::string& text) {
    return read("Parallel(" + text + ", relu, tanh)").layers[0].join;
  };
  for (const std::string text : {"+", ".+"}) {
    EXPECT_EQ(join(text).kind, Join::Kind::add);
    EXPECT_EQ(join(text).broadcast, text == ".+");
  }
  for (const std::string text : {"*", ".*"}) {
    EXPECT_EQ(join(text).kind, Join::Kind::multiply);
    EXPECT_EQ(join(text).broadcast, text == ".*");
  }
  const std::pair<const char*, Index> dims[] = {{"vcat", 1},
                                                {"Base.hcat", 2},
                                                {"cat", 0},
                                                {"(a, b) -> cat(a, b; dims = 3)", 3},
                                                {"(a, b) -> cat(a, b, dims=2)", 2},
                                                {"(xs...) -> cat(xs...; dims = 3)", 3},
                                                {"(a, b) -> vcat(a, b)", 1},
                                                {"(xs...) -> hcat(xs...)", 2}};
  for (const auto& [text, dim] : dims) {
    EXPECT_EQ(join(text).kind, Join::Kind::concatenate) << text;
    EXPECT_EQ(join(text).dim, dim) << text;
  }
  EXPECT_EQ(join("Bilinear((2, 2) => 3)").kind, Join::Kind::layer);
}

TEST(ChainParser, TakesALayerThatIsNoChainAsAChainOfOne) {
  const LayerSpec chain = read("Dense(2 => 3)");
  EXPECT_EQ(chain.kind, Kind::chain);
  EXPECT_EQ(chain.layers.at(0).path, "0");
}

}  // namespace
}  // namespace tangra::load
