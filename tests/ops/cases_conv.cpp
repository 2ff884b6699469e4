// Cases of the operators that move a kernel over an image.
#include "ops/cases.h"

namespace tangra::ops {
namespace {

using Integers = std::vector<Index>;

void add_convolutions(std::vector<Case>& cases) {
  // Without and with a bias: [C_in, spatial], [C_out, C_in / group, kernel].
  const auto add = [&](Shape x, Shape weight, Attributes attributes = {}) {
    const Index channels = weight[0];
    cases.push_back({"Conv", {x, weight}, attributes, -1, 1});
    cases.push_back({"Conv", {x, weight, {channels}}, attributes, -1, 1});
  };
  add({1, 1}, {1, 1, 1});
  add({2, 7}, {3, 2, 3});
  add({2, 7}, {3, 2, 3}, {{"strides", Integers{2}}, {"pads", Integers{2, 1}}, {"dilations", Integers{2}}});
  add({2, 4}, {3, 2, 4});  // one position that meets all of the image: a dense layer
  add({1, 5}, {2, 1, 1});
  add({3, 4, 5}, {2, 3, 3, 2});
  add({3, 4, 5}, {2, 3, 1, 1});
  add({3, 4, 5}, {2, 3, 1, 1}, {{"strides", Integers{2, 3}}});
  add({3, 1, 1}, {5, 3, 1, 1});
  add({2, 5, 7}, {3, 2, 3, 3}, {{"kernel_shape", Integers{3, 3}}, {"pads", Integers{1, 1, 1, 1}}});
  add({2, 5, 7}, {3, 2, 3, 2}, {{"pads", Integers{0, 2, 1, 3}}, {"strides", Integers{2, 3}}});
  add({1, 5, 6}, {1, 1, 2, 3}, {{"dilations", Integers{3, 2}}, {"pads", Integers{1, 0, 0, 2}}});
  for (const char* pad : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    add({2, 5, 4}, {2, 2, 2, 3}, {{"auto_pad", std::string(pad)}, {"strides", Integers{2, 1}}});
  }
  add({4, 3, 4}, {6, 2, 2, 2}, {{"group", Index{2}}});
  add({3, 4, 4}, {3, 1, 3, 3}, {{"group", Index{3}}, {"pads", Integers{1, 1, 1, 1}}});
  add({2, 4, 3}, {6, 1, 2, 2}, {{"group", Index{2}}, {"strides", Integers{2, 1}}});
  add({2, 3, 2, 4}, {2, 2, 2, 1, 3}, {{"pads", Integers{1, 0, 1, 0, 1, 0}}, {"strides", Integers{2, 1, 2}}});
  add({1, 3, 3, 3}, {2, 1, 2, 2, 2}, {{"dilations", Integers{1, 2, 1}}});
  add({2, 3}, {1, 2, 2}, {{"pads", Integers{4, 3}}});  // positions in the padding alone
}

void add_transposed_convolutions(std::vector<Case>& cases) {
  // [C_in, spatial], [C_in, C_out / group, kernel]
  const auto add = [&](Shape x, Shape weight, Attributes attributes = {}) {
    const Index channels = weight[1] * attributes.integer("group", 1);
    cases.push_back({"ConvTranspose", {x, weight}, attributes, -1, 1});
    cases.push_back({"ConvTranspose", {x, weight, {channels}}, attributes, -1, 1});
  };
  add({1, 1}, {1, 1, 1});
  add({2, 4}, {2, 3, 3});
  add({3, 1}, {3, 2, 4});  // from one position
  add({2, 4}, {2, 3, 2}, {{"strides", Integers{3}}, {"output_padding", Integers{2}}});
  add({2, 3, 4}, {2, 3, 3, 2}, {{"strides", Integers{2, 1}}, {"pads", Integers{1, 0, 0, 1}}});
  add({2, 3, 2}, {2, 1, 2, 3}, {{"dilations", Integers{2, 3}}, {"strides", Integers{1, 2}}});
  add({3, 2, 3}, {3, 4, 1, 1});
  add({2, 3, 3}, {2, 1, 3, 3},
      {{"strides", Integers{3, 2}}, {"output_shape", Integers{10, 8}}, {"output_padding", Integers{1, 1}}});
  for (const char* pad : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    add({2, 3, 3}, {2, 2, 3, 4}, {{"auto_pad", std::string(pad)}, {"strides", Integers{2, 3}}});
  }
  add({4, 3, 2}, {4, 3, 2, 2}, {{"group", Index{2}}, {"strides", Integers{2, 1}}});
  add({3, 3, 3}, {3, 1, 2, 2}, {{"group", Index{3}}});
  add({1, 2, 3, 2}, {1, 2, 2, 1, 3}, {{"strides", Integers{2, 1, 1}}, {"pads", Integers{0, 0, 1, 1, 0, 0}}});
}

/// Entries so far apart that no finite difference of the tests carries one across another, or across 0.
constexpr double wide = 4000;

void add_pools(std::vector<Case>& cases) {
  const auto add = [&](Shape x, const Attributes& attributes) {
    for (const char* op : {"MaxPool", "AveragePool", "LpPool"})
      cases.push_back({op, {x}, attributes, -wide, wide});
  };
  add({1, 1}, {{"kernel_shape", Integers{1}}});
  add({2, 7}, {{"kernel_shape", Integers{3}}});
  add({2, 7}, {{"kernel_shape", Integers{2}}, {"strides", Integers{2}}, {"ceil_mode", Index{1}}});
  add({3, 4, 5}, {{"kernel_shape", Integers{2, 3}}});
  add({3, 4, 5},
      {{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}, {"pads", Integers{0, 1, 1, 0}}});
  add({1, 5, 6},
      {{"kernel_shape", Integers{3, 2}}, {"dilations", Integers{2, 3}}, {"strides", Integers{1, 2}}});
  add({2, 4, 4}, {{"kernel_shape", Integers{3, 3}},
                  {"strides", Integers{2, 2}},
                  {"pads", Integers{1, 1, 1, 1}},
                  {"ceil_mode", Index{1}}});
  add({1, 3, 2, 3}, {{"kernel_shape", Integers{2, 2, 2}},
                     {"strides", Integers{1, 1, 2}},
                     {"pads", Integers{1, 0, 0, 0, 1, 1}}});
  for (const char* pad : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    add({2, 5, 4},
        {{"kernel_shape", Integers{2, 3}}, {"strides", Integers{2, 2}}, {"auto_pad", std::string(pad)}});
  }
  cases.push_back(
      {"AveragePool",
       {{2, 4, 5}},
       {{"kernel_shape", Integers{3, 2}}, {"pads", Integers{2, 1, 0, 1}}, {"count_include_pad", Index{1}}}});
  cases.push_back({"AveragePool",
                   {{1, 5}},
                   {{"kernel_shape", Integers{3}},
                    {"strides", Integers{3}},
                    {"pads", Integers{1, 1}},
                    {"ceil_mode", Index{1}},
                    {"count_include_pad", Index{1}}}});
  for (const Index p : {1, 2, 3, 5}) {
    cases.push_back({"LpPool", {{2, 3, 4}}, {{"kernel_shape", Integers{2, 2}}, {"p", p}}, -wide, wide});
    cases.push_back({"GlobalLpPool", {{2, 3, 2}}, {{"p", p}}, -wide, wide});
  }
  for (const char* op : {"GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"}) {
    cases.push_back({op, {{3, 5}}, {}, -wide, wide});
    cases.push_back({op, {{1, 1, 1}}, {}, -wide, wide});
    cases.push_back({op, {{2, 2, 3, 2}}, {}, -wide, wide});
  }
}

}  // namespace

void add_conv_cases(std::vector<Case>& cases) {
  add_convolutions(cases);
  add_transposed_convolutions(cases);
  add_pools(cases);
}

}  // namespace tangra::ops
