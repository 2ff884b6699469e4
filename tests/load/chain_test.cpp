#include "tangra/load/chain/chain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/support.h"

namespace tangra::load {
namespace {

/// The nodes as lines "Op result : inputs -> shape".
std::vector<std::string> lines(const Graph& graph) {
  std::vector<std::string> result;
  for (const Node& node : graph.nodes) {
    std::string line = node.op + " " + graph.value(node.outputs[0]).name + " :";
    EXPECT_EQ(node.name, graph.value(node.outputs[0]).name);
    for (const ValueId input : node.inputs) line += " " + graph.value(input).name;
    result.push_back(line + " -> " + to_string(graph.shape(node.outputs[0])));
  }
  return result;
}

using Lines = std::vector<std::string>;

Shape input_of(std::string_view text, const ChainOptions& options = {}) {
  const Graph graph = load_chain(text, options);
  return graph.shape(graph.inputs.at(0));
}

TEST(Chain, IsTheGraphThatFluxWouldRun) {
  const Graph graph = load_chain("Chain(Dense(784 => 60, sigmoid), Dense(60 => 10; bias=false), softmax)");
  EXPECT_EQ(lines(graph),
            (Lines{"Linear 0.linear : input 0.weight 0.bias -> (60,)", "Sigmoid 0 : 0.linear -> (60,)",
                   "Linear 1 : 0 1.weight -> (10,)", "Softmax 2 : 1 -> (10,)"}));
  EXPECT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.value(graph.inputs[0]).name, "input");
  EXPECT_EQ(graph.shape(graph.inputs[0]), (Shape{784}));
  ASSERT_EQ(graph.outputs.size(), 1U);
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "2");
  EXPECT_EQ(graph.parameter_count(), 784 * 60 + 60 + 600);
}

TEST(Chain, DescribesItsParameters) {
  const Graph graph = load_chain("Chain(relu, Chain(Dense(3 => 2)))");
  ASSERT_EQ(graph.parameters.size(), 2U);
  const Parameter& weight = graph.parameters[0];
  EXPECT_EQ(weight.name, "1.0.weight");
  EXPECT_EQ(weight.layer, "1.0");
  EXPECT_EQ(weight.role, ParameterRole::weight);
  EXPECT_EQ(weight.why, "weight of a Dense layer");
  EXPECT_TRUE(weight.trainable);
  EXPECT_EQ(weight.data.shape(), (Shape{2, 3}));
  EXPECT_EQ(weight.data.type(), DType::float32);
  EXPECT_EQ(graph.value(weight.value).dependence, Dependence::parameters);
  const Parameter& bias = graph.parameters[1];
  EXPECT_EQ(bias.name, "1.0.bias");
  EXPECT_EQ(bias.role, ParameterRole::bias);
  EXPECT_EQ(bias.why, "bias of a Dense layer");
  EXPECT_EQ(bias.data.shape(), (Shape{2}));
}

TEST(Chain, JoinsBranches) {
  const Graph graph = load_chain(
      "Chain(Dense(4 => 3), SkipConnection(Dense(3 => 3, tanh), +), Parallel(+, Dense(3 => 2), Chain(relu, "
      "Dense(3 => 2)),"
      " side = Dense(3 => 2)), SkipConnection(relu, vcat), Parallel(*, tanh), Parallel(vcat, relu, tanh))");
  EXPECT_EQ(lines(graph),
            (Lines{"Linear 0 : input 0.weight 0.bias -> (3,)",
                   "Linear 1.0.linear : 0 1.0.weight 1.0.bias -> (3,)", "Tanh 1.0 : 1.0.linear -> (3,)",
                   "Add 1 : 1.0 0 -> (3,)", "Linear 2.0 : 1 2.0.weight 2.0.bias -> (2,)",
                   "Relu 2.1.0 : 1 -> (3,)", "Linear 2.1.1 : 2.1.0 2.1.1.weight 2.1.1.bias -> (2,)",
                   "Linear 2.side : 1 2.side.weight 2.side.bias -> (2,)", "Add 2.join-1 : 2.0 2.1.1 -> (2,)",
                   "Add 2 : 2.join-1 2.side -> (2,)", "Relu 3.0 : 2 -> (2,)", "Concat 3 : 3.0 2 -> (4,)",
                   "Tanh 4.0 : 3 -> (4,)", "Identity 4 : 4.0 -> (4,)", "Relu 5.0 : 4 -> (4,)",
                   "Tanh 5.1 : 4 -> (4,)", "Concat 5 : 5.0 5.1 -> (8,)"}));
}

TEST(Chain, FindsTheWidthOfItsInput) {
  EXPECT_EQ(input_of("Chain(relu, softmax, Dense(7 => 2))"), (Shape{7}));
  EXPECT_EQ(input_of("Chain(SkipConnection(Dense(5 => 5), +))"), (Shape{5}));
  EXPECT_EQ(input_of("Chain(Parallel(+, relu, Dense(5 => 5)))"), (Shape{5}));
  EXPECT_EQ(input_of("Chain(SkipConnection(relu, +), Dense(6 => 1))"), (Shape{6}));
  EXPECT_EQ(input_of("Chain(SkipConnection(relu, vcat), Dense(6 => 1))"), (Shape{3}));
  EXPECT_EQ(
      input_of("Chain(Parallel(vcat, relu, tanh, Chain(elu)), SkipConnection(relu, vcat), Dense(12 => 1))"),
      (Shape{2}));
  EXPECT_EQ(input_of("Chain(Chain(relu, Chain(Dense(4 => 4))))"), (Shape{4}));
}

