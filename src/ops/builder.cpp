#include "tangra/ops/builder.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/ops/maps.h"
#include "tangra/ops/op.h"

namespace tangra::ops {

void GraphBuilder::take_name(const std::string& name) {
  if (names_.insert(name).second) return;
  throw Error(ErrorKind::input, {.what = "two values of the network have the same name", .where = name, .got = {},
                                 .expected = "unique names", .cure = {}});
}

ValueId GraphBuilder::add_value(std::string name, Shape shape, Dependence dependence) {
  take_name(name);
  graph_.values.push_back({.name = std::move(name), .shape = std::move(shape), .dependence = dependence, .producer = no_id});
  return static_cast<ValueId>(graph_.values.size()) - 1;
}

ValueId GraphBuilder::input(std::string name, Shape shape) {
  const ValueId value = add_value(std::move(name), std::move(shape), Dependence::samples);
  graph_.inputs.push_back(value);
  return value;
}

ValueId GraphBuilder::parameter(Parameter parameter) {
  parameter.value = add_value(parameter.name, parameter.data.shape(),
                              parameter.trainable ? Dependence::parameters : Dependence::constant);
  graph_.parameters.push_back(std::move(parameter));
  return graph_.parameters.back().value;
}

ValueId GraphBuilder::constant(std::string name, Array data) {
  const ValueId value = add_value(std::move(name), data.shape(), Dependence::constant);
  graph_.constants.push_back({.data = std::move(data), .value = value});
  return value;
}

ValueId GraphBuilder::apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes, std::string name) {
  return apply_many(op, std::move(inputs), std::move(attributes), name, {name}).front();
}

std::vector<ValueId> GraphBuilder::apply_many(const std::string& op, std::vector<ValueId> inputs, Attributes attributes,
                                              std::string name, std::vector<std::string> outputs) {
  const Op* found = find_op(op);
  if (found == nullptr) {
    throw Error(ErrorKind::unsupported, {.what = "unknown operator", .where = "node " + name, .got = op, .expected = {},
                                         .cure = {}});
  }
  Node node{.op = op, .name = std::move(name), .attributes = std::move(attributes), .inputs = std::move(inputs),
            .outputs = {}};
  std::vector<Shape> shapes;
  Dependence dependence = Dependence::constant;
  for (const ValueId input : node.inputs) {
    shapes.push_back(input == no_id ? Shape{} : graph_.shape(input));
    if (input != no_id) dependence = std::max(dependence, graph_.value(input).dependence);
  }
  const std::vector<Shape> results = found->infer(node, shapes);
  TANGRA_ENSURE(results.size() == outputs.size());
  for (std::size_t k = 0; k < results.size(); ++k) {
    require_size(node, results[k], most_entries_anywhere);
    node.outputs.push_back(add_value(std::move(outputs[k]), results[k], dependence));
    graph_.values.back().producer = static_cast<NodeId>(graph_.nodes.size());
  }
  graph_.nodes.push_back(std::move(node));
  return graph_.nodes.back().outputs;
}

void GraphBuilder::output(ValueId value) { graph_.outputs.push_back(value); }

void GraphBuilder::alias(std::string name, ValueId value) {
  take_name(name);
  graph_.aliases.emplace_back(std::move(name), value);
}

}  // namespace tangra::ops
