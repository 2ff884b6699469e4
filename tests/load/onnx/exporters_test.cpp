// What PyTorch's exporter writes with optimize=False, where another graph would do.
#include <gtest/gtest.h>

#include <algorithm>

#include "file.h"
#include "run.h"
#include "support/support.h"

namespace tangra::test::onnx {
namespace {

using Indices = std::vector<Index>;

/// y for two samples of (4, 6) that count from 0.
Tensor<double> result_of(const File& file) {
  const auto graph = std::make_shared<const Graph>(loaded(file.bytes()));
  std::vector<Tensor<double>> inputs;
  inputs.push_back(Tensor<double>({2, 4, 6}));
  for (Index k = 0; k < 48; ++k) inputs[0][k] = static_cast<double>(k);
  return run(graph, std::move(inputs))[0].clone();
}

File with_input() {
  return File(18)
      .input("x", {"N", 4, 6})
      .initializer(integers("first", {}, {0}))
      .initializer(integers("last", {}, {-1}));
}

/// torch.split and torch.chunk: parts of one length but the last, or of given ones.
TEST(OnnxExporters, PartsOfASequence) {
  const auto last_minus_first = [](const File& file) {
    File taken = file;
    return result_of(taken.node("SequenceAt", {"s", "first"}, {"a"})
                         .node("SequenceAt", {"s", "last"}, {"b"})
                         .node("ReduceSum", {"a", "end"}, {"c"})
                         .node("ReduceSum", {"b", "end"}, {"d"})
                         .initializer(integers("end", {1}, {-1}))
                         .node("Sub", {"d", "c"}, {"y"})
                         .output("y"));
  };
  const Message axis = attribute("axis", Index{2});
  // Rows count 6 k .. 6 k + 5 in row k: 4 + 5 less 0 + 1 + 2 + 3 is 3, and 24 k less 12 k fewer.
  const Tensor<double> uneven = last_minus_first(with_input()
                                                     .initializer(integers("part", {}, {4}))
                                                     .node("SplitToSequence", {"x", "part"}, {"s"}, {axis}));
  ASSERT_EQ(uneven.shape(), (Shape{2, 4, 1}));
  for (Index row = 0; row < 8; ++row) EXPECT_EQ(uneven[row], 3.0 - 12.0 * static_cast<double>(row)) << row;
  const Tensor<double> given = last_minus_first(with_input()
                                                    .initializer(integers("parts", {3}, {1, 3, 2}))
                                                    .node("SplitToSequence", {"x", "parts"}, {"s"}, {axis}));
  for (Index row = 0; row < 8; ++row) EXPECT_EQ(given[row], 9.0 + 6.0 * static_cast<double>(row)) << row;
}

/// torch.unbind: the axis goes.
TEST(OnnxExporters, SinglePartsOfASequence) {
  File file = with_input().node("SplitToSequence", {"x"}, {"s"},
                                {attribute("axis", Index{1}), attribute("keepdims", Index{0})});
  const Tensor<double> y =
      result_of(file.node("SequenceAt", {"s", "last"}, {"a"}).node("Neg", {"a"}, {"y"}).output("y"));
  ASSERT_EQ(y.shape(), (Shape{2, 6}));
  for (Index k = 0; k < 6; ++k) {
    EXPECT_EQ(y[k], -18.0 - static_cast<double>(k));
    EXPECT_EQ(y[6 + k], -42.0 - static_cast<double>(k));
  }
}

TEST(OnnxExporters, SequencesAreNoArrays) {
  const auto refused = [](const File& file) {
    return std::string(error_of([&] { loaded(file.bytes()); }).what());
  };
  const auto split = [](const Indices& parts, Index axis) {
    return with_input()
        .initializer(integers("parts", {static_cast<Index>(parts.size())}, parts))
        .node("SplitToSequence", {"x", "parts"}, {"s"}, {attribute("axis", axis)});
  };
  File sequence = split({3, 3}, 2), direct = split({3, 3}, 2), beyond = split({3, 3}, 2),
       short_of = split({3, 2}, 2);
  EXPECT_NE(refused(sequence.node("Relu", {"s"}, {"y"}).output("y")).find("is a sequence"),
            std::string::npos);
  EXPECT_NE(refused(direct.output("s")).find("output s"), std::string::npos);
  beyond.initializer(integers("five", {}, {5})).node("SequenceAt", {"s", "five"}, {"y"}).output("y");
  EXPECT_NE(refused(beyond).find("N_y"), std::string::npos);
  EXPECT_NE(refused(short_of.node("SequenceAt", {"s", "first"}, {"y"}).output("y")).find("do not make up"),
            std::string::npos);
  File samples = split({1}, 0), array = with_input();
  EXPECT_NE(refused(samples.node("SequenceAt", {"s", "first"}, {"y"}).output("y")).find("mixes samples"),
            std::string::npos);
  EXPECT_NE(refused(array.node("SequenceAt", {"x", "first"}, {"y"}).output("y")).find("SplitToSequence"),
            std::string::npos);
}

/// F.normalize: the least length is cast to the type of the length, which the sample decides.
TEST(OnnxExporters, ConstantsCastToTheTypeOfData) {
  File file = with_input()
                  .initializer(reals("least", {}, {20}))
                  .node("Cast", {"least"}, {"c"}, {attribute("to", Index{1})});
  file.node("CastLike", {"c", "x"}, {"l"}).node("Clip", {"x", "l"}, {"y"}).output("y");
  const Tensor<double> y = result_of(file);
  for (Index k = 0; k < 48; ++k) EXPECT_EQ(y[k], static_cast<double>(std::max<Index>(k, 20)));
}

/// A table of positions, x[index]: by one axis, and by two with negative places.
TEST(OnnxExporters, GatherNDByConstants) {
  File table =
      with_input().initializer(weights("t", {5, 6})).initializer(integers("i", {4, 1}, {4, 0, -1, 2}));
  table.node("GatherND", {"t", "i"}, {"g"})
      .node("Mul", {"x", "zero"}, {"z"})
      .initializer(reals("zero", {}, {0}));
  const auto graph =
      std::make_shared<const Graph>(loaded(table.node("Add", {"z", "g"}, {"y"}).output("y").bytes()));
  ASSERT_EQ(graph->parameters.size(), 2U);
  std::vector<Tensor<double>> inputs;
  inputs.push_back(Tensor<double>({1, 4, 6}));
  const Tensor<double> y = run(graph, std::move(inputs))[0].clone();
  const auto entry = [](Index row, Index column) {
    return 0.1F * static_cast<float>((row * 6 + column) % 7) - 0.25F;
  };
  const Indices rows{4, 0, 4, 2};
  for (Index k = 0; k < 24; ++k)
    EXPECT_NEAR(y[k], static_cast<double>(entry(rows[static_cast<std::size_t>(k / 6)], k % 6)), 1e-7) << k;
  File pairs = with_input().initializer(integers("i", {2, 3}, {0, 0, 0, 0, 3, 5}));
  EXPECT_NE(std::string(error_of([&] {
                          loaded(pairs.node("GatherND", {"x", "i"}, {"y"}).output("y").bytes());
                        }).what())
                .find("mixes samples"),
            std::string::npos);
  File turned = with_input().initializer(integers("i", {2, 2}, {0, -1, 3, 5}));
  turned.node("Transpose", {"x"}, {"t"}, {attribute("perm", Indices{1, 2, 0})})
      .node("GatherND", {"t", "i"}, {"g"});
  const Tensor<double> picked = result_of(turned.node("Transpose", {"g"}, {"y"}).output("y"));
  ASSERT_EQ(picked.shape(), (Shape{2, 2}));
  const std::vector<double> expected{5, 23, 29, 47};
  for (Index k = 0; k < 4; ++k) EXPECT_EQ(picked[k], expected[static_cast<std::size_t>(k)]);
}

}  // namespace
}  // namespace tangra::test::onnx
