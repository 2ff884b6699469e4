// Each layer of images, sequences and tokens as a part of the graph: operators, names, shapes, parameters.
#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/load/chain/chain.h"

namespace tangra::load {
namespace {

using Lines = std::vector<std::string>;
using Integers = std::vector<Index>;

/// The nodes as lines "Op result : inputs -> shape".
Lines lines(const Graph& graph) {
  Lines result;
  for (const Node& node : graph.nodes) {
    std::string line = node.op + " " + graph.value(node.outputs[0]).name + " :";
    for (const ValueId input : node.inputs) line += " " + graph.value(input).name;
    result.push_back(line + " -> " + to_string(graph.shape(node.outputs[0])));
  }
  return result;
}

/// The parameters as lines "name shape", with a minus sign behind those that are not learned.
Lines parameters(const Graph& graph) {
  Lines result;
  for (const Parameter& own : graph.parameters) {
    result.push_back(own.name + " " + to_string(own.data.shape()) + (own.trainable ? "" : " -"));
  }
  return result;
}

/// The shape of the result for an input of shape `input`.
Shape result(const std::string& layer, const Shape& input) {
  const Graph graph = load_chain("Chain(" + layer + ")", {.shape = input});
  return graph.shape(graph.outputs[0]);
}

TEST(ChainLayers, ConvolutionsHaveTheirNamesAndShapes) {
  const Graph graph =
      load_chain("Chain(Conv((3, 2), 4 => 6, relu; groups = 2), Conv((1, 1), 6 => 5; bias = false))",
                 {.shape = Shape{4, 9, 8}});
  EXPECT_EQ(parameters(graph), (Lines{"0.weight (6, 2, 2, 3)", "0.bias (6,)", "1.weight (5, 6, 1, 1)"}));
  EXPECT_EQ(lines(graph), (Lines{"Conv 0.linear : input 0.weight 0.bias -> (6, 8, 6)",
                                 "Relu 0 : 0.linear -> (6, 8, 6)", "Conv 1 : 0 1.weight -> (5, 8, 6)"}));
  EXPECT_EQ(graph.parameters[0].why, "weight of a Conv layer");
  EXPECT_EQ(graph.parameters[1].role, ParameterRole::bias);
  EXPECT_EQ(graph.parameters[1].layer, "0");
}

TEST(ChainLayers, TupleSizesAreFluxsWidthFirst) {
  // Width 10, height 20: Flux's (w, h) kernel, stride, dilation and padding.
  EXPECT_EQ(result("Conv((3, 1), 1 => 2)", {1, 20, 10}), (Shape{2, 20, 8}));
  EXPECT_EQ(result("Conv((1, 1), 1 => 2; stride = (1, 2))", {1, 20, 10}), (Shape{2, 10, 10}));
  EXPECT_EQ(result("Conv((3, 3), 1 => 2; dilation = (1, 3))", {1, 20, 10}), (Shape{2, 14, 8}));
  EXPECT_EQ(result("Conv((1, 1), 1 => 2; pad = (3, 0))", {1, 20, 10}), (Shape{2, 20, 16}));
  EXPECT_EQ(result("MaxPool((2, 5))", {3, 20, 10}), (Shape{3, 4, 5}));
  EXPECT_EQ(result("AdaptiveMeanPool((5, 4))", {3, 20, 10}), (Shape{3, 4, 5}));
  // Flux's own example: pad = (20, 10, 0, 0) makes (100, 100, 3) pixels (130, 100, 7).
  EXPECT_EQ(result("Conv((1, 1), 3 => 7; pad = (20, 10, 0, 0))", {3, 100, 100}), (Shape{7, 100, 130}));
  const Graph graph = load_chain("Conv((2, 3), 1 => 1; pad = (1, 2, 3, 4))", {.shape = Shape{1, 5, 5}});
  EXPECT_EQ(graph.nodes[0].attributes.integers("pads", {}), (Integers{3, 1, 4, 2}));
  EXPECT_EQ(load_chain("Conv((2, 3, 4), 1 => 1; pad = (1, 2, 3, 4, 5, 6))", {.shape = Shape{1, 5, 5, 5}})
                .nodes[0]
                .attributes.integers("pads", {}),
            (Integers{5, 3, 1, 6, 4, 2}));
}

TEST(ChainLayers, ResultsHaveFluxsLengths) {
  // From the examples of Flux's documentation, with axes in reverse order.
  const Shape rgb{3, 100, 100};
  EXPECT_EQ(result("Conv((5, 5), 3 => 7, relu; bias = false)", rgb), (Shape{7, 96, 96}));
  EXPECT_EQ(result("Conv((5,5), 3 => 7; stride = 2)", rgb), (Shape{7, 48, 48}));
  EXPECT_EQ(result("Conv((5,5), 3 => 7; stride = 2, pad = SamePad())", rgb), (Shape{7, 50, 50}));
  EXPECT_EQ(result("Conv((5,5), 3 => 7; stride = 2, dilation = 4)", rgb), (Shape{7, 42, 42}));
  EXPECT_EQ(result("Conv((2,2), 3 => 7, pad=Flux.SamePad())", rgb), (Shape{7, 100, 100}));
  EXPECT_EQ(result("ConvTranspose((5,5), 3 => 7, relu)", rgb), (Shape{7, 104, 104}));
  EXPECT_EQ(result("ConvTranspose((5,5), 3 => 7, stride=2)", rgb), (Shape{7, 203, 203}));
  EXPECT_EQ(result("ConvTranspose((5,5), 3 => 7, stride=2, outpad=1)", rgb), (Shape{7, 204, 204}));
  EXPECT_EQ(result("ConvTranspose((5,5), 3 => 7, stride=3, pad=SamePad())", rgb), (Shape{7, 300, 300}));
  EXPECT_EQ(result("DepthwiseConv((5,5), 3 => 6, relu; bias=false)", rgb), (Shape{6, 96, 96}));
  EXPECT_EQ(result("DepthwiseConv((5, 5), 3 => 9, stride=2, pad=2)", rgb), (Shape{9, 50, 50}));
  EXPECT_EQ(result("CrossCor((5,5), 3 => 7, stride=3, pad=(2,0))", rgb), (Shape{7, 32, 34}));
  EXPECT_EQ(result("Conv((5, 5), 3 => 7, pad=SamePad()), MaxPool((5, 5), pad=SamePad())", rgb),
            (Shape{7, 20, 20}));
  EXPECT_EQ(result("Conv((5,5), 3 => 7), MeanPool((5,5), pad=SamePad())", rgb), (Shape{7, 20, 20}));
  EXPECT_EQ(result("MaxPool((5,), pad=2, stride=(3,))", {7, 100}), (Shape{7, 34}));
  EXPECT_EQ(result("AdaptiveMaxPool((25, 25))", rgb), (Shape{3, 25, 25}));
  EXPECT_EQ(result("Conv((3,3), 3 => 7), GlobalMeanPool()", rgb), (Shape{7, 1, 1}));
  EXPECT_EQ(result("GlobalMaxPool()", {5, 3}), (Shape{5, 1}));
  EXPECT_EQ(result("Conv((3,), 4 => 5, σ)", {4, 100}), (Shape{5, 98}));
  EXPECT_EQ(result("Conv((3, 3, 3), 2 => 4)", {2, 5, 6, 7}), (Shape{4, 3, 4, 5}));
}

TEST(ChainLayers, SamePadPutsTheLargerHalfInFront) {
  const auto pads = [](const std::string& layer) {
    return load_chain(layer, {.shape = Shape{3, 20, 20}}).nodes[0].attributes.integers("pads", {});
  };
  EXPECT_EQ(pads("Conv((2, 2), 3 => 7, pad=SamePad())"), (Integers{1, 1, 0, 0}));  // Flux shows (1, 0, 1, 0)
  EXPECT_EQ(pads("Conv((4, 3), 3 => 7; dilation = (3, 1), pad=SamePad())"), (Integers{1, 5, 1, 4}));
  EXPECT_EQ(pads("ConvTranspose((5, 2), 3 => 7; stride = 2, pad=SamePad())"), (Integers{0, 2, 0, 1}));
}

TEST(ChainLayers, DepthwiseIsAConvolutionByGroups) {
  const Graph graph = load_chain("DepthwiseConv((3, 3), 4 => 8)", {.shape = Shape{4, 5, 5}});
  EXPECT_EQ(parameters(graph), (Lines{"0.weight (8, 1, 3, 3)", "0.bias (8,)"}));
  EXPECT_EQ(graph.nodes[0].attributes.integer("group", 1), 4);
  EXPECT_EQ(graph.parameters[0].why, "weight of a DepthwiseConv layer");
}

TEST(ChainLayers, TransposedConvolutionsStoreInBeforeOut) {
  const Graph graph = load_chain("ConvTranspose((3, 2), 4 => 6; groups = 2)", {.shape = Shape{4, 5, 5}});
  EXPECT_EQ(parameters(graph), (Lines{"0.weight (4, 3, 2, 3)", "0.bias (6,)"}));
  EXPECT_EQ(lines(graph), (Lines{"ConvTranspose 0 : input 0.weight 0.bias -> (6, 6, 7)"}));
}

TEST(ChainLayers, PoolsMoveByTheirWindowAndMeansCountThePadding) {
  const Graph graph = load_chain("Chain(MeanPool((3, 2); pad = (1, 0)), MaxPool((2, 2); stride = 1))",
                                 {.shape = Shape{2, 8, 7}});
  EXPECT_EQ(lines(graph), (Lines{"AveragePool 0 : input -> (2, 4, 3)", "MaxPool 1 : 0 -> (2, 3, 2)"}));
  EXPECT_EQ(graph.nodes[0].attributes.integers("strides", {}), (Integers{2, 3}));
  EXPECT_EQ(graph.nodes[0].attributes.integer("count_include_pad", 0), 1);
  EXPECT_FALSE(graph.nodes[1].attributes.has("count_include_pad"));
}

TEST(ChainLayers, NormalisationsHaveGainsAndShifts) {
  const Graph graph = load_chain(
      "Chain(BatchNorm(4, relu), GroupNorm(4, 2; eps = 0.01), InstanceNorm(4; affine = true), "
      "InstanceNorm(4), "
      "LayerNorm((3, 5)), LayerNorm(3, 5, tanh; affine = false), LayerNorm(3; ϵ = 1f-3))",
      {.shape = Shape{4, 5, 3}});
  EXPECT_EQ(parameters(graph),
            (Lines{"0.weight (4,)", "0.bias (4,)", "0.running_mean (4,) -", "0.running_var (4,) -",
                   "1.weight (4,)", "1.bias (4,)", "2.weight (4,)", "2.bias (4,)", "4.weight (5, 3)",
                   "4.bias (5, 3)", "6.weight (3,)", "6.bias (3,)"}));
  EXPECT_EQ(
      lines(graph),
      (Lines{
          "BatchNormalization 0.normalised : input 0.weight 0.bias 0.running_mean 0.running_var -> (4, 5, 3)",
          "Relu 0 : 0.normalised -> (4, 5, 3)", "GroupNormalization 1 : 0 1.weight 1.bias -> (4, 5, 3)",
          "InstanceNormalization 2 : 1 2.weight 2.bias -> (4, 5, 3)",
          "InstanceNormalization 3 : 2 3.gain 3.shift -> (4, 5, 3)",
          "LayerNormalization 4 : 3 4.weight 4.bias -> (4, 5, 3)",
          "LayerNormalization 5.normalised : 4 5.gain -> (4, 5, 3)", "Tanh 5 : 5.normalised -> (4, 5, 3)",
          "LayerNormalization 6 : 5 6.weight 6.bias -> (4, 5, 3)"}));
  EXPECT_EQ(graph.nodes[0].attributes.real("epsilon", 0), 1e-5);
  EXPECT_EQ(graph.nodes[2].attributes.real("epsilon", 0), 0.01);
  EXPECT_EQ(graph.nodes[2].attributes.integer("num_groups", 0), 2);
  EXPECT_EQ(graph.nodes[8].attributes.real("epsilon", 0), 1e-3);
  EXPECT_EQ(graph.nodes[5].attributes.integer("axis", 0), -2);
  EXPECT_EQ(graph.parameters[0].why, "gain of a BatchNorm layer");
  EXPECT_EQ(graph.parameters[3].why, "not learned: running variance");
  EXPECT_EQ(graph.parameters[6].why, "gain of an InstanceNorm layer");
  EXPECT_EQ(graph.parameter_count(), 4 * 6 + 15 * 2 + 3 * 2);
}

TEST(ChainLayers, BatchNormWithoutGainsStillHasItsStatistics) {
  const Graph graph = load_chain("Chain(Dense(3 => 2), BatchNorm(2; affine = false, momentum = 0.2f0))");
  EXPECT_EQ(parameters(graph),
            (Lines{"0.weight (2, 3)", "0.bias (2,)", "1.running_mean (2,) -", "1.running_var (2,) -"}));
}

TEST(ChainLayers, EmbeddingsAndScales) {
  const Graph graph =
      load_chain("Chain(Embedding(11 => 4), Scale(4, tanh), Scale(4, 3; bias = false))", {.shape = Shape{3}});
  EXPECT_EQ(parameters(graph),
            (Lines{"0.weight (11, 4)", "1.weight (4,)", "1.bias (4,)", "2.weight (3, 4)"}));
  EXPECT_EQ(lines(graph),
            (Lines{"GatherData 0 : 0.weight input -> (3, 4)", "Mul 1.scaled : 0 1.weight -> (3, 4)",
                   "Add 1.linear : 1.scaled 1.bias -> (3, 4)", "Tanh 1 : 1.linear -> (3, 4)",
                   "Mul 2 : 1 2.weight -> (3, 4)"}));
}

TEST(ChainLayers, DropoutIsNothingOutsideOfTraining) {
  const Graph graph = load_chain("Chain(Dropout(0.5; dims = 2), Dense(3 => 2), AlphaDropout(0.1f0))");
  EXPECT_EQ(lines(graph), (Lines{"Identity 0 : input -> (3,)", "Linear 1 : 0 1.weight 1.bias -> (2,)",
                                 "Identity 2 : 1 -> (2,)"}));
}

TEST(ChainLayers, ShapesChangeAsFluxSays) {
  for (const char* flat : {"flatten", "Flux.flatten", "MLUtils.flatten", "x -> Flux.flatten(x)"}) {
    EXPECT_EQ(result(flat, {2, 3, 4}), (Shape{24})) << flat;
  }
  EXPECT_EQ(result("x -> reshape(x, 4, 3, 2, :)", {24}), (Shape{2, 3, 4}));
  EXPECT_EQ(result("x -> permutedims(x, (2, 1, 3))", {5, 7}), (Shape{7, 5}));
  EXPECT_EQ(result("x -> permutedims(x, (2, 3, 1, 4))", {2, 3, 4}), (Shape{4, 2, 3}));
  EXPECT_EQ(result("x -> mean(x; dims = 2)", {5, 7}), (Shape{1, 7}));
  EXPECT_EQ(result("x -> Statistics.mean(x, dims = (1, 2))", {3, 5, 7}), (Shape{3, 1, 1}));
  EXPECT_EQ(result("x -> sum(x; dims = 3)", {3, 5, 7}), (Shape{1, 5, 7}));
  EXPECT_EQ(result("x -> maximum(x; dims = 1)", {3, 5, 7}), (Shape{3, 5, 1}));
}

TEST(ChainLayers, AttentionIsMadeOfItsProjections) {
  const Graph graph = load_chain(
      "Chain(MultiHeadAttention(6 => (4, 10) => 3; nheads = 2, bias = true), first)", {.shape = Shape{5, 6}});
  EXPECT_EQ(parameters(graph),
            (Lines{"0.q_proj.weight (4, 6)", "0.q_proj.bias (4,)", "0.k_proj.weight (4, 6)",
                   "0.k_proj.bias (4,)", "0.v_proj.weight (10, 6)", "0.v_proj.bias (10,)",
                   "0.out_proj.weight (3, 10)", "0.out_proj.bias (3,)"}));
  for (const Parameter& own : graph.parameters) EXPECT_EQ(own.layer, "0");
  EXPECT_EQ(graph.shape(graph.find_value("0.attention")), (Shape{2, 5, 5}));
  EXPECT_EQ(graph.shape(graph.find_value("0")), (Shape{5, 3}));
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "1");
}

TEST(ChainLayers, AttentionTakesFluxsWaysToWriteItsWidths) {
  const auto shapes = [](const std::string& dims) {
    Lines result;
    const Graph graph = load_chain("MultiHeadAttention(" + dims + ")", {.shape = Shape{3, 8}});
    for (const Parameter& own : graph.parameters) result.push_back(to_string(own.data.shape()));
    return result;
  };
  EXPECT_EQ(shapes("8"), (Lines{"(8, 8)", "(8, 8)", "(8, 8)", "(8, 8)"}));  // 8 heads, no bias
  EXPECT_EQ(shapes("8 => 16 => 2, nheads = 4"), (Lines{"(16, 8)", "(16, 8)", "(16, 8)", "(2, 16)"}));
  EXPECT_EQ(shapes("8 => (6, 3) => 8; nheads = 3, dropout_prob = 0.1"),
            (Lines{"(6, 8)", "(6, 8)", "(3, 8)", "(8, 3)"}));
  EXPECT_EQ(shapes("(8, 8, 8) => (4, 4) => 2; nheads = 1"), (Lines{"(4, 8)", "(4, 8)", "(4, 8)", "(2, 4)"}));
}

TEST(ChainLayers, BilinearTakesOneInputTwiceOrJoinsTwo) {
  EXPECT_EQ(parameters(load_chain("Bilinear(3 => 2)")), (Lines{"0.weight (2, 3, 3)", "0.bias (2,)"}));
  EXPECT_EQ(parameters(load_chain("Bilinear((3, 3) => 2, tanh; bias = false)")),
            (Lines{"0.weight (2, 3, 3)"}));
  // Flux's own example.
  const Graph skip = load_chain("SkipConnection(Dense(5 => 20, tanh), Flux.Bilinear((20, 5) => 3))");
  EXPECT_EQ(parameters(skip), (Lines{"0.0.weight (20, 5)", "0.0.bias (20,)", "0.connection.weight (3, 20, 5)",
                                     "0.connection.bias (3,)"}));
  EXPECT_EQ(skip.find_value("0"), skip.outputs[0]);
  const Graph both = load_chain("Parallel(Bilinear((4, 2) => 3), Dense(5 => 4), Dense(5 => 2))");
  EXPECT_EQ(both.shape(both.outputs[0]), (Shape{3}));
}

TEST(ChainLayers, BranchesAreJoinedAlongEveryAxis) {
  const Shape image{2, 3, 4};
  EXPECT_EQ(result("SkipConnection(Conv((1, 1), 2 => 5), (mx, x) -> cat(mx, x, dims = 3))", image),
            (Shape{7, 3, 4}));
  EXPECT_EQ(result("SkipConnection(Conv((1, 1), 2 => 5), cat)", image), (Shape{7, 3, 4}));
  EXPECT_EQ(result("Parallel((xs...) -> cat(xs...; dims = 3), relu, tanh, elu)", image), (Shape{6, 3, 4}));
  EXPECT_EQ(result("Parallel(hcat, relu, tanh)", image), (Shape{2, 6, 4}));
  EXPECT_EQ(result("Parallel(vcat, relu, tanh)", image), (Shape{2, 3, 8}));
}

TEST(ChainLayers, DottedOperatorsRepeatLengthsOfOne) {
  const std::string gate = "SkipConnection(Chain(GlobalMeanPool(), sigmoid), ";
  EXPECT_EQ(result(gate + ".*)", {2, 3, 4}), (Shape{2, 3, 4}));
  EXPECT_EQ(result(gate + ".+)", {2, 3, 4}), (Shape{2, 3, 4}));
  EXPECT_EQ(test::error_of([&] { result(gate + "*)", {2, 3, 4}); }).kind(), ErrorKind::input);
}

TEST(ChainLayers, ANestedChainGivesItsNameToItsResult) {
  const Graph graph = load_chain("Chain(Chain(Dense(3 => 2), tanh), a = Chain(relu, Chain(softmax)))");
  EXPECT_EQ(graph.find_value("0"), graph.find_value("0.1"));
  EXPECT_EQ(graph.find_value("a"), graph.find_value("a.1.0"));
  EXPECT_EQ(graph.find_value("a.1"), graph.find_value("a.1.0"));
  EXPECT_EQ(graph.find_value("b"), no_id);
}

TEST(ChainLayers, TokensGoThroughDenseLayersOneByOne) {
  const Graph graph = load_chain("Chain(Dense(4 => 3, relu), Dense(3 => 2))", {.input = Shape{7, 4}});
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{7, 2}));
}

}  // namespace
}  // namespace tangra::load
