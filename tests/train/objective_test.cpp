#include "tangra/train/objective.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/base/error.h"

namespace tangra::train {
namespace {

using factors::ParameterVectors;

Samples<double> samples_for(const Graph& graph, Index count, unsigned seed) {
  Samples<double> samples{.inputs = test::random_tensor(graph.shape(graph.inputs.front()).with_leading(count), seed),
                          .labels = {}};
  const Index classes = graph.shape(graph.outputs.front()).elements();
  for (Index i = 0; i < count; ++i) samples.labels.push_back((i * 7 + 2) % classes);
  return samples;
}

std::vector<Index> first(Index count) {
  std::vector<Index> list;
  for (Index i = 0; i < count; ++i) list.push_back(i);
  return list;
}

struct Case {
  const char* name;
  LossKind kind;
  const char* head;
};

class Gradients : public testing::TestWithParam<Case> {
 protected:
  test::TestContext own_;
  std::shared_ptr<const Graph> graph_ = test::dense_network({5, 7, 4}, "Tanh", GetParam().head, 3);
  Loss loss_{GetParam().kind, *graph_};
};

TEST_P(Gradients, AgreeWithFiniteDifferences) {
  const Samples<double> samples = samples_for(*graph_, 6, 8);
  const std::vector<Index> batch = {4, 0, 3};
  Samples<double> chosen = samples_for(*graph_, 3, 1);
  for (std::size_t k = 0; k < batch.size(); ++k) {
    std::copy_n(samples.inputs.data() + batch[k] * 5, 5, chosen.inputs.data() + static_cast<Index>(k) * 5);
    chosen.labels[k] = samples.labels[static_cast<std::size_t>(batch[k])];
  }
  differentiate::Program<double> program(graph_, own_.context);
  const Objective<double> objective(program, loss_, samples, own_.context);
  const Objective<double> of_chosen(program, loss_, chosen, own_.context);
  auto gradient = zeros_for<double>(*graph_);
  const Score score = objective.gradient(batch, gradient);
  EXPECT_EQ(score.loss_sum, of_chosen.score().loss_sum);
  EXPECT_EQ(score.correct, of_chosen.score().correct);
  EXPECT_EQ(score.samples, 3);
  auto parameters = zeros_for<double>(*graph_);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    std::ranges::copy(graph_->parameters[p].data.as<double>(), parameters[p].begin());
  }
  constexpr double h = 1e-5;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    for (Index e = 0; e < parameters[p].size(); ++e) {
      const double at = parameters[p][e];
      const auto mean_loss = [&](double value) {
        parameters[p][e] = value;
        program.set_parameters(parameters, own_.context);
        return of_chosen.score().loss();
      };
      const double difference = (mean_loss(at + h) - mean_loss(at - h)) / (2 * h);
      parameters[p][e] = at;
      // h^2 / 6 times a third derivative of order 1, and rounding of the losses over h.
      EXPECT_NEAR(gradient[p][e], difference, 1e-9) << graph_->parameters[p].name << " " << e;
    }
  }
}

