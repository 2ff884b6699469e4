// Values by hand, and what is refused.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "ops/single_node.h"
#include "tangra/ops/builder.h"

namespace tangra::ops {
namespace {

using Numbers = std::vector<double>;
using Integers = std::vector<Index>;
using Reals = std::vector<double>;
using Text = std::string;

struct Array {
  Shape shape;
  Numbers entries;
};

Numbers value(const std::string& op, const std::vector<Array>& inputs, Attributes attributes = {}) {
  std::vector<Tensor<double>> tensors;
  for (const Array& input : inputs) tensors.push_back(test::one_sample<double>(input.shape, input.entries));
  return test::numbers(test::SingleNode<double>(op, std::move(attributes), std::move(tensors)).forward());
}

/// The same for one input with one axis.
Numbers line(const std::string& op, const Numbers& x, Attributes attributes = {}) {
  return value(op, {{{std::ssize(x)}, x}}, std::move(attributes));
}

void expect_near(const Numbers& found, const Numbers& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t e = 0; e < found.size(); ++e) EXPECT_NEAR(found[e], wanted[e], 1e-14) << "entry " << e;
}

Numbers counted(Index count) {
  Numbers result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), 1);
  return result;
}

TEST(Values, Functions) {
  EXPECT_EQ(line("Neg", {1, -2}), (Numbers{-1, 2}));
  EXPECT_EQ(line("Abs", {1, -2, 0}), (Numbers{1, 2, 0}));
  EXPECT_EQ(line("Sqrt", {4, 0}), (Numbers{2, 0}));
  EXPECT_EQ(line("Reciprocal", {4, -0.5}), (Numbers{0.25, -2}));
  EXPECT_EQ(line("Floor", {1.5, -1.5, 2}), (Numbers{1, -2, 2}));
  EXPECT_EQ(line("Ceil", {1.5, -1.5, 2}), (Numbers{2, -1, 2}));
  EXPECT_EQ(line("Round", {0.5, 1.5, 2.5, -0.5, -1.5, 1.2, -1.7}), (Numbers{0, 2, 2, 0, -2, 1, -2}));
  EXPECT_EQ(line("Sign", {3, 0, -0.1}), (Numbers{1, 0, -1}));
  EXPECT_EQ(line("Not", {1, 0}), (Numbers{0, 1}));
  EXPECT_EQ(line("Cast", {1.7, -1.7, 0}, {{"to", Text("int")}}), (Numbers{1, -1, 0}));
  EXPECT_EQ(line("Cast", {1.7, -1.7, 0}, {{"to", Text("bool")}}), (Numbers{1, 1, 0}));
  EXPECT_EQ(line("HardSigmoid", {-3, 0, 1, 3}), (Numbers{0, 0.5, 0.7, 1}));
  EXPECT_EQ(line("HardSwish", {-4, -3, 0, 1.5, 3, 4}), (Numbers{0, 0, 0, 1.125, 3, 4}));
  EXPECT_EQ(line("ThresholdedRelu", {0.5, 1, 1.5}), (Numbers{0, 0, 1.5}));
  expect_near(line("Celu", {1, -1}, {{"alpha", 2.0}}), {1, 2 * (std::exp(-0.5) - 1)});
  expect_near(line("Mish", {1, -1}),
              {std::tanh(std::log(1 + std::exp(1.0))), -std::tanh(std::log(1 + std::exp(-1.0)))});
  expect_near(line("Tan", {0.5}), {std::tan(0.5)});
  expect_near(line("Asinh", {1, -1}), {std::log(1 + std::sqrt(2.0)), -std::log(1 + std::sqrt(2.0))});
  expect_near(line("Atanh", {0.6}), {std::log(2.0)});
  const double low = -HUGE_VAL, nan = std::nan("");
  EXPECT_EQ(line("IsNaN", {1, nan, low}), (Numbers{0, 1, 0}));
  EXPECT_EQ(line("IsInf", {1, nan, low, -low}), (Numbers{0, 0, 1, 1}));
  EXPECT_EQ(line("IsInf", {low, -low}, {{"detect_negative", Index{0}}}), (Numbers{0, 1}));
}

