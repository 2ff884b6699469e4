#include "tangra/load/chain/chain.h"

#include "tangra/load/chain/expressions.h"
#include "tangra/load/chain/input_shape.h"
#include "tangra/load/chain/layers/layer_builder.h"

namespace tangra::load {
namespace {

using Kind = LayerSpec::Kind;

/// Where several values are concatenated: our axis for Flux's `dim`, which is 0 for the channels; below 0
/// where the values have no such axis.
Index axis_of(Index dim, Index rank) {
  return dim == 0 ? 0 : rank - dim;
}

class ChainBuilder {
 public:
  ChainBuilder(const Source& source, const ChainOptions& options)
      : source_(source), state_{source, options, initializer(options), graph_} {}
  Graph build(const LayerSpec& chain);

 private:
  static Initializer initializer(const ChainOptions& options) {
    const bool ntk = options.parameterization.kind == Parameterization::Kind::ntk;
    const std::string otherwise = ntk ? "normal" : "glorot_uniform";
    return initializer_of(options.init.empty() ? otherwise : options.init, "--init");
  }
  Signal layer(const LayerSpec& layer, const Signal& x);
  Signal joined(const LayerSpec& layer, const std::vector<Signal>& branches);
  ValueId concatenated(const LayerSpec& layer, const std::vector<Signal>& branches);
  ValueId combined(const LayerSpec& layer, const std::vector<Signal>& branches);
  [[noreturn]] void refuse_branches(const LayerSpec& layer, const Signal& a, const Signal& b,
                                    std::string expected) const;

  const Source& source_;
  ops::GraphBuilder graph_{"chain"};
  ChainState state_;
};

Graph ChainBuilder::build(const LayerSpec& chain) {
  const Shape shape = input_shape(source_, chain, state_.options);
  const Signal input{.value = graph_.input("input", shape), .origin = "the input"};
  graph_.output(layer(chain, input).value);
  return graph_.finish();
}

Signal ChainBuilder::layer(const LayerSpec& layer, const Signal& x) {
  Signal signal = x;
  std::vector<Signal> branches;
  switch (layer.kind) {
    case Kind::layer: {
      LayerBuilder builder(state_, layer.path, layer.type, layer.at, x.origin);
      return {.value = layer.layer->build(builder, x.value), .origin = "layer " + layer.path};
    }
    case Kind::chain:
      for (const LayerSpec& each : layer.layers) signal = this->layer(each, signal);
      if (!layer.path.empty()) graph_.alias(layer.path, signal.value);
      return signal;
    case Kind::skip:
    case Kind::parallel:
      for (const LayerSpec& each : layer.layers) branches.push_back(this->layer(each, x));
      // Flux calls the joining function as f(layer(x), x).
      if (layer.kind == Kind::skip) {
        branches.push_back({.value = x.value, .origin = "its input (" + x.origin + ")"});
      }
      break;
  }
  return joined(layer, branches);
}

Signal ChainBuilder::joined(const LayerSpec& layer, const std::vector<Signal>& branches) {
  const std::string origin = "layer " + layer.path;
  if (layer.join.kind == Join::Kind::layer) {
    LayerBuilder builder(state_, layer.path + ".connection", layer.join.type, layer.at,
                         branches[0].origin + " and " + branches[1].origin);
    const ValueId value = layer.join.layer->join(builder, branches[0].value, branches[1].value);
    graph_.alias(layer.path, value);
    return {.value = value, .origin = origin};
  }
  if (branches.size() == 1)
    return {.value = graph_.apply("Identity", {branches[0].value}, {}, layer.path), .origin = origin};
  const bool concatenates = layer.join.kind == Join::Kind::concatenate;
  return {.value = concatenates ? concatenated(layer, branches) : combined(layer, branches),
          .origin = origin};
}

ValueId ChainBuilder::concatenated(const LayerSpec& layer, const std::vector<Signal>& branches) {
  const Shape first = graph_.shape(branches[0].value);
  const Index axis = axis_of(layer.join.dim, first.rank());
  if (axis < 0 || axis >= first.rank()) {
    refuse(source_, layer.at,
           {.what = "layer " + layer.path + " has no axis " + std::to_string(layer.join.dim) +
                    " to put its branches together along",
            .where = {},
            .got = to_string(first) + " from " + branches[0].origin,
            .expected = "1 (our last axis) to " + std::to_string(first.rank()),
            .cure = {}});
  }
  std::vector<ValueId> values;
  Index length = 0;
  for (const Signal& branch : branches) {
    Shape shape = graph_.shape(branch.value);
    values.push_back(branch.value);
    if (shape.rank() == first.rank()) {
      length += shape[axis];
      shape[axis] = first[axis];
    }
    if (shape != first) refuse_branches(layer, branches[0], branch, "equal shapes but for one axis");
  }
  if (length > most_entries / (first.elements() / first[axis])) {
    refuse(source_, layer.at,
           {.what = "layer " + layer.path + " gives more than 2^31 features",
            .where = {},
            .got = {},
            .expected = {},
            .cure = {}});
  }
  return graph_.apply("Concat", values, {{"axis", axis}}, layer.path);
}

ValueId ChainBuilder::combined(const LayerSpec& layer, const std::vector<Signal>& branches) {
  ValueId result = branches[0].value;
  for (std::size_t k = 1; k < branches.size(); ++k) {
    const Shape left = graph_.shape(result);
    const Shape right = graph_.shape(branches[k].value);
    bool fits = left.rank() == right.rank();
    for (Index axis = 0; fits && axis < left.rank(); ++axis) {
      const bool one = layer.join.broadcast && (left[axis] == 1 || right[axis] == 1);
      fits = left[axis] == right[axis] || one;
    }
    if (!fits) {
      refuse_branches(layer, branches[0], branches[k],
                      layer.join.broadcast ? "equal shapes, or lengths of 1 in place of an axis"
                                           : "equal shapes, as + and * go entry by entry");
    }
    // A minus sign cannot be in the name of a branch.
    const std::string name =
        k + 1 == branches.size() ? layer.path : layer.path + ".join-" + std::to_string(k);
    const bool adds = layer.join.kind == Join::Kind::add;
    result = graph_.apply(adds ? "Add" : "Mul", {result, branches[k].value}, {}, name);
  }
  return result;
}

void ChainBuilder::refuse_branches(const LayerSpec& layer, const Signal& a, const Signal& b,
                                   std::string expected) const {
  refuse(source_, layer.at,
         {.what = "the branches of layer " + layer.path + " have different shapes",
          .where = {},
          .got = to_string(graph_.shape(a.value)) + " from " + a.origin + " and " +
                 to_string(graph_.shape(b.value)) + " from " + b.origin,
          .expected = std::move(expected),
          .cure = {}});
}

}  // namespace

Graph load_chain(std::string_view text, const ChainOptions& options) {
  const Source source{.text = text, .name = options.source};
  const LayerSpec chain = read_layers(source);
  return ChainBuilder(source, options).build(chain);
}

}  // namespace tangra::load
