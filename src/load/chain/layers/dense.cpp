// Layers of vectors of features: Dense, Bilinear, Embedding, Scale, Dropout, and functions.
#include <tuple>

#include "tangra/load/chain/layers/layer_builder.h"
#include "tangra/load/chain/layers/table.h"

namespace tangra::load {
namespace {

using Kind = Expression::Kind;

/// Dense(in => out, f) or Dense(in, out, f).
class Dense final : public Layer {
 public:
  explicit Dense(const Arguments& arguments) {
    arguments.allow({"bias", "init"});
    const bool pair = arguments.count() > 0 && arguments[0].kind == Kind::pair;
    const std::size_t widths = pair ? 1 : 2;
    arguments.require(widths, widths + 1, "to know its widths");
    if (pair) {
      std::tie(in_, out_) = arguments.widths(arguments[0]);
    } else {
      in_ = read_length(arguments.source(), arguments[0]);
      out_ = read_length(arguments.source(), arguments[1]);
    }
    arguments.check_weights({in_, out_});
    bias_ = arguments.truth("bias", true);
    init_ = arguments.initializer();
    activation_ = arguments.activation(widths);
  }

  InputNeed input() const override { return {.kind = InputNeed::Kind::features, .size = in_}; }
  double weights() const override { return static_cast<double>(in_) * static_cast<double>(out_); }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Shape shape = builder.shape(x);
    if (shape.rank() == 0 || shape.back() != in_) {
      const bool flat = shape.elements() == in_;
      builder.refuse_input(x, std::to_string(in_) + " features",
                           flat ? "Put Flux.flatten before it" : std::string());
    }
    std::vector<ValueId> inputs{x};
    for (const ValueId own :
         builder.affine({.shape = {out_, in_}, .fan_in = in_, .fan_out = out_, .init = init_}, out_, bias_)) {
      inputs.push_back(own);
    }
    return builder.finish("Linear", inputs, {}, activation_);
  }

 private:
  Index in_ = 0;
  Index out_ = 0;
  bool bias_ = true;
  std::optional<Initializer> init_;
  std::optional<Function> activation_;
};

/// Bilinear((in1, in2) => out, f): y_o = f(x^T W_o z + b_o), where z is x itself in a Chain.
class Bilinear final : public JoiningLayer {
 public:
  explicit Bilinear(const Arguments& arguments) {
    arguments.allow({"bias", "init"});
    arguments.require(1, 2, "to know its widths");
    const Expression& widths = arguments[0];
    if (widths.kind != Kind::pair)
      arguments.fail(widths.at, "Bilinear goes from in to out", arguments.form());
    const Expression& in = widths.arguments[0].value;
    if (in.kind == Kind::tuple) {
      const std::vector<Index> both = read_lengths(arguments.source(), in, "the widths", 2);
      left_ = both[0];
      right_ = both[1];
    } else {
      left_ = right_ = read_length(arguments.source(), in);
    }
    out_ = read_length(arguments.source(), widths.arguments[1].value);
    arguments.check_weights({left_, right_, out_});
    bias_ = arguments.truth("bias", true);
    init_ = arguments.initializer();
    activation_ = arguments.activation(1);
  }

  InputNeed input() const override { return {.kind = InputNeed::Kind::features, .size = left_}; }
  double weights() const override { return static_cast<double>(left_ * right_) * static_cast<double>(out_); }
  ValueId build(LayerBuilder& builder, ValueId x) const override { return join(builder, x, x); }

  /// W as a matrix (out, in1 * in2), for the outer product of both inputs: a Dense of that product, whose
  /// weight has its structured form.
  ValueId join(LayerBuilder& builder, ValueId x, ValueId y) const override {
    const Shape batch = leading(builder.shape(x));
    const bool fits = builder.shape(x).rank() > 0 && builder.shape(x).back() == left_ &&
                      builder.shape(y).rank() > 0 && builder.shape(y).back() == right_ &&
                      leading(builder.shape(y)) == batch;
    if (!fits) {
      builder.refuse("takes " + std::to_string(left_) + " and " + std::to_string(right_) + " features",
                     to_string(builder.shape(x)) + " and " + to_string(builder.shape(y)));
    }
    std::vector<ValueId> own = builder.affine({.shape = {out_, left_, right_},
                                               .fan_in = left_ * right_,
                                               .fan_out = out_,
                                               .pytorch_fan_in = left_,
                                               .init = init_},
                                              out_, bias_);
    own[0] = reshaped(builder, own[0], {out_, left_ * right_}, ".weight.matrix");
    const ValueId column = reshaped(builder, x, with(batch, {left_, 1}), ".left");
    const ValueId row = reshaped(builder, y, with(batch, {1, right_}), ".right");
    const ValueId products = builder.apply("Mul", {column, row}, {}, ".products");
    own.insert(own.begin(), reshaped(builder, products, with(batch, {left_ * right_}), ".product"));
    return builder.finish("Linear", own, {}, activation_);
  }

