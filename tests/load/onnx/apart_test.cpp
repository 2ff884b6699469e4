// What is proved of the axis of samples holds for any number of them: what only looks right for one sample is
// refused, and what is loaded gives each sample what the file gives it in a batch.
#include <gtest/gtest.h>

#include "file.h"
#include "run.h"
#include "support/support.h"

namespace tangra::test::onnx {
namespace {

using Integers = std::vector<Index>;

void expect_refused(const File& file, const std::string& what, const std::string& where) {
  const std::string text = error_of([&] { loaded(file.bytes()); }).what();
  EXPECT_NE(text.find(what), std::string::npos) << text;
  EXPECT_NE(text.find(where), std::string::npos) << text;
}

/// Three samples through the network for one against the file's own batch of three, loaded as one whole
/// input. The samples lie along axis `in` of the input and `out` of the output.
void expect_apart(const File& file, const Shape& batch, Index in, Index out) {
  const auto one = std::make_shared<const Graph>(loaded(file.bytes()));
  const auto whole =
      std::make_shared<const Graph>(loaded(file.bytes(), {.whole_inputs = true, .input = batch}));
  Tensor<double> together(batch.with_leading(1)), apart(one->shape(one->inputs[0]).with_leading(batch[in]));
  const Index before = batch.elements(0, in), behind = batch.elements(in + 1, batch.rank());
  for (Index b = 0; b < before; ++b) {
    for (Index n = 0; n < batch[in]; ++n) {
      for (Index c = 0; c < behind; ++c) {
        const Index at = (b * batch[in] + n) * behind + c;
        together[at] = 0.07 * static_cast<double>(at * at % 23) - 0.6;
        apart[(n * before + b) * behind + c] = together[at];
      }
    }
  }
  std::vector<Tensor<double>> batches, samples;
  batches.push_back(std::move(together));
  samples.push_back(std::move(apart));
  const auto expected = run<double>(whole, std::move(batches)), found = run<double>(one, std::move(samples));
  const Shape& shape = whole->shape(whole->outputs[0]);
  ASSERT_EQ(shape.elements(), found[0].size());
  const Index left = shape.elements(0, out), right = shape.elements(out + 1, shape.rank());
  ASSERT_EQ(shape[out] % batch[in], 0);
  const Index rows = shape[out] / batch[in];  // (N, rows)
  for (Index b = 0; b < left; ++b) {
    for (Index n = 0; n < batch[in]; ++n) {
      for (Index c = 0; c < rows * right; ++c) {
        EXPECT_NEAR(expected[0][(b * batch[in] + n) * rows * right + c],
                    found[0][(n * left + b) * rows * right + c], 1e-14);
      }
    }
  }
}

File scaled(const Axis& samples = "N") {
  return File().input("x", {samples, 4}).initializer(weights("w", {4})).node("Mul", {"x", "w"}, {"a"});
}

File sliced(const Axis& samples, Index start, Index end, Index step = 1) {
  File file = scaled(samples).initializer(integers("s", {1}, {start})).initializer(integers("e", {1}, {end}));
  file.initializer(integers("ax", {1}, {0})).initializer(integers("st", {1}, {step}));
  return file.node("Slice", {"a", "s", "e", "ax", "st"}, {"b"}).node("Sub", {"x", "b"}, {"y"}).output("y");
}

TEST(OnnxApart, ASliceOfTheSamplesIsTheWholeAxisForAnyNumber) {
  constexpr Index most = std::numeric_limits<Index>::max(), most32 = 2147483647;
  for (const auto& [start, end] :
       {std::pair<Index, Index>{0, 1}, {0, 2}, {0, 3}, {0, 100}, {-1, most}, {-5, most}, {0, most32 - 1}}) {
    expect_refused(sliced("N", start, end), "takes some of the samples", "N_b");
  }
  expect_refused(sliced("N", 0, most, 2), "takes some of the samples", "N_b");
  for (const auto& [start, end] :
       {std::pair<Index, Index>{0, most}, {0, most32}, {-most, most}, {-most32, most}}) {
    expect_apart(sliced("N", start, end), {3, 4}, 0, 0);
  }
  // In a file for three samples, all of them.
  expect_apart(sliced(3, 0, 3), {3, 4}, 0, 0);
  expect_apart(sliced(3, -3, 3), {3, 4}, 0, 0);
  expect_refused(sliced(3, 0, 2), "takes some of the samples", "N_b");
  expect_refused(sliced(3, -1, most), "takes some of the samples", "N_b");
}

TEST(OnnxApart, ASliceUpToTheNumberOfSamplesIsTheWholeAxis) {
  const auto up_to = [](bool clipped) {
    File file = scaled().node("Shape", {"x"}, {"s"}, {attribute("end", Index{1})});
    file.initializer(integers("from", {1}, {0})).initializer(integers("most", {1}, {2}));
    file.node("Min", {"s", "most"}, {"m"});
    return file.node("Slice", {"a", "from", clipped ? "m" : "s", "from"}, {"b"})
        .node("Sub", {"x", "b"}, {"y"})
        .output("y");
  };
  expect_apart(up_to(false), {3, 4}, 0, 0);
  expect_refused(up_to(true), "takes some of the samples", "N_b");  // min(N, 2), which is N for one and two
}

/// x (N, 4) or (N, 3, 4), perhaps transposed, then one or two new shapes.
File reshaped(const Axis& samples, const Integers& order, const Integers& first, const Integers& second = {},
              Index softmax = 0) {
  File file;
  if (order.size() == 3)
    file.input("x", {samples, 3, 4});
  else
    file.input("x", {samples, 4});
  file.initializer(weights("w", {4, 2})).node("Transpose", {"x"}, {"t"}, {attribute("perm", order)});
  file.initializer(integers("s1", {std::ssize(first)}, first)).node("Reshape", {"t", "s1"}, {"r"});
  if (second.empty()) return file.node("Tanh", {"r"}, {"y"}).output("y");
  file.node("Softmax", {"r"}, {"p"}, {attribute("axis", softmax)});
  file.initializer(integers("s2", {std::ssize(second)}, second)).node("Reshape", {"p", "s2"}, {"y"});
  return file.output("y");
}

TEST(OnnxApart, AShapeThatFitsOneSampleAloneIsNoProof) {
  // (2, N, 2) of (N, 4): the second axis holds pieces of several samples.
  expect_refused(reshaped("N", {0, 1}, {2, -1, 2}, {-1, 4}, 1), "mixes samples", "N_r");
  // Rows t * N + n, read back as if they were n * T + t.
  expect_refused(reshaped("N", {1, 0, 2}, {-1, 4}, {-1, 3, 4}, 1), "mixes samples", "N_y");
  for (const Integers& target : {Integers{-1, 3, 4}, {2, -1, 3}, {12, -1}, {-1, 12}}) {
    expect_refused(reshaped("N", {1, 0, 2}, target), "mixes samples", "N_r");
  }
  for (const Integers& target : {Integers{4, -1}, {1, 4}, {4}}) {
    expect_refused(reshaped("N", {0, 1}, target), "mixes samples", "N_r");
  }
  expect_refused(reshaped("N", {0, 1}, {1, -1}), "no axis of samples", "output y");
  expect_refused(reshaped(3, {0, 1}, {1, 4}), "mixes samples", "N_r");  // does not hold three samples
}

TEST(OnnxApart, WhatIsProvedIsRight) {
  expect_apart(reshaped("N", {0, 1, 2}, {-1, 4}, {-1, 3, 4}, 1), {3, 3, 4}, 0, 0);
  expect_apart(reshaped("N", {0, 1, 2}, {-1, 4}), {3, 3, 4}, 0, 0);
  expect_apart(reshaped("N", {0, 1, 2}, {-1, 12}), {3, 3, 4}, 0, 0);
  expect_apart(reshaped("N", {0, 1}, {-1, 2, 2}, {-1, 4}, 1), {3, 4}, 0, 0);
  // (T, N, C) to (T, N * heads, d) and back, and to rows T * N and back.
  expect_apart(reshaped("N", {1, 0, 2}, {3, -1, 2}, {3, -1, 4}, 0), {3, 3, 4}, 0, 1);
  expect_apart(reshaped("N", {1, 0, 2}, {-1, 4}, {3, -1, 4}, 1), {3, 3, 4}, 0, 1);
  expect_apart(reshaped(3, {1, 0, 2}, {-1, 4}, {3, -1, 4}, 1), {3, 3, 4}, 0, 1);
}

TEST(OnnxApart, AJointNeedsTheSamplesInAllItsParts) {
  const auto joined = [](const Axis& samples) {
    File file = File().input("x", {samples, 3, 4}).initializer(weights("token", {1, 1, 4}));
    return file.node("Concat", {"token", "x"}, {"y"}, {attribute("axis", Index{1})}).output("y");
  };
  expect_refused(joined("N"), "token does not", "N_y");
  EXPECT_NO_THROW(loaded(joined(1).bytes()));
}

TEST(OnnxApart, ZerosForEachSampleAddNoSamples) {
  const auto added = [](Index rows) {
    File file = scaled().node("Shape", {"x"}, {"s"}).node("ConstantOfShape", {"s"}, {"z"});
    file.initializer(weights("p", {rows, 4})).node("Add", {"z", "p"}, {"c"}).node("Mul", {"a", "c"}, {"y"});
    return file.output("y");
  };
  expect_apart(added(1), {3, 4}, 0, 0);
  expect_refused(added(3), "entries of its own", "N_c");
}

TEST(OnnxApart, ASizeAlongTheSamplesIsTheirNumber) {
  const auto resized = [](const Axis& samples, Index number) {
    File file = File().input("x", {samples, 2, 2, 2}).initializer(integers("sizes", {4}, {number, 2, 4, 4}));
    return file.node("Resize", {"x", "", "", "sizes"}, {"y"}).output("y");
  };
  expect_refused(resized("N", 1), "resizes the axis of the samples", "N_y");
  expect_refused(resized("N", 3), "resizes the axis of the samples", "N_y");
  expect_refused(resized(3, 1), "resizes the axis of the samples", "N_y");
  EXPECT_NO_THROW(loaded(resized(1, 1).bytes()));
  EXPECT_NO_THROW(loaded(resized(3, 3).bytes()));
}

}  // namespace
}  // namespace tangra::test::onnx
