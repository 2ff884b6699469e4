#pragma once
#include <string>
#include <vector>

#include "tangra/model/graph.h"

namespace tangra::ops {

/// An input that holds whole numbers from `low` to `high`. It stays where it is: nothing is differentiated by it.
struct Whole {
  std::size_t input;
  int low;
  int high;
};

/// One way to apply an operator: shapes, attributes, and where the entries of its inputs are drawn from.
struct Case {
  std::string op;
  std::vector<Shape> inputs;
  Attributes attributes;
  double low = -2;
  double high = 2;
  std::vector<Whole> whole = {};
};

/// Cases for every operator of the table.
std::vector<Case> all_cases();
/// Those of convolutions and pooling.
void add_conv_cases(std::vector<Case>& cases);
/// Those of the other operators that have a file of their own.
void add_more_cases(std::vector<Case>& cases);
std::string to_string(const Case& one);

}  // namespace tangra::ops
