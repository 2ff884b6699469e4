#pragma once
// Not for other rooms: what every type of layer of a chain text says and does. Shapes are those of one
// sample, with Flux's axes in reverse order: (channels, height, width), (length, features).
#include <memory>
#include <string>

#include "tangra/model/graph.h"

namespace tangra::load {

class LayerBuilder;

/// What a layer says of the shape of its input before any shape is known.
struct InputNeed {
  enum class Kind {
    any,       ///< takes any shape, and its result has the same
    flattens,  ///< takes any shape, and keeps of it the number of entries alone
    entries,   ///< takes any shape of `size` entries
    features,  ///< the last axis has `size` entries
    image,     ///< `size` channels (0: any number) and `axes` spatial axes (0: any number)
    whole,     ///< depends on the whole shape, which the layer does not tell
  };
  Kind kind = Kind::any;
  Index size = 0;
  Index axes = 0;
  std::string words = {};    ///< for messages: "images (3, height, width)"
  std::string example = {};  ///< such a shape: "3,32,32"
};

class Layer {
 public:
  virtual ~Layer() = default;
  virtual InputNeed input() const { return {}; }
  /// Entries of all its parameters.
  virtual double weights() const { return 0; }
  /// The layer's value for the input x. Throws Error(input), with the place in the text, where x does not
  /// fit.
  virtual ValueId build(LayerBuilder& builder, ValueId x) const = 0;
};

using LayerPointer = std::shared_ptr<const Layer>;

/// A layer that may also join two values, as f(layer(x), x) in a SkipConnection.
class JoiningLayer : public Layer {
 public:
  virtual ValueId join(LayerBuilder& builder, ValueId x, ValueId y) const = 0;
};

}  // namespace tangra::load
