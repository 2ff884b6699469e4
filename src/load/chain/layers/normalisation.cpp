// BatchNorm, LayerNorm, GroupNorm and InstanceNorm: (x - mean) / sqrt(variance + eps), then gain and shift.
#include "tangra/load/chain/layers/layer_builder.h"
#include "tangra/load/chain/layers/table.h"

namespace tangra::load {
namespace {

/// `eps`, or as older versions of Flux call it, `ϵ`.
double epsilon_of(const Arguments& arguments) {
  return arguments.number("eps", arguments.number("ϵ", 1e-5));
}

/// What a layer in training mode would normalise by depends on the whole batch; what is tracked is no
/// sample's own either.
void refuse_statistics(const Arguments& arguments, bool tracked) {
  if (arguments.truth("track_stats", tracked) == tracked) return;
  const Extent at = arguments.find("track_stats")->at;
  arguments.fail(at,
                 tracked ? "without its running statistics BatchNorm mixes the samples of a batch"
                         : arguments.name() + " is read with the statistics of the sample alone",
                 tracked ? "true" : "false");
}

/// Gain and shift by channel, or constants 1 and 0 in their place.
std::vector<ValueId> by_channel(LayerBuilder& builder, Index channels, bool affine) {
  if (affine) {
    const ValueId gain = builder.gain({channels});
    return {gain, builder.shift({channels})};
  }
  const ValueId gain = builder.constant("gain", {channels}, 1);
  return {gain, builder.constant("shift", {channels}, 0)};
}

class BatchNorm final : public Layer {
 public:
  explicit BatchNorm(const Arguments& arguments) {
    arguments.allow({"affine", "track_stats", "eps", "ϵ", "momentum"});
    arguments.require(1, 2, "its number of channels");
    channels_ = read_length(arguments.source(), arguments[0], "a number of channels");
    arguments.check_weights({channels_});
    affine_ = arguments.truth("affine", true);
    epsilon_ = epsilon_of(arguments);
    refuse_statistics(arguments, true);
    activation_ = arguments.activation(1);
  }

  double weights() const override { return 4 * static_cast<double>(channels_); }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Shape shape = builder.shape(x);
    if (shape.rank() == 0 || shape[0] != channels_)
      builder.refuse_input(x, std::to_string(channels_) + " channels along the first axis");
    std::vector<ValueId> inputs{x};
    for (const ValueId own : by_channel(builder, channels_, affine_)) inputs.push_back(own);
    inputs.push_back(builder.buffer("running_mean", {channels_}, 0, "running mean"));
    inputs.push_back(builder.buffer("running_var", {channels_}, 1, "running variance"));
    return builder.finish("BatchNormalization", inputs, {{"epsilon", epsilon_}}, activation_, ".normalised");
  }

 private:
  Index channels_ = 0;
  bool affine_ = true;
  double epsilon_ = 0;
  std::optional<Function> activation_;
};

/// GroupNorm(channels, groups) and InstanceNorm(channels), whose groups are the channels.
class GroupNorm final : public Layer {
 public:
  GroupNorm(const Arguments& arguments, bool by_instance) : by_instance_(by_instance) {
    const std::size_t places = by_instance ? 1 : 2;
    arguments.allow({"affine", "track_stats", "eps", "ϵ", "momentum"});
    arguments.require(places, places + 1,
                      by_instance ? "its number of channels" : "its numbers of channels and groups");
    channels_ = read_length(arguments.source(), arguments[0], "a number of channels");
    arguments.check_weights({channels_});
    groups_ = by_instance ? channels_ : read_length(arguments.source(), arguments[1], "a number of groups");
    if (channels_ % groups_ != 0) {
      arguments.fail(arguments[1].at, "the channels do not divide into the groups",
                     "a divisor of " + std::to_string(channels_));
    }
    affine_ = arguments.truth("affine", !by_instance);
    epsilon_ = epsilon_of(arguments);
    refuse_statistics(arguments, false);
    activation_ = arguments.activation(places);
  }

  double weights() const override { return 2 * static_cast<double>(channels_); }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Shape shape = builder.shape(x);
    if (shape.rank() < 2 || shape[0] != channels_) {
      builder.refuse_input(
          x, std::to_string(channels_) + " channels along the first axis and at least one more axis");
    }
    std::vector<ValueId> inputs{x};
    for (const ValueId own : by_channel(builder, channels_, affine_)) inputs.push_back(own);
    Attributes attributes{{"epsilon", epsilon_}};
    if (!by_instance_) attributes.set("num_groups", groups_);
    return builder.finish(by_instance_ ? "InstanceNormalization" : "GroupNormalization", inputs, attributes,
                          activation_, ".normalised");
  }

 private:
  bool by_instance_;
  Index channels_ = 0;
  Index groups_ = 1;
  bool affine_ = true;
  double epsilon_ = 0;
  std::optional<Function> activation_;
};

/// LayerNorm(sizes.., f): over the last axes.
class LayerNorm final : public Layer {
 public:
  explicit LayerNorm(const Arguments& arguments) {
    arguments.allow({"affine", "eps", "ϵ"});
    const auto [shape, places] = arguments.sizes();
    shape_ = shape;
    arguments.require(1, places + 1);
    affine_ = arguments.truth("affine", true);
    epsilon_ = epsilon_of(arguments);
    activation_ = arguments.activation(places);
  }

  double weights() const override { return 2 * static_cast<double>(shape_.elements()); }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    builder.require_last_axes(x, shape_);
    std::vector<ValueId> inputs{x};
    inputs.push_back(affine_ ? builder.gain(shape_) : builder.constant("gain", {}, 1));
    if (affine_) inputs.push_back(builder.shift(shape_));
    return builder.finish("LayerNormalization", inputs, {{"axis", -shape_.rank()}, {"epsilon", epsilon_}},
                          activation_, ".normalised");
  }

 private:
  Shape shape_;
  bool affine_ = true;
  double epsilon_ = 0;
  std::optional<Function> activation_;
};

}  // namespace

LayerPointer read_batch_norm(const Arguments& arguments) {
  return std::make_shared<BatchNorm>(arguments);
}

LayerPointer read_layer_norm(const Arguments& arguments) {
  return std::make_shared<LayerNorm>(arguments);
}

LayerPointer read_group_norm(const Arguments& arguments) {
  return std::make_shared<GroupNorm>(arguments, false);
}

LayerPointer read_instance_norm(const Arguments& arguments) {
  return std::make_shared<GroupNorm>(arguments, true);
}

}  // namespace tangra::load
