#pragma once
// Not for other rooms: what a chain text says, layer by layer.
#include <optional>
#include <string>
#include <vector>

#include "tangra/load/chain/functions.h"
#include "tangra/load/chain/initializers.h"
#include "tangra/load/chain/source.h"

namespace tangra::load {

/// How SkipConnection and Parallel join their branches.
enum class Join { add, multiply, concatenate };

struct LayerSpec {
  enum class Kind { dense, function, chain, skip, parallel };
  Kind kind = Kind::function;
  /// `2.0`: places, or given names, from the outermost chain inwards; empty for that chain itself.
  std::string path = {};
  Extent at = {};  ///< in the text, for messages

  // Dense
  Index in = 0;
  Index out = 0;
  bool bias = true;
  std::optional<Initializer> init = {};  ///< where the layer has one of its own

  // Dense (where it has an activation) and function
  std::optional<Function> function = {};

  // SkipConnection and Parallel
  Join join = Join::add;
  // chain, skip (one layer) and parallel: never empty
  std::vector<LayerSpec> layers = {};
};

/// Reads the text; a layer that is no Chain is taken as a Chain of one. Throws Error(input) with the place in
/// the text, or Error(unsupported) for a layer of Flux that is not supported.
LayerSpec read_layers(const Source& source);

}  // namespace tangra::load
