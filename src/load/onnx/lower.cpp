#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/load/onnx/lowering.h"

namespace tangra::load::onnx {
namespace {

/// Whether the constant for `samples` samples is that for one, once for each sample.
bool repeats(const Folded& folded, const BatchPlace& place, Index samples) {
  if (folded.many.shape() != at_many(folded.one.shape(), place, samples)) return false;
  if (folded.one.type() != folded.many.type()) return false;
  const Shape& shape = folded.one.shape();
  const auto outer = static_cast<std::size_t>(shape.elements(0, place.axis) * place.outer);
  const std::size_t inner =
      static_cast<std::size_t>(place.inner * shape.elements(place.axis + 1, shape.rank())) *
      bytes_of(folded.one.type());
  if (inner == 0) return true;
  for (std::size_t k = 0; k < outer; ++k) {
    const std::byte* one = folded.one.data() + k * inner;
    const std::byte* many = folded.many.data() + static_cast<std::size_t>(samples) * k * inner;
    for (Index n = 0; n < samples; ++n, many += inner) {
      if (std::memcmp(one, many, inner) != 0) return false;
    }
  }
  return true;
}

/// Where the samples are in a constant that depends on their number by its shape alone.
Place repeated_place(const Folded& folded, Index samples) {
  const auto [fits, axis] = grown_axis(folded.one.shape(), folded.many.shape(), samples);
  if (!fits || !axis) return std::nullopt;
  const Index length = folded.one.shape()[*axis];
  for (const BatchPlace& place : {BatchPlace{*axis, 1, length}, BatchPlace{*axis, length, 1}}) {
    if (repeats(folded, place, samples)) return place;
  }
  return std::nullopt;
}

}  // namespace

Shape tail(const Shape& shape) {
  return Shape(std::vector<Index>(shape.begin() + 1, shape.end()));
}

std::string Assembly::fresh(const std::string& wanted) {
  std::string name = wanted;
  for (int k = 1; !names_.insert(name).second; ++k) name = wanted + "." + std::to_string(k);
  return name;
}

ValueId Assembly::shaped(ValueId value, const Shape& shape) {
  if (builder.shape(value) == shape) return value;
  const auto [found, is_new] = reshapes_.try_emplace({value, shape.lengths()}, no_id);
  if (is_new) {
    const std::string name = fresh(builder.graph().value(value).name + ".reshaped");
    found->second = builder.apply("Reshape", {value}, {{"shape", shape.lengths()}}, name);
  }
  return found->second;
}

ValueId Assembly::current(Fact& fact, const std::string& name) {
  if (fact.id == no_id) {
    TANGRA_ENSURE(fact.folded != nullptr);
    fact.id = builder.constant(fresh(name), fact.folded->one);
  }
  return fact.id;
}

Fact& Lower::in(std::size_t input) const {
  if (!has(input)) refuse("an input is missing", "input " + std::to_string(input) + " is absent");
  if (inputs_[input]->parts != nullptr)
    refuse("an input is a sequence", node.inputs[input], "an array, as SequenceAt takes it out");
  return *inputs_[input];
}

const Parts& Lower::parts(std::size_t input) const {
  if (!has(input) || inputs_[input]->parts == nullptr)
    refuse_mode("only a sequence that SplitToSequence makes is read",
                node.inputs.empty() ? "" : node.inputs[0]);
  return *inputs_[input]->parts;
}

Place Lower::place(std::size_t input) const {
  const Fact& fact = in(input);
  if (!fact.folded || !fact.folded->differs) return fact.place;
  const Place place = repeated_place(*fact.folded, assembly_.probe);
  if (!place) refuse_mixing("the entries of " + node.inputs[input] + " depend on the number of samples");
  return place;
}

Place Lower::read_place(const Shape& from, const BatchPlace& place, const Shape& to) {
  const std::vector<BatchPlace> places = likely_places(from, place, to);
  if (places.empty()) return std::nullopt;
  return assembly_.readings.chosen(from, place, to, places);
}

const Array* Lower::constant(std::size_t input) const {
  if (!has(input)) return nullptr;
  const Fact& fact = in(input);
  if (fact.folded) {
    if (fact.folded->differs)
      refuse_mixing("the setting " + node.inputs[input] + " depends on the number of samples");
    return &fact.folded->one;
  }
  if (fact.initializer != nullptr) return &fact.initializer->data;
  refuse_mode("the input " + node.inputs[input] + " must be known before the network runs",
              "a value that is computed from " +
                  std::string(fact.dependence == Dependence::samples ? "the samples" : "parameters"),
              "a constant");
}

std::optional<Lower::Pair> Lower::integers(std::size_t input) const {
  if (!has(input)) return std::nullopt;
  const Fact& fact = in(input);
  if (fact.folded) return Pair{setting(fact.folded->one), setting(fact.folded->many)};
  const std::vector<Index> entries = setting(*constant(input));
  return Pair{entries, entries};
}

std::vector<Index> Lower::setting(const Array& array) const {
  constexpr Index most = 1 << 12;
  if (array.size() > most) {
    refuse("a list of axes or lengths is too long", std::to_string(array.size()) + " entries",
           std::to_string(most) + " at most");
  }
  return onnx::integers_of(array);
}

std::optional<std::vector<Index>> Lower::integers_of(const char* attribute, std::size_t input) const {
  if (node.attributes.has(attribute)) return node.attributes.integers(attribute, {});
  if (const Array* array = constant(input)) return setting(*array);
  return std::nullopt;
}

ValueId Lower::value(Fact& fact, const Shape& shape) {
  return assembly_.shaped(value(fact), shape);
}

ValueId Lower::value(Fact& fact) {
  const auto found = std::ranges::find(inputs_, &fact);
  TANGRA_ENSURE(found != inputs_.end());
  return assembly_.current(fact, node.inputs[static_cast<std::size_t>(found - inputs_.begin())]);
}

ValueId Lower::scalar(double entry, const std::string& suffix) {
  const std::string name = (node.outputs.empty() ? node.name : node.outputs[0]) + suffix;
  return assembly_.builder.constant(assembly_.fresh(name), real_array({}, std::vector<double>{entry}));
}

ValueId Lower::apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes,
                     const std::string& suffix, std::size_t output) {
  const std::string name = assembly_.fresh(node.outputs[output] + suffix);
  return assembly_.builder.apply_many(op, std::move(inputs), std::move(attributes), node.name, {name})
      .front();
}

