#include "tangra/load/chain/chain.h"

#include <algorithm>
#include <cmath>

#include "tangra/load/chain/layer_spec.h"
#include "tangra/ops/builder.h"

namespace tangra::load {
namespace {

using Kind = LayerSpec::Kind;

/// More features than any layer may have.
constexpr Index most_features = Index{1} << 31;

/// What a layer says about the width of its input: either it has to be `in`, or (no Dense reached) any width
/// w is possible and the result has factor * w features.
struct InputWidth {
  std::optional<Index> in;
  Index factor = 1;
};

InputWidth input_width(const LayerSpec& layer) {
  InputWidth result;
  const bool concatenates = layer.join == Join::concatenate;
  switch (layer.kind) {
    case Kind::dense:
      return {.in = layer.in};
    case Kind::function:
      return result;
    case Kind::chain:
      for (const LayerSpec& each : layer.layers) {
        const InputWidth next = input_width(each);
        if (next.in) return {.in = std::max<Index>(1, *next.in / result.factor)};
        result.factor = std::min(most_features, result.factor * next.factor);
      }
      return result;
    case Kind::skip:
      result = input_width(layer.layers[0]);
      if (concatenates) result.factor = std::min(most_features, result.factor + 1);
      return result;
    case Kind::parallel:
      break;
  }
  Index sum = 0;
  for (const LayerSpec& each : layer.layers) {
    const InputWidth branch = input_width(each);
    if (branch.in) return branch;
    sum = concatenates ? std::min(most_features, sum + branch.factor) : branch.factor;
  }
  return {.in = {}, .factor = sum};
}

/// A value and the words that say where it comes from: "layer 0", "the input".
struct Signal {
  ValueId value = no_id;
  std::string origin;
};

class ChainBuilder {
 public:
  ChainBuilder(const Source& source, const ChainOptions& options) : source_(source), options_(options) {
    const bool ntk = options.parameterization.kind == Parameterization::Kind::ntk;
    const std::string otherwise = ntk ? "normal" : "glorot_uniform";
    init_ = initializer_of(options.init.empty() ? otherwise : options.init, "--init");
  }
  Graph build(const LayerSpec& chain);

 private:
  Shape input_shape(const LayerSpec& chain) const;
  Signal layer(const LayerSpec& layer, const Signal& x);
  Signal dense(const LayerSpec& layer, const Signal& x);
  Signal joined(const LayerSpec& layer, const std::vector<Signal>& branches);
  ValueId parameter(const LayerSpec& layer, ParameterRole role);
  void check_width(const LayerSpec& layer, const Signal& x) const;
  void check_branches(const LayerSpec& layer, const std::vector<Signal>& branches) const;

