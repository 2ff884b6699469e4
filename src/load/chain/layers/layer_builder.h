#pragma once
// Not for other rooms: what a layer needs to become a part of the graph: names, parameters, messages.
#include <optional>

#include "tangra/load/chain/chain.h"
#include "tangra/load/chain/functions.h"
#include "tangra/load/chain/initializers.h"
#include "tangra/load/chain/source.h"
#include "tangra/ops/builder.h"

namespace tangra::load {

/// One value of a chain, and the words that say where it comes from: "layer 0", "the input".
struct Signal {
  ValueId value = no_id;
  std::string origin;
};

/// A weight that is drawn. Under the ntk parameterisation it is multiplied by sigma_w / sqrt(terms).
struct WeightSpec {
  std::string name = "weight";  ///< behind the layer's path
  Shape shape;
  Index fan_in = 1;
  Index fan_out = 1;
  Index terms = 0;           ///< products that are summed into one result; 0: fan_in
  Index pytorch_fan_in = 0;  ///< where PyTorch's initialiser counts otherwise; 0: fan_in
  std::optional<Initializer> init = {};
};

/// What all layers of one chain share.
struct ChainState {
  const Source& source;
  const ChainOptions& options;
  Initializer init;  ///< of layers without their own
  ops::GraphBuilder& graph;
};

/// Builds one layer: everything it makes has the layer's path in front of its name, and every error its place
/// in the text.
class LayerBuilder {
 public:
  LayerBuilder(ChainState& state, std::string path, std::string type, Extent at, std::string origin)
      : state_(state), path_(std::move(path)), type_(std::move(type)), origin_(std::move(origin)), at_(at) {}

  Shape shape(ValueId value) const { return state_.graph.shape(value); }
  /// Where the layer's input comes from: "the input", "layer 3".
  const std::string& origin() const { return origin_; }
  Initializer init() const { return state_.init; }

  /// An operator whose node and result are called PATH + suffix.
  ValueId apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {},
                const std::string& suffix = {});
  /// The layer's last operator: its result is called PATH, or, where an activation follows, PATH + suffix.
  ValueId finish(const std::string& op, std::vector<ValueId> inputs, Attributes attributes,
                 const std::optional<Function>& activation, const std::string& suffix = ".linear");
  ValueId activated(ValueId value, const std::optional<Function>& activation);

  /// A weight and, where `bias` says so, a bias for its `outputs`; both as the parameterisation has them.
  std::vector<ValueId> affine(const WeightSpec& weight, Index outputs, bool bias);
  ValueId weight(const WeightSpec& spec);
  /// A gain (1) or a shift (0) of normalisations; both are 1 under `--init ones`. No parameterisation scales
  /// them.
  ValueId gain(const Shape& shape);
  ValueId shift(const Shape& shape);
  /// A statistic that is kept with the network and not learned, filled with `value`.
  ValueId buffer(const std::string& name, const Shape& shape, float value, const std::string& what);
  /// An array of equal entries that is no parameter.
  ValueId constant(const std::string& name, const Shape& shape, double value);

  /// Refuses x unless its last axes are these.
  void require_last_axes(ValueId x, const Shape& axes) const;

  /// "layer 2 (Conv)"
  std::string self() const;
  /// Refuses the layer. The message begins with its name: "layer 2 (Conv) takes ..".
  [[noreturn]] void refuse(const std::string& what, std::string got = {}, std::string expected = {},
                           std::string cure = {}) const;
  /// Refuses the input x: "layer 2 (Conv) takes images (3, height, width), layer 1 gives (4, 8, 8)".
  [[noreturn]] void refuse_input(ValueId x, const std::string& takes, std::string cure = {}) const;

 private:
  std::string of_layer() const;  ///< " of a Conv layer"
  ValueId drawn(const WeightSpec& spec, bool bias);
  ValueId filled(const std::string& name, const Shape& shape, float value, ParameterRole role,
                 const std::string& why, bool trainable);

  ChainState& state_;
  std::string path_;
  std::string type_;
  std::string origin_;
  Extent at_;
};

}  // namespace tangra::load