TEST(Chain, TakesTheShapeOfTheDataWhereNoDenseTells) {
  EXPECT_EQ(input_of("Chain(relu)", {.input = Shape{3, 5}}), (Shape{3, 5}));
  EXPECT_EQ(input_of("Chain(Dense(15 => 2))", {.input = Shape{3, 5}}), (Shape{15}));
  const Graph graph = load_chain("Chain(SkipConnection(relu, vcat))", {.input = Shape{3, 5}});
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{3, 10}));  // features are the last axis
}

TEST(Chain, LeavesAnIdentityActivationOut) {
  EXPECT_EQ(lines(load_chain("Chain(Dense(2 => 3, identity), identity)")),
            (Lines{"Linear 0 : input 0.weight 0.bias -> (3,)", "Identity 1 : 0 -> (3,)"}));
}

TEST(Chain, ScalesParametersUnderTheNtkParameterisation) {
  const Graph graph =
      load_chain("Chain(Dense(4 => 3, relu), Dense(3 => 1; bias=false))",
                 {.parameterization = {.kind = Parameterization::Kind::ntk, .sigma_w = 1.5, .sigma_b = 0.1}});
  EXPECT_EQ(lines(graph),
            (Lines{"Mul 0.weight.scaled : 0.weight 0.weight.scale -> (3, 4)",
                   "Mul 0.bias.scaled : 0.bias 0.bias.scale -> (3,)",
                   "Linear 0.linear : input 0.weight.scaled 0.bias.scaled -> (3,)",
                   "Relu 0 : 0.linear -> (3,)", "Mul 1.weight.scaled : 1.weight 1.weight.scale -> (1, 3)",
                   "Linear 1 : 0 1.weight.scaled -> (1,)"}));
  ASSERT_EQ(graph.constants.size(), 3U);
  for (const Constant& constant : graph.constants) EXPECT_EQ(constant.data.shape(), Shape{});
  EXPECT_EQ(graph.constants[0].data.as<double>()[0], 0.75);  // 1.5 / sqrt(4)
  EXPECT_EQ(graph.constants[1].data.as<double>()[0], 0.1);
  EXPECT_EQ(graph.constants[2].data.as<double>()[0], 1.5 / std::sqrt(3.0));
  EXPECT_EQ(graph.value(graph.find_value("0.weight.scaled")).dependence, Dependence::parameters);
  EXPECT_EQ(graph.parameter_type(), DType::float32);
}

/// The shape behind "--input-shape " in a comment, where the text leaves that of its input open.
std::optional<Shape> shape_in(const std::string& text) {
  const std::string option = "--input-shape ";
  const std::size_t at = text.find(option);
  if (at == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(at + option.size()));
  Shape shape;
  char comma = ',';
  for (Index length = 0; comma == ',' && rest >> length; rest.get(comma)) shape.append(length);
  return shape;
}

TEST(Chain, ReadsTheExamplesOfItsPage) {
  std::ifstream page(std::filesystem::path(TANGRA_PROJECT) / "docs/chain.md");
  ASSERT_TRUE(page.is_open());
  std::string example;
  int examples = 0;
  for (std::string line; std::getline(page, line);) {
    if (line == "```julia") {
      example = "# docs/chain.md\n";
    } else if (line == "```" && !example.empty()) {
      ++examples;
      const Graph graph = load_chain(example, {.shape = shape_in(example)});
      // Where the comments name parameters, those are the network's.
      for (const Parameter& parameter : graph.parameters) {
        if (example.find(".weight") == std::string::npos) continue;
        EXPECT_NE(example.find(parameter.name), std::string::npos) << parameter.name;
      }
      example.clear();
    } else if (!example.empty()) {
      example += line + "\n";
    }
  }
  EXPECT_EQ(examples, 4);
}

TEST(Parameterization, ReadsItsTexts) {
  using Kind = Parameterization::Kind;
  EXPECT_EQ(parse_parameterization("standard"), Parameterization{});
  EXPECT_EQ(parse_parameterization("ntk"), (Parameterization{.kind = Kind::ntk}));
  EXPECT_EQ(parse_parameterization("ntk()"), (Parameterization{.kind = Kind::ntk}));
  EXPECT_EQ(parse_parameterization(" ntk(1.5, 0.1)"), (Parameterization{Kind::ntk, 1.5, 0.1}));
  EXPECT_EQ(parse_parameterization("ntk(2)"), (Parameterization{Kind::ntk, 2, 1}));
  EXPECT_EQ(parse_parameterization("ntk(sigma_b = 0, sigma_w = 2f0)"), (Parameterization{Kind::ntk, 2, 0}));
}

TEST(Parameterization, RefusesOtherTextsAsWrongOptions) {
  for (const char* text :
       {"", "ntc", "standard(1)", "ntk(0)", "ntk(-1)", "ntk(1, -1)", "ntk(1, 2, 3)", "ntk(sigma = 1)",
        "ntk(1, sigma_w = 2)", "ntk(x)", "ntk(1", "ntk => 1", "1e200 * 1e200"}) {
    const Error error = test::error_of([&] { parse_parameterization(text); });
    EXPECT_EQ(error.kind(), ErrorKind::usage) << text;
    EXPECT_EQ(error.complaint().where.find("--parameterization"), 0U) << text;
  }
  EXPECT_EQ(test::error_of([] { parse_parameterization("ntk(1e200 * 1e200)"); }).kind(), ErrorKind::usage);
}

}  // namespace
}  // namespace tangra::load
