// The default methods agree on healthy networks.
#include <gtest/gtest.h>

#include "tangra/base/error.h"
#include "tangra/ops/op.h"
#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

/// The operators of the table that take one input of one axis, whatever else they do to it.
std::vector<std::string> unary_operators() {
  std::vector<std::string> names;
  for (const std::string_view name : ops::op_names()) {
    const Node node{
        .op = std::string(name), .name = "probe", .attributes = {}, .inputs = {0}, .outputs = {1}};
    try {
      const std::vector<Shape> shapes{Shape{5}};
      const std::vector<Shape> result = ops::find_op(name)->infer(node, shapes);
      if (result.size() == 1 && result.front().rank() == 1 && result.front().elements() > 0) names.emplace_back(name);
    } catch (const Error&) {
      // more inputs or attributes are needed
    }
  }
  return names;
}

/// h brought to where the operator has values.
ValueId in_domain(RandomNet& net, const std::string& op, ValueId h) {
  if (op == "Log" || op == "Sqrt" || op == "Reciprocal" || op == "ReduceLogSum") return net.apply("Softplus", {h});
  if (op == "Asin" || op == "Acos" || op == "Atanh") return net.apply("Softsign", {h});
  if (op == "Acosh") return net.apply("Exp", {net.apply("Softplus", {h})});
  return h;
}

TEST(Agreement, EveryUnaryOperator) {
  const std::vector<std::string> names = unary_operators();
  EXPECT_GE(names.size(), 18u);
  std::uint64_t seed = 100;
  for (const std::string& op : names) {
    RandomNet net(seed++);
    ValueId h = net.dense("0", net.input(3), 5);
    h = net.apply(op, {in_domain(net, op, h)});
    expect_agreement(net.problem(net.dense("1", h, 2), 3, "full"), op);
  }
}

TEST(Agreement, EveryUnaryOperatorAtTheEnd) {
  std::uint64_t seed = 200;
  for (const std::string& op : unary_operators()) {
    RandomNet net(seed++);
    ValueId h = net.apply("Tanh", {net.dense("0", net.input(2), 3)});
    h = net.dense("1", h, 5);
    expect_agreement(net.problem(net.apply(op, {in_domain(net, op, h)}), 2, "full"), op);
  }
}

TEST(Agreement, OperatorsWithSettings) {
  const std::vector<std::pair<std::string, Attributes>> settings{
      {"Gelu", {{"approximate", std::string("tanh")}}},
      {"LeakyRelu", {{"alpha", 0.3}}},
      {"Elu", {{"alpha", 0.7}}},
      {"Clip", {{"min", -0.5}, {"max", 0.8}}},
      {"ReduceSum", {{"keepdims", Index{1}}}},
      {"Softmax", {{"axis", Index{0}}}}};
  std::uint64_t seed = 300;
  for (const auto& [op, attributes] : settings) {
    RandomNet net(seed++);
    const ValueId h = net.apply(op, {net.dense("0", net.input(3), 7)}, attributes);
    expect_agreement(net.problem(net.dense("1", h, 2), 3, "full"), op);
  }
}

TEST(Agreement, DepthsAndUglyWidths) {
  const std::vector<Index> widths{1, 2, 3, 5, 7, 13};
  const std::vector<std::string> activations{"Tanh", "Relu", "Sigmoid", "Gelu", "Silu", "Selu"};
  for (std::size_t depth = 1; depth <= 10; ++depth) {
    for (std::size_t turn = 0; turn < widths.size(); turn += 2) {
      RandomNet net(400 + 10 * depth + turn);
      ValueId h = net.input(widths[turn]);
      for (std::size_t layer = 0; layer < depth; ++layer) {
        h = net.dense(std::to_string(layer), h, widths[(turn + 2 * layer + depth) % widths.size()],
                      layer % 3 != 1);
        if (layer + 1 < depth) h = net.apply(activations[(turn + layer) % activations.size()], {h});
      }
      const std::string& reduction = reductions[(depth + turn) % reductions.size()];
      expect_agreement(
          net.problem(h, 1 + static_cast<Index>((depth + turn) % 5), reduction),
          "depth " + std::to_string(depth) + ", turn " + std::to_string(turn) + ", " + reduction);
    }
  }
}

TEST(Agreement, EveryReductionForEveryNumberOfOutputs) {
  for (Index outputs = 1; outputs <= 10; ++outputs) {
    for (const std::string& reduction : reductions) {
      RandomNet net(500 + static_cast<std::uint64_t>(outputs));
      const ValueId h = net.apply("Tanh", {net.dense("0", net.input(3), 4)});
      expect_agreement(net.problem(net.dense("1", h, outputs), 1 + outputs % 5, reduction),
                       std::to_string(outputs) + " outputs, " + reduction);
    }
  }
}

TEST(Agreement, ReductionsByAxis) {
  using kernel::AxisReduction;
  const std::vector<std::vector<AxisReduction>> mixes{{AxisReduction::full, AxisReduction::trace},
                                                      {AxisReduction::diagonal, AxisReduction::full},
                                                      {AxisReduction::trace, AxisReduction::diagonal},
                                                      {AxisReduction::sum, AxisReduction::full}};
  for (const auto& axes : mixes) {
    RandomNet net(600);
    ValueId h = net.apply("Reshape", {net.input(6)}, {{"shape", std::vector<Index>{2, 3}}});
    h = net.apply("Tanh", {net.dense("0", h, 5)});
    h = net.dense("1", h, 3);
    Problem problem = net.problem(h, 3, "full");
    problem = problem_of(problem.graph, std::move(problem.inputs), h,
                         {.axes = axes, .selected = {}, .mean = false});
    expect_agreement(problem, "mixed reduction");
  }
}

