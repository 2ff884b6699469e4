// Networks of attention, normalisation, embedding and the like: every method gives the same kernel of every
// parameter.
#include <gtest/gtest.h>

#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

using Integers = std::vector<Index>;

ValueId tokens(RandomNet& net, Index count, Index width) {
  return net.builder().input("x", {count, width});
}

TEST(OperatorsAgree, AttentionWithASplitFusedWeight) {
  RandomNet net(6000);
  const ValueId x = tokens(net, 3, 4);
  const std::vector<ValueId> parts =
      net.builder().apply_many("Split", {net.weight("qkv", 4, 12)},
                               {{"axis", Index{1}}, {"num_outputs", Index{3}}}, "split", {"wq", "wk", "wv"});
  const ValueId q = net.apply("MatMul", {x, parts[0]});
  const ValueId k = net.apply("MatMul", {x, parts[1]});
  const ValueId v = net.apply("MatMul", {x, parts[2]});
  const ValueId scores = net.apply("MatMul", {q, net.apply("Transpose", {k})});
  const ValueId mixed = net.apply("MatMul", {net.apply("Softmax", {scores}), v});
  const ValueId h = net.apply(
      "LayerNormalization",
      {net.apply("Add", {x, mixed}), net.parameter("gain", {4}, 0.2, 1), net.parameter("shift", {4}, 0.1)});
  const ValueId pooled = net.apply("ReduceMax", {h}, {{"axes", Integers{0}}, {"keepdims", Index{0}}});
  expect_agreement(net.problem(net.dense("head", pooled, 2), 3, "full"), "attention");
}

TEST(OperatorsAgree, AMixerWithWeightsOnBothSides) {
  RandomNet net(6010);
  const ValueId x = tokens(net, 3, 5);
  ValueId h = net.apply("Gelu", {net.apply("MatMul", {net.weight("tokens", 4, 3), x})});
  h = net.apply("Mish", {net.apply("MatMul", {h, net.weight("channels", 5, 4)})});
  // One square weight on either side.
  const ValueId shared = net.weight("shared", 4, 4);
  h = net.apply("MatMul", {shared, net.apply("MatMul", {h, shared})});
  h = net.apply("InstanceNormalization",
                {h, net.parameter("scale", {4}, 0.2, 1), net.parameter("bias", {4}, 0.1)});
  for (const std::string reduction : {"full", "trace"}) {
    RandomNet copy = net;
    expect_agreement(copy.problem(copy.apply("MatMul", {h, copy.weight("last", 4, 1)}), 2, reduction),
                     reduction);
  }
}

TEST(OperatorsAgree, AnEmbeddingThatIsTiedToTheOutput) {
  RandomNet net(6020);
  const ValueId x = net.input(3);
  Tensor<double> bounds(Shape{});
  bounds[0] = 2;
  const ValueId spread =
      net.apply("Mul", {net.apply("Abs", {x}), net.builder().constant("two", Array(bounds))});
  const ValueId indices = net.apply("Floor", {net.apply("Clip", {spread}, {{"min", 0.0}, {"max", 4.5}})});
  const ValueId table = net.weight("table", 5, 4);
  ValueId h = net.apply("GatherData", {table, indices});
  h = net.apply("RMSNormalization", {net.apply("Add", {h, net.parameter("position", {3, 4}, 0.3)}),
                                     net.parameter("gain", {4}, 0.2, 1)});
  h = net.apply("Tanh", {net.apply("ReduceSum", {h}, {{"axes", Integers{0}}, {"keepdims", Index{0}}})});
  expect_agreement(net.problem(net.apply("Linear", {h, table}), 3, "full"), "embedding");
}

TEST(OperatorsAgree, ElementwiseParameters) {
  RandomNet net(6030);
  ValueId h = net.dense("0", net.input(3), 5);
  h = net.apply("PRelu", {h, net.parameter("slope", {5}, 0.1, 0.3)});
  h = net.apply("BatchNormalization",
                {h, net.parameter("scale", {5}, 0.2, 1), net.parameter("bias", {5}, 0.1),
                 net.parameter("mean", {5}, 0.2), net.parameter("variance", {5}, 0.1, 1)});
  h = net.apply("Pow", {net.apply("Softplus", {h}), net.parameter("exponent", {1}, 0.1, 1.5)});
  h = net.apply("Div", {h, net.parameter("temperature", {}, 0.1, 2)});
  h = net.apply("Where", {net.apply("Less", {h, net.parameter("threshold", {5}, 0.05, 0.5)}), h,
                          net.parameter("instead", {5}, 0.3)});
  h = net.apply("Max", {h, net.parameter("floor", {5}, 0.1, -0.2)});
  expect_agreement(net.problem(net.dense("1", h, 2), 3, "full"), "elementwise parameters");
}

TEST(OperatorsAgree, ParametersThroughIndexMaps) {
  RandomNet net(6040);
  const ValueId x = tokens(net, 2, 3);
  const ValueId token = net.apply("Expand", {net.parameter("class", {3}, 0.5)}, {{"shape", Integers{1, 3}}});
  ValueId h = net.apply("Concat", {token, x}, {{"axis", Index{0}}});
  const ValueId stacked = net.parameter("stacked", {2, 1, 3, 3}, 0.6);
  for (const Index layer : {0, 1}) {
    const Attributes one{{"indices", Integers{layer}}, {"indices_shape", Integers{}}};
    const ValueId w = net.apply("Squeeze", {net.apply("Gather", {stacked}, one)}, {{"axes", Integers{0}}});
    h = net.apply("Tanh", {net.apply("MatMul", {h, w})});
  }
  h = net.apply(
      "Mul", {h, net.apply("Tile", {net.parameter("gain", {1, 3}, 0.3, 1)}, {{"repeats", Integers{3, 1}}})});
  h = net.apply("Pad", {h}, {{"pads", Integers{0, 1, 0, 1}}, {"mode", std::string("reflect")}});
  h = net.apply("Resize", {h}, {{"sizes", Integers{2, 7}}, {"mode", std::string("linear")}});
  h = net.apply("Unsqueeze", {net.apply("Flatten", {h}, {{"axis", Index{0}}})}, {{"axes", Integers{0}}});
  expect_agreement(net.problem(net.dense("last", h, 2), 3, "full"), "index maps");
}

}  // namespace
}  // namespace tangra::verify::test
