// Where the samples are, and what is refused because it mixes them.
#include <gtest/gtest.h>

#include <cmath>

#include "file.h"
#include "run.h"
#include "support/support.h"

namespace tangra::test::onnx {
namespace {

std::string message(const File& file, const load::OnnxOptions& options = {}) {
  return error_of([&] { loaded(file.bytes(), options); }).what();
}

/// The message names the node and says that samples are mixed.
void expect_mixing(const File& file, const std::string& node) {
  const std::string text = message(file);
  EXPECT_NE(text.find("mixes samples"), std::string::npos) << text;
  EXPECT_NE(text.find(node), std::string::npos) << text;
}

Shape shape_of_output(const File& file) {
  const Graph graph = loaded(file.bytes());
  return graph.shape(graph.outputs[0]);
}

File with_input(Index opset = 17) {
  return File(opset).input("x", {"N", 3, 4});
}

TEST(OnnxBatch, IsTakenAwayFromInputsAndOutputs) {
  const Graph graph = loaded(with_input().node("Relu", {"x"}, {"y"}).output("y").bytes());
  EXPECT_EQ(graph.shape(graph.inputs[0]), (Shape{3, 4}));
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{3, 4}));
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
}

TEST(OnnxBatch, MayBeFixedOpenOrNotBeThere) {
  for (const Axis& axis : {Axis(1), Axis("batch_size"), Axis(5), Axis("unk__22")}) {
    const Graph graph = loaded(File().input("x", {axis, 3}).node("Relu", {"x"}, {"y"}).output("y").bytes());
    EXPECT_EQ(graph.shape(graph.inputs[0]), (Shape{3}));
  }
  const File whole = File().input("x", {2, 3}).node("ReduceSum", {"x"}, {"y"}).output("y");
  expect_mixing(whole, "N_y");
  const Graph graph = loaded(whole.bytes(), {.whole_inputs = true});
  EXPECT_EQ(graph.shape(graph.inputs[0]), (Shape{2, 3}));
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{1, 1}));
}

TEST(OnnxBatch, MayBeTheSecondAxis) {
  const File file = File()
                        .input("x", {5, "N", 3})
                        .initializer(weights("w", {3, 2}))
                        .node("MatMul", {"x", "w"}, {"y"})
                        .output("y");
  const Graph graph = loaded(file.bytes());
  EXPECT_EQ(graph.shape(graph.inputs[0]), (Shape{5, 3}));
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{5, 2}));
}

TEST(OnnxBatch, IsFollowedThroughHeadsAndRows) {
  // (N, 6, 4) -> (N, 6, 2, 2) -> (N, 2, 6, 2) -> (N * 2, 6, 2) -> softmax -> back -> rows (N * 6, 4) -> (N,
  // 6, 4)
  File file = File().input("x", {"N", 6, 4}).initializer(integers("split", {4}, {0, 6, 2, 2}));
  file.initializer(integers("heads", {3}, {-1, 6, 2})).initializer(integers("apart", {4}, {-1, 2, 6, 2}));
  file.initializer(integers("rows", {2}, {-1, 4}))
      .initializer(integers("whole", {3}, {-1, 6, 4}))
      .initializer(weights("w", {4, 4}));
  file.node("Reshape", {"x", "split"}, {"a"})
      .node("Transpose", {"a"}, {"b"}, {attribute("perm", std::vector<Index>{0, 2, 1, 3})});
  file.node("Reshape", {"b", "heads"}, {"c"}).node("Softmax", {"c"}, {"d"}, {attribute("axis", Index{-1})});
  file.node("Reshape", {"d", "apart"}, {"e"})
      .node("Transpose", {"e"}, {"f"}, {attribute("perm", std::vector<Index>{0, 2, 1, 3})});
  file.node("Reshape", {"f", "rows"}, {"g"})
      .node("MatMul", {"g", "w"}, {"h"})
      .node("Reshape", {"h", "whole"}, {"y"})
      .output("y");
  const Graph graph = loaded(file.bytes());
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{6, 4}));
  // Along the heads' axis, in which the samples are, nothing may be normalised.
  File bad = File().input("x", {"N", 6, 4}).initializer(integers("heads", {3}, {-1, 3, 4}));
  bad.node("Reshape", {"x", "heads"}, {"c"})
      .node("Softmax", {"c"}, {"y"}, {attribute("axis", Index{0})})
      .output("y");
  expect_mixing(bad, "N_y");
}

