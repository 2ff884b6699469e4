#include "tangra/differentiate/program.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tangra/base/error.h"

namespace tangra::differentiate {
namespace {

/// In a form that compilers vectorise: large networks are looked through in every call.
template <class T>
bool all_finite(const Tensor<T>& values) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits exponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits found = 0;
  for (const T value : values) found |= static_cast<Bits>((std::bit_cast<Bits>(value) & exponent) == exponent);
  return found == 0;
}

/// Masks hide positions by minus infinity: what is not learned may be infinite.
template <class T>
std::shared_ptr<const Tensor<T>> checked(const Array& data, const std::string& name, bool learned) {
  std::shared_ptr<const Tensor<T>> shared = data.tensor<T>();
  if (all_finite(*shared)) return shared;
  const Tensor<T>& values = *shared;
  for (Index i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) || (!learned && !std::isnan(values[i]))) continue;
    throw Error(ErrorKind::input, {.what = "a weight is not a finite number", .where = name + ", entry " + std::to_string(i),
                                   .got = std::to_string(values[i]), .expected = {},
                                   .cure = "Derivatives of such a network do not exist; train it anew or mend the file"});
  }
  return shared;
}

/// `outer` taken over the entries of `inner`; nothing where no strides describe the result.
std::optional<factors::Place> composed(const factors::Place& outer, const factors::Place& inner) {
  const std::vector<Index> of_inner = inner.entries();
  std::vector<Index> entries = outer.entries();
  for (Index& entry : entries) entry = of_inner[static_cast<std::size_t>(entry)];
  factors::Place result = outer;
  if (entries.empty()) return result;
  result.offset = entries.front();
  const std::vector<Index> steps = outer.shape.strides();
  for (std::size_t axis = 0; axis < steps.size(); ++axis) {
    const bool moves = outer.shape[static_cast<Index>(axis)] > 1;
    result.strides[axis] = moves ? entries[static_cast<std::size_t>(steps[axis])] - entries.front() : 0;
  }
  if (result.entries() != entries) return std::nullopt;
  return result;
}

}  // namespace

template <class T>
Program<T>::Program(std::shared_ptr<const Graph> graph, const Context& context, linalg::Engine engine)
    : graph_(std::move(graph)), engine_(engine) {
  look_up_operators();
  load_batch_free();
  evaluate_batch_free(context);
  resolve_places();
}

template <class T>
bool Program<T>::has_outer_form(NodeId node, int input) const {
  const auto& own = place(graph_->node(node).inputs[static_cast<std::size_t>(input)]);
  return own && own->as_matrix() && op(node).has_outer_form(graph_->node(node), input_shapes(node), input);
}

template <class T>
void Program<T>::look_up_operators() {
  for (const Node& node : graph_->nodes) {
    ops_.push_back(ops::find_op(node.op));
    TANGRA_ENSURE(ops_.back() != nullptr);
    auto& inputs = input_shapes_.emplace_back();
    for (const ValueId id : node.inputs) inputs.push_back(id == no_id ? Shape{} : graph_->shape(id));
    auto& outputs = output_shapes_.emplace_back();
    for (const ValueId id : node.outputs) outputs.push_back(graph_->shape(id));
  }
}

template <class T>
void Program<T>::load_batch_free() {
  batch_free_.resize(graph_->values.size());
  for (const Parameter& parameter : graph_->parameters) {
    batch_free_[static_cast<std::size_t>(parameter.value)] =
        checked<T>(parameter.data, "parameter " + parameter.name, parameter.trainable);
  }
  for (const Constant& constant : graph_->constants) {
    batch_free_[static_cast<std::size_t>(constant.value)] =
        checked<T>(constant.data, "constant " + graph_->value(constant.value).name, false);
  }
}

template <class T>
std::size_t Program<T>::bytes_computed() const {
  std::size_t bytes = 0, most = 0;  // most: entries of one node, for each of which operators hold a place
  for (std::size_t n = 0; n < graph_->nodes.size(); ++n) {
    if (!is_batch_free(graph_->nodes[n].outputs.front())) continue;
    std::size_t entries = 0;
    for (const Shape& shape : output_shapes_[n]) entries += static_cast<std::size_t>(shape.elements());
    bytes += entries * sizeof(T);
    most = std::max(most, entries);
  }
  return bytes + most * sizeof(Index);
}