TEST_P(Gradients, AreTheMeanOfExplicitPerSampleGradients) {
  const Samples<double> samples = samples_for(*graph_, 9, 5);
  const differentiate::Program<double> program(graph_, own_.context);
  const Objective<double> objective(program, loss_, samples, own_.context);
  auto gradient = zeros_for<double>(*graph_);
  objective.gradient(first(9), gradient);
  std::vector<Tensor<double>> inputs;
  inputs.push_back(samples.inputs.clone());
  const auto activations = differentiate::forward(program, std::move(inputs), own_.context);
  Tensor<double> seeds({9, 1, 4});
  for (Index i = 0; i < 9; ++i) {
    loss_({activations[loss_.of()].data() + i * 4, 4}, samples.labels[static_cast<std::size_t>(i)], {seeds.data() + i * 4, 4});
  }
  const auto swept = differentiate::reverse(
      program, activations, {.of = loss_.of(), .parameters = true, .values = {}, .explicit_parameters = true},
      std::move(seeds), own_.context);
  for (std::size_t p = 0; p < gradient.size(); ++p) {
    const Index size = gradient[p].size();
    Tensor<double> rows({9, 1, size});
    factors::add_dense(swept.parameters, static_cast<ParameterId>(p), rows.data(), size, own_.context);
    for (Index e = 0; e < size; ++e) {
      double sum = 0;
      double absolute = 0;
      for (Index i = 0; i < 9; ++i) {
        sum += rows[i * size + e];
        absolute += std::abs(rows[i * size + e]);
      }
      // Two sums of nine terms in different orders, terms themselves of a few roundings each.
      EXPECT_NEAR(gradient[p][e], sum / 9, 32 * 0x1p-53 * (absolute + 1) / 9) << p << " " << e;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, Gradients,
                         testing::Values(Case{"mse", LossKind::mse, ""}, Case{"mseOfSoftmax", LossKind::mse, "Softmax"},
                                         Case{"logits", LossKind::cross_entropy, ""},
                                         Case{"softmax", LossKind::cross_entropy, "Softmax"},
                                         Case{"logSoftmax", LossKind::cross_entropy, "LogSoftmax"}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Objective, LogSoftmaxAndLogitsAreTheSameLoss) {
  test::TestContext own;
  std::vector<ParameterVectors<double>> gradients;
  std::vector<double> losses;
  for (const char* head : {"", "Softmax", "LogSoftmax"}) {
    const auto graph = test::dense_network({5, 6, 4}, "Tanh", head, 3);
    const Samples<double> samples = samples_for(*graph, 8, 2);
    const differentiate::Program<double> program(graph, own.context);
    const Loss loss(LossKind::cross_entropy, *graph);
    const Objective<double> objective(program, loss, samples, own.context);
    gradients.push_back(zeros_for<double>(*graph));
    losses.push_back(objective.gradient(first(8), gradients.back()).loss());
  }
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_NEAR(losses[0], losses[2], 1e-15);
  for (std::size_t p = 0; p < gradients[0].size(); ++p) {
    for (Index e = 0; e < gradients[0][p].size(); ++e) EXPECT_NEAR(gradients[0][p][e], gradients[2][p][e], 1e-15);
  }
}

TEST(Objective, SeveralBlocksGiveTheSameSums) {
  // 2,500 samples are three blocks; their scores and gradients add up to those of the parts.
  test::TestContext own;
  const auto graph = test::dense_network({3, 4, 2}, "Tanh", "", 1);
  const Samples<double> samples = samples_for(*graph, 2500, 4);
  const differentiate::Program<double> program(graph, own.context);
  const Loss loss(LossKind::mse, *graph);
  const Objective<double> objective(program, loss, samples, own.context);
  auto whole = zeros_for<double>(*graph);
  const Score score = objective.gradient(first(2500), whole);
  EXPECT_EQ(score.samples, 2500);
  EXPECT_NEAR(score.loss_sum, objective.score().loss_sum, 1e-10);
  auto sum = zeros_for<double>(*graph);
  for (Index begin = 0; begin < 2500; begin += 500) {
    std::vector<Index> batch;
    for (Index i = begin; i < begin + 500; ++i) batch.push_back(i);
    auto part = zeros_for<double>(*graph);
    objective.gradient(batch, part);
    for (std::size_t p = 0; p < sum.size(); ++p) {
      for (Index e = 0; e < sum[p].size(); ++e) sum[p][e] += part[p][e] / 5;
    }
  }
  for (std::size_t p = 0; p < sum.size(); ++p) {
    for (Index e = 0; e < sum[p].size(); ++e) EXPECT_NEAR(whole[p][e], sum[p][e], 1e-14);
  }
}

TEST(Objective, AFrozenParameterHasNoGradient) {
  test::TestContext own;
  Graph graph = *test::dense_network({3, 4, 2}, "Tanh", "", 1);
  select_parameters(graph, "", "0.weight");
  const auto shared = std::make_shared<const Graph>(graph);
  const Samples<double> samples = samples_for(graph, 5, 4);
  const differentiate::Program<double> program(shared, own.context);
  const Loss loss(LossKind::mse, graph);
  auto gradient = zeros_for<double>(graph);
  EXPECT_EQ(gradient[0].size(), 0);
  Objective<double>(program, loss, samples, own.context).gradient(first(5), gradient);
  EXPECT_NE(gradient[1][0], 0);
}

/// f = exp(w) x + b^2: values that are made of parameters alone.
TEST(Objective, WhatIsMadeOfParametersMovesWithThem) {
  test::TestContext own;
  ops::GraphBuilder builder("derived");
  const ValueId x = builder.input("input", {3});
  const ValueId w = builder.parameter(test::parameter<double>("w.weight", {2, 3}, {0.1, -0.4, 0.3, 0.2, 0.5, -0.6}));
  const ValueId b = builder.parameter(test::parameter<double>("b.bias", {2}, {0.7, -0.2}));
  const ValueId product = builder.apply("Linear", {x, builder.apply("Exp", {w}, {}, "exp")}, {}, "product");
  builder.output(builder.apply("Add", {product, builder.apply("Mul", {b, b}, {}, "square")}, {}, "f"));
  const auto graph = std::make_shared<const Graph>(builder.finish());
  const Samples<double> samples = samples_for(*graph, 5, 6);
  differentiate::Program<double> program(graph, own.context);
  const Loss loss(LossKind::cross_entropy, *graph);
  const Objective<double> objective(program, loss, samples, own.context);
  auto parameters = zeros_for<double>(*graph);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    std::ranges::copy(graph->parameters[p].data.as<double>(), parameters[p].begin());
    parameters[p][1] += 0.25;
  }
  program.set_parameters(parameters, own.context);
  auto gradient = zeros_for<double>(*graph);
  objective.gradient(first(5), gradient);
  constexpr double h = 1e-5;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    for (Index e = 0; e < parameters[p].size(); ++e) {
      const double at = parameters[p][e];
      const auto mean_loss = [&](double value) {
        parameters[p][e] = value;
        program.set_parameters(parameters, own.context);
        return objective.score().loss();
      };
      const double difference = (mean_loss(at + h) - mean_loss(at - h)) / (2 * h);
      parameters[p][e] = at;
      EXPECT_NEAR(gradient[p][e], difference, 1e-9) << graph->parameters[p].name << " " << e;
    }
  }
}

TEST(Objective, SaysWhenABlockDoesNotFitTheBudget) {
  const auto graph = test::dense_network({300, 400, 2}, "Tanh", "", 1);
  ThreadPool pool(1);
  MemoryLedger memory(1000);
  const Context context{pool, memory};
  const Samples<double> samples = samples_for(*graph, 5, 4);
  const differentiate::Program<double> program(graph, context);
  const Loss loss(LossKind::mse, *graph);
  EXPECT_EQ(test::error_of([&] { Objective<double>(program, loss, samples, context); }).kind(), ErrorKind::memory);
}

}  // namespace
}  // namespace tangra::train