TEST(Values, TwoInputs) {
  EXPECT_EQ(value("Pow", {{{4}, {2, -2, 0, 9}}, {{4}, {3, 3, 2, 0.5}}}), (Numbers{8, -8, 0, 3}));
  EXPECT_EQ(value("Max", {{{2, 1}, {1, 3}}, {{2}, {2, 0}}}), (Numbers{2, 1, 3, 3}));
  EXPECT_EQ(value("Min", {{{2, 1}, {1, 3}}, {{2}, {2, 0}}}), (Numbers{1, 0, 2, 0}));
  EXPECT_EQ(value("PRelu", {{{2, 2}, {1, -1, -2, 4}}, {{2, 1}, {0.5, 0.25}}}), (Numbers{1, -0.5, -0.5, 4}));
  EXPECT_EQ(value("Mod", {{{4}, {5, -5, 5, -5}}, {{4}, {3, 3, -3, -3}}}), (Numbers{2, 1, -1, -2}));
  EXPECT_EQ(value("Mod", {{{2}, {-5, 5}}, {{2}, {3, -3}}}, {{"fmod", Index{1}}}), (Numbers{-2, 2}));
  const std::vector<Array> pair{{{3}, {1, 2, 3}}, {{}, {2}}};
  EXPECT_EQ(value("Equal", pair), (Numbers{0, 1, 0}));
  EXPECT_EQ(value("Less", pair), (Numbers{1, 0, 0}));
  EXPECT_EQ(value("LessOrEqual", pair), (Numbers{1, 1, 0}));
  EXPECT_EQ(value("Greater", pair), (Numbers{0, 0, 1}));
  EXPECT_EQ(value("GreaterOrEqual", pair), (Numbers{0, 1, 1}));
  const std::vector<Array> bits{{{4}, {0, 0, 1, 1}}, {{4}, {0, 1, 0, 1}}};
  EXPECT_EQ(value("And", bits), (Numbers{0, 0, 0, 1}));
  EXPECT_EQ(value("Or", bits), (Numbers{0, 1, 1, 1}));
  EXPECT_EQ(value("Xor", bits), (Numbers{0, 1, 1, 0}));
  EXPECT_EQ(value("Where", {{{2, 1}, {1, 0}}, {{2}, {1, 2}}, {{}, {9}}}), (Numbers{1, 2, 9, 9}));
}

TEST(Values, Reductions) {
  const Array x{{2, 3}, {1, -2, 3, 4, 0, -6}};
  const Attributes last{{"axes", Integers{1}}};
  EXPECT_EQ(value("ReduceMax", {x}, last), (Numbers{3, 4}));
  EXPECT_EQ(value("ReduceMin", {x}, last), (Numbers{-2, -6}));
  EXPECT_EQ(value("ReduceProd", {x}, last), (Numbers{-6, 0}));
  EXPECT_EQ(value("ReduceL1", {x}, last), (Numbers{6, 10}));
  EXPECT_EQ(value("ReduceMax", {x}, {{"axes", Integers{0}}}), (Numbers{4, 0, 3}));
  expect_near(line("ReduceLogSum", {1, 2, 3}), {std::log(6.0)});
  expect_near(line("ReduceLogSumExp", {1, 2, 3}), {std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0))});
}

TEST(Values, MatMulIsThatOfPlainLoops) {
  const Array a{{2, 1, 2, 3}, counted(12)};
  const Array b{{2, 3, 2}, counted(12)};
  Numbers wanted;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 2; ++j) {
      for (std::size_t m = 0; m < 2; ++m) {
        for (std::size_t n = 0; n < 2; ++n) {
          double sum = 0;
          for (std::size_t k = 0; k < 3; ++k)
            sum += a.entries[(i * 2 + m) * 3 + k] * b.entries[(j * 3 + k) * 2 + n];
          wanted.push_back(sum);
        }
      }
    }
  }
  EXPECT_EQ(value("MatMul", {a, b}), wanted);
  EXPECT_EQ(value("MatMul", {{{3}, {1, 2, 3}}, {{3}, {4, 5, 6}}}), (Numbers{32}));
  EXPECT_EQ(value("MatMul", {{{2}, {1, 2}}, {{2, 2}, {1, 2, 3, 4}}}), (Numbers{7, 10}));
  EXPECT_EQ(value("MatMul", {{{2, 2}, {1, 2, 3, 4}}, {{2}, {1, 2}}}), (Numbers{5, 11}));
  EXPECT_EQ(test::inferred("MatMul", {}, {{7, 1, 2, 3}, {4, 3, 5}}), (Shape{7, 4, 2, 5}));
  EXPECT_EQ(test::inferred("MatMul", {}, {{3}, {4, 3, 5}}), (Shape{4, 5}));
}

