// Convolutions against an independent naive loop and hand numbers, and what infer refuses.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "ops/cases.h"
#include "ops/single_node.h"

namespace tangra::ops::test {
namespace {

using tangra::test::error_of;
using Integers = std::vector<Index>;
using Numbers = std::vector<double>;

/// An array [channels, z, y, x] of one sample with any number of spatial axes.
struct Image {
  const double* data;
  std::array<Index, 4> lengths{1, 1, 1, 1};

  Image(const double* entries, const Shape& shape) : data(entries) {
    lengths[0] = shape[0];
    for (Index axis = 1; axis < shape.rank(); ++axis) {
      lengths[static_cast<std::size_t>(3 - (shape.rank() - 1 - axis))] = shape[axis];
    }
  }
  double operator()(Index c, Index z, Index y, Index x) const {
    if (z < 0 || y < 0 || x < 0 || z >= lengths[1] || y >= lengths[2] || x >= lengths[3]) return 0;
    return data[((c * lengths[1] + z) * lengths[2] + y) * lengths[3] + x];
  }
};

/// Strides, dilations and begin of three axes as a test states them.
struct Geometry {
  std::array<Index, 3> stride{1, 1, 1};
  std::array<Index, 3> dilation{1, 1, 1};
  std::array<Index, 3> begin{0, 0, 0};

