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
  /// The shape of one sample of the data. Taken only where the text holds no Dense, which would tell the
  /// input's width.
  std::optional<Shape> input = {};
  /// What error messages call the text: a file's name, for example.
  std::string source = "chain";
};

/// The network that a chain text describes, as Flux writes it:
///
///     const Graph graph = load_chain("Chain(Dense(784 => 60, relu), Dense(60 => 10))", {.init = "he"});
///
/// The input is called `input` and has shape (784,), whatever shape the data have. Parameters `0.weight`
/// (out, in), `0.bias` (out,), .. are stored as float32. docs/chain.md has the whole format. Throws
/// Error(input), with line and column, for a text that is malformed or whose widths do not fit;
/// Error(unsupported) for a layer that Flux has and this reader has not; Error(usage) for an unknown
/// initialiser.
Graph load_chain(std::string_view text, const ChainOptions& options = {});

}  // namespace tangra::load
