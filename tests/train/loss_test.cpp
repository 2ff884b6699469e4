#include "tangra/train/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/networks.h"
#include "support/support.h"

namespace tangra::train {
namespace {

Loss loss_of(LossKind kind, const std::string& head, Index classes = 3) {
  return Loss(kind, *test::dense_network({2, classes}, "", head, 1));
}

TEST(Loss, MseIsHalfTheSquaredDistanceToOneHot) {
  const Loss loss = loss_of(LossKind::mse, "Softmax");
  std::vector<double> gradient(3);
  const auto outcome = loss(std::vector<double>{0.5, 0.25, -1}, 1, gradient);
  EXPECT_EQ(outcome.loss, (0.25 + 0.5625 + 1) / 2);
  EXPECT_EQ(gradient, (std::vector<double>{0.5, -0.75, -1}));
  EXPECT_FALSE(outcome.correct);
  EXPECT_TRUE(loss(std::vector<double>{0.5, 0.25, -1}, 0, {}).correct);
}

TEST(Loss, TheFirstOfEqualOutputsCounts) {
  const Loss loss = loss_of(LossKind::mse, "");
  EXPECT_TRUE(loss(std::vector<double>{1, 1, 0}, 0, {}).correct);
  EXPECT_FALSE(loss(std::vector<double>{1, 1, 0}, 1, {}).correct);
}

TEST(Loss, CrossEntropyTakesTheLogitsOfASoftmax) {
  const auto graph = test::dense_network({2, 3}, "", "Softmax", 1);
  const Loss loss(LossKind::cross_entropy, *graph);
  EXPECT_EQ(graph->value(loss.of()).name, "0");
  EXPECT_TRUE(loss.takes_logits());
  EXPECT_EQ(Loss(LossKind::mse, *graph).of(), graph->outputs.front());
  const auto without = test::dense_network({2, 3}, "", "", 1);
  EXPECT_EQ(Loss(LossKind::cross_entropy, *without).of(), without->outputs.front());
  EXPECT_TRUE(Loss(LossKind::cross_entropy, *without).takes_logits());
}

TEST(Loss, CrossEntropyLooksThroughNodesThatOnlyChangeTheShape) {
  ops::GraphBuilder builder("reshaped");
  const ValueId x = builder.input("input", {2, 3});
  const ValueId p = builder.apply("Softmax", {builder.apply("Flatten", {x}, {{"axis", Index{0}}}, "flat")}, {}, "p");
  builder.output(builder.apply("Reshape", {p}, {{"shape", std::vector<Index>{6}}}, "y"));
  const Graph graph = builder.finish();
  EXPECT_EQ(graph.value(Loss(LossKind::cross_entropy, graph).of()).name, "flat");
}

TEST(Loss, LogSoftmaxIsTakenAsItIs) {
  const auto graph = test::dense_network({2, 3}, "", "LogSoftmax", 1);
  const Loss loss(LossKind::cross_entropy, *graph);
  EXPECT_EQ(loss.of(), graph->outputs.front());
  EXPECT_FALSE(loss.takes_logits());
  std::vector<double> gradient(3, 7);
  EXPECT_EQ(loss(std::vector<double>{-0.5, -2, -1.5}, 2, gradient).loss, 1.5);
  EXPECT_EQ(gradient, (std::vector<double>{0, 0, -1}));
}

TEST(Loss, SoftmaxOverAPartOfTheOutputsIsRefused) {
  ops::GraphBuilder builder("tokens");
  builder.output(builder.apply("Softmax", {builder.input("input", {4, 3})}, {}, "p"));
  const Graph graph = builder.finish();
  EXPECT_EQ(test::error_of([&] { Loss(LossKind::cross_entropy, graph); }).kind(), ErrorKind::unsupported);
  EXPECT_NO_THROW(Loss(LossKind::mse, graph));
}

TEST(Loss, CrossEntropyKeepsItsDigitsWhereOneClassDominates) {
  const Loss loss = loss_of(LossKind::cross_entropy, "");
  std::vector<double> gradient(3);
  // exp(-40) is below the rounding of 1: 1 - p would be 0.
  const std::vector<double> z = {40, 0, -1};
  const double others = std::exp(-40.0) + std::exp(-41.0);
  const auto right = loss(z, 0, gradient);
  EXPECT_NEAR(right.loss / others, 1, 1e-14);
  EXPECT_NEAR(gradient[0] / -others, 1, 1e-14);
  EXPECT_NEAR(gradient[1] / std::exp(-40.0), 1, 1e-14);
  // Beyond the range of exp.
  const std::vector<double> far = {-2000, 3000, 0};
  const auto wrong = loss(far, 0, gradient);
  EXPECT_EQ(wrong.loss, 5000);
  EXPECT_EQ(gradient, (std::vector<double>{-1, 1, 0}));
}

TEST(Loss, GradientsAgreeWithDifferences) {
  for (const LossKind kind : {LossKind::mse, LossKind::cross_entropy}) {
    for (const char* head : {"", "LogSoftmax"}) {
      const Loss loss = loss_of(kind, head, 5);
      const std::vector<double> z = {0.3, -1.2, 0.9, 0.8, -0.1};
      std::vector<double> gradient(5);
      loss(z, 3, gradient);
      for (std::size_t a = 0; a < z.size(); ++a) {
        constexpr double h = 1e-5;
        std::vector<double> up = z, down = z;
        up[a] += h;
        down[a] -= h;
        // The error of a central difference: h^2 / 6 times a third derivative below 1, and rounding eps / h.
        EXPECT_NEAR(gradient[a], (loss(up, 3, {}).loss - loss(down, 3, {}).loss) / (2 * h), 1e-9) << name_of(kind) << head << a;
      }
    }
  }
}

TEST(Loss, IsNotFiniteWhereAnOutputIsNot) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const LossKind kind : {LossKind::mse, LossKind::cross_entropy}) {
    const Loss loss = loss_of(kind, "");
    for (const double bad : {nan, infinity}) {
      for (std::size_t place = 0; place < 3; ++place) {
        std::vector<double> z = {0.5, 0.2, 0.1};
        z[place] = bad;
        EXPECT_FALSE(std::isfinite(loss(z, 1, {}).loss)) << name_of(kind) << bad << place;
      }
    }
  }
}

TEST(Labels, MustFit) {
  EXPECT_NO_THROW(check_labels({0, 2, 1}, 3, 3, "here"));
  const Error count = test::error_of([] { check_labels({0, 1}, 3, 3, "here"); });
  EXPECT_EQ(count.kind(), ErrorKind::input);
  EXPECT_EQ(count.complaint().got, "2 labels");
  const Error range = test::error_of([] { check_labels({0, 3, 1}, 3, 3, "here"); });
  EXPECT_EQ(range.kind(), ErrorKind::input);
  EXPECT_EQ(range.complaint().where, "here, sample 1");
  EXPECT_EQ(range.complaint().got, "3");
  EXPECT_EQ(test::error_of([] { check_labels({0, -1, 1}, 3, 3, "here"); }).kind(), ErrorKind::input);
}

}  // namespace
}  // namespace tangra::train