  const Source& source_;
  const ChainOptions& options_;
  Initializer init_;
  ops::GraphBuilder builder_{"chain"};
};

Graph ChainBuilder::build(const LayerSpec& chain) {
  const Signal input{.value = builder_.input("input", input_shape(chain)), .origin = "the input"};
  builder_.output(layer(chain, input).value);
  return builder_.finish();
}

Shape ChainBuilder::input_shape(const LayerSpec& chain) const {
  if (const InputWidth width = input_width(chain); width.in) return {*width.in};
  if (!options_.input) {
    refuse(source_, chain.at,
           {.what = "no Dense layer tells the width of the input, and no data do",
            .where = {},
            .got = {},
            .expected = {},
            .cure = "Give data, or begin with Dense(in => out)"});
  }
  const Shape& shape = *options_.input;
  const bool sound = !shape.empty() && std::ranges::all_of(shape, [](Index length) { return length > 0; });
  if (!sound || shape.elements() > most_features) {
    refuse(source_, chain.at,
           {.what = "a sample of the data cannot be the input of the chain",
            .where = {},
            .got = to_string(shape),
            .expected = "at least one axis, between 1 and 2^31 entries",
            .cure = {}});
  }
  return shape;
}

Signal ChainBuilder::layer(const LayerSpec& layer, const Signal& x) {
  Signal signal = x;
  std::vector<Signal> branches;
  switch (layer.kind) {
    case Kind::dense:
      return dense(layer, x);
    case Kind::function:
      signal.value = builder_.apply(layer.function->op, {x.value}, layer.function->attributes, layer.path);
      break;
    case Kind::chain:
      for (const LayerSpec& each : layer.layers) signal = this->layer(each, signal);
      return signal;
    case Kind::skip:
    case Kind::parallel:
      for (const LayerSpec& each : layer.layers) branches.push_back(this->layer(each, x));
      // Flux calls the joining function as f(layer(x), x).
      if (layer.kind == Kind::skip) {
        branches.push_back({.value = x.value, .origin = "its input (" + x.origin + ")"});
      }
      return joined(layer, branches);
  }
  signal.origin = "layer " + layer.path;
  return signal;
}

Signal ChainBuilder::dense(const LayerSpec& layer, const Signal& x) {
  check_width(layer, x);
  std::vector<ValueId> inputs{x.value, parameter(layer, ParameterRole::weight)};
  if (layer.bias) inputs.push_back(parameter(layer, ParameterRole::bias));
  const std::string& path = layer.path;
  ValueId value = builder_.apply("Linear", std::move(inputs), {}, layer.function ? path + ".linear" : path);
  if (layer.function) value = builder_.apply(layer.function->op, {value}, layer.function->attributes, path);
  return {.value = value, .origin = "layer " + path};
}

void ChainBuilder::check_width(const LayerSpec& layer, const Signal& x) const {
  const Index width = builder_.shape(x.value).back();
  if (width == layer.in) return;
  refuse(source_, layer.at,
         {.what = "layer " + layer.path + " takes " + std::to_string(layer.in) + " features, " + x.origin +
                  " gives " + std::to_string(width),
          .where = {},
          .got = {},
          .expected = {},
          .cure = {}});
}

/// Draws a parameter of a Dense layer, and scales it where the parameterisation does.
ValueId ChainBuilder::parameter(const LayerSpec& layer, ParameterRole role) {
  const bool bias = role == ParameterRole::bias;
  const std::string kind = bias ? "bias" : "weight";
  const std::string name = layer.path + "." + kind;
  Array data = draw({.initializer = layer.init.value_or(init_),
                     .shape = bias ? Shape{layer.out} : Shape{layer.out, layer.in},
                     .bias = bias,
                     .fan_in = layer.in,
                     .fan_out = layer.out,
                     .seed = options_.seed,
                     .stream = builder_.graph().parameters.size()});
  const ValueId value = builder_.parameter({.name = name,
                                            .layer = layer.path,
                                            .role = role,
                                            .why = kind + " of a Dense layer",
                                            .trainable = true,
                                            .data = std::move(data)});
  const Parameterization& parameterization = options_.parameterization;
  if (parameterization.kind == Parameterization::Kind::standard) return value;

  Tensor<double> scale(Shape{});
  scale[0] =
      bias ? parameterization.sigma_b : parameterization.sigma_w / std::sqrt(static_cast<double>(layer.in));
  const ValueId factor = builder_.constant(name + ".scale", Array(scale));
  return builder_.apply("Mul", {value, factor}, {}, name + ".scaled");
}

/// Branches that are added or multiplied have one shape; broadcasting would hide a mistake.
void ChainBuilder::check_branches(const LayerSpec& layer, const std::vector<Signal>& branches) const {
  const Shape first = builder_.shape(branches[0].value);
  Index features = 0;
  for (const Signal& branch : branches) {
    const Shape shape = builder_.shape(branch.value);
    features += shape.back();
    if (layer.join != Join::concatenate && shape != first) {
      refuse(source_, layer.at,
             {.what = "the branches of layer " + layer.path + " have different shapes",
              .where = {},
              .got = to_string(first) + " from " + branches[0].origin + " and " + to_string(shape) +
                     " from " + branch.origin,
              .expected = "equal shapes, as + and * go entry by entry",
              .cure = {}});
    }
  }
  if (layer.join == Join::concatenate && features > most_features) {
    refuse(source_, layer.at,
           {.what = "layer " + layer.path + " gives more than 2^31 features",
            .where = {},
            .got = {},
            .expected = {},
            .cure = {}});
  }
}

Signal ChainBuilder::joined(const LayerSpec& layer, const std::vector<Signal>& branches) {
  check_branches(layer, branches);
  const std::string& path = layer.path;
  std::vector<ValueId> values;
  for (const Signal& branch : branches) values.push_back(branch.value);
  ValueId result = values[0];
  if (values.size() == 1) {
    result = builder_.apply("Identity", values, {}, path);
  } else if (layer.join == Join::concatenate) {
    const Index features = builder_.shape(result).rank() - 1;
    result = builder_.apply("Concat", values, {{"axis", features}}, path);
  } else {
    for (std::size_t k = 1; k < values.size(); ++k) {
      // A minus sign cannot be in the name of a branch.
      const std::string name = k + 1 == values.size() ? path : path + ".join-" + std::to_string(k);
      result = builder_.apply(layer.join == Join::add ? "Add" : "Mul", {result, values[k]}, {}, name);
    }
  }
  return {.value = result, .origin = "layer " + path};
}

}  // namespace

Graph load_chain(std::string_view text, const ChainOptions& options) {
  const Source source{.text = text, .name = options.source};
  const LayerSpec chain = read_layers(source);
  return ChainBuilder(source, options).build(chain);
}

}  // namespace tangra::load