 private:
  static Shape leading(const Shape& shape) {
    std::vector<Index> lengths = shape.lengths();
    if (!lengths.empty()) lengths.pop_back();
    return Shape(lengths);
  }
  static std::vector<Index> with(const Shape& shape, std::initializer_list<Index> more) {
    std::vector<Index> lengths = shape.lengths();
    lengths.insert(lengths.end(), more);
    return lengths;
  }
  static ValueId reshaped(LayerBuilder& builder, ValueId value, std::vector<Index> lengths,
                          const std::string& suffix) {
    return builder.apply("Reshape", {value}, {{"shape", std::move(lengths)}}, suffix);
  }

  Index left_ = 0;
  Index right_ = 0;
  Index out_ = 0;
  bool bias_ = true;
  std::optional<Initializer> init_;
  std::optional<Function> activation_;
};

/// Embedding(vocabulary => features): row t of the weight (vocabulary, features) for token t.
class Embedding final : public Layer {
 public:
  explicit Embedding(const Arguments& arguments) {
    arguments.allow({"init"});
    arguments.require(1, 1, "to know its widths");
    std::tie(vocabulary_, features_) = arguments.widths(arguments[0]);
    arguments.check_weights({vocabulary_, features_});
    init_ = arguments.initializer();
  }

  InputNeed input() const override {
    return {.kind = InputNeed::Kind::whole, .words = "tokens (length,)", .example = "16"};
  }
  double weights() const override {
    return static_cast<double>(vocabulary_) * static_cast<double>(features_);
  }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    // Nothing is summed, so the spread of the entries is that of the result: N(0, 1), as in Flux and PyTorch.
    const Initializer own = builder.init() == Initializer::ones ? Initializer::ones : Initializer::normal;
    const ValueId weight = builder.weight({.shape = {vocabulary_, features_},
                                           .fan_in = vocabulary_,
                                           .fan_out = features_,
                                           .terms = 1,
                                           .init = init_.value_or(own)});
    return builder.apply("GatherData", {weight, x}, {{"axis", Index{0}}});
  }

 private:
  Index vocabulary_ = 0;
  Index features_ = 0;
  std::optional<Initializer> init_;
};

/// Scale(sizes.., f): f(gain * x + shift) along the last axes.
class Scale final : public Layer {
 public:
  explicit Scale(const Arguments& arguments) {
    arguments.allow({"bias"});
    const auto [shape, places] = arguments.sizes();
    shape_ = shape;
    bias_ = arguments.truth("bias", true);
    arguments.require(1, places + 1);
    activation_ = arguments.activation(places);
  }

  double weights() const override { return static_cast<double>(shape_.elements()); }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    builder.require_last_axes(x, shape_);
    const ValueId gain = builder.gain(shape_);
    if (!bias_) return builder.finish("Mul", {x, gain}, {}, activation_);
    const ValueId shift = builder.shift(shape_);
    return builder.finish("Add", {builder.apply("Mul", {x, gain}, {}, ".scaled"), shift}, {}, activation_);
  }

 private:
  Shape shape_;
  bool bias_ = true;
  std::optional<Function> activation_;
};

class FunctionLayer final : public Layer {
 public:
  explicit FunctionLayer(Function function) : function_(std::move(function)) {}
  ValueId build(LayerBuilder& builder, ValueId x) const override {
    return builder.apply(function_.op, {x}, function_.attributes);
  }

 private:
  Function function_;
};

}  // namespace

LayerPointer read_dense(const Arguments& arguments) {
  return std::make_shared<Dense>(arguments);
}

std::shared_ptr<const JoiningLayer> read_bilinear(const Arguments& arguments) {
  return std::make_shared<Bilinear>(arguments);
}

LayerPointer read_embedding(const Arguments& arguments) {
  return std::make_shared<Embedding>(arguments);
}

LayerPointer read_scale(const Arguments& arguments) {
  return std::make_shared<Scale>(arguments);
}

/// Dropout(p) and AlphaDropout(p): what they are outside of training, nothing.
LayerPointer read_dropout(const Arguments& arguments) {
  arguments.allow({"dims", "rng"});
  arguments.require(1, 1, "its probability");
  const Expression& p = arguments[0];
  if (p.kind != Kind::number || !(p.real >= 0 && p.real <= 1)) {
    arguments.fail(p.at, "this is not a probability", "a number from 0 to 1");
  }
  return function_layer(*find_function("identity"));
}

LayerPointer function_layer(Function function) {
  return std::make_shared<FunctionLayer>(std::move(function));
}

}  // namespace tangra::load