  Geometry(const Attributes& attributes, Index rank, const std::array<Index, 3>& begins) : begin(begins) {
    const Integers strides = attributes.integers("strides", Integers(static_cast<std::size_t>(rank), 1));
    const Integers dilations = attributes.integers("dilations", Integers(static_cast<std::size_t>(rank), 1));
    for (Index k = 0; k < rank; ++k) {
      const auto axis = static_cast<std::size_t>(3 - rank + k);
      stride[axis] = strides[static_cast<std::size_t>(k)];
      dilation[axis] = dilations[static_cast<std::size_t>(k)];
    }
  }
};

/// What Conv or ConvTranspose means, entry by entry: the sum over all pairs of an entry of x and a tap of the
/// kernel that belong to the entry (channel, at) of the result.
double naive_entry(bool transposed, const Image& x, const double* weight, const Shape& shape, Index groups,
                   const Geometry& g, Index channel, const std::array<Index, 3>& at) {
  Shape padded{shape[0], shape[1]};
  for (Index k = shape.rank(); k < 5; ++k) padded.append(1);
  for (Index k = 2; k < shape.rank(); ++k) padded.append(shape[k]);
  const Index channels = transposed ? shape[1] * groups : shape[0];
  const Index group = channel / (channels / groups);
  const Index own_inputs = x.lengths[0] / groups;
  double sum = 0;
  for (Index k = 0; k < own_inputs; ++k) {
    for (Index a = 0; a < padded[2]; ++a) {
      for (Index b = 0; b < padded[3]; ++b) {
        for (Index c = 0; c < padded[4]; ++c) {
          const std::array<Index, 3> tap{a, b, c};
          std::array<Index, 3> from{};
          bool meets = true;
          for (std::size_t axis = 0; axis < 3; ++axis) {
            if (transposed) {
              const Index reached = at[axis] + g.begin[axis] - tap[axis] * g.dilation[axis];
              meets = meets && reached % g.stride[axis] == 0;
              from[axis] = reached < 0 ? -1 : reached / g.stride[axis];
            } else {
              from[axis] = at[axis] * g.stride[axis] - g.begin[axis] + tap[axis] * g.dilation[axis];
            }
          }
          if (!meets) continue;
          const Index input = group * own_inputs + k;
          const Index row = transposed ? input : channel;
          const Index column = transposed ? channel % shape[1] : k;
          const Index entry = (((row * shape[1] + column) * padded[2] + a) * padded[3] + b) * padded[4] + c;
          sum += weight[entry] * x(input, from[0], from[1], from[2]);
        }
      }
    }
  }
  return sum;
}

/// Compares a node's forward pass with the naive loop. `begin` is the padding before the image, as worked out
/// by hand.
void expect_naive(const std::string& op, const Shape& x_shape, const Shape& weight_shape,
                  const Attributes& attributes, std::array<Index, 3> begin, Index samples = 2,
                  bool shared_weight = true) {
  SCOPED_TRACE(op + " " + to_string(x_shape) + " " + to_string(weight_shape));
  const bool transposed = op == "ConvTranspose";
  const Index groups = attributes.integer("group", 1);
  const Index channels = transposed ? weight_shape[1] * groups : weight_shape[0];
  const Tensor<double> x = random_tensor<double>(x_shape.with_leading(samples), 1);
  const Tensor<double> weight =
      random_tensor<double>(weight_shape.with_leading(shared_weight ? 1 : samples), 2);
  const Tensor<double> bias = random_tensor<double>({1, channels}, 3);
  std::vector<Tensor<double>> operands;
  for (const auto* operand : {&x, &weight, &bias}) operands.push_back(operand->clone());
  const SingleNode<double> node(op, attributes, std::move(operands));
  const Geometry geometry(attributes, x_shape.rank() - 1, begin);
  const Image result(nullptr, node.shape());
  const Index size = node.shape().elements();
  const double bound = 4 * static_cast<double>(weight_shape.elements()) * 0x1p-53;
  for (Index i = 0; i < samples; ++i) {
    const Image image(x.data() + i * x_shape.elements(), x_shape);
    const double* w = weight.data() + (shared_weight ? 0 : i * weight_shape.elements());
    for (Index e = 0; e < size; ++e) {
      const Index spatial = e % (size / channels);
      const Index plane = result.lengths[2] * result.lengths[3];
      const std::array<Index, 3> at{spatial / plane, spatial / result.lengths[3] % result.lengths[2],
                                    spatial % result.lengths[3]};
      const Index c = e / (size / channels);
      const double expected =
          bias[c] + naive_entry(transposed, image, w, weight_shape, groups, geometry, c, at);
      ASSERT_NEAR(node.forward()[i * size + e], expected, bound) << "sample " << i << ", entry " << e;
    }
  }
}

TEST(Conv, MeansWhatTheNaiveLoopSays) {
  const std::string op = "Conv";
  expect_naive(op, {1, 1}, {1, 1, 1}, {}, {0, 0, 0});
  expect_naive(op, {3, 9}, {4, 3, 3}, {{"pads", Integers{2, 1}}, {"dilations", Integers{2}}}, {0, 0, 2});
  expect_naive(op, {3, 5, 7}, {4, 3, 3, 2}, {{"pads", Integers{1, 0, 2, 3}}, {"strides", Integers{2, 3}}},
               {0, 1, 0});
  expect_naive(op, {4, 5, 4}, {6, 2, 2, 3}, {{"group", Index{2}}, {"dilations", Integers{3, 1}}}, {0, 0, 0});
  expect_naive(op, {5, 6, 6}, {5, 1, 3, 3}, {{"group", Index{5}}, {"pads", Integers{1, 1, 1, 1}}}, {0, 1, 1});
  expect_naive(op, {2, 4, 3, 5}, {3, 2, 2, 3, 2},
               {{"strides", Integers{2, 1, 2}}, {"pads", Integers{1, 0, 2, 0, 1, 1}}}, {1, 0, 2});
  // SAME: 5 entries, stride 2, 3 positions reach over 6 with a kernel of 2: one of padding; 4 with 3 at
  // stride 1: two.
  const auto same = [&](const char* pad) {
    return Attributes{{"auto_pad", std::string(pad)}, {"strides", Integers{2, 1}}};
  };
  expect_naive(op, {2, 5, 4}, {2, 2, 2, 3}, same("SAME_UPPER"), {0, 0, 1});
  expect_naive(op, {2, 5, 4}, {2, 2, 2, 3}, same("SAME_LOWER"), {0, 1, 1});
  expect_naive(op, {2, 5, 4}, {2, 2, 2, 3}, same("VALID"), {0, 0, 0});
}

TEST(ConvTranspose, MeansWhatTheNaiveLoopSays) {
  const std::string op = "ConvTranspose";
  expect_naive(op, {1, 1}, {1, 1, 1}, {}, {0, 0, 0});
  expect_naive(op, {3, 5}, {3, 2, 3},
               {{"strides", Integers{2}}, {"pads", Integers{2, 1}}, {"dilations", Integers{2}}}, {0, 0, 2});
  expect_naive(op, {3, 4, 2}, {3, 2, 3, 2}, {{"strides", Integers{2, 3}}, {"output_padding", Integers{1, 2}}},
               {0, 0, 0});
  expect_naive(op, {4, 3, 2}, {4, 3, 2, 2}, {{"group", Index{2}}, {"pads", Integers{1, 0, 0, 1}}}, {0, 1, 0});
  expect_naive(op, {2, 2, 3, 2}, {2, 3, 2, 1, 3},
               {{"strides", Integers{2, 2, 1}}, {"pads", Integers{0, 0, 1, 1, 0, 0}}}, {0, 0, 1});
  // 3 entries, stride 2, kernel 3: 7 entries, of which SAME keeps 6; stride 3, kernel 4: 10, of which it
  // keeps 9.
  const auto same = [&](const char* pad) {
    return Attributes{{"auto_pad", std::string(pad)}, {"strides", Integers{2, 3}}};
  };
  expect_naive(op, {2, 3, 3}, {2, 2, 3, 4}, same("SAME_UPPER"), {0, 0, 0});
  expect_naive(op, {2, 3, 3}, {2, 2, 3, 4}, same("SAME_LOWER"), {0, 1, 1});
  // 7 entries of which 4 are asked for: the larger half of the padding lies in front.
  expect_naive(op, {1, 3}, {1, 1, 3}, {{"strides", Integers{2}}, {"output_shape", Integers{4}}}, {0, 0, 2});
}

/// Sizes at which rows are multiplied together, positions are parted into pieces, and threads share the work.
TEST(Conv, LargeSizesAreParted) {
  expect_naive("Conv", {40, 8, 8}, {3, 40, 5, 5}, {{"pads", Integers{2, 2, 2, 2}}}, {0, 2, 2}, 37);
  expect_naive("Conv", {40, 3, 3}, {5, 40, 3, 3}, {}, {0, 0, 0}, 67);
  expect_naive("Conv", {40, 3, 3}, {5, 40, 3, 3}, {}, {0, 0, 0}, 5, false);
  expect_naive("Conv", {300, 19, 17}, {2, 300, 5, 5}, {{"pads", Integers{2, 2, 2, 2}}}, {0, 2, 2}, 2);
  expect_naive("Conv", {3, 70000}, {2, 3, 7}, {{"pads", Integers{3, 3}}}, {0, 0, 3}, 1);
  expect_naive("ConvTranspose", {3, 8, 8}, {3, 40, 5, 5}, {{"pads", Integers{2, 2, 2, 2}}}, {0, 2, 2}, 37);
  expect_naive("ConvTranspose", {2, 19, 17}, {2, 300, 5, 5}, {{"pads", Integers{2, 2, 2, 2}}}, {0, 2, 2}, 2);
}

TEST(Conv, GivesTheNumbersOfTheHand) {
  const SingleNode<double> plain("Conv", {{"pads", Integers{1, 0}}}, [] {
    std::vector<Tensor<double>> inputs;
    inputs.push_back(one_sample<double>({1, 4}, {1, 2, 3, 4}));
    inputs.push_back(one_sample<double>({1, 1, 2}, {10, 1}));
    inputs.push_back(one_sample<double>({1}, {100}));
    return inputs;
  }());
  EXPECT_EQ(numbers(plain.forward()), (Numbers{101, 112, 123, 134}));
  const Tensor<double> cotangent = one_sample<double>({1, 1, 4}, {1, 0, 0, 2});
  const auto pulled = plain.pullback(1, cotangent);
  EXPECT_EQ(numbers(pulled[0]), (Numbers{1, 0, 20, 2}));
  EXPECT_EQ(numbers(pulled[1]), (Numbers{0 + 2 * 3, 1 + 2 * 4}));
  EXPECT_EQ(numbers(pulled[2]), (Numbers{3}));
}

TEST(ConvTranspose, GivesTheNumbersOfTheHand) {
  std::vector<Tensor<double>> inputs;
  inputs.push_back(one_sample<double>({1, 3}, {1, 2, 3}));
  inputs.push_back(one_sample<double>({1, 1, 3}, {100, 10, 1}));
  const SingleNode<double> node("ConvTranspose", {{"strides", Integers{2}}, {"output_padding", Integers{1}}},
                                std::move(inputs));
  EXPECT_EQ(numbers(node.forward()), (Numbers{100, 10, 201, 20, 302, 30, 3, 0}));
  const auto pulled = node.pullback(1, one_sample<double>({1, 1, 8}, {0, 0, 1, 0, 0, 0, 0, 5}));
  EXPECT_EQ(numbers(pulled[0]), (Numbers{1, 100, 0}));
  EXPECT_EQ(numbers(pulled[1]), (Numbers{2, 0, 1}));
}

/// Forward pass and both pull-backs of `samples` samples; sample 0 alone must have the bits that it has among
/// others.
template <class T>
std::vector<T> bits(const std::string& op, const Attributes& attributes, Shape x, Shape weight,
                    Index directions, Index samples, int threads) {
  const Tensor<T> all = random_tensor<T>(x.with_leading(9), 5);
  Tensor<T> own(x.with_leading(samples));
  std::copy_n(all.data(), own.size(), own.data());
  std::vector<Tensor<T>> inputs;
  inputs.push_back(std::move(own));
  inputs.push_back(random_tensor<T>(weight.with_leading(1), 6));
  const SingleNode<T> node(op, attributes, std::move(inputs), threads);
  const Index size = node.shape().elements();
  const Tensor<T> cotangents = random_tensor<T>(node.shape().with_leading(directions).with_leading(samples), 7);
  const auto pulled = node.pullback(directions, cotangents, T(1) / 3);
  std::vector<T> result(node.forward().data(), node.forward().data() + size);
  result.insert(result.end(), pulled[0].data(), pulled[0].data() + directions * x.elements());
  result.insert(result.end(), pulled[1].data(), pulled[1].data() + directions * weight.elements());
  return result;
}

TEST(Conv, BitsDependOnNeitherThreadsNorCompany) {
  const Attributes padded{{"pads", Integers{1, 2, 0, 1}}, {"strides", Integers{1, 2}}};
  for (const std::string op : {"Conv", "ConvTranspose"}) {
    for (const Index side : {4, 9, 40}) {
      for (const Index directions : {1, 2}) {
        for (const Index taps : {1, 3}) {  // a kernel of one tap reads the image as it lies
          const Attributes attributes = taps == 1 ? Attributes{} : padded;
          const auto found = [&](Index samples, int threads) {
            return bits<float>(op, attributes, {16, side, side}, {16, 16, taps, taps}, directions, samples, threads);
          };
          const auto alone = found(1, 1);
          EXPECT_EQ(found(9, 3), alone) << op << " " << side << ", " << taps;
          EXPECT_EQ(found(2, 5), alone) << op << " " << side << ", " << taps;
        }
      }
    }
  }
}

void expect_refused(const std::string& op, const Attributes& attributes, const std::vector<Shape>& inputs,
                    const std::string& words) {
  const Error error = error_of([&] { inferred(op, attributes, inputs); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
}

TEST(Conv, RefusesWhatDoesNotFit) {
  const std::vector<Shape> fits{{2, 5, 5}, {3, 2, 3, 3}};
  EXPECT_EQ(inferred("Conv", {}, fits), (Shape{3, 3, 3}));
  expect_refused("Conv", {}, {{2, 5, 2}, {3, 2, 3, 3}}, "longer than the padded input");
  expect_refused("Conv", {{"dilations", Integers{3, 1}}}, fits, "longer than the padded input");
  expect_refused("Conv", {{"pads", Integers{1, 1, 1, -1}}}, fits, "pads has an entry out of range");
  expect_refused("Conv", {{"pads", Integers{1, 1}}}, fits, "pads has the wrong number of entries");
  expect_refused("Conv", {{"strides", Integers{0, 1}}}, fits, "strides has an entry out of range");
  expect_refused("Conv", {{"dilations", Integers{Index{1} << 40, 1}}}, fits,
                 "dilations has an entry out of range");
  expect_refused("Conv", {{"kernel_shape", Integers{3, 2}}}, fits, "kernel_shape does not fit");
  expect_refused("Conv", {{"auto_pad", std::string("SAME")}}, fits, "auto_pad has an unknown value");
  expect_refused("Conv", {{"group", Index{0}}}, fits, "group is out of range");
  expect_refused("Conv", {{"group", Index{2}}}, fits, "channels do not fit");
  expect_refused("Conv", {{"group", Index{2}}}, {{4, 5, 5}, {3, 2, 3, 3}}, "cannot be parted into groups");
  expect_refused("Conv", {}, {{3, 5, 5}, {3, 2, 3, 3}}, "channels do not fit");
  expect_refused("Conv", {}, {{2, 5, 5}, {3, 2, 3}}, "rank does not fit");
  expect_refused("Conv", {}, {{2}, {3, 2}}, "not an image");
  expect_refused("Conv", {}, {{2, 3, 3, 3, 3}, {3, 2, 1, 1, 1, 1}}, "not an image");
  expect_refused("Conv", {}, {{2, 0, 5}, {3, 2, 1, 1}}, "out of range");
  expect_refused("Conv", {}, {{2, 5, 5}, {3, 2, 0, 3}}, "out of range");
  expect_refused("Conv", {}, {{2, 5, 5}, {3, 2, 3, 3}, {2}}, "bias does not fit");
  expect_refused("Conv", {{"pads", Integers(4, Index{1} << 30)}}, fits, "too large");
}

TEST(ConvTranspose, RefusesWhatDoesNotFit) {
  const std::vector<Shape> fits{{2, 4, 4}, {2, 3, 3, 3}};
  EXPECT_EQ(inferred("ConvTranspose", {{"strides", Integers{2, 3}}}, fits), (Shape{3, 9, 12}));
  expect_refused("ConvTranspose", {{"pads", Integers{3, 0, 3, 0}}}, fits, "the result has no entries");
  expect_refused("ConvTranspose", {{"output_padding", Integers{-1, 0}}}, fits, "output_padding");
  expect_refused("ConvTranspose", {{"output_shape", Integers{5}}}, fits, "output_shape has the wrong number");
  expect_refused("ConvTranspose", {}, {{3, 4, 4}, {2, 3, 3, 3}}, "channels do not fit");
  expect_refused("ConvTranspose", {{"group", Index{3}}}, {{4, 4, 4}, {4, 3, 3, 3}}, "channels do not fit");
  expect_refused("ConvTranspose", {}, {{2, 4, 4}, {2, 3, 3, 3}, {2}}, "bias does not fit");
}

}  // namespace
}  // namespace tangra::ops::test
