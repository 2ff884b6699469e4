// Figures that others have published or computed (see docs/math.md): small networks, part by part.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/networks.h"
#include "support/support.h"

namespace tangra {
namespace {

using nlohmann::json;
using test::kernel_of;
using test::parameter;

std::optional<json> golden(const std::string& name) {
  const auto folder = test::shared_data();
  if (!folder) return std::nullopt;
  std::ifstream stream(*folder / "golden" / name);
  if (!stream) return std::nullopt;
  return json::parse(stream);
}

std::vector<double> flat(const json& nested) {
  std::vector<double> result;
  for (const json& entry : nested) {
    if (entry.is_array()) {
      const std::vector<double> inner = flat(entry);
      result.insert(result.end(), inner.begin(), inner.end());
    } else {
      result.push_back(entry.get<double>());
    }
  }
  return result;
}

Tensor<double> rows(const json& nested) {
  const std::vector<double> entries = flat(nested);
  Tensor<double> tensor(Shape{static_cast<Index>(nested.size()), static_cast<Index>(entries.size() / nested.size())});
  std::copy(entries.begin(), entries.end(), tensor.begin());
  return tensor;
}

/// A linear network of layers Wk, bk of the JSON object; without biases where `biases` is false.
std::shared_ptr<const Graph> linear_network(const json& object, int layers, bool biases) {
  ops::GraphBuilder builder;
  ValueId value = builder.input("input", {static_cast<Index>(object["W1"][0].size())});
  for (int k = 1; k <= layers; ++k) {
    const json& weight = object["W" + std::to_string(k)];
    const std::string name = "d" + std::to_string(k);
    const Shape shape{static_cast<Index>(weight.size()), static_cast<Index>(weight[0].size())};
    std::vector<ValueId> inputs{value, builder.parameter(parameter(name + ".weight", shape, flat(weight)))};
    if (biases) {
      inputs.push_back(builder.parameter(parameter(name + ".bias", {shape[0]}, flat(object["b" + std::to_string(k)]))));
    }
    value = builder.apply("Linear", inputs, {}, name);
  }
  builder.output(value);
  return std::make_shared<const Graph>(builder.finish());
}

void expect_entries(const Tensor<double>& k, const std::vector<double>& expected, double relative) {
  ASSERT_EQ(k.size(), static_cast<Index>(expected.size()));
  double largest = 0;
  for (const double entry : expected) largest = std::max(largest, std::abs(entry));
  for (Index e = 0; e < k.size(); ++e) EXPECT_NEAR(k[e], expected[static_cast<std::size_t>(e)], relative * largest) << e;
}

TEST(Golden, TwoTwoOneOfOnes) {
  ops::GraphBuilder builder;
  const std::vector<double> ones(4, 1.0);
  const ValueId x = builder.input("input", {2});
  const ValueId h = builder.apply("Linear", {x, builder.parameter(parameter("0.weight", {2, 2}, ones)),
                                             builder.parameter(parameter("0.bias", {2}, std::vector<double>{1, 1}))}, {}, "0");
  builder.output(builder.apply("Linear", {h, builder.parameter(parameter("1.weight", {1, 2}, std::vector<double>{1, 1})),
                                          builder.parameter(parameter("1.bias", {1}, std::vector<double>{1}))}, {}, "1"));
  Tensor<double> inputs(Shape{2, 2});
  inputs[0] = 0.5852378, inputs[1] = 0.62436277, inputs[2] = 0.0976659, inputs[3] = 0.55464536;
  test::TestContext context;
  const auto k = kernel_of<double>(std::make_shared<const Graph>(builder.finish()), inputs, nullptr, {}, context.context);
  // Published to 8, 6 and 6 digits.
  EXPECT_NEAR(k.parts.back()[0], 14.229333, 1e-6);
  EXPECT_NEAR(k.parts.back()[1], 11.1088, 5e-5);
  EXPECT_NEAR(k.parts.back()[3], 9.09461, 5e-6);
}

TEST(Golden, ThreeLayersPartByPart) {
  const auto object = golden("three_layer_linear.json");
  if (!object) GTEST_SKIP() << "the golden figures are not on this machine";
  test::TestContext context;
  for (const bool biases : {true, false}) {
    const auto k = kernel_of<double>(linear_network(*object, 3, biases), rows((*object)["x"]), nullptr, {}, context.context);
    expect_entries(k.parts.back(), flat((*object)[biases ? "K" : "K_without_biases"]), 1e-12);
    const json& parts = (*object)[biases ? "parts" : "parts_without_biases"];
    ASSERT_EQ(parts.size() + 1, k.names.size());
    for (std::size_t part = 0; part + 1 < k.names.size(); ++part) {
      SCOPED_TRACE(k.names[part]);
      expect_entries(k.parts[part], flat(parts[k.names[part]]), 1e-12);
    }
  }
}

TEST(Golden, SmallLinearNetworks) {
  const auto object = golden("linear_nets.json");
  if (!object) GTEST_SKIP() << "the golden figures are not on this machine";
  test::TestContext context;
  for (const json& one : (*object)["cases"]) {
    SCOPED_TRACE(one["name"].get<std::string>());
    const auto k = kernel_of<double>(linear_network(one, 2, true), rows(one["x"]), nullptr, {}, context.context);
    // Integers but for the float32 figure, which is printed to 8 digits.
    const bool rounded = one["name"].get<std::string>().find("float32") != std::string::npos;
    expect_entries(k.parts.back(), flat(one["K"]), rounded ? 1e-7 : 1e-14);
  }
}

TEST(Golden, InputJacobianOfAReluLayer) {
  const auto object = golden("relu_input_jacobian.json");
  if (!object) GTEST_SKIP() << "the golden figures are not on this machine";
  ops::GraphBuilder builder;
  const ValueId x = builder.input("input", {4});
  const ValueId h = builder.apply("Linear", {x, builder.parameter(parameter("W", {2, 4}, flat((*object)["W"]))),
                                             builder.parameter(parameter("b", {2}, flat((*object)["b"])))}, {}, "h");
  const ValueId y = builder.apply("Relu", {h}, {}, "y");
  builder.output(y);
  test::TestContext context;
  const differentiate::Program<double> program(std::make_shared<const Graph>(builder.finish()), context.context);
  std::vector<Tensor<double>> inputs;
  inputs.push_back(rows((*object)["x_samples_as_rows"]));
  const auto activations = differentiate::forward(program, std::move(inputs), context.context);
  expect_entries(activations[y], flat((*object)["y"]), 1e-6);  // printed in float32
  const auto swept = differentiate::reverse(program, activations, {.of = y, .parameters = false, .values = {x}},
                                            differentiate::Basis::identity(2).seeds(0, activations[y]), context.context);
  const Tensor<double>& jacobian = *swept.values.front();  // [3, 2, 4]
  const std::vector<double> w = flat((*object)["W"]);
  for (Index i = 0; i < 3; ++i) {
    for (Index o = 0; o < 2; ++o) {
      for (Index f = 0; f < 4; ++f) {
        const double expected = activations[y][i * 2 + o] > 0 ? w[static_cast<std::size_t>(o * 4 + f)] : 0.0;
        EXPECT_EQ(jacobian[(i * 2 + o) * 4 + f], expected) << i << ' ' << o << ' ' << f;
      }
    }
  }
  const std::vector<double> summed = flat((*object)["summed_gradient_by_input, shape (features, samples)"]);
  for (Index i = 0; i < 3; ++i) {
    for (Index f = 0; f < 4; ++f) {
      EXPECT_NEAR(jacobian[(i * 2) * 4 + f] + jacobian[(i * 2 + 1) * 4 + f], summed[static_cast<std::size_t>(f * 3 + i)], 1e-7);
    }
  }
}

TEST(Golden, HiddenLayerJacobianStructuredAndFull) {
  const auto object = golden("hidden_jacobian.json");
  if (!object) GTEST_SKIP() << "the golden figures are not on this machine";
  // h = x W with W (2, 3), as the notebook has it: a transposed weight.
  ops::GraphBuilder builder;
  const ValueId x = builder.input("input", {2});
  const ValueId h = builder.apply("Linear", {x, builder.parameter(parameter("W", {2, 3}, std::vector<double>(6, 0.5)))},
                                  {{"transposed", Index{1}}}, "h");
  const ValueId out = builder.apply("Linear", {h, builder.parameter(parameter("v", {3, 1}, std::vector<double>{1, 2, 3}))},
                                    {{"transposed", Index{1}}}, "out");
  const ValueId prob = builder.apply("Sigmoid", {out}, {}, "prob");
  builder.output(prob);
  test::TestContext context;
  const differentiate::Program<double> program(std::make_shared<const Graph>(builder.finish()), context.context);
  std::vector<Tensor<double>> inputs;
  inputs.push_back(rows(json::array({(*object)["x"]})));
  const auto activations = differentiate::forward(program, std::move(inputs), context.context);
  const auto of_hidden = differentiate::reverse(program, activations, {.of = h, .parameters = true, .values = {}},
                                                differentiate::Basis::identity(3).seeds(0, activations[h]), context.context);
  // Full form: the k-th (2, 3) tensor is zero but for column k, which is x.
  Tensor<double> full(Shape{3, 6});
  factors::add_dense(of_hidden.parameters, 0, full.data(), 6, context.context);
  for (Index k = 0; k < 3; ++k) {
    for (Index row = 0; row < 2; ++row) {
      for (Index column = 0; column < 3; ++column) {
        EXPECT_EQ(full[k * 6 + row * 3 + column], column == k ? activations[x][row] : 0.0);
      }
    }
  }
  // The vector-Jacobian product of ones has the numbers of the "structured" figure.
  Tensor<double> product(Shape{6});
  factors::add_summed(of_hidden.parameters, 0, product.data(), context.context);
  expect_entries(product, flat((*object)["vjp of ones, by W"]), 0);
  // dprob/dW = s (1 - s) x^T v^T, and dprob/dv = s (1 - s) h.
  const auto of_prob = differentiate::reverse(program, activations, {.of = prob, .parameters = true, .values = {out}},
                                              differentiate::Basis::identity(1).seeds(0, activations[prob]), context.context);
  const double s = activations[prob][0];
  EXPECT_NEAR((*of_prob.values.front())[0], s * (1 - s), 1e-16);
  Tensor<double> by_w(Shape{1, 6});
  factors::add_dense(of_prob.parameters, 0, by_w.data(), 6, context.context);
  for (Index e = 0; e < 6; ++e) {
    EXPECT_NEAR(by_w[e], s * (1 - s) * activations[x][e / 3] * static_cast<double>(e % 3 + 1), 1e-15);
  }
}

}  // namespace
}  // namespace tangra
