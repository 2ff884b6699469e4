// Conv, CrossCor, DepthwiseConv and ConvTranspose. Weights are applied as they lie (cross-correlation), where
// Flux's Conv and ConvTranspose turn them round; docs/chain.md says so.
#include <tuple>

#include "tangra/load/chain/layers/layer_builder.h"
#include "tangra/load/chain/layers/table.h"
#include "tangra/load/chain/layers/window.h"

namespace tangra::load {
namespace {

enum class Connection { groups, depthwise, transposed };

class Convolution final : public Layer {
 public:
  Convolution(const Arguments& arguments, Connection connection)
      : transposed_(connection == Connection::transposed) {
    arguments.require(2, 3, "the size of its kernel and in => out");
    if (connection == Connection::depthwise || arguments.name() == "CrossCor")
      arguments.allow({"stride", "pad", "dilation", "bias", "init"});
    else if (transposed_)
      arguments.allow({"stride", "pad", "outpad", "dilation", "groups", "bias", "init"});
    else
      arguments.allow({"stride", "pad", "dilation", "groups", "bias", "init"});
    window_ = read_window(arguments, transposed_ ? WindowUse::transposed : WindowUse::convolution);
    std::tie(in_, out_) = arguments.widths(arguments[1]);
    read_groups(arguments, connection);
    const std::vector<Index>& kernel = window_.kernel;
    arguments.check_weights({in_, out_ / groups_, kernel[0], kernel.size() > 1 ? kernel[1] : 1,
                             kernel.size() > 2 ? kernel[2] : 1});
    bias_ = arguments.truth("bias", true);
    init_ = arguments.initializer();
    activation_ = arguments.activation(2);
  }

  InputNeed input() const override {
    return {.kind = InputNeed::Kind::image,
            .size = in_,
            .axes = window_.axes(),
            .words = words(),
            .example = image_example(in_, window_.axes())};
  }
  double weights() const override { return static_cast<double>(weight_shape().elements()); }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Shape shape = builder.shape(x);
    if (shape.rank() != window_.axes() + 1 || shape[0] != in_) builder.refuse_input(x, words());
    std::vector<ValueId> inputs{x};
    const Index terms = in_ / groups_ * window_.taps();
    for (const ValueId own : builder.affine({.shape = weight_shape(),
                             .fan_in = terms,
                             .fan_out = out_ * window_.taps(),
                             .pytorch_fan_in = transposed_ ? out_ / groups_ * window_.taps() : 0,
                             .init = init_},
                                            out_, bias_)) {
      inputs.push_back(own);
    }
    return builder.finish(transposed_ ? "ConvTranspose" : "Conv", inputs, attributes(), activation_);
  }

 private:
  void read_groups(const Arguments& arguments, Connection connection) {
    const Expression* groups = arguments.find("groups");
    if (groups != nullptr) groups_ = read_length(arguments.source(), *groups, "groups");
    if (connection == Connection::depthwise) groups_ = in_;
    if (in_ % groups_ == 0 && out_ % groups_ == 0) return;
    const Extent at = groups != nullptr ? groups->at : arguments[1].at;
    const std::string number = std::to_string(groups_);
    arguments.fail(at,
                   connection == Connection::depthwise ? "out is no multiple of in"
                                                       : "the channels do not divide into the groups",
                   "numbers of channels that are multiples of " + number);
  }

  /// (out, in / groups, kernel); of a transposed one (in, out / groups, kernel).
  Shape weight_shape() const {
    Shape shape = transposed_ ? Shape{in_, out_ / groups_} : Shape{out_, in_ / groups_};
    for (const Index length : window_.kernel) shape.append(length);
    return shape;
  }

  Attributes attributes() const {
    Attributes attributes{{"strides", window_.strides},
                          {"dilations", window_.dilations},
                          {"pads", window_.pads},
                          {"group", groups_}};
    if (transposed_) attributes.set("output_padding", window_.output_padding);
    return attributes;
  }

  std::string words() const { return "images " + image_words(std::to_string(in_), window_.axes()); }

  bool transposed_;
  Window window_;
  Index in_ = 0;
  Index out_ = 0;
  Index groups_ = 1;
  bool bias_ = true;
  std::optional<Initializer> init_;
  std::optional<Function> activation_;
};

}  // namespace

LayerPointer read_convolution(const Arguments& arguments) {
  return std::make_shared<Convolution>(arguments, Connection::groups);
}

LayerPointer read_depthwise_convolution(const Arguments& arguments) {
  return std::make_shared<Convolution>(arguments, Connection::depthwise);
}

LayerPointer read_transposed_convolution(const Arguments& arguments) {
  return std::make_shared<Convolution>(arguments, Connection::transposed);
}

}  // namespace tangra::load
