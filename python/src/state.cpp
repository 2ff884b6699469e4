#include "state.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>

#include "arrays.h"
#include "tangra/base/error.h"

namespace tangra::python {
namespace {

template <class T, class Make>
nb::list listed(const std::vector<T>& entries, const Make& make) {
  nb::list list;
  for (const T& entry : entries) list.append(make(entry));
  return list;
}

template <class T, class Make>
void collect(std::vector<T>& target, nb::handle list, const Make& make) {
  for (const nb::handle entry : list) target.push_back(make(nb::cast<nb::tuple>(entry)));
}

template <class T>
T field(const nb::tuple& state, std::size_t place) {
  return nb::cast<T>(state[place]);
}

[[noreturn]] void refuse(const std::string& got, const std::string& expected) {
  throw Error(ErrorKind::usage, {.what = "this pickled network cannot be read", .where = "pickle", .got = got, .expected = expected,
                                 .cure = "Keep weights with save()"});
}

nb::tuple state_of(const Array& array) {
  return nb::make_tuple(static_cast<int>(array.type()), to_tuple(array.shape()),
                        nb::bytes(reinterpret_cast<const char*>(array.data()), array.bytes()));
}

Array array_of(const nb::tuple& state) {
  const auto type = static_cast<DType>(field<int>(state, 0));
  const auto entries = field<nb::bytes>(state, 2);
  return Array(type, to_shape(field<nb::sequence>(state, 1)), [&](std::span<std::byte> target) {
    if (target.size() != entries.size()) refuse(std::to_string(entries.size()) + " bytes of an array", std::to_string(target.size()));
    if (!target.empty()) std::memcpy(target.data(), entries.c_str(), target.size());
  });
}

/// Which alternative it is stands before each value: Python does not tell an empty list of integers from one of real numbers.
nb::list state_of(const Attributes& attributes) {
  nb::list list;
  for (const auto& [name, attribute] : attributes) {
    list.append(std::visit([&](const auto& value) { return nb::make_tuple(name, attribute.index(), value); }, attribute));
  }
  return list;
}

Attributes attributes_of(nb::handle list) {
  Attributes attributes;
  for (const nb::handle entry : list) {
    const auto state = nb::cast<nb::tuple>(entry);
    const auto name = field<std::string>(state, 0);
    switch (field<int>(state, 1)) {
      case 0: attributes.set(name, field<Index>(state, 2)); break;
      case 1: attributes.set(name, field<double>(state, 2)); break;
      case 2: attributes.set(name, field<std::string>(state, 2)); break;
      case 3: attributes.set(name, field<std::vector<Index>>(state, 2)); break;
      case 4: attributes.set(name, field<std::vector<double>>(state, 2)); break;
      default: refuse("an attribute of unknown type", "");
    }
  }
  return attributes;
}

nb::tuple state_of(const Graph& graph) {
  return nb::make_tuple(
      graph.name,
      listed(graph.values, [](const Value& value) {
        return nb::make_tuple(value.name, to_tuple(value.shape), static_cast<int>(value.dependence), value.producer);
      }),
      listed(graph.nodes, [](const Node& node) {
        return nb::make_tuple(node.op, node.name, state_of(node.attributes), node.inputs, node.outputs);
      }),
      listed(graph.parameters, [](const Parameter& parameter) {
        return nb::make_tuple(parameter.name, parameter.layer, static_cast<int>(parameter.role), parameter.why, parameter.trainable,
                              parameter.initializer, state_of(parameter.data), parameter.value);
      }),
      listed(graph.constants, [](const Constant& constant) { return nb::make_tuple(state_of(constant.data), constant.value); }),
      graph.inputs, graph.outputs,
      listed(graph.aliases, [](const auto& alias) { return nb::make_tuple(alias.first, alias.second); }));
}

Graph graph_of(const nb::tuple& state) {
  Graph graph;
  graph.name = field<std::string>(state, 0);
  collect(graph.values, state[1], [](const nb::tuple& value) {
    return Value{.name = field<std::string>(value, 0), .shape = to_shape(field<nb::sequence>(value, 1)),
                 .dependence = static_cast<Dependence>(field<int>(value, 2)), .producer = field<NodeId>(value, 3)};
  });
  collect(graph.nodes, state[2], [](const nb::tuple& node) {
    return Node{.op = field<std::string>(node, 0), .name = field<std::string>(node, 1), .attributes = attributes_of(node[2]),
                .inputs = field<std::vector<ValueId>>(node, 3), .outputs = field<std::vector<ValueId>>(node, 4)};
  });
  collect(graph.parameters, state[3], [](const nb::tuple& parameter) {
    return Parameter{.name = field<std::string>(parameter, 0), .layer = field<std::string>(parameter, 1),
                     .role = static_cast<ParameterRole>(field<int>(parameter, 2)), .why = field<std::string>(parameter, 3),
                     .trainable = field<bool>(parameter, 4), .initializer = field<std::string>(parameter, 5),
                     .data = array_of(field<nb::tuple>(parameter, 6)), .value = field<ValueId>(parameter, 7)};
  });
  collect(graph.constants, state[4], [](const nb::tuple& constant) {
    return Constant{.data = array_of(field<nb::tuple>(constant, 0)), .value = field<ValueId>(constant, 1)};
  });
  graph.inputs = field<std::vector<ValueId>>(state, 5);
  graph.outputs = field<std::vector<ValueId>>(state, 6);
  collect(graph.aliases, state[7], [](const nb::tuple& alias) {
    return std::pair(field<std::string>(alias, 0), field<ValueId>(alias, 1));
  });
  return graph;
}

nb::tuple state_of(const load::ModelSpec& spec) {
  const auto shape = spec.input_shape ? std::optional(spec.input_shape->lengths()) : std::nullopt;
  return nb::make_tuple(spec.text, spec.init, spec.seed, spec.parameterization, spec.weights, spec.params, spec.buffers, shape,
                        spec.output, spec.batch);
}

load::ModelSpec spec_of(const nb::tuple& state) {
  const auto shape = field<std::optional<std::vector<Index>>>(state, 7);
  return {.text = field<std::string>(state, 0), .init = field<std::string>(state, 1),
          .seed = field<std::optional<std::uint64_t>>(state, 2), .parameterization = field<std::string>(state, 3),
          .weights = field<std::string>(state, 4), .params = field<std::string>(state, 5), .buffers = field<std::string>(state, 6),
          .input_shape = shape ? std::optional(Shape(*shape)) : std::nullopt, .output = field<std::string>(state, 8),
          .batch = field<std::string>(state, 9)};
}

}  // namespace

nb::tuple state_of(const Model& model) {
  return nb::make_tuple(TANGRA_VERSION, model.text, state_of(model.origin), state_of(*model.graph), fingerprint(*model.graph));
}

Model model_of(const nb::tuple& state) {
  if (const auto version = field<std::string>(state, 0); version != TANGRA_VERSION) {
    refuse("one of tangra " + version, std::string("one of this version, ") + TANGRA_VERSION);
  }
  auto graph = std::make_shared<const Graph>(graph_of(field<nb::tuple>(state, 3)));
  if (fingerprint(*graph) != field<std::uint64_t>(state, 4)) refuse("another network than was written", "");
  return {.graph = std::move(graph), .text = field<std::string>(state, 1), .origin = spec_of(field<nb::tuple>(state, 2))};
}

}  // namespace tangra::python
