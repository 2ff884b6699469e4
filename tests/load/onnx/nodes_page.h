#pragma once
// docs/onnx-nodes.md, from what came of ONNX's own test cases.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tangra/base/tensor.h"
#include "tangra/model/graph.h"

namespace tangra::test::onnx {

/// What came of one case.
struct Outcome {
  std::string op;
  std::string left_out;           ///< why; empty: it ran
  std::string failure;            ///< how the result is wrong; empty: it is right
  std::set<std::string> made_of;  ///< the operators of the graph
  bool compared = false;          ///< pull-back and push-forward were, and agree
  bool flat = true;               ///< every derivative was 0
};

/// By the name of the case, with the suite's before it.
using Outcomes = std::map<std::string, Outcome>;

/// Operators that are read in constants alone.
const std::set<std::string>& folded_only();

/// <J v, u> = <v, J^T u> for random v and u, by all inputs of the network at these samples [1, shape]. A
/// network that is not finite there is not compared.
void compare_sweeps(const Graph& graph, std::vector<Tensor<double>> samples, Outcome& outcome);

std::string page_of(const Outcomes& outcomes);

}  // namespace tangra::test::onnx
