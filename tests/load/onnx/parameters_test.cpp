// What counts as a parameter, and what an operator's row makes of it.
#include "tangra/load/onnx/parameters.h"

#include <gtest/gtest.h>

#include <cmath>

#include "file.h"
#include "run.h"
#include "support/support.h"

namespace tangra::test::onnx {
namespace {

using load::onnx::is_running_name;
using load::onnx::layer_of;

const Parameter& parameter_of(const Graph& graph, const std::string& name) {
  const ParameterId id = graph.find_parameter(name);
  if (id == no_id) throw std::runtime_error("no parameter " + name);
  return graph.parameter(id);
}

/// PyTorch's exporter writes GroupNorm as an InstanceNormalization with neither scale nor shift of its own.
TEST(OnnxParameters, AreNotTheOnesAndZerosThatExportersFillIn) {
  File file = File().input("x", {"N", 2, 2});
  for (const char* name : {"val_8", "gain", "val_9"}) file.initializer(reals(name, {2}, {1, 1}));
  for (const char* name : {"val_11", "shift"}) file.initializer(reals(name, {2}, {0, 0}));
  file.initializer(reals("val_12", {2}, {1, 0}));
  file.node("InstanceNormalization", {"x", "val_8", "val_11"}, {"a"});
  file.node("InstanceNormalization", {"a", "gain", "shift"}, {"b"});
  file.node("InstanceNormalization", {"b", "val_9", "val_12"}, {"c"})
      .initializer(reals("val_13", {2, 1}, {1, 1}));
  const Graph graph =
      loaded(file.node("Mul", {"c", "val_13"}, {"d"}).node("Mul", {"d", "val_9"}, {"y"}).output("y").bytes());
  for (const char* name : {"val_8", "val_11"}) {
    EXPECT_FALSE(parameter_of(graph, name).trainable) << name;
    EXPECT_NE(parameter_of(graph, name).why.find("change nothing"), std::string::npos);
  }
  for (const char* name : {"gain", "shift", "val_9", "val_12", "val_13"})
    EXPECT_TRUE(parameter_of(graph, name).trainable) << name;
}

TEST(OnnxParameters, AreNamedByLayers) {
  EXPECT_EQ(layer_of("layer1.0.conv.weight"), "layer1.0.conv");
  EXPECT_EQ(layer_of("sequential/dense/MatMul/ReadVariableOp:0"), "sequential/dense");
  EXPECT_EQ(layer_of("fc1/W/read__10"), "fc1");
  EXPECT_EQ(layer_of("Parameter5"), "");
}

TEST(OnnxParameters, ExportersCountUpNames) {
  for (const char* name :
       {"val_7", "onnx::Mul_123", "42", "/a/Constant_1_output_0", "const_fold_opt__19", "Const__7:0"}) {
    EXPECT_TRUE(is_running_name(name)) << name;
  }
  for (const char* name :
       {"temperature", "logit_scale", "layer.0.alpha", "fc1.weight", "value", "Parameter5", "conv_2"}) {
    EXPECT_FALSE(is_running_name(name)) << name;
  }
}

TEST(OnnxParameters, AreInitialisersOfRealNumbers) {
  File file = File()
                  .input("x", {"N", 3})
                  .initializer(weights("fc.weight", {2, 3}))
                  .initializer(weights("fc.bias", {2}));
  file.initializer(reals("val_7", {}, {0.5F})).initializer(reals("temperature", {}, {0.5F}));
  file.initializer(reals("unused", {1}, {1}));
  file.node("Gemm", {"x", "fc.weight", "fc.bias"}, {"a"}, {attribute("transB", Index{1})});
  file.node("Constant", {}, {"c"}, {attribute("value", reals("", {2}, {1, 2}))});
  file.node("Mul", {"a", "val_7"}, {"b"})
      .node("Mul", {"b", "temperature"}, {"d"})
      .node("Add", {"d", "c"}, {"y"})
      .output("y");
  const Graph graph = loaded(file.bytes());
  EXPECT_EQ(graph.parameters.size(), 4U);
  EXPECT_EQ(graph.parameter_count(), 2 * 3 + 2 + 1);
  EXPECT_TRUE(parameter_of(graph, "temperature").trainable);
  EXPECT_FALSE(parameter_of(graph, "val_7").trainable);
  EXPECT_NE(parameter_of(graph, "val_7").why.find("counted up"), std::string::npos);

  Graph other = graph;
  select_parameters(other, "fc|val_7", "bias");
  EXPECT_EQ(other.parameter_count(), 2 * 3 + 1);
  EXPECT_TRUE(parameter_of(other, "val_7").trainable);
  EXPECT_EQ(parameter_of(other, "val_7").why, "learned: its name matches --params");
  EXPECT_FALSE(parameter_of(other, "temperature").trainable);
  EXPECT_EQ(other.value(parameter_of(other, "val_7").value).dependence, Dependence::parameters);
  EXPECT_EQ(parameter_of(graph, "fc.weight").layer, "fc");
  EXPECT_EQ(parameter_of(graph, "fc.bias").role, ParameterRole::bias);
  EXPECT_EQ(parameter_of(graph, "fc.weight").role, ParameterRole::weight);
  EXPECT_EQ(graph.node(0).op, "Linear");
  EXPECT_EQ(graph.node(0).attributes.integer("transposed", 7), 0);
}

TEST(OnnxParameters, AreNotRunningStatisticsNorMasks) {
  File file = File(15).input("x", {"N", 2, 3});
  for (const char* name : {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"})
    file.initializer(reals(name, {2}, {1, 2}));
  file.initializer(reals("mask", {3}, {0, -1e9F, -1e9F})).initializer(reals("low", {}, {-1}));
  file.node("BatchNormalization", {"x", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"}, {"a"});
  file.node("Add", {"a", "mask"}, {"b"}).node("Clip", {"b", "low"}, {"y"}).output("y");
  const Graph graph = loaded(file.bytes());
  EXPECT_EQ(graph.parameter_count(), 4);
  EXPECT_FALSE(parameter_of(graph, "bn.running_var").trainable);
  EXPECT_FALSE(parameter_of(graph, "mask").trainable);
  EXPECT_EQ(graph.find_parameter("low"), no_id);
}

TEST(OnnxParameters, MergedWithAStatisticStayParameters) {
  File file = File(15)
                  .input("x", {"N", 2, 3})
                  .initializer(reals("shared", {2}, {1, 2}))
                  .initializer(reals("var", {2}, {1, 2}));
  file.node("BatchNormalization", {"x", "shared", "shared", "shared", "var"}, {"y"}).output("y");
  const Graph graph = loaded(file.bytes());
  EXPECT_TRUE(parameter_of(graph, "shared").trainable);
  EXPECT_NE(parameter_of(graph, "shared").why.find("held fixed"), std::string::npos);
  const Node& norm = graph.nodes.back();
  EXPECT_EQ(norm.inputs[1], norm.inputs[2]);
  EXPECT_NE(norm.inputs[1], norm.inputs[3]);
}

TEST(OnnxParameters, NeverFold) {
  File file = File().input("x", {"N", 3}).initializer(weights("v", {3, 2})).initializer(weights("g", {}));
  file.node("Mul", {"v", "g"}, {"w"}).node("Transpose", {"w"}, {"t"}).node("Transpose", {"t"}, {"u"});
  file.node("MatMul", {"x", "u"}, {"y"}).output("y");
  const Graph graph = loaded(file.bytes());
  EXPECT_EQ(graph.parameter_count(), 7);
  EXPECT_EQ(graph.nodes.size(), 4U);
}

/// An embedding of tokens, x + h, and a product with `other`: the table's own transpose or something like it.
File tied(const std::vector<Message>& arrays, const std::string& table, const std::string& other) {
  File file = File().input("x", {"N", 2}, int64);
  for (const Message& each : arrays) file.initializer(each);
  file.node("Gather", {table, "x"}, {"a"}).node("Tanh", {"a"}, {"h"}).node("MatMul", {"h", other}, {"y"});
  return file.output("y");
}

/// The transpose of weights(.., {rows, columns}), with `added` on its last entry.
Message transposed_weights(const std::string& name, Index rows, Index columns, float added = 0) {
  std::vector<float> entries;
  for (Index c = 0; c < columns; ++c) {
    for (Index r = 0; r < rows; ++r)
      entries.push_back(0.1F * static_cast<float>((r * columns + c) % 7) - 0.25F);
  }
  entries.back() += added;
  return reals(name, {columns, rows}, entries);
}

TEST(OnnxParameters, ThatTheExporterTransposedAreStillOne) {
  const File file =
      tied({transposed_weights("val_2", 5, 3), weights("e.weight", {5, 3})}, "e.weight", "val_2");
  const auto graph = std::make_shared<const Graph>(loaded(file.bytes()));
  ASSERT_EQ(graph->parameters.size(), 1U);
  EXPECT_EQ(graph->parameter_count(), 15);
  EXPECT_NE(parameter_of(*graph, "e.weight").why.find("also val_2, its transpose"), std::string::npos);
  // The same function as with two.
  const File two = tied({transposed_weights("head", 5, 3), weights("e.weight", {5, 3})}, "e.weight", "head");
  const auto apart = std::make_shared<const Graph>(loaded(two.bytes()));
  EXPECT_EQ(apart->parameter_count(), 30);  // both have a name of their own
  const auto tokens = [] {
    std::vector<Tensor<double>> samples;
    samples.push_back(Tensor<double>({2, 2}));
    std::ranges::copy(std::vector<double>{0, 4, 3, 1}, samples[0].begin());
    return samples;
  };
  const auto one = run<double>(graph, tokens()), other = run<double>(apart, tokens());
  for (Index k = 0; k < one[0].size(); ++k) EXPECT_EQ(one[0][k], other[0][k]);
}

TEST(OnnxParameters, ThatTheExporterCopiedAreStillOne) {
  const Graph graph = loaded(
      tied({weights("e.weight", {3, 3}), weights("onnx::MatMul_12", {3, 3})}, "e.weight", "onnx::MatMul_12")
          .bytes());
  EXPECT_EQ(graph.parameter_count(), 9);
  EXPECT_NE(parameter_of(graph, "e.weight").why.find("also onnx::MatMul_12, its copy"), std::string::npos);
}

TEST(OnnxParameters, AreNotTiedByChance) {
  const auto count = [](const std::vector<Message>& arrays, const std::string& table,
                        const std::string& other) {
    return loaded(tied(arrays, table, other).bytes()).parameter_count();
  };
  const std::vector<float> ones(6, 1);
  EXPECT_EQ(count({reals("e", {2, 3}, ones), reals("val_2", {3, 2}, ones)}, "e", "val_2"), 12);
  EXPECT_EQ(count({weights("e", {5, 3}), transposed_weights("val_2", 5, 3, 1e-7F)}, "e", "val_2"), 30);
  EXPECT_EQ(count({weights("e", {5, 1}), transposed_weights("val_2", 5, 1)}, "e", "val_2"), 10);
  // Layers that were copied before training are equal, and all have names that were counted up.
  EXPECT_EQ(count({weights("onnx::Gather_3", {3, 3}), weights("onnx::MatMul_12", {3, 3})}, "onnx::Gather_3",
                  "onnx::MatMul_12"),
            18);
  // Which of two equal ones is meant stands nowhere.
  File several =
      tied({weights("e", {5, 3}), weights("f", {5, 3}), transposed_weights("val_2", 5, 3)}, "e", "val_2");
  several.node("Gather", {"f", "x"}, {"z"}).output("z");
  const Graph graph = loaded(several.bytes());
  EXPECT_EQ(graph.parameter_count(), 45);
  EXPECT_NE(parameter_of(graph, "val_2").why.find("tied to none"), std::string::npos);
}

TEST(OnnxParameters, InOldFilesAreInputsToo) {
  File file = File(8).input("x", {1, 3}).input("w", {3, 2}).initializer(weights("w", {3, 2}));
  const Graph graph = loaded(file.node("MatMul", {"x", "w"}, {"y"}).output("y").bytes());
  EXPECT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.parameter_count(), 6);
}

TEST(OnnxParameters, OfHalfPrecisionAreFloat32) {
  const std::vector<std::uint16_t> halves{0x3C00, 0xC000, 0x3555};
  File file = File().input("x", {"N", 3}).initializer(array("w", {3}, float16, halves));
  const Graph graph = loaded(file.node("Mul", {"x", "w"}, {"y"}).output("y").bytes());
  const Array& data = parameter_of(graph, "w").data;
  EXPECT_EQ(data.type(), DType::float32);
  EXPECT_EQ(data.as<float>()[0], 1.0F);
  EXPECT_EQ(data.as<float>()[1], -2.0F);
}

TEST(OnnxAttributes, AreTheDecimalsThatWereMeant) {
  const File file =
      File().input("x", {"N", 3}).node("LeakyRelu", {"x"}, {"y"}, {attribute("alpha", 0.01F)}).output("y");
  EXPECT_EQ(loaded(file.bytes()).node(0).attributes.real("alpha", 0), 0.01);
}

TEST(OnnxShapes, FoldAsExportersWriteThem) {
  // x (N, 3, 4) -> (N, -1) by Shape, Gather, Unsqueeze and Concat; then rows of length 12.
  File file = File()
                  .input("x", {"N", 3, 4})
                  .initializer(integers("zero", {}, {0}))
                  .initializer(integers("minus", {1}, {-1}));
  file.initializer(integers("ax", {1}, {0})).initializer(weights("w", {12, 2}));
  file.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "zero"}, {"n"}).node("Unsqueeze", {"n", "ax"}, {"u"});
  file.node("Concat", {"u", "minus"}, {"t"}, {attribute("axis", Index{0})})
      .node("Reshape", {"x", "t"}, {"f"});
  file.node("MatMul", {"f", "w"}, {"y"}).output("y");
  const Graph graph = loaded(file.bytes());
  EXPECT_EQ(graph.nodes.size(), 2U);  // a Reshape and a Linear
  EXPECT_TRUE(graph.constants.empty());
}

TEST(OnnxOutputs, CanBeChosen) {
  File file =
      File().input("x", {"N", 3}).input("z", {"N", 2}).node("Relu", {"x"}, {"a"}).node("Tanh", {"z"}, {"b"});
  file.output("a").output("b");
  const Graph all = loaded(file.bytes());
  EXPECT_EQ(all.outputs.size(), 2U);
  EXPECT_EQ(all.value(all.outputs[0]).name, "a");
  const Graph one = loaded(file.bytes(), {.output = "b"});
  EXPECT_EQ(one.outputs.size(), 1U);
  EXPECT_EQ(one.inputs.size(), 1U);
  EXPECT_EQ(one.value(one.outputs[0]).name, "b");
  const Error error = error_of([&] { loaded(file.bytes(), {.output = "c"}); });
  EXPECT_EQ(error.kind(), ErrorKind::usage);
}

TEST(OnnxOutputs, OfALayerNormalisationThatNobodyUsesCostNothing) {
  for (const std::vector<std::string>& outputs :
       {std::vector<std::string>{"y"}, {"y", "mean", "inverse"}, {"y", "", "inverse"}, {"y", "mean"}}) {
    File file = File().input("x", {"N", 3, 4}).initializer(weights("g", {4}));
    const Graph graph = loaded(file.node("LayerNormalization", {"x", "g"}, outputs).output("y").bytes());
    EXPECT_EQ(graph.nodes.size(), 1U);
  }
}

TEST(OnnxOutputs, OfALayerNormalisationAreItsStatistics) {
  File file = File().input("x", {"N", 4}).initializer(weights("g", {4}));
  file.node("LayerNormalization", {"x", "g"}, {"y", "mean", "inverse"}, {attribute("epsilon", 0.75F)});
  const auto graph = std::make_shared<const Graph>(loaded(file.output("mean").output("inverse").bytes()));
  std::vector<Tensor<double>> samples;
  samples.push_back(Tensor<double>({2, 4}));
  std::ranges::copy(std::vector<double>{1, 2, 1, 2, 5, 8, 8, 11}, samples[0].begin());
  const auto found = run<double>(graph, std::move(samples));
  EXPECT_EQ(found[0][0], 1.5);
  EXPECT_EQ(found[0][1], 8);
  EXPECT_DOUBLE_EQ(found[1][0], 1);  // the variance is 1/4
  EXPECT_DOUBLE_EQ(found[1][1], 1 / std::sqrt(4.5 + 0.75));
}

TEST(OnnxOperators, AreListedWhereTheyAreNotThere) {
  File file = File().input("x", {"N", 3}).node("Blur", {"x"}, {"a"}).node("Relu", {"a"}, {"b"});
  file.node("Twist", {"b"}, {"c"}, {}, "com.other").node("Blur", {"c"}, {"y"}).output("y");
  const Error error = error_of([&] { loaded(file.bytes()); });
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  EXPECT_EQ(error.complaint().got, "Blur (N_a, N_y); com.other::Twist (N_c)");
}

TEST(OnnxOperators, ThatTheFileDefinesItselfAreNotExpanded) {
  const File file = File().input("x", {"N", 3}).node("Foo", {"x"}, {"y"}, {}, "loc").output("y");
  const auto cure = [&](const std::string& function) {
    const Message defined = Message().part(25, Message().text(1, function).text(10, "loc"));
    return error_of([&] { loaded(file.bytes() + defined.bytes()); }).complaint().cure;
  };
  EXPECT_NE(cure("Foo").find("own functions are not expanded"), std::string::npos);
  EXPECT_EQ(cure("Bar").find("own functions"), std::string::npos);
}

}  // namespace
}  // namespace tangra::test::onnx
