#include "tangra/model/graph.h"

#include <algorithm>
#include <regex>

#include "tangra/base/error.h"
#include "tangra/base/hash.h"

namespace tangra {
namespace {

std::regex compiled(const std::string& expression, const char* option) {
  try {
    return std::regex(expression);
  } catch (const std::regex_error& error) {
    throw Error(ErrorKind::usage, {.what = std::string("this is not a regular expression (") + error.what() + ")",
                                   .where = option, .got = expression, .expected = {}, .cure = {}});
  }
}

void add(Hash& hash, const Attribute& attribute) {
  hash.add(static_cast<std::uint64_t>(attribute.index()));
  if (const auto* integer = std::get_if<Index>(&attribute)) hash.add(static_cast<std::uint64_t>(*integer));
  if (const auto* real = std::get_if<double>(&attribute)) hash.add(real, sizeof(*real));
  if (const auto* text = std::get_if<std::string>(&attribute)) hash.add(*text);
  if (const auto* integers = std::get_if<std::vector<Index>>(&attribute)) {
    hash.add(integers->data(), integers->size() * sizeof(Index));
  }
  if (const auto* reals = std::get_if<std::vector<double>>(&attribute)) {
    hash.add(reals->data(), reals->size() * sizeof(double));
  }
}

void add(Hash& hash, const Array& array) {
  hash.add(name_of(array.type()));
  hash.add(to_string(array.shape()));
  hash.add(array.data(), array.bytes());
}

}  // namespace

ValueId Graph::find_value(std::string_view wanted) const {
  const auto found = std::ranges::find(values, wanted, &Value::name);
  if (found != values.end()) return static_cast<ValueId>(found - values.begin());
  const auto alias = std::ranges::find(aliases, wanted, &std::pair<std::string, ValueId>::first);
  return alias == aliases.end() ? no_id : alias->second;
}

ParameterId Graph::find_parameter(std::string_view wanted) const {
  const auto found = std::ranges::find(parameters, wanted, &Parameter::name);
  return found == parameters.end() ? no_id : static_cast<ParameterId>(found - parameters.begin());
}

Index Graph::parameter_count() const {
  Index count = 0;
  for (const Parameter& parameter : parameters) count += parameter.trainable ? parameter.data.size() : 0;
  return count;
}

DType Graph::parameter_type() const {
  for (const Parameter& parameter : parameters) {
    if (parameter.data.type() == DType::float64) return DType::float64;
  }
  return DType::float32;
}

namespace {

/// The first parameters with the reasons why they are not learned.
std::string reasons(const Graph& graph) {
  constexpr std::size_t most = 4;
  std::string text;
  for (std::size_t k = 0; k < std::min(most, graph.parameters.size()); ++k) {
    const Parameter& parameter = graph.parameters[k];
    text += (text.empty() ? "" : ", ") + parameter.name + " (" + parameter.why + ")";
  }
  return graph.parameters.size() > most ? text + ", ..." : text;
}

}  // namespace

void select_parameters(Graph& graph, const std::string& keep, const std::string& freeze) {
  if (!keep.empty()) {
    const std::regex expression = compiled(keep, "--params");
    for (Parameter& parameter : graph.parameters) {
      const bool matches = std::regex_search(parameter.name, expression);
      if (matches == parameter.trainable || (matches && parameter.role == ParameterRole::statistic)) continue;
      parameter.trainable = matches;
      parameter.why = matches ? "learned: its name matches --params" : "frozen: its name does not match --params";
    }
  }
  if (!freeze.empty()) {
    const std::regex expression = compiled(freeze, "--buffers");
    for (Parameter& parameter : graph.parameters) {
      if (parameter.trainable && std::regex_search(parameter.name, expression)) {
        parameter.trainable = false;
        parameter.why = "frozen: its name matches --buffers";
      }
    }
  }
  if (!graph.parameters.empty() && std::ranges::none_of(graph.parameters, &Parameter::trainable)) {
    std::string names;
    for (const Parameter& parameter : graph.parameters) names += (names.empty() ? "" : ", ") + parameter.name;
    if (keep.empty() && freeze.empty()) {
      throw Error(ErrorKind::input, {.what = "the network has no parameter to differentiate by", .where = graph.name,
                                     .got = "none of these is learned: " + reasons(graph), .expected = {},
                                     .cure = "--params takes those that a regular expression matches all the same"});
    }
    throw Error(ErrorKind::usage, {.what = "no parameter is left to differentiate by",
                                   .where = keep.empty() ? "--buffers" : "--params",
                                   .got = keep.empty() ? freeze : keep,
                                   .expected = "an expression that leaves some of: " + names, .cure = {}});
  }
  update_dependence(graph);
}

void update_dependence(Graph& graph) {
  for (const Parameter& parameter : graph.parameters) {
    graph.values[static_cast<std::size_t>(parameter.value)].dependence =
        parameter.trainable ? Dependence::parameters : Dependence::constant;
  }
  for (const Node& node : graph.nodes) {
    Dependence most = Dependence::constant;
    for (const ValueId input : node.inputs) {
      if (input != no_id) most = std::max(most, graph.value(input).dependence);
    }
    for (const ValueId output : node.outputs) graph.values[static_cast<std::size_t>(output)].dependence = most;
  }
}

std::uint64_t fingerprint(const Graph& graph) {
  Hash hash;
  for (const Value& value : graph.values) {
    hash.add(value.name);
    hash.add(to_string(value.shape));
    hash.add(static_cast<std::uint64_t>(value.dependence));
  }
  for (const Node& node : graph.nodes) {
    hash.add(node.op);
    for (const auto& [name, attribute] : node.attributes) {
      hash.add(name);
      add(hash, attribute);
    }
    for (const ValueId id : node.inputs) hash.add(static_cast<std::uint64_t>(id));
    for (const ValueId id : node.outputs) hash.add(static_cast<std::uint64_t>(id));
  }
  for (const Parameter& parameter : graph.parameters) {
    hash.add(parameter.name);
    hash.add(static_cast<std::uint64_t>(parameter.value));
    add(hash, parameter.data);
  }
  for (const Constant& constant : graph.constants) {
    hash.add(static_cast<std::uint64_t>(constant.value));
    add(hash, constant.data);
  }
  for (const ValueId id : graph.inputs) hash.add(static_cast<std::uint64_t>(id));
  for (const ValueId id : graph.outputs) hash.add(static_cast<std::uint64_t>(id));
  return hash.value();
}

}  // namespace tangra
