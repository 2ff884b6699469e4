// Cases of the elementwise functions, reductions, products, normalisations and index maps beyond those of
// cases.cpp.
#include "ops/cases.h"

namespace tangra::ops {
namespace {

using Integers = std::vector<Index>;
using Reals = std::vector<double>;
using Text = std::string;

void add_functions(std::vector<Case>& cases) {
  for (const char* op : {"Celu",  "HardSigmoid", "HardSwish", "Mish", "ThresholdedRelu",
                         "Neg",   "Abs",         "Sin",       "Cos",  "Floor",
                         "Ceil",  "Round",       "Sign",      "Not",  "Cast",
                         "IsNaN", "IsInf",       "Sinh",      "Cosh", "Atan",
                         "Asinh"}) {
    cases.push_back({op, {{7}}, {}});
    cases.push_back({op, {{2, 1, 3}}, {}, -4, 4});
  }
  cases.push_back({"Celu", {{5}}, {{"alpha", 0.6}}});
  cases.push_back({"HardSigmoid", {{11}}, {{"alpha", 0.5}, {"beta", 0.25}}});
  cases.push_back({"HardSigmoid", {{11}}, {{"alpha", -0.5}, {"beta", 0.25}}});
  cases.push_back({"HardSwish", {{11}}, {}, -6, 6});
  cases.push_back({"ThresholdedRelu", {{11}}, {{"alpha", 0.25}}});
  cases.push_back({"Tan", {{5}}, {}, -1, 1});
  for (const char* op : {"Asin", "Acos", "Atanh"}) cases.push_back({op, {{2, 3}}, {}, -0.9, 0.9});
  cases.push_back({"Acosh", {{5}}, {}, 1.1, 4});
  cases.push_back({"IsInf", {{3}}, {{"detect_positive", Index{0}}}});
  cases.push_back({"Sqrt", {{6}}, {}, 0.2, 3});
  cases.push_back({"Reciprocal", {{6}}, {}, 0.4, 3});
  cases.push_back({"Reciprocal", {{}}, {}, -3, -0.4});
  cases.push_back({"Cast", {{4}}, {{"to", Text("int")}}, 0.1, 0.9});
  cases.push_back({"Cast", {{4}}, {{"to", Text("bool")}}, 0.1, 0.9});
}

void add_binaries(std::vector<Case>& cases) {
  const std::vector<std::pair<Shape, Shape>> pairs{{{5}, {5}},       {{3, 5}, {5}},       {{5}, {3, 5}},
                                                   {{3, 1}, {1, 5}}, {{2, 3, 5}, {3, 1}}, {{4}, {}},
                                                   {{}, {4}},        {{1}, {1}}};
  for (const auto& [a, b] : pairs) {
    for (const char* op :
         {"Max", "Min", "PRelu", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}) {
      cases.push_back({op, {a, b}, {}});
    }
    cases.push_back({"Pow", {a, b}, {}, 0.4, 2});
    cases.push_back({"Mod", {a, b}, {}, 0.5, 4});
    for (const char* op : {"And", "Or", "Xor"}) cases.push_back({op, {a, b}, {}, -2, 2, {{0, 0, 1}}});
    cases.push_back({"Where", {b, a, b}, {}, -2, 2, {{0, 0, 1}}});
    cases.push_back({"Where", {a, b, {}}, {}, -2, 2, {{0, 0, 1}}});
  }
  cases.push_back({"Mod", {{5}, {5}}, {{"fmod", Index{1}}}, 0.5, 4});
  cases.push_back({"Mod", {{5}, {}}, {}, -4, -0.5});
  cases.push_back({"Pow", {{3, 5}, {5}}, {}, -2, -0.4, {{1, -3, 3}}});  // negative bases
  cases.push_back({"Pow", {{7}, {}}, {}, -2, 2, {{1, 0, 3}}});
}

void add_reductions(std::vector<Case>& cases) {
  for (const char* op :
       {"ReduceL1", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSumExp", "ReduceLogSum"}) {
    const double low = Text(op) == "ReduceLogSum" ? 0.3 : -1.5;
    cases.push_back({op, {{2, 3, 5}}, {{"axes", Integers{1}}}, low, 1.5});
    cases.push_back({op, {{2, 3, 2}}, {{"axes", Integers{0, -1}}, {"keepdims", Index{0}}}, low, 1.5});
    cases.push_back({op, {{4}}, {}, low, 1.5});
    cases.push_back({op, {{1, 1}}, {{"axes", Integers{-1}}}, low, 1.5});
    cases.push_back({op, {{}}, {}, low, 1.5});
  }
}

void add_products(std::vector<Case>& cases) {
  const std::vector<std::pair<Shape, Shape>> pairs{{{5}, {5}},
                                                   {{5}, {5, 3}},
                                                   {{3, 5}, {5}},
                                                   {{3, 5}, {5, 2}},
                                                   {{1, 1}, {1, 1}},
                                                   {{2, 3, 5}, {5, 4}},
                                                   {{3, 5}, {2, 5, 4}},
                                                   {{2, 3, 5}, {2, 5, 4}},
                                                   {{5}, {2, 5, 3}},
                                                   {{2, 3, 5}, {5}},
                                                   {{3, 1}, {1, 4}},
                                                   {{3, 5}, {5, 1}},
                                                   {{2, 1, 3, 2}, {4, 2, 3}},
                                                   {{7, 5}, {1, 5, 3}},
                                                   {{1, 3, 2}, {2, 2, 1}}};
  for (const auto& [a, b] : pairs) cases.push_back({"MatMul", {a, b}, {}});
  const auto einsum = [&](const char* equation, std::vector<Shape> inputs) {
    cases.push_back({"Einsum", std::move(inputs), {{"equation", Text(equation)}}});
  };
  einsum("ij,jk->ik", {{2, 3}, {3, 5}});
  einsum("ij, kj -> ki", {{2, 3}, {5, 3}});
  einsum("bhqd,bhkd->bhqk", {{1, 2, 3, 5}, {1, 2, 4, 5}});
  einsum("bhwc,hkc->bhwk", {{1, 2, 3, 4}, {2, 2, 4}});
  einsum("tk,btkc->bct", {{3, 2}, {1, 3, 1, 4}});
  einsum("btk,kc->tcb", {{2, 3, 4}, {4, 5}});
  einsum("ck,bkt->bct", {{5, 4}, {2, 4, 3}});
  einsum("ij,kl->ik", {{2, 3}, {4, 5}});
  einsum("i,j->ij", {{3}, {4}});
  einsum("i,i->", {{5}, {5}});
  einsum("ii,i->i", {{4, 4}, {4}});
  einsum("i,->i", {{4}, {}});
  einsum("bii->bi", {{2, 3, 3}});
  einsum("ijk->ki", {{2, 3, 4}});
  einsum("ij->", {{2, 3}});
}

void add_normalisations(std::vector<Case>& cases) {
  cases.push_back({"BatchNormalization", {{3, 2, 5}, {3}, {3}, {3}, {3}}, {}, 0.5, 2});
  cases.push_back({"BatchNormalization", {{4}, {4}, {4}, {4}, {4}}, {{"epsilon", 0.1}}, 0.5, 2});
  cases.push_back({"LayerNormalization", {{7}, {7}}, {{"epsilon", 0.1}}});
  cases.push_back({"LayerNormalization", {{3, 7}, {7}, {7}}, {{"epsilon", 0.1}}});
  cases.push_back(
      {"LayerNormalization", {{2, 3, 5}, {3, 5}, {3, 5}}, {{"axis", Index{1}}, {"epsilon", 0.1}}});
  cases.push_back({"LayerNormalization", {{2, 3, 5}, {3, 1}, {}}, {{"axis", Index{-2}}, {"epsilon", 0.1}}});
  cases.push_back({"LayerNormalization", {{2, 5}, {2, 5}, {1, 5}}, {{"axis", Index{0}}, {"epsilon", 0.1}}});
  cases.push_back({"LayerNormalization", {{3, 1}, {1}, {1}}, {{"epsilon", 0.1}}});
  cases.push_back({"RMSNormalization", {{3, 7}, {7}}, {{"epsilon", 0.1}}});
  cases.push_back({"RMSNormalization", {{2, 3, 5}, {5}}, {{"axis", Index{1}}, {"epsilon", 0.1}}});
  cases.push_back({"RMSNormalization", {{1}, {}}, {{"epsilon", 0.1}}});
  cases.push_back({"InstanceNormalization", {{3, 2, 5}, {3}, {3}}, {{"epsilon", 0.1}}});
  cases.push_back({"InstanceNormalization", {{1, 7}, {1}, {1}}, {{"epsilon", 0.1}}});
  for (const Shape& gain : {Shape{6}, Shape{3}}) {
    cases.push_back(
        {"GroupNormalization", {{6, 5}, gain, gain}, {{"num_groups", Index{3}}, {"epsilon", 0.1}}});
  }
  cases.push_back(
      {"GroupNormalization", {{4, 3, 2}, {4}, {4}}, {{"num_groups", Index{1}}, {"epsilon", 0.1}}});
  cases.push_back({"LRN", {{5, 2, 3}}, {{"size", Index{3}}, {"alpha", 0.5}}});
  cases.push_back({"LRN", {{5}}, {{"size", Index{4}}, {"alpha", 0.5}, {"beta", 0.6}, {"bias", 2.0}}});
  cases.push_back({"LRN", {{2, 3}}, {{"size", Index{1}}, {"alpha", 0.5}}});
}

void add_reshapes(std::vector<Case>& cases) {
  cases.push_back({"Squeeze", {{1, 3, 1, 2}}, {}});
  cases.push_back({"Squeeze", {{1, 3, 1, 2}}, {{"axes", Integers{-2}}}});
  cases.push_back({"Squeeze", {{3}}, {}});
  cases.push_back({"Unsqueeze", {{3, 2}}, {{"axes", Integers{0, -1}}}});
  cases.push_back({"Unsqueeze", {{}}, {{"axes", Integers{0}}}});
  for (const Index axis : {0, 1, 2, 3, -1}) cases.push_back({"Flatten", {{2, 3, 5}}, {{"axis", axis}}});
  cases.push_back({"Split", {{2, 7}}, {{"axis", Index{1}}, {"split", Integers{1, 4, 0, 2}}}});
  cases.push_back({"Split", {{2, 7, 3}}, {{"axis", Index{-2}}, {"num_outputs", Index{3}}}});
  cases.push_back({"Split", {{4}}, {{"split", Integers{4}}}});
}

void add_maps(std::vector<Case>& cases) {
  cases.push_back({"Expand", {{3, 1}}, {{"shape", Integers{2, 1, 5}}}});
  cases.push_back({"Expand", {{}}, {{"shape", Integers{4}}}});
  cases.push_back({"Expand", {{2, 3}}, {{"shape", Integers{1}}}});
  cases.push_back({"Tile", {{2, 3}}, {{"repeats", Integers{3, 2}}}});
  cases.push_back({"Tile", {{2, 3}}, {{"repeats", Integers{1, 1}}}});
  for (const char* mode : {"constant", "reflect", "edge", "wrap"}) {
    cases.push_back({"Pad", {{3, 5}}, {{"pads", Integers{0, 2, 1, 3}}, {"mode", Text(mode)}}});
    cases.push_back({"Pad", {{4}}, {{"pads", Integers{-1, 2}}, {"mode", Text(mode)}, {"value", 1.5}}});
  }
  cases.push_back({"Pad", {{4, 1}}, {{"pads", Integers{-1, 0, -2, 0}}}});
  cases.push_back({"Gather", {{4, 3}}, {{"indices", Integers{2, -1, 2, 0}}}});
  cases.push_back(
      {"Gather", {{4, 3}}, {{"indices", Integers{1}}, {"indices_shape", Integers{}}, {"axis", Index{-1}}}});
  cases.push_back(
      {"Gather",
       {{2, 5, 3}},
       {{"indices", Integers{4, 0, 0, 1}}, {"indices_shape", Integers{2, 2}}, {"axis", Index{1}}}});
  cases.push_back({"GatherData", {{5, 3}, {4}}, {}, -2, 2, {{1, -5, 4}}});
  cases.push_back({"GatherData", {{2, 5, 3}, {2, 2}}, {{"axis", Index{1}}}, -2, 2, {{1, 0, 4}}});
  cases.push_back({"GatherData", {{5}, {}}, {{"axis", Index{-1}}}, -2, 2, {{1, 0, 4}}});
  for (const char* mode : {"DCR", "CRD"}) {
    cases.push_back({"DepthToSpace", {{8, 2, 3}}, {{"blocksize", Index{2}}, {"mode", Text(mode)}}});
  }
  cases.push_back({"SpaceToDepth", {{2, 4, 6}}, {{"blocksize", Index{2}}}});
  cases.push_back({"SpaceToDepth", {{2, 1, 3}}, {{"blocksize", Index{1}}}});
  for (const Index upper : {0, 1}) {
    cases.push_back({"Trilu", {{3, 5}}, {{"upper", upper}}});
    cases.push_back({"Trilu", {{2, 4, 3}}, {{"upper", upper}, {"k", Index{-1}}}});
  }
}

void add_resizes(std::vector<Case>& cases) {
  for (const char* coordinates : {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                                  "tf_half_pixel_for_nn", "asymmetric", "align_corners"}) {
    for (const char* mode : {"nearest", "linear"}) {
      const Attributes given{{"mode", Text(mode)}, {"coordinate_transformation_mode", Text(coordinates)}};
      Attributes by_size = given;
      by_size.set("sizes", Integers{2, 7, 2});
      cases.push_back({"Resize", {{2, 3, 5}}, by_size});
      Attributes by_scale = given;
      by_scale.set("scales", Reals{1.0, 0.6});
      cases.push_back({"Resize", {{2, 5}}, by_scale});
    }
  }
  for (const char* rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
    cases.push_back({"Resize", {{4}}, {{"sizes", Integers{7}}, {"nearest_mode", Text(rounding)}}});
  }
  cases.push_back({"Resize", {{1, 3}}, {{"sizes", Integers{1, 1}}, {"mode", Text("linear")}}});
}

}  // namespace

void add_more_cases(std::vector<Case>& cases) {
  add_functions(cases);
  add_binaries(cases);
  add_reductions(cases);
  add_products(cases);
  add_normalisations(cases);
  add_reshapes(cases);
  add_maps(cases);
  add_resizes(cases);
}

}  // namespace tangra::ops
