#include "ops/cases.h"

namespace tangra::ops {

std::vector<Case> all_cases() {
  using Integers = std::vector<Index>;
  std::vector<Case> cases;
  for (const char* op : {"Identity", "Relu", "LeakyRelu", "Elu", "Selu", "Gelu", "Silu", "Softplus", "Softsign", "Sigmoid",
                         "Tanh", "Erf", "Exp", "NormalizedRelu"}) {
    cases.push_back({op, {{7}}, {}});
    cases.push_back({op, {{2, 1, 3}}, {}});
  }
  cases.push_back({"LeakyRelu", {{5}}, {{"alpha", 0.3}}});
  cases.push_back({"Elu", {{5}}, {{"alpha", 0.7}}});
  cases.push_back({"Gelu", {{5}}, {{"approximate", std::string("tanh")}}});
  cases.push_back({"Clip", {{11}}, {{"min", -1.0}, {"max", 0.5}}});
  cases.push_back({"Clip", {{11}}, {{"max", 0.5}}});
  cases.push_back({"Log", {{6}}, {}, 0.2, 3});
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    for (const auto& [a, b] : std::vector<std::pair<Shape, Shape>>{
             {{5}, {5}}, {{3, 5}, {5}}, {{5}, {3, 5}}, {{3, 1}, {1, 5}}, {{2, 3, 5}, {3, 1}}, {{4}, {}}, {{}, {4}}, {{1}, {1}}}) {
      cases.push_back({op, {a, b}, {}, 0.5, 2});
    }
  }
  for (const Index transposed : {0, 1}) {
    for (const auto& [x, channels] : std::vector<std::pair<Shape, Index>>{{{7}, 5}, {{1}, 1}, {{3, 7}, 2}, {{2, 3, 4}, 1}}) {
      const Shape weight = transposed != 0 ? Shape{x.back(), channels} : Shape{channels, x.back()};
      cases.push_back({"Linear", {x, weight}, {{"transposed", transposed}}});
      cases.push_back({"Linear", {x, weight, {channels}}, {{"transposed", transposed}}});
    }
  }
  cases.push_back({"Reshape", {{2, 6}}, {{"shape", Integers{3, -1}}}});
  cases.push_back({"Reshape", {{2, 6}}, {{"shape", Integers{12}}}});
  cases.push_back({"Transpose", {{2, 3, 5}}, {{"perm", Integers{2, 0, 1}}}});
  cases.push_back({"Transpose", {{2, 3}}, {}});
  cases.push_back({"Slice", {{7, 3}}, {{"starts", Integers{1}}, {"ends", Integers{6}}, {"axes", Integers{0}}}});
  cases.push_back({"Slice", {{7, 3}}, {{"starts", Integers{-1, 0}}, {"ends", Integers{-100, 2}}, {"axes", Integers{0, 1}},
                                       {"steps", Integers{-2, 1}}}});
  cases.push_back({"Slice", {{4}}, {{"starts", Integers{3}}, {"ends", Integers{3}}}});
  cases.push_back({"Concat", {{2, 3}, {2, 1}, {2, 4}}, {{"axis", Index{1}}}});
  cases.push_back({"Concat", {{3}, {5}}, {{"axis", Index{-1}}}});
  cases.push_back({"Concat", {{3}}, {}});
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceL2"}) {
    cases.push_back({op, {{2, 3, 5}}, {{"axes", Integers{1}}}});
    cases.push_back({op, {{2, 3, 5}}, {{"axes", Integers{0, -1}}, {"keepdims", Index{0}}}});
    cases.push_back({op, {{4}}, {}});
  }
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    cases.push_back({op, {{9}}, {{"axis", Index{-1}}}});
    cases.push_back({op, {{3, 4, 2}}, {{"axis", Index{1}}}});
    cases.push_back({op, {{1}}, {}});
  }
  add_conv_cases(cases);
  add_more_cases(cases);
  return cases;
}

std::string to_string(const Case& one) {
  std::string text = one.op;
  for (const Shape& shape : one.inputs) text += " " + to_string(shape);
  for (const auto& [name, attribute] : one.attributes) text += " " + name;
  return text;
}

}  // namespace tangra::ops