/// (T, 1, C) -> (T, heads, C / heads), in a file for one sample, then products of what lies along `order`.
File heads_of_one(const std::vector<Index>& order, const std::vector<Index>& transposed) {
  File file = File().input("x", {1, 4, 6}).initializer(integers("heads", {3}, {4, 2, 3}));
  file.node("Transpose", {"x"}, {"t"}, {attribute("perm", std::vector<Index>{1, 0, 2})})
      .node("Reshape", {"t", "heads"}, {"h"})
      .node("Transpose", {"h"}, {"q"}, {attribute("perm", order)})
      .node("Transpose", {"h"}, {"k"}, {attribute("perm", transposed)});
  return file.node("MatMul", {"q", "k"}, {"y"}).output("y");
}

TEST(OnnxBatch, WhatFollowsShowsWhereItIs) {
  // heads or (T * N) in front: (4, 2, 3) may be (T, N * heads, 3) or (T * N, heads, 3).
  for (const bool by_heads : {true, false}) {
    const File file = by_heads ? heads_of_one({1, 0, 2}, {1, 2, 0}) : heads_of_one({0, 1, 2}, {0, 2, 1});
    const Graph graph = loaded(file.bytes());
    EXPECT_EQ(graph.shape(graph.outputs[0]), (by_heads ? Shape{2, 4, 4} : Shape{4, 2, 2}));
  }
  // With one matrix in common neither reading keeps the samples apart.
  File both = heads_of_one({1, 0, 2}, {1, 2, 0});
  both.node("Transpose", {"h"}, {"a"}, {attribute("perm", std::vector<Index>{0, 2, 1})})
      .node("MatMul", {"h", "a"}, {"b"})
      .output("b");
  expect_mixing(both, "N_");
}

TEST(OnnxBatch, AFileForSeveralSamplesSaysSoWhereItCannotBeRead) {
  const auto flat = [](Index rows) {
    File file = File().input("x", {5, 3, 4}).initializer(integers("i", {2}, {rows, 12}));
    return file.node("Reshape", {"x", "i"}, {"y"}).output("y");
  };
  EXPECT_EQ(shape_of_output(flat(-1)), (Shape{12}));
  EXPECT_NE(message(flat(5)).find("made for 5 samples"), std::string::npos) << message(flat(5));
}

TEST(OnnxBatch, AFileForOneSampleMayDropItsAxis) {
  const auto squeezed = [](const Axis& batch, bool by_axis) {
    File file = File()
                    .input("x", {batch, 3, 4})
                    .initializer(weights("w", {4, 2}))
                    .initializer(integers("a", {1}, {0}));
    file.node("Squeeze", by_axis ? std::vector<std::string>{"x", "a"} : std::vector<std::string>{"x"}, {"s"});
    return file.node("MatMul", {"s", "w"}, {"m"})
        .node("Softmax", {"m"}, {"y"}, {attribute("axis", Index{0})})
        .output("y");
  };
  const auto first = [](const Axis& batch, Index index) {
    File file = File().input("x", {batch, 3, 4}).initializer(integers("i", {}, {index}));
    return file.node("Gather", {"x", "i"}, {"s"}).node("ReduceSum", {"s"}, {"y"}).output("y");
  };
  for (const bool by_axis : {true, false})
    EXPECT_EQ(shape_of_output(squeezed(1, by_axis)), (Shape{3, 2})) << by_axis;
  expect_mixing(squeezed("N", true), "N_s");
  expect_mixing(squeezed("N", false), "N_y");  // the axis stays, so 0 is another one
  EXPECT_EQ(shape_of_output(first(1, 0)), (Shape{1, 1}));
  expect_mixing(first("N", 0), "N_s");
  expect_mixing(first(1, 2), "N_s");
}

TEST(OnnxBatch, RefusesWhatMixesSamples) {
  const auto axis = [](Index value) { return attribute("axis", value); };
  const auto axes = [](std::vector<Index> value) { return attribute("axes", value); };
  expect_mixing(with_input(13).node("ReduceMean", {"x"}, {"y"}, {axes({0})}).output("y"), "N_y");
  expect_mixing(with_input(13).node("ReduceMax", {"x"}, {"y"}).output("y"), "N_y");
  expect_mixing(with_input().node("Softmax", {"x"}, {"y"}, {axis(0)}).output("y"), "N_y");
  expect_mixing(with_input(9).node("Softmax", {"x"}, {"y"}, {axis(0)}).output("y"), "N_y");
  expect_mixing(with_input().node("Concat", {"x", "x"}, {"y"}, {axis(0)}).output("y"), "N_y");
  expect_mixing(with_input().node("Split", {"x"}, {"y"}, {axis(0)}).output("y"), "N_y");
  expect_mixing(with_input(9)
                    .node("Slice", {"x"}, {"y"},
                          {axes({0}), attribute("starts", std::vector<Index>{0}),
                           attribute("ends", std::vector<Index>{-1})})
                    .output("y"),
                "N_y");
  expect_mixing(
      with_input().initializer(integers("i", {}, {0})).node("Gather", {"x", "i"}, {"y"}).output("y"), "N_y");
  expect_mixing(with_input()
                    .initializer(integers("p", {6}, {1, 0, 0, 0, 0, 0}))
                    .node("Pad", {"x", "p"}, {"y"})
                    .output("y"),
                "N_y");
  expect_mixing(
      with_input().initializer(integers("r", {3}, {2, 1, 1})).node("Tile", {"x", "r"}, {"y"}).output("y"),
      "N_y");
  expect_mixing(with_input()
                    .node("Flatten", {"x"}, {"f"}, {axis(0)})
                    .initializer(weights("w", {12, 2}))
                    .node("MatMul", {"f", "w"}, {"y"})
                    .output("y"),
                "N_y");
}