TEST(Agreement, ABasisOfTheUsersOwn) {
  RandomNet net(610);
  const ValueId h = net.apply("Tanh", {net.dense("0", net.input(3), 4)});
  Problem problem = net.problem(net.dense("1", h, 3), 4, "full");
  problem.reduction = kernel::lower(kernel::parse_reduction("trace"), {2});
  // One matrix for each sample, and one that is made from the outputs.
  problem.basis = differentiate::Basis::matrix(net.samples({4, 2, 3}), 3).combined(problem.reduction.members);
  expect_agreement(problem, "a matrix for each sample");
  problem.basis = differentiate::Basis::computed(
      3, 2, [](Index sample, std::span<const double> outputs, std::span<double> rows) {
        for (std::size_t a = 0; a < 3; ++a) {
          rows[a] = outputs[a] + static_cast<double>(sample);
          rows[3 + a] = outputs[a] * outputs[(a + 1) % 3];
        }
      });
  expect_agreement(problem, "computed from the outputs");
}

TEST(Agreement, SkipConnectionsAndConcat) {
  for (const std::string& reduction : reductions) {
    RandomNet net(620);
    const ValueId x = net.input(3);
    const ValueId h = net.apply("Tanh", {net.dense("0", x, 5)});
    const ValueId skip = net.apply("Add", {h, net.apply("Gelu", {net.dense("1", h, 5)})});
    const ValueId both = net.apply("Concat", {skip, x, net.apply("Mul", {h, skip})}, {{"axis", Index{-1}}});
    const ValueId twice = net.apply("Sub", {net.dense("2", both, 2), net.dense("3", skip, 2)});
    expect_agreement(net.problem(net.apply("Softmax", {twice}), 3, reduction), reduction);
  }
}

TEST(Agreement, TokensShareAWeight) {
  RandomNet net(630);
  ValueId h = net.apply("Reshape", {net.input(12)}, {{"shape", std::vector<Index>{4, 3}}});
  h = net.apply("Gelu", {net.dense("0", h, 5)});
  h = net.apply("ReduceMean", {h}, {{"axes", std::vector<Index>{0}}, {"keepdims", Index{0}}});
  expect_agreement(net.problem(net.dense("1", h, 2), 3, "full"), "a weight at four positions");
}

TEST(Agreement, TheStructuredMethodInFloat32) {
  VerifyOptions options;
  options.structured = DType::float32;
  for (const std::string activation : {"Relu", "Tanh"}) {
    RandomNet net(640);
    ValueId h = net.apply(activation, {net.dense("0", net.input(13), 31)});
    h = net.apply(activation, {net.dense("1", h, 17)});
    const VerifyResult result = verified(net.problem(net.dense("2", h, 3), 5, "full"), options);
    EXPECT_TRUE(result.agree) << activation << ": " << result.first_failure;
    for (const PairResult& pair : result.pairs) {
      if (pair.first != "structured" || pair.second != "jacobian" || pair.parameter == "2.bias") continue;
      EXPECT_GT(pair.largest_difference, 1e-12 * pair.largest_entry) << "this was not float32";
    }
  }
}

TEST(Agreement, FrozenAndUnusedParameters) {
  RandomNet net(650);
  const ValueId x = net.input(3);
  net.dense("unused", x, 4);
  const ValueId h = net.apply("Tanh", {net.dense("0", x, 4)});
  Problem problem = net.problem(net.dense("1", h, 2), 3, "full");
  Graph graph = *problem.graph;
  select_parameters(graph, "", "0[.]weight");
  problem.graph = std::make_shared<const Graph>(graph);
  const VerifyResult result = verified(problem);
  EXPECT_TRUE(result.agree) << result.first_failure;
  for (const PairResult& pair : result.pairs) EXPECT_NE(pair.parameter, "0.weight");
  EXPECT_EQ(result.pairs.front().parameter, "unused.weight");
  EXPECT_EQ(result.pairs.front().largest_entry, 0);
}

TEST(Agreement, OnTheBitFromRunToRunAndForAnyThreads) {
  RandomNet net(660);
  const ValueId h = net.apply("Tanh", {net.dense("0", net.input(5), 7)});
  const Problem problem = net.problem(net.dense("1", h, 3), 4, "full");
  std::vector<double> differences[2];
  for (const int threads : {1, 3}) {
    const tangra::test::TestContext test(threads);
    for (const PairResult& pair : verify(problem, default_methods(), {}, test.context).pairs) {
      differences[threads / 2].push_back(pair.difference);
    }
  }
  EXPECT_EQ(differences[0], differences[1]);
}

TEST(Agreement, WhatDoesNotFitIsRefused) {
  RandomNet net(670);
  Problem problem = net.problem(net.dense("0", net.input(3), 2), 2, "full");
  problem.inputs = Tensor<double>(Shape{2, 4});
  const Error error = tangra::test::error_of([&] { verified(problem); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_NE(std::string(error.what()).find("(2, 4)"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace tangra::verify::test
