#pragma once
#include <string>
#include <vector>

#include "tangra/model/graph.h"

namespace tangra::ops {

/// One way to apply an operator: shapes, attributes, and where the entries of its inputs are drawn from.
struct Case {
  std::string op;
  std::vector<Shape> inputs;
  Attributes attributes;
  double low = -2;
  double high = 2;
};

/// Cases for every operator of the table.
std::vector<Case> all_cases();
std::string to_string(const Case& one);

}  // namespace tangra::ops