template <class T>
void Program<T>::evaluate_batch_free(const Context& context) {
  // Refused before it is made; whoever made the program counts what it holds then, and tells of a budget that is too small
  // for the process itself what is enough for all of the work: a little is not worth a refusal that cannot.
  constexpr std::size_t little = std::size_t{1} << 20U;
  const std::size_t bytes = bytes_computed();
  const Reservation all = bytes > little ? Reservation(context.memory, bytes, "what the network computes of its parameters alone") : Reservation();
  for (std::size_t n = 0; n < graph_->nodes.size(); ++n) {
    const Node& node = graph_->nodes[n];
    if (!is_batch_free(node.outputs.front())) continue;
    std::vector<ops::Operand<T>> inputs;
    for (const ValueId id : node.inputs) inputs.push_back({id == no_id ? nullptr : batch_free(id).data(), 0});
    std::vector<T*> results;
    for (const ValueId id : node.outputs) {
      auto result = std::make_shared<Tensor<T>>(Tensor<T>::uninitialized(graph_->shape(id)));
      results.push_back(result->data());
      batch_free_[static_cast<std::size_t>(id)] = std::move(result);
    }
    const ops::Call<T> call{.context = context, .engine = engine_, .node = node, .input_shapes = input_shapes_[n],
                            .output_shapes = output_shapes_[n], .samples = 1, .inputs = inputs, .outputs = {},
                            .sides = inputs};
    ops_[n]->forward(call, results);
  }
}

template <class T>
void Program<T>::set_parameters(const std::vector<Tensor<T>>& parameters, const Context& context) {
  TANGRA_ENSURE(parameters.size() == graph_->parameters.size());
  set_.resize(parameters.size());
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const Parameter& parameter = graph_->parameters[p];
    if (!parameter.trainable) continue;
    TANGRA_ENSURE(parameters[p].size() == parameter.data.size());
    if (set_[p] == nullptr) set_[p] = std::make_shared<Tensor<T>>(Tensor<T>::uninitialized(parameter.data.shape()));
    std::ranges::copy(parameters[p], set_[p]->begin());
    batch_free_[static_cast<std::size_t>(parameter.value)] = set_[p];
  }
  evaluate_batch_free(context);
}

template <class T>
void Program<T>::resolve_places() {
  places_.resize(graph_->values.size());
  for (std::size_t p = 0; p < graph_->parameters.size(); ++p) {
    const Parameter& parameter = graph_->parameters[p];
    if (!parameter.trainable) continue;
    places_[static_cast<std::size_t>(parameter.value)] =
        factors::Place{.parameter = static_cast<ParameterId>(p), .offset = 0, .shape = parameter.data.shape(),
                       .strides = parameter.data.shape().strides(), .scale = 1};
  }
  for (std::size_t n = 0; n < graph_->nodes.size(); ++n) resolve_place(static_cast<NodeId>(n));
}

/// A view is given over its input as a row-major array, the input's own place over the parameter. Composed entry by
/// entry they are a place again wherever strides can be found that give the same entries.
template <class T>
void Program<T>::resolve_place(NodeId id) {
  const Node& node = graph_->node(id);
  if (graph_->value(node.outputs.front()).dependence != Dependence::parameters) return;
  std::vector<std::optional<double>> constants;
  for (const ValueId input : node.inputs) {
    const bool known = input != no_id && graph_->value(input).dependence == Dependence::constant &&
                       graph_->shape(input).elements() == 1;
    constants.push_back(known ? std::optional<double>(batch_free(input)[0]) : std::nullopt);
  }
  for (std::size_t k = 0; k < node.outputs.size(); ++k) {
    const std::optional<ops::View> view =
        op(id).view_of_output(node, input_shapes(id), constants, static_cast<int>(k));
    if (!view) continue;
    const auto& inner = place(node.inputs[static_cast<std::size_t>(view->input)]);
    if (!inner) continue;
    const factors::Place outer{.parameter = inner->parameter, .offset = view->offset,
                               .shape = graph_->shape(node.outputs[k]), .strides = view->strides,
                               .scale = inner->scale * view->scale};
    places_[static_cast<std::size_t>(node.outputs[k])] = composed(outer, *inner);
  }
}

template class Program<float>;
template class Program<double>;

}  // namespace tangra::differentiate
