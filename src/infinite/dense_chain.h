#pragma once
#include <string>
#include <vector>

#include "tangra/infinite/closed_form.h"
#include "tangra/model/graph.h"

namespace tangra::infinite {

/// A layer of a network, for its closed form and for people.
struct NamedLayer {
  std::string name;  ///< of its parameters: "0" of "0.weight"
  Index in = 0;
  Index out = 0;
  std::string activation;  ///< the operator behind it; empty: none
  Layer layer;
};

/// The layers of a network that is a chain of Dense layers with relu, erf or nothing behind each, and nothing
/// behind the last; the input may be flattened first. Weights and biases have to be drawn from normal
/// distributions of mean 0, as of the initialisers normal, lecun and he: of any other distribution only the
/// hidden layers would have these closed forms, and in the limit alone. Frozen parameters have no part in the
/// tangent kernel. Throws Error(unsupported), naming the node or parameter, for everything else.
std::vector<NamedLayer> read_dense_chain(const Graph& graph);

}  // namespace tangra::infinite