TEST(OnnxBatch, RefusesProductsThatMix) {
  File pairs = File().input("x", {"N", 3}).node("Transpose", {"x"}, {"t"});
  expect_mixing(pairs.node("MatMul", {"x", "t"}, {"y"}).output("y"), "N_y");
  File gram = File().input("x", {"N", 3}).node("Transpose", {"x"}, {"t"});
  expect_mixing(gram.node("MatMul", {"t", "x"}, {"y"}).output("y"), "N_y");
  File sum = File().input("x", {"N", 3}).node("Transpose", {"x"}, {"t"});
  expect_mixing(sum.node("Add", {"x", "t"}, {"y"}).output("y"), "N_y");
  File gemm = File().input("x", {"N", 3}).initializer(weights("w", {1, 3}));
  expect_mixing(gemm.node("Gemm", {"x", "w"}, {"y"}, {attribute("transA", Index{1})}).output("y"), "N_y");
  File outer = File().input("x", {"N", 3}).initializer(integers("a", {1}, {1}));
  outer.node("Unsqueeze", {"x", "a"}, {"u"}).node("Sub", {"u", "x"}, {"y"});
  expect_mixing(outer.output("y"), "N_y");
}

TEST(OnnxBatch, EinsumOfThreeKeepsTheSamplesApart) {
  const auto einsum = [](const char* equation) {
    File file = File().input("x", {"N", 3}).initializer(weights("w", {3, 2}));
    return file.node("Einsum", {"x", "w", "x"}, {"y"}, {attribute("equation", equation)}).output("y");
  };
  const Graph graph = loaded(einsum("ni,ij,nk->njk").bytes());
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{2, 3}));
  expect_mixing(einsum("ni,ij,mk->nj"), "N_y");
  expect_mixing(einsum("ni,ij,nk->ijk"), "N_y");
}

TEST(OnnxBatch, RefusesTrainingAndFoldedChannels) {
  File norm = File(15).input("x", {"N", 3, 4});
  for (const char* name : {"s", "b", "m", "v"}) norm.initializer(weights(name, {3}));
  expect_mixing(norm.node("BatchNormalization", {"x", "s", "b", "m", "v"}, {"y"},
                          {attribute("training_mode", Index{1})})
                    .output("y"),
                "N_y");
  // Before version 14 several outputs are what says that it trains, whether they are used or not.
  File old = File(13).input("x", {"N", 3, 4});
  for (const char* name : {"s", "b", "m", "v"}) old.initializer(weights(name, {3}));
  expect_mixing(
      old.node("BatchNormalization", {"x", "s", "b", "m", "v"}, {"y", "m2", "v2", "m3", "v3"}).output("y"),
      "N_y");
  // [1, -1, ..] is one image with the channels of all samples; in a file for one sample it is that sample's.
  const auto folded = [](const Axis& batch) {
    File file = File().input("x", {batch, 3, 4, 4}).initializer(integers("i", {4}, {1, -1, 4, 4}));
    return file.node("Reshape", {"x", "i"}, {"c"});
  };
  const auto convolved = [&](const Axis& batch) {
    return folded(batch).initializer(weights("w", {2, 3, 1, 1})).node("Conv", {"c", "w"}, {"y"}).output("y");
  };
  const auto averaged = [&](const Axis& batch) {
    return folded(batch)
        .node("ReduceMean", {"c"}, {"y"}, {attribute("axes", std::vector<Index>{1})})
        .output("y");
  };
  for (const Axis& open : {Axis("N"), Axis("")}) {
    expect_mixing(convolved(open), "N_y");
    expect_mixing(averaged(open), "N_y");
  }
  EXPECT_NO_THROW(loaded(convolved(1).bytes()));
  EXPECT_NO_THROW(loaded(averaged(1).bytes()));
  File channels = File().input("x", {"N", 3, 4, 4}).initializer(integers("t", {2}, {3, 16}));
  channels.node("Transpose", {"x"}, {"t1"}, {attribute("perm", std::vector<Index>{1, 0, 2, 3})})
      .initializer(weights("w", {2, 1, 1, 1}));
  expect_mixing(channels.node("Conv", {"t1", "w"}, {"y"}).output("y"), "N_y");
}

