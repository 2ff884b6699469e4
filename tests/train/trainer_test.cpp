#include "tangra/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/formats/safetensors.h"

namespace tangra::train {
namespace {

template <class T>
Samples<T> samples_of(Index count) {
  Samples<T> samples{.inputs = Array(test::random_tensor({count, 5}, 9)).converted<T>(), .labels = {}};
  for (Index i = 0; i < count; ++i) samples.labels.push_back(samples.inputs[i * 5] > 0 ? 1 : samples.inputs[i * 5 + 1] > 0 ? 2 : 0);
  return samples;
}

const TrainingOptions adam{.optimizer = {.method = Method::adam, .rate = 0.01}, .epochs = 6, .batch_size = 13, .shuffle_seed = 4};
const TrainingOptions momentum{.optimizer = {.method = Method::gd, .rate = 0.1, .momentum = 0.5},
                               .epochs = 6, .batch_size = 13, .shuffle_seed = 4};

template <class T>
void expect_same_bits(const formats::NamedArrays& a, const formats::NamedArrays& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    EXPECT_EQ(a[k].first, b[k].first);
    ASSERT_EQ(a[k].second.bytes(), b[k].second.bytes());
    EXPECT_EQ(std::memcmp(a[k].second.data(), b[k].second.data(), a[k].second.bytes()), 0) << a[k].first;
  }
}

TEST(Trainer, OneStepOfGradientDescentByHand) {
  // f = w x with w = 2, x = 3, label 0: loss (6 - 1)^2 / 2, gradient 15.
  test::TestContext own;
  ops::GraphBuilder builder("line");
  const ValueId x = builder.input("input", {1});
  const ValueId w = builder.parameter(test::parameter<double>("w.weight", {1, 1}, {2}));
  builder.output(builder.apply("Linear", {x, w}, {}, "f"));
  const auto graph = std::make_shared<const Graph>(builder.finish());
  Samples<double> samples{.inputs = Tensor<double>({1, 1}), .labels = {0}};
  samples.inputs[0] = 3;
  Trainer<double> trainer(graph, Loss(LossKind::mse, *graph), samples, {.optimizer = {.rate = 0.125}}, own.context);
  EXPECT_EQ(trainer.objective().score().loss(), 12.5);
  ASSERT_FALSE(trainer.run_epoch());
  EXPECT_EQ(trainer.parameters()[0].second.as<double>()[0], 2 - 0.125 * 15);
  EXPECT_EQ(trainer.steps(), 1);
  EXPECT_EQ(trainer.epoch(), 1);
}

TEST(Trainer, LearnsWithEitherOptimizer) {
  test::TestContext own;
  const auto graph = test::dense_network({5, 16, 3}, "Tanh", "Softmax", 3);
  const auto samples = samples_of<double>(60);
  for (TrainingOptions options : {adam, momentum}) {
    options.optimizer.rate *= 3;
    Trainer<double> trainer(graph, Loss(LossKind::cross_entropy, *graph), samples, options, own.context);
    const double before = trainer.objective().score().loss();
    for (int epoch = 0; epoch < 60; ++epoch) ASSERT_FALSE(trainer.run_epoch());
    EXPECT_LT(trainer.objective().score().loss(), before / 3);
    EXPECT_GT(trainer.objective().score().accuracy(), 0.95);
    EXPECT_EQ(trainer.steps(), 60 * 5);
  }
}

template <class T>
class TrainerBits : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(TrainerBits, Scalars);

TYPED_TEST(TrainerBits, DoNotDependOnAStopInBetween) {
  using T = TypeParam;
  test::TestContext own;
  const test::TemporaryFolder folder;
  const auto type = dtype_of<T>();
  const auto graph = test::dense_network({5, 6, 3}, "Tanh", "Softmax", 3, type);
  const auto samples = samples_of<T>(40);
  const Loss loss(LossKind::cross_entropy, *graph);
  for (const TrainingOptions& options : {adam, momentum}) {
    Trainer<T> whole(graph, loss, samples, options, own.context);
    for (int epoch = 0; epoch < 6; ++epoch) whole.run_epoch();
    Trainer<T> before(graph, loss, samples, options, own.context);
    for (int epoch = 0; epoch < 2; ++epoch) before.run_epoch();
    write_checkpoint(folder / "C.safetensors", before.checkpoint({{"loss", "ce"}}));
    Trainer<T> after(graph, loss, samples, options, own.context);
    const Checkpoint read = read_checkpoint(folder / "C.safetensors");
    EXPECT_EQ(read.settings.at("loss"), "ce");
    after.restore(read, folder / "C.safetensors");
    EXPECT_EQ(after.epoch(), 2);
    for (int epoch = 2; epoch < 6; ++epoch) after.run_epoch();
    EXPECT_EQ(after.steps(), whole.steps());
    expect_same_bits<T>(whole.checkpoint({}).parameters, after.checkpoint({}).parameters);
    expect_same_bits<T>(whole.checkpoint({}).state, after.checkpoint({}).state);
  }
}

TYPED_TEST(TrainerBits, DoNotDependOnThreads) {
  using T = TypeParam;
  // Wide enough that products and steps are shared out.
  const auto graph = test::dense_network({5, 700, 130, 3}, "Tanh", "Softmax", 3, dtype_of<T>());
  const auto samples = samples_of<T>(150);
  std::vector<Checkpoint> ends;
  for (const int threads : {1, 2, 5}) {
    test::TestContext own(threads);
    TrainingOptions options = adam;
    options.batch_size = 70;
    Trainer<T> trainer(graph, Loss(LossKind::cross_entropy, *graph), samples, options, own.context);
    for (int epoch = 0; epoch < 2; ++epoch) trainer.run_epoch();
    ends.push_back(trainer.checkpoint({}));
  }
  for (const Checkpoint& end : ends) {
    expect_same_bits<T>(ends.front().parameters, end.parameters);
    expect_same_bits<T>(ends.front().state, end.state);
  }
}

TEST(Trainer, ShuffleSeedsMakeDifferentRuns) {
  test::TestContext own;
  const auto graph = test::dense_network({5, 6, 3}, "Tanh", "", 3);
  const auto samples = samples_of<double>(40);
  std::vector<double> entries;
  for (const std::uint64_t seed : {1U, 2U}) {
    TrainingOptions options = momentum;
    options.shuffle_seed = seed;
    Trainer<double> trainer(graph, Loss(LossKind::mse, *graph), samples, options, own.context);
    trainer.run_epoch();
    entries.push_back(trainer.parameters()[0].second.as<double>()[0]);
  }
  EXPECT_NE(entries[0], entries[1]);
}

TEST(Trainer, SaysWhereItDiverges) {
  test::TestContext own;
  const auto graph = test::dense_network({5, 6, 3}, "", "", 3);
  const auto samples = samples_of<double>(40);
  TrainingOptions options{.optimizer = {.rate = 1e6}, .epochs = 500};
  Trainer<double> trainer(graph, Loss(LossKind::mse, *graph), samples, options, own.context);
  std::optional<Divergence> divergence;
  while (!divergence && trainer.epoch() < 500) divergence = trainer.run_epoch();
  ASSERT_TRUE(divergence);
  EXPECT_EQ(divergence->epoch, trainer.epoch() + 1);
  EXPECT_EQ(divergence->step, trainer.epoch() + 1);
  EXPECT_NE(divergence->what.find("not a finite number"), std::string::npos);
}

TEST(Trainer, RefusesACheckpointThatDoesNotFit) {
  test::TestContext own;
  const test::TemporaryFolder folder;
  const auto graph = test::dense_network({5, 6, 3}, "Tanh", "", 3);
  const auto wider = test::dense_network({5, 7, 3}, "Tanh", "", 3);
  const auto samples = samples_of<double>(40);
  Trainer<double> trainer(graph, Loss(LossKind::mse, *graph), samples, momentum, own.context);
  Trainer<double> other(wider, Loss(LossKind::mse, *wider), samples, momentum, own.context);
  Trainer<double> adaptive(graph, Loss(LossKind::mse, *graph), samples, adam, own.context);
  const auto kind = [&](Trainer<double>& target, const Checkpoint& checkpoint) {
    return test::error_of([&] { target.restore(checkpoint, "C"); }).kind();
  };
  EXPECT_EQ(kind(other, trainer.checkpoint({})), ErrorKind::input);
  EXPECT_EQ(kind(adaptive, trainer.checkpoint({})), ErrorKind::input);
  Checkpoint without_epoch = trainer.checkpoint({});
  without_epoch.settings.clear();
  EXPECT_EQ(kind(trainer, without_epoch), ErrorKind::input);
  formats::write_safetensors(folder / "W.safetensors", trainer.parameters());
  EXPECT_EQ(test::error_of([&] { read_checkpoint(folder / "W.safetensors"); }).kind(), ErrorKind::input);
  EXPECT_EQ(test::error_of([&] { check_settings(trainer.checkpoint({{"rate", "1"}}), {{"rate", "2"}}, "C"); }).kind(),
            ErrorKind::usage);
}

TEST(Trainer, FrozenParametersStayAndAreWritten) {
  test::TestContext own;
  Graph graph = *test::dense_network({5, 6, 3}, "Tanh", "", 3);
  select_parameters(graph, "", "0.weight");
  const auto shared = std::make_shared<const Graph>(graph);
  const auto samples = samples_of<double>(40);
  Trainer<double> trainer(shared, Loss(LossKind::mse, graph), samples, momentum, own.context);
  trainer.run_epoch();
  const auto after = trainer.parameters();
  ASSERT_EQ(after.size(), graph.parameters.size());
  for (std::size_t p = 0; p < after.size(); ++p) {
    const auto before = graph.parameters[p].data.as<double>();
    const bool same = std::equal(before.begin(), before.end(), after[p].second.as<double>().begin());
    EXPECT_EQ(same, graph.parameters[p].name == "0.weight") << after[p].first;
  }
}

}  // namespace
}  // namespace tangra::train
