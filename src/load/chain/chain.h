#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tangra/load/chain/parameterization.h"
#include "tangra/model/graph.h"

namespace tangra::load {

struct ChainOptions {
  /// ones, glorot_uniform, normal, lecun, he or pytorch (docs/chain.md has the formulas). Empty:
  /// glorot_uniform, or normal under the ntk parameterisation. A layer's own `init = ` comes first.
  std::string init = {};
  std::uint64_t seed = 0;
  Parameterization parameterization = {};
  /// The shape of one sample of the data, for what the text leaves open: the height and width of an image,
  /// the length of a sequence.
  std::optional<Shape> input = {};
  /// The shape that the input shall have, whatever the data's and the text's first layer.
  std::optional<Shape> shape = {};
  /// What error messages call the text: a file's name, for example.
  std::string source = "chain";
};

/// The network that a chain text describes, as Flux writes it:
///
///     const Graph graph = load_chain("Chain(Dense(784 => 60, relu), Dense(60 => 10))", {.init = "he"});
///
/// The input is called `input`; here it has shape (784,), whatever shape the data have. Parameters `0.weight`
/// (out, in), `0.bias` (out,), .. are stored as float32. docs/chain.md has the whole format: layers, names,
/// and how Flux's axes become ours. Throws Error(input), with line and column, for a text that is malformed,
/// whose shapes do not fit, or whose input's shape nobody tells; Error(unsupported) for a layer that Flux has
/// and this reader has not; Error(usage) for an unknown initialiser.
Graph load_chain(std::string_view text, const ChainOptions& options = {});

}  // namespace tangra::load
