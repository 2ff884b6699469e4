#include "tangra/load/chain/layers/layer_builder.h"

#include <algorithm>
#include <cmath>

namespace tangra::load {

ValueId LayerBuilder::apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes,
                            const std::string& suffix) {
  try {
    return state_.graph.apply(op, std::move(inputs), std::move(attributes), path_ + suffix);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    // The operators know their node, not the text.
    Complaint complaint = error.complaint();
    complaint.what = self() + " cannot be applied to " + origin_ + ": " + complaint.what;
    load::refuse(state_.source, at_, complaint);
  }
}

ValueId LayerBuilder::finish(const std::string& op, std::vector<ValueId> inputs, Attributes attributes,
                             const std::optional<Function>& activation, const std::string& suffix) {
  const ValueId value = apply(op, std::move(inputs), std::move(attributes), activation ? suffix : "");
  return activated(value, activation);
}

ValueId LayerBuilder::activated(ValueId value, const std::optional<Function>& activation) {
  return activation ? apply(activation->op, {value}, activation->attributes) : value;
}

std::vector<ValueId> LayerBuilder::affine(const WeightSpec& weight, Index outputs, bool bias) {
  std::vector<ValueId> parameters{drawn(weight, false)};
  if (!bias) return parameters;
  WeightSpec spec = weight;
  spec.name = weight.name.substr(0, weight.name.size() - std::string_view("weight").size()) + "bias";
  spec.shape = {outputs};
  parameters.push_back(drawn(spec, true));
  return parameters;
}

ValueId LayerBuilder::weight(const WeightSpec& spec) {
  return drawn(spec, false);
}

/// Draws a parameter, and scales it where the parameterisation does.
ValueId LayerBuilder::drawn(const WeightSpec& spec, bool bias) {
  const Initializer init = spec.init.value_or(state_.init);
  const bool pytorch = init == Initializer::pytorch && spec.pytorch_fan_in > 0;
  Array data = draw({.initializer = init,
                     .shape = spec.shape,
                     .bias = bias,
                     .fan_in = pytorch ? spec.pytorch_fan_in : spec.fan_in,
                     .fan_out = spec.fan_out,
                     .seed = state_.options.seed,
                     .stream = state_.graph.graph().parameters.size()});
  const std::string name = path_ + "." + spec.name;
  const std::string kind = bias ? "bias" : "weight";
  const ValueId value = state_.graph.parameter({.name = name,
                                                .layer = path_,
                                                .role = bias ? ParameterRole::bias : ParameterRole::weight,
                                                .why = kind + of_layer(),
                                                .trainable = true,
                                                .initializer = std::string(name_of(init)),
                                                .data = std::move(data)});
  const Parameterization& parameterization = state_.options.parameterization;
  if (parameterization.kind == Parameterization::Kind::standard) return value;

  const auto terms = static_cast<double>(spec.terms > 0 ? spec.terms : spec.fan_in);
  Tensor<double> scale(Shape{});
  scale[0] = bias ? parameterization.sigma_b : parameterization.sigma_w / std::sqrt(terms);
  const ValueId factor = state_.graph.constant(name + ".scale", Array(scale));
  return state_.graph.apply("Mul", {value, factor}, {}, name + ".scaled");
}

ValueId LayerBuilder::filled(const std::string& name, const Shape& shape, float value, ParameterRole role,
                             const std::string& why, bool trainable) {
  Tensor<float> entries(shape);
  std::ranges::fill(entries, value);
  return state_.graph.parameter({.name = path_ + "." + name,
                                 .layer = path_,
                                 .role = role,
                                 .why = why,
                                 .trainable = trainable,
                                 .data = Array(entries)});
}

ValueId LayerBuilder::gain(const Shape& shape) {
  return filled("weight", shape, 1, ParameterRole::weight, "gain" + of_layer(), true);
}

ValueId LayerBuilder::shift(const Shape& shape) {
  const float value = state_.init == Initializer::ones ? 1 : 0;
  return filled("bias", shape, value, ParameterRole::bias, "shift" + of_layer(), true);
}

ValueId LayerBuilder::buffer(const std::string& name, const Shape& shape, float value,
                             const std::string& what) {
  return filled(name, shape, value, ParameterRole::other, "not learned: " + what, false);
}

ValueId LayerBuilder::constant(const std::string& name, const Shape& shape, double value) {
  Tensor<double> entries(shape);
  std::ranges::fill(entries, value);
  return state_.graph.constant(path_ + "." + name, Array(entries));
}

void LayerBuilder::require_last_axes(ValueId x, const Shape& axes) const {
  const Shape own = shape(x);
  const std::vector<Index>& lengths = own.lengths();
  const std::vector<Index>& wanted = axes.lengths();
  const bool fits =
      lengths.size() >= wanted.size() && std::equal(wanted.rbegin(), wanted.rend(), lengths.rbegin());
  if (!fits) refuse_input(x, "values whose last axes are " + to_string(axes));
}

std::string LayerBuilder::of_layer() const {
  const bool vowel = std::string_view("AEIO").find(type_.front()) != std::string_view::npos;
  return (vowel ? " of an " : " of a ") + type_ + " layer";
}

std::string LayerBuilder::self() const {
  return "layer " + path_ + " (" + type_ + ")";
}

void LayerBuilder::refuse(const std::string& what, std::string got, std::string expected,
                          std::string cure) const {
  load::refuse(state_.source, at_,
               {.what = self() + " " + what,
                .where = {},
                .got = std::move(got),
                .expected = std::move(expected),
                .cure = std::move(cure)});
}

void LayerBuilder::refuse_input(ValueId x, const std::string& takes, std::string cure) const {
  refuse("takes " + takes + ", " + origin_ + " gives " + to_string(shape(x)), {}, {}, std::move(cure));
}

}  // namespace tangra::load
