// MultiHeadAttention of a sequence with itself: softmax(Q K^T / sqrt(d)) V by heads of d features, between
// projections. (Vaswani et al., "Attention is all you need", NIPS 2017.)
#include <cmath>
#include <tuple>

#include "tangra/load/chain/layers/layer_builder.h"
#include "tangra/load/chain/layers/table.h"

namespace tangra::load {
namespace {

using Kind = Expression::Kind;

class Attention final : public Layer {
 public:
  explicit Attention(const Arguments& arguments) {
    arguments.allow({"nheads", "bias", "init", "dropout_prob"});
    arguments.require(1, 1, "to know its widths");
    read_widths(arguments);
    if (const Expression* heads = arguments.find("nheads"); heads != nullptr)
      heads_ = read_length(arguments.source(), *heads, "nheads");
    if (keys_ % heads_ != 0 || values_ % heads_ != 0) {
      const Expression* heads = arguments.find("nheads");
      arguments.fail(heads != nullptr ? heads->at : arguments[0].at,
                     "the features do not divide into " + std::to_string(heads_) + " heads",
                     "nheads that divides " + std::to_string(keys_) +
                         (keys_ == values_ ? "" : " and " + std::to_string(values_)));
    }
    bias_ = arguments.truth("bias", false);
    init_ = arguments.initializer();
    arguments.number("dropout_prob", 0);
  }

  InputNeed input() const override {
    return {.kind = InputNeed::Kind::whole, .words = words(), .example = "16," + std::to_string(in_)};
  }
  double weights() const override {
    return static_cast<double>(in_) * static_cast<double>(2 * keys_ + values_) +
           static_cast<double>(values_) * static_cast<double>(out_);
  }

  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Shape shape = builder.shape(x);
    if (shape.rank() != 2 || shape[1] != in_) builder.refuse_input(x, words());
    const Index length = shape[0];
    const ValueId q = by_head(builder, projected(builder, x, "q_proj", in_, keys_), length, keys_, "queries");
    const ValueId k = by_head(builder, projected(builder, x, "k_proj", in_, keys_), length, keys_, "keys");
    const ValueId v =
        by_head(builder, projected(builder, x, "v_proj", in_, values_), length, values_, "values");
    const double head = static_cast<double>(keys_ / heads_);
    const ValueId factor = builder.constant("scale", {}, 1 / std::sqrt(head));
    const ValueId scaled = builder.apply("Mul", {q, factor}, {}, ".queries.scaled");
    const ValueId scores = builder.apply("MatMul", {scaled, k}, {}, ".scores");
    const ValueId attention = builder.apply("Softmax", {scores}, {{"axis", Index{-1}}}, ".attention");
    const ValueId mixed = builder.apply("MatMul", {attention, v}, {}, ".mixed");
    const ValueId swapped = permuted(builder, mixed, {1, 0, 2}, ".mixed.tokens");
    const ValueId joined = reshaped(builder, swapped, {length, values_}, ".joined");
    return projected(builder, joined, "out_proj", values_, out_);
  }

 private:
  /// d, in => qkv => out, in => (qk, v) => out, where in may be (q, k, v), all the same.
  void read_widths(const Arguments& arguments) {
    const Expression& dims = arguments[0];
    if (dims.kind != Kind::pair) {
      in_ = keys_ = values_ = out_ = read_length(arguments.source(), dims);
      return check(arguments);
    }
    const Expression& in = dims.arguments[0].value;
    const Expression& rest = dims.arguments[1].value;
    if (rest.kind != Kind::pair) {
      arguments.fail(dims.at, "the widths of MultiHeadAttention are one number, or three steps",
                     "64, 64 => 128 => 64 or 64 => (128, 32) => 64");
    }
    in_ = width_of_input(arguments, in);
    const Expression& middle = rest.arguments[0].value;
    if (middle.kind == Kind::tuple) {
      const std::vector<Index> both = read_lengths(arguments.source(), middle, "the widths", 2);
      keys_ = both[0];
      values_ = both[1];
    } else {
      keys_ = values_ = read_length(arguments.source(), middle);
    }
    out_ = read_length(arguments.source(), rest.arguments[1].value);
    check(arguments);
  }

  static Index width_of_input(const Arguments& arguments, const Expression& in) {
    if (in.kind != Kind::tuple) return read_length(arguments.source(), in);
    const std::vector<Index> all = read_lengths(arguments.source(), in, "the widths of the input", 3);
    if (all[0] != all[1] || all[0] != all[2]) {
      arguments.fail(in.at, "queries, keys and values come from the same input, so they have one width",
                     "three times the same number");
    }
    return all[0];
  }

  void check(const Arguments& arguments) const {
    arguments.check_weights({in_, keys_});
    arguments.check_weights({in_, values_});
    arguments.check_weights({values_, out_});
  }

  /// The projection `name`; the last one is the layer's own result.
  ValueId projected(LayerBuilder& builder, ValueId x, const std::string& name, Index in, Index out) const {
    std::vector<ValueId> inputs{x};
    for (const ValueId own : builder.affine(
             {.name = name + ".weight", .shape = {out, in}, .fan_in = in, .fan_out = out, .init = init_}, out,
             bias_)) {
      inputs.push_back(own);
    }
    return builder.apply("Linear", inputs, {}, name == "out_proj" ? "" : "." + name);
  }

  /// (length, heads * d) as (heads, length, d), keys as (heads, d, length).
  ValueId by_head(LayerBuilder& builder, ValueId x, Index length, Index width,
                  const std::string& name) const {
    const ValueId heads = reshaped(builder, x, {length, heads_, width / heads_}, "." + name + ".heads");
    const bool keys = name == "keys";
    return permuted(builder, heads, keys ? std::vector<Index>{1, 2, 0} : std::vector<Index>{1, 0, 2},
                    "." + name);
  }

  static ValueId reshaped(LayerBuilder& builder, ValueId x, std::vector<Index> shape,
                          const std::string& suffix) {
    return builder.apply("Reshape", {x}, {{"shape", std::move(shape)}}, suffix);
  }
  static ValueId permuted(LayerBuilder& builder, ValueId x, std::vector<Index> order,
                          const std::string& suffix) {
    return builder.apply("Transpose", {x}, {{"perm", std::move(order)}}, suffix);
  }

  std::string words() const { return "sequences (length, " + std::to_string(in_) + ")"; }

  Index in_ = 0;
  Index keys_ = 0;    ///< features of queries and keys, over all heads
  Index values_ = 0;  ///< features of values, over all heads
  Index out_ = 0;
  Index heads_ = 8;
  bool bias_ = false;
  std::optional<Initializer> init_;
};

}  // namespace

LayerPointer read_attention(const Arguments& arguments) {
  return std::make_shared<Attention>(arguments);
}

}  // namespace tangra::load