TEST(OnnxBatch, TheNumberOfSamplesIsNoValue) {
  File file = File().input("x", {"N", 3}).node("Shape", {"x"}, {"s"}).initializer(integers("zero", {}, {0}));
  file.node("Gather", {"s", "zero"}, {"n"}).node("Cast", {"n"}, {"f"}, {attribute("to", Index{1})});
  expect_mixing(file.node("Div", {"x", "f"}, {"y"}).output("y"), "N_y");
}

TEST(OnnxBatch, TheNumberOfSamplesMayBeALength) {
  // A class token for each sample: zeros (N, 1, 4) plus a parameter (1, 1, 4), joined with (N, 3, 4).
  File file = with_input()
                  .node("Shape", {"x"}, {"s"})
                  .initializer(integers("zero", {1}, {0}))
                  .initializer(integers("rest", {2}, {1, 4}));
  file.node("Gather", {"s", "zero"}, {"n"})
      .node("Concat", {"n", "rest"}, {"t"}, {attribute("axis", Index{0})});
  file.node("ConstantOfShape", {"t"}, {"z"})
      .initializer(weights("token", {1, 1, 4}))
      .node("Add", {"z", "token"}, {"c"});
  file.node("Expand", {"token", "t"}, {"e"});
  file.node("Concat", {"c", "x", "e"}, {"y"}, {attribute("axis", Index{1})}).output("y");
  const Graph graph = loaded(file.bytes());
  EXPECT_EQ(graph.nodes.size(), 2U);  // the token as a row, and the joint: zeros that are added are gone
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{5, 4}));
}

TEST(OnnxBatch, MasksOfMinusInfinityRun) {
  File file = File()
                  .input("x", {"N", 3, 3})
                  .initializer(reals("low", {}, {-HUGE_VALF}))
                  .initializer(reals("val_3", {}, {0}));
  file.initializer(integers("a", {}, {0}))
      .initializer(integers("b", {}, {3}))
      .initializer(integers("d", {}, {1}));
  file.initializer(integers("ax", {1}, {1}))
      .node("Range", {"a", "b", "d"}, {"r"})
      .node("Unsqueeze", {"r", "ax"}, {"c"});
  file.node("Less", {"c", "r"}, {"later"})
      .node("Where", {"later", "low", "val_3"}, {"m"})
      .node("Add", {"x", "m"}, {"h"});
  file.node("Softmax", {"h"}, {"y"}).output("y");
  const auto graph = std::make_shared<const Graph>(loaded(file.bytes()));
  EXPECT_EQ(graph->parameter_count(), 0);
  std::vector<Tensor<double>> samples;
  samples.emplace_back(Shape{1, 3, 3});
  const auto result = run<double>(graph, std::move(samples));
  const std::vector<double> causal{1, 0, 0, 0.5, 0.5, 0, 1 / 3., 1 / 3., 1 / 3.};
  for (Index k = 0; k < 9; ++k) EXPECT_DOUBLE_EQ(result[0][k], causal[static_cast<std::size_t>(k)]);
}

TEST(OnnxBatch, OneSampleIsThatOfTheFile) {
  // Fixed to one sample, with the number written into the graph.
  File file = File()
                  .input("x", {1, 2, 3})
                  .initializer(integers("flat", {2}, {1, 6}))
                  .initializer(weights("w", {6, 2}));
  file.node("Reshape", {"x", "flat"}, {"f"}).node("MatMul", {"f", "w"}, {"y"}).output("y");
  const auto graph = std::make_shared<const Graph>(loaded(file.bytes()));
  std::vector<Tensor<double>> samples;
  Tensor<double> x({7, 2, 3});
  for (Index k = 0; k < x.size(); ++k) x[k] = 0.25 * static_cast<double>(k % 11);
  samples.push_back(x.clone());
  const auto together = run<double>(graph, std::move(samples));
  for (Index n = 0; n < 7; ++n) {
    std::vector<Tensor<double>> alone;
    alone.emplace_back(Shape{1, 2, 3});
    std::copy_n(x.data() + n * 6, 6, alone[0].data());
    const auto one = run<double>(graph, std::move(alone));
    for (Index k = 0; k < 2; ++k) EXPECT_EQ(one[0][k], together[0][n * 2 + k]);
  }
}

}  // namespace
}  // namespace tangra::test::onnx
