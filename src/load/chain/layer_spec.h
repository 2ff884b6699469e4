#pragma once
// Not for other rooms: what a chain text says, layer by layer.
#include <string>
#include <vector>

#include "tangra/load/chain/layers/layer.h"
#include "tangra/load/chain/source.h"

namespace tangra::load {

/// How SkipConnection and Parallel join their branches.
struct Join {
  enum class Kind {
    add,
    multiply,
    concatenate,  ///< along Flux's axis `dim`
    layer,        ///< by a layer of two inputs
  };
  Kind kind = Kind::add;
  bool broadcast = false;  ///< .+ and .*: axes of length 1 are repeated
  Index dim = 1;           ///< 1 is our last axis; 0: the first one, the channels
  std::shared_ptr<const JoiningLayer> layer = {};
  std::string type = {};  ///< of the layer
};

struct LayerSpec {
  enum class Kind { layer, chain, skip, parallel };
  Kind kind = Kind::layer;
  /// `2.0`: places, or given names, from the outermost chain inwards; empty for that chain itself.
  std::string path = {};
  std::string type = {};  ///< as the text names it: "Conv", "relu"
  Extent at = {};         ///< in the text, for messages

  LayerPointer layer = {};             ///< where the kind is layer
  Join join = {};                      ///< of skip and parallel
  std::vector<LayerSpec> layers = {};  ///< of chain, skip (one layer) and parallel: never empty
};

/// Reads the text; a layer that is no Chain is taken as a Chain of one. Throws Error(input) with the place in
/// the text, or Error(unsupported) for a layer of Flux that is not supported.
LayerSpec read_layers(const Source& source);

}  // namespace tangra::load
