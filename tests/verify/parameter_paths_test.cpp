// Parameters that reach their use through other values, and parameters that are used more than once.
#include <gtest/gtest.h>

#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

using Path = ValueId (*)(RandomNet&, ValueId weight);

/// Each of shape (5, 3) again from a weight of that shape.
struct NamedPath {
  const char* name;
  Path path;
};

const NamedPath paths[] = {
    {"normalised: W / ||W||",
     [](RandomNet& net, ValueId w) {
       return net.apply("Div", {w, net.apply("ReduceL2", {w}, {{"axes", std::vector<Index>{1}}})});
     }},
    {"normalised as a whole",
     [](RandomNet& net, ValueId w) {
       return net.apply("Div", {w, net.apply("ReduceL2", {w}, {{"keepdims", Index{0}}})});
     }},
    {"scaled by a constant",
     [](RandomNet& net, ValueId w) {
       Tensor<double> factor(Shape{});
       factor[0] = 0.375;
       return net.apply("Mul", {net.builder().constant("factor", Array(factor)), w});
     }},
    {"divided by a constant",
     [](RandomNet& net, ValueId w) {
       Tensor<double> factor(Shape{1});
       factor[0] = 3;
       return net.apply("Div", {w, net.builder().constant("factor", Array(factor))});
     }},
    {"transposed twice",
     [](RandomNet& net, ValueId w) { return net.apply("Transpose", {net.apply("Transpose", {w})}); }},
    {"reshaped and back",
     [](RandomNet& net, ValueId w) {
       const ValueId flat = net.apply("Reshape", {w}, {{"shape", std::vector<Index>{15}}});
       return net.apply("Reshape", {flat}, {{"shape", std::vector<Index>{5, 3}}});
     }},
    {"mixed up: transposed, then reshaped",
     [](RandomNet& net, ValueId w) {
       return net.apply("Reshape", {net.apply("Transpose", {w})}, {{"shape", std::vector<Index>{5, 3}}});
     }},
    {"reversed by a slice",
     [](RandomNet& net, ValueId w) {
       return net.apply("Slice", {w},
                        {{"starts", std::vector<Index>{-1}},
                         {"ends", std::vector<Index>{-100}},
                         {"steps", std::vector<Index>{-1}}});
     }},
    {"squashed", [](RandomNet& net, ValueId w) { return net.apply("Tanh", {w}); }},
    {"a product with another parameter",
     [](RandomNet& net, ValueId w) {
       return net.apply("Mul", {w, net.parameter("gain", {5, 1}, 0.3, 1)});
     }},
    {"a product of two matrices",
     [](RandomNet& net, ValueId w) {
       return net.apply("Linear", {w, net.weight("low rank", 3, 3)});
     }},
};

TEST(ParameterPaths, ThroughParameterOnlyNodes) {
  std::uint64_t seed = 1000;
  for (const NamedPath& path : paths) {
    RandomNet net(seed++);
    const ValueId x = net.input(3);
    const ValueId used = path.path(net, net.weight("w", 5, 3));
    const ValueId h = net.apply("Tanh", {net.apply("Linear", {x, used, net.parameter("b", {5}, 0.1)})});
    expect_agreement(net.problem(net.dense("1", h, 2), 3, "full"), path.name);
  }
}

TEST(ParameterPaths, ATransposedWeight) {
  RandomNet net(1100);
  const ValueId x = net.input(3);
  const ValueId h =
      net.apply("Tanh", {net.apply("Linear", {x, net.apply("Transpose", {net.weight("w", 3, 5)})})});
  const ValueId last = net.apply("Linear", {h, net.weight("v", 5, 2)}, {{"transposed", Index{1}}});
  expect_agreement(net.problem(last, 3, "full"), "a transposed weight");
}

TEST(ParameterPaths, SlicesOfAFusedWeight) {
  for (const Index overlap : {0, 2}) {
    RandomNet net(1110);
    const ValueId x = net.input(3);
    const ValueId w = net.weight("qkv", 10, 3);
    const auto slice = [&](Index first) {
      return net.apply("Slice", {w},
                       {{"starts", std::vector<Index>{first}},
                        {"ends", std::vector<Index>{first + 5}},
                        {"axes", std::vector<Index>{0}}});
    };
    const ValueId a = net.apply("Tanh", {net.apply("Linear", {x, slice(0)})});
    const ValueId b = net.apply("Sigmoid", {net.apply("Linear", {x, slice(5 - overlap)})});
    expect_agreement(net.problem(net.dense("1", net.apply("Mul", {a, b}), 2), 4, "full"),
                     "slices that overlap by " + std::to_string(overlap));
  }
}

TEST(ParameterPaths, OneWeightInTwoLayers) {
  for (const std::string& reduction : reductions) {
    RandomNet net(1120);
    const ValueId w = net.weight("w", 5, 5);
    const ValueId b = net.parameter("b", {5}, 0.1);
    ValueId h = net.apply("Tanh", {net.apply("Linear", {net.input(5), w, b})});
    h = net.apply("Gelu", {net.apply("Linear", {h, w, b})});
    expect_agreement(net.problem(h, 3, reduction), reduction);
  }
}

TEST(ParameterPaths, AnAutoencoderWithOneWeight) {
  for (const bool square : {false, true}) {
    RandomNet net(1130);
    const ValueId x = net.input(5);
    const ValueId w = net.weight("w", square ? 5 : 3, 5);
    const ValueId h =
        net.apply("Tanh", {net.apply("Linear", {x, w, net.parameter("b", {square ? 5 : 3}, 0.1)})});
    const ValueId y = net.apply("Linear", {h, w, net.parameter("c", {5}, 0.1)}, {{"transposed", Index{1}}});
    expect_agreement(net.problem(y, 3, "full"), square ? "square" : "3 x 5");
  }
}

TEST(ParameterPaths, OneParameterInDifferentForms) {
  RandomNet net(1140);
  const ValueId x = net.input(3);
  const ValueId w = net.weight("w", 3, 3);
  const ValueId flat = net.apply("ReduceSum", {w}, {{"axes", std::vector<Index>{0}}, {"keepdims", Index{0}}});
  ValueId h = net.apply("Linear", {x, w, flat});
  h = net.apply("Tanh", {net.apply("Mul", {h, flat})});
  const ValueId normalised = net.apply("Div", {w, net.apply("ReduceL2", {w})});
  expect_agreement(net.problem(net.apply("Linear", {h, normalised}), 4, "full"), "outer, sums and a norm");
}

TEST(ParameterPaths, GainsAndShifts) {
  RandomNet net(1150);
  const ValueId x = net.input(4);
  ValueId h = net.apply("Mul", {x, net.parameter("gain", {4}, 0.3, 1)});
  h = net.apply("Sub", {h, net.parameter("shift", {1}, 0.3)});
  h = net.apply("Tanh", {net.dense("0", h, 3)});
  h = net.apply("Div", {h, net.parameter("temperature", {}, 0.1, 2)});
  expect_agreement(net.problem(net.apply("LogSoftmax", {h}), 3, "full"), "gain, shift, temperature");
}

}  // namespace
}  // namespace tangra::verify::test