TEST(Values, Einsum) {
  const auto einsum = [](const char* equation, const std::vector<Array>& inputs) {
    return value("Einsum", inputs, {{"equation", Text(equation)}});
  };
  const Array square{{2, 2}, {1, 2, 3, 4}};
  const Array wide{{2, 3}, counted(6)};
  EXPECT_EQ(einsum("ij,jk->ik", {square, wide}), value("MatMul", {square, wide}));
  EXPECT_EQ(einsum("ij,jk->ki", {square, wide}), (Numbers{9, 19, 12, 26, 15, 33}));
  EXPECT_EQ(einsum("ii->i", {square}), (Numbers{1, 4}));
  EXPECT_EQ(einsum("ij->j", {wide}), (Numbers{5, 7, 9}));
  EXPECT_EQ(einsum("i,j->ji", {{{2}, {1, 2}}, {{3}, {3, 4, 5}}}), (Numbers{3, 6, 4, 8, 5, 10}));
  EXPECT_EQ(einsum("bi,bi->b", {wide, {{1, 3}, {1, 10, 100}}}), (Numbers{321, 654}));
  EXPECT_EQ(einsum("ij,kl->i", {square, wide}), (Numbers{63, 147}));
}

TEST(Values, ShapesAlone) {
  EXPECT_EQ(test::inferred("Squeeze", {}, {{1, 3, 1}}), (Shape{3}));
  EXPECT_EQ(test::inferred("Squeeze", {{"axes", Integers{-1}}}, {{1, 3, 1}}), (Shape{1, 3}));
  EXPECT_EQ(test::inferred("Unsqueeze", {{"axes", Integers{0, -1}}}, {{3, 4}}), (Shape{1, 3, 4, 1}));
  EXPECT_EQ(test::inferred("Flatten", {{"axis", Index{2}}}, {{2, 3, 5}}), (Shape{6, 5}));
  EXPECT_EQ(test::inferred("Flatten", {{"axis", Index{0}}}, {{2, 3, 5}}), (Shape{1, 30}));
  EXPECT_EQ(test::inferred("Gather", {{"indices", Integers{1}}, {"indices_shape", Integers{}}}, {{2, 3}}),
            (Shape{3}));
}