std::vector<ValueId> Lower::apply_many(const std::string& op, std::vector<ValueId> inputs,
                                       Attributes attributes) {
  std::vector<std::string> names;
  for (const std::string& output : node.outputs)
    names.push_back(assembly_.fresh(output.empty() ? node.name : output));
  return assembly_.builder.apply_many(op, std::move(inputs), std::move(attributes), node.name, names);
}

void Lower::result(std::size_t output, ValueId id, Shape shape, Place place, std::optional<DType> type) {
  TANGRA_ENSURE(output < results_.size());
  TANGRA_ENSURE(graph_shape(id).elements() == shape.elements());
  Fact fact{.type = type     ? *type
                    : has(0) ? in(0).type
                             : DType::float32,
            .shape = std::move(shape),
            .place = std::move(place),
            .folded = nullptr,
            .id = id,
            .dependence = assembly_.builder.graph().value(id).dependence};
  results_[output] = std::move(fact);
}

void Lower::result(std::size_t output, Parts parts) {
  TANGRA_ENSURE(output < results_.size());
  results_[output].emplace().parts = std::make_shared<const Parts>(std::move(parts));
}

void Lower::alias(std::size_t output, Fact& fact, Shape shape, Place place) {
  const ValueId id = value(fact);
  result(output, id, std::move(shape), std::move(place), fact.type);
  if (results_[output]->shape == fact.shape) results_[output]->initializer = fact.initializer;
}

void Lower::refuse_mixing(const std::string& how) const {
  throw Mixing(
      ErrorKind::unsupported,
      {.what = "the network mixes samples: " + how,
       .where = "node " + node.name + " (" + node.op + ")",
       .got = {},
       .expected = "a network that treats each sample by itself",
       .cure = "Export it for inference; where the input has no axis of samples, load it with --batch none"});
}

void Lower::refuse_mode(const std::string& what, const std::string& got, const std::string& expected) const {
  throw Error(ErrorKind::unsupported, {.what = what,
                                       .where = "node " + node.name + " (" + node.op + ")",
                                       .got = got,
                                       .expected = expected,
                                       .cure = {}});
}

Attributes Lower::only(std::initializer_list<const char*> names) const {
  Attributes kept;
  for (const auto& [name, value] : node.attributes) {
    if (std::ranges::find(names, name) != names.end()) kept.set(name, value);
  }
  return kept;
}

Broadcast broadcast_inputs(Lower& call, const std::vector<std::size_t>& inputs) {
  Broadcast result;
  Index rank = 0;
  for (const std::size_t k : inputs) rank = std::max(rank, call.in(k).shape.rank());
  const auto agree = [&](const Place& place, bool replaceable) {
    if (!place || result.place == place) return;
    if (result.place && !replaceable) call.refuse_mixing("its inputs hold the samples along different axes");
    if (!result.place) result.place = place;
  };
  bool alike = true;
  for (const bool folded : {false, true}) {  // what samples themselves say comes first
    for (const std::size_t k : inputs) {
      const Fact& fact = call.in(k);
      if ((fact.folded != nullptr) != folded) continue;
      const Place own = moved(call.place(k), rank - fact.shape.rank());
      const bool follows =
          folded && own && result.place && own->axis == result.place->axis &&
          repeats(*fact.folded, *moved(result.place, fact.shape.rank() - rank), call.probe());
      agree(own, follows);
    }
  }
  for (const std::size_t k : inputs) {
    const Fact& fact = call.in(k);
    try {
      result.shape = broadcast(result.shape, fact.shape);
    } catch (const Error& error) {
      call.refuse(error.complaint().what, error.complaint().got, error.complaint().expected);
    }
    alike = alike && fact.shape == call.in(inputs[0]).shape;
    const Index axis = result.place ? result.place->axis - (rank - fact.shape.rank()) : -1;
    if (axis >= 0 && !call.place(k) && fact.shape[axis] != 1) {
      call.refuse_mixing("an input holds the samples along an axis on which another has entries of its own");
    }
  }
  ValueId first = call.value(call.in(inputs[0]));
  for (const std::size_t k : inputs) {
    alike = alike && call.graph_shape(call.value(call.in(k))) == call.graph_shape(first);
  }
  for (const std::size_t k : inputs) {
    Fact& fact = call.in(k);
    const bool drops = leads_with_one(result.shape) && fact.shape.rank() == rank;
    result.values.push_back(alike ? call.value(fact)
                                  : call.value(fact, drops ? tail(fact.shape) : fact.shape));
  }
  return result;
}

}  // namespace tangra::load::onnx
