// MaxPool, MeanPool, their global and their adaptive forms.
#include <algorithm>

#include "tangra/load/chain/layers/layer_builder.h"
#include "tangra/load/chain/layers/table.h"
#include "tangra/load/chain/layers/window.h"

namespace tangra::load {
namespace {

bool takes_maximum(const Arguments& arguments) {
  return arguments.name().find("Max") != std::string::npos;
}

InputNeed any_channels(Index axes) {
  return {.kind = InputNeed::Kind::image,
          .axes = axes,
          .words = "images " + image_words("channels", axes),
          .example = image_example(3, axes)};
}

/// Entries that are padded count for a mean, as 0, and not for a maximum.
Attributes attributes_of(const Window& window, bool maximum) {
  Attributes attributes{{"kernel_shape", window.kernel}, {"strides", window.strides}, {"pads", window.pads}};
  if (!maximum) attributes.set("count_include_pad", Index{1});
  return attributes;
}

class Pool final : public Layer {
 public:
  explicit Pool(const Arguments& arguments) : maximum_(takes_maximum(arguments)) {
    arguments.require(1, 1, "the size of its window");
    arguments.allow({"stride", "pad"});
    window_ = read_window(arguments, WindowUse::pool);
  }

  InputNeed input() const override { return any_channels(window_.axes()); }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    if (builder.shape(x).rank() != window_.axes() + 1) builder.refuse_input(x, input().words);
    return builder.apply(maximum_ ? "MaxPool" : "AveragePool", {x}, attributes_of(window_, maximum_));
  }

 private:
  bool maximum_;
  Window window_;
};

/// Windows of equal size, as large as fits the lengths that are wanted: stride = in / out (cut off),
/// kernel = in - (out - 1) * stride.
class AdaptivePool final : public Layer {
 public:
  explicit AdaptivePool(const Arguments& arguments) : maximum_(takes_maximum(arguments)) {
    arguments.require(1, 1, "the size of its result");
    arguments.allow({});
    out_ = read_lengths(arguments.source(), arguments[0], "the size of the result");
    if (out_.size() > 3) arguments.fail(arguments[0].at, "a result has one, two or three axes");
    std::ranges::reverse(out_);
  }

  InputNeed input() const override { return any_channels(static_cast<Index>(out_.size())); }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Shape shape = builder.shape(x);
    const std::size_t axes = out_.size();
    if (shape.rank() != static_cast<Index>(axes) + 1) builder.refuse_input(x, input().words);
    Window window;
    window.pads.assign(2 * axes, 0);
    for (std::size_t k = 0; k < axes; ++k) {
      const Index length = shape[static_cast<Index>(k) + 1];
      if (length < out_[k]) {
        builder.refuse("makes nothing longer", "a length of " + std::to_string(length),
                       std::to_string(out_[k]) + " or more");
      }
      window.strides.push_back(length / out_[k]);
      window.kernel.push_back(length - (out_[k] - 1) * window.strides[k]);
    }
    return builder.apply(maximum_ ? "MaxPool" : "AveragePool", {x}, attributes_of(window, maximum_));
  }

 private:
  bool maximum_;
  std::vector<Index> out_;
};

class GlobalPool final : public Layer {
 public:
  explicit GlobalPool(const Arguments& arguments) : maximum_(takes_maximum(arguments)) {
    arguments.require(0, 0);
    arguments.allow({});
  }

  InputNeed input() const override {
    InputNeed need = any_channels(2);
    need.axes = 0;
    return need;
  }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    return builder.apply(maximum_ ? "GlobalMaxPool" : "GlobalAveragePool", {x});
  }

 private:
  bool maximum_;
};

}  // namespace

LayerPointer read_pool(const Arguments& arguments) {
  return std::make_shared<Pool>(arguments);
}

LayerPointer read_adaptive_pool(const Arguments& arguments) {
  return std::make_shared<AdaptivePool>(arguments);
}

LayerPointer read_global_pool(const Arguments& arguments) {
  return std::make_shared<GlobalPool>(arguments);
}

}  // namespace tangra::load