TEST(Values, IndexMaps) {
  const Array x{{2, 3}, counted(6)};
  EXPECT_EQ(value("Expand", {{{2, 1}, {1, 2}}}, {{"shape", Integers{1, 3}}}), (Numbers{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(value("Tile", {x}, {{"repeats", Integers{1, 2}}}), (Numbers{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  const Attributes sides{{"pads", Integers{0, 2, 0, 1}}};
  const auto padded = [&](const char* mode) {
    Attributes attributes = sides;
    attributes.set("mode", Text(mode));
    attributes.set("value", -1.0);
    return value("Pad", {{{1, 3}, {1, 2, 3}}}, attributes);
  };
  EXPECT_EQ(padded("constant"), (Numbers{-1, -1, 1, 2, 3, -1}));
  EXPECT_EQ(padded("edge"), (Numbers{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(padded("reflect"), (Numbers{3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(padded("wrap"), (Numbers{2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(line("Pad", {1, 2, 3, 4}, {{"pads", Integers{-1, -2}}}), (Numbers{2}));
  EXPECT_EQ(value("Gather", {x}, {{"indices", Integers{2, -3}}, {"axis", Index{1}}}), (Numbers{3, 1, 6, 4}));
  EXPECT_EQ(value("GatherData", {x, {{3}, {1, 0, -1}}}), (Numbers{4, 5, 6, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(value("GatherData", {x, {{}, {2}}}, {{"axis", Index{1}}}), (Numbers{3, 6}));
  EXPECT_EQ(value("Trilu", {x}), (Numbers{1, 2, 3, 0, 5, 6}));
  EXPECT_EQ(value("Trilu", {x}, {{"upper", Index{0}}, {"k", Index{1}}}), (Numbers{1, 2, 0, 4, 5, 6}));
}

TEST(Values, DepthAndSpace) {
  // Channel c holds 10 c + column; the four channels of a block become its corners.
  Numbers channels;
  for (int c = 0; c < 8; ++c) {
    for (int column = 0; column < 2; ++column) channels.push_back(10 * c + column);
  }
  const Array x{{8, 1, 2}, channels};
  const Attributes two{{"blocksize", Index{2}}};
  EXPECT_EQ(value("DepthToSpace", {x}, two),
            (Numbers{0, 20, 1, 21, 40, 60, 41, 61, 10, 30, 11, 31, 50, 70, 51, 71}));
  EXPECT_EQ(value("DepthToSpace", {x}, {{"blocksize", Index{2}}, {"mode", Text("CRD")}}),
            (Numbers{0, 10, 1, 11, 20, 30, 21, 31, 40, 50, 41, 51, 60, 70, 61, 71}));
  const Numbers there = value("DepthToSpace", {x}, two);
  EXPECT_EQ(value("SpaceToDepth", {{{2, 2, 4}, there}}, two), channels);
}

TEST(Values, Resize) {
  const auto resized = [](const Array& x, const char* mode, const char* coordinates, const Reals& scales) {
    return value(
        "Resize", {x},
        {{"mode", Text(mode)}, {"coordinate_transformation_mode", Text(coordinates)}, {"scales", scales}});
  };
  const Array square{{2, 2}, {1, 2, 3, 4}};
  const Array wide{{2, 4}, counted(8)};
  EXPECT_EQ(resized(square, "nearest", "half_pixel", {2, 3}),
            (Numbers{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}));
  expect_near(resized(square, "linear", "half_pixel", {2, 2}),
              {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4});
  expect_near(resized(square, "linear", "align_corners", {1, 2}),
              {1, 4. / 3, 5. / 3, 2, 3, 10. / 3, 11. / 3, 4});
  expect_near(resized(square, "linear", "asymmetric", {1, 2}), {1, 1.5, 2, 2, 3, 3.5, 4, 4});
  expect_near(resized(wide, "linear", "half_pixel", {0.6, 0.6}), {8. / 3, 13. / 3});
  expect_near(resized(wide, "linear", "align_corners", {0.6, 0.6}), {1, 4});
  expect_near(resized(wide, "linear", "half_pixel_symmetric", {1, 0.6}), {5. / 3, 10. / 3, 17. / 3, 22. / 3});
  expect_near(resized({{4}, counted(4)}, "linear", "pytorch_half_pixel", {0.3}), {1});
  const auto rounded = [](const char* rounding) {
    return line("Resize", {1, 2, 3, 4},
                {{"sizes", Integers{8}},
                 {"nearest_mode", Text(rounding)},
                 {"coordinate_transformation_mode", Text("asymmetric")}});
  };
  EXPECT_EQ(rounded("round_prefer_floor"), (Numbers{1, 1, 2, 2, 3, 3, 4, 4}));
  EXPECT_EQ(rounded("round_prefer_ceil"), (Numbers{1, 2, 2, 3, 3, 4, 4, 4}));
  EXPECT_EQ(rounded("floor"), (Numbers{1, 1, 2, 2, 3, 3, 4, 4}));
  EXPECT_EQ(rounded("ceil"), (Numbers{1, 2, 2, 3, 3, 4, 4, 4}));
}

void expect_refused(const std::string& op, const std::vector<Shape>& inputs,
                    const Attributes& attributes = {}) {
  const Error error = tangra::test::error_of([&] { test::inferred(op, attributes, inputs); });
  EXPECT_EQ(error.kind(), ErrorKind::input) << op;
  EXPECT_NE(std::string(error.what()).find("node"), std::string::npos) << op;
}

TEST(Refused, WhatDoesNotFit) {
  expect_refused("Max", {{3}, {4}});
  expect_refused("Where", {{3}, {1}, {4}});
  expect_refused("MatMul", {{3}, {4}});
  expect_refused("MatMul", {{}, {4}});
  expect_refused("MatMul", {{2, 3, 4}, {3, 4, 5}});
  for (const char* equation :
       {"ij,jk", "...i,i->i", "i,i->j", "i,i->ii", "ij,j->i", "i,j,k->i", "i->j->i", "i,i->i-"}) {
    expect_refused("Einsum", {{3}, {3}}, {{"equation", Text(equation)}});
  }
  expect_refused("Einsum", {{3}, {4}}, {{"equation", Text("i,i->i")}});
  expect_refused("Cast", {{2}}, {{"to", Text("string")}});
  expect_refused("BatchNormalization", {{3, 2}, {3}, {3}, {2}, {3}});
  expect_refused("LayerNormalization", {{3, 2}, {3}});
  expect_refused("LayerNormalization", {{}, {}});
  expect_refused("GroupNormalization", {{5, 2}, {5}, {5}}, {{"num_groups", Index{2}}});
  expect_refused("GroupNormalization", {{4, 2}, {3}, {4}}, {{"num_groups", Index{2}}});
  expect_refused("LRN", {{5}});
  expect_refused("Squeeze", {{3, 1}}, {{"axes", Integers{0}}});
  expect_refused("Unsqueeze", {{3}}, {{"axes", Integers{0, 0}}});
  expect_refused("Split", {{5}}, {{"split", Integers{2, 2}}});
  expect_refused("Split", {{5}}, {{"split", Integers{6, -1}}});
  expect_refused("Split", {{5}});
  expect_refused("Expand", {{3}}, {{"shape", Integers{2}}});
  expect_refused("Tile", {{3}}, {{"repeats", Integers{-1}}});
  expect_refused("Pad", {{3}}, {{"pads", Integers{-2, -2}}});
  expect_refused("Pad", {{3}}, {{"pads", Integers{1, 1}}, {"mode", Text("mirror")}});
  expect_refused("Gather", {{3}}, {{"indices", Integers{3}}});
  expect_refused("Gather", {{3}}, {{"indices", Integers{0}}, {"indices_shape", Integers{2}}});
  expect_refused("DepthToSpace", {{6, 2, 2}}, {{"blocksize", Index{2}}});
  expect_refused("SpaceToDepth", {{6, 2, 3}}, {{"blocksize", Index{2}}});
  expect_refused("Resize", {{3}}, {{"sizes", Integers{2}}, {"mode", Text("cubic")}});
  expect_refused("Resize", {{3}}, {{"sizes", Integers{2}}, {"scales", Reals{2}}});
  expect_refused("Resize", {{3}}, {{"scales", Reals{-1}}});
}

TEST(Refused, HugeResultsBeforeTheyAreMade) {
  const Index huge = Index{1} << 40;
  expect_refused("Expand", {{1}}, {{"shape", Integers{huge}}});
  expect_refused("Expand", {{1}}, {{"shape", Integers{huge, huge}}});
  expect_refused("Tile", {{3}}, {{"repeats", Integers{huge}}});
  expect_refused("Tile", {{3}}, {{"repeats", Integers{std::numeric_limits<Index>::max()}}});
  expect_refused("Pad", {{3}}, {{"pads", Integers{0, huge}}});
  expect_refused("Pad", {{3}}, {{"pads", Integers{std::numeric_limits<Index>::max(), huge}}});
  expect_refused("Resize", {{3}}, {{"sizes", Integers{huge}}});
  expect_refused("Resize", {{3}}, {{"scales", Reals{1e300}}});
  expect_refused("DepthToSpace", {{0, 1, 1}}, {{"blocksize", huge}});
  expect_refused("Gather", {{2, huge}}, {{"indices", Integers{0}}});
}

TEST(Refused, NothingBecauseOfItsSizeBeforeItIsMade) {
  const auto resident = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // KiB at most so far
  };
  const Index large = Index{1} << 27;
  const long before = resident();
  EXPECT_EQ(test::inferred("Pad", {{"pads", Integers{0, large - 3}}}, {{3}}), (Shape{large}));
  EXPECT_EQ(test::inferred("Tile", {{"repeats", Integers{large / 4}}}, {{4}}), (Shape{large}));
  EXPECT_EQ(test::inferred("Expand", {{"shape", Integers{large}}}, {{1}}), (Shape{large}));
  EXPECT_EQ(test::inferred("Gather", {{"indices", Integers{0}}}, {{2, large}}), (Shape{1, large}));
  EXPECT_EQ(test::inferred("Trilu", {}, {{large / 4, 4}}), (Shape{large / 4, 4}));
  EXPECT_EQ(test::inferred("LayerNormalization", {}, {{large / 4, 4}, {4}, {4}}), (Shape{large / 4, 4}));
  EXPECT_EQ(test::inferred("GroupNormalization", {{"num_groups", Index{2}}}, {{4, large / 4}, {4}, {4}}),
            (Shape{4, large / 4}));
  EXPECT_EQ(test::inferred("Einsum", {{"equation", std::string("ij,jk->ki")}}, {{large / 4, 4}, {4, 2}}),
            (Shape{2, large / 4}));
  EXPECT_EQ(test::inferred("Einsum", {{"equation", std::string("i,j->ij")}}, {{large}, {large}}),
            (Shape{large, large}));
  EXPECT_LT(resident() - before, 64 * 1024);
}

TEST(GraphBuilder, HoldsNoValueThatNoComputerHolds) {
  GraphBuilder builder;
  const ValueId row = builder.input("row", {1, Index{1} << 30}),
                column = builder.input("column", {Index{1} << 30, 1});
  EXPECT_EQ(tangra::test::error_of([&] {
              builder.apply("Add", {row, column}, {}, "sum");
            }).kind(),
            ErrorKind::input);
}

TEST(Refused, IndicesOutsideOfTheTable) {
  for (const double index : {3.0, -4.0, 0.5, std::nan(""), 1e300}) {
    const Error error = tangra::test::error_of([&] {
      value("GatherData", {{{3, 2}, counted(6)}, {{1}, {index}}});
    });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_NE(std::string(error.what()).find("node"), std::string::npos);
  }
}

}  // namespace
}  // namespace tangra::ops
