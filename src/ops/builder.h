#pragma once
#include <string>
#include <unordered_set>
#include <vector>

#include "tangra/model/graph.h"

namespace tangra::ops {

/// Builds a Graph node by node; shapes and dependence are found on the way. All shapes are those of one sample.
///
///     GraphBuilder builder;
///     const ValueId x = builder.input("x", {784});
///     const ValueId w = builder.parameter({.name = "w", .layer = "0", .data = weights});   // (60, 784)
///     const ValueId h = builder.apply("Linear", {x, w}, {}, "h");
///     builder.output(builder.apply("Sigmoid", {h}, {}, "y"));
///     const Graph graph = builder.finish();
class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name = {}) { graph_.name = std::move(name); }

  /// A value that every sample brings. Names of values are unique; Error(input) otherwise.
  ValueId input(std::string name, Shape shape);
  /// `parameter.value` is set here; the value takes the parameter's name.
  ValueId parameter(Parameter parameter);
  ValueId constant(std::string name, Array data);
  /// Applies an operator with one output. `name` is that of the node and of its result. Throws Error(unsupported) for an
  /// unknown operator and Error(input), naming the node, where the shapes do not fit.
  ValueId apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes, std::string name);
  /// The same for an operator with several outputs, which take the given names.
  std::vector<ValueId> apply_many(const std::string& op, std::vector<ValueId> inputs, Attributes attributes,
                                  std::string name, std::vector<std::string> outputs);
  void output(ValueId value);
  /// Another name for a value, as unique as all names.
  void alias(std::string name, ValueId value);

  /// A copy: what graph() refers to moves when a value is added.
  Shape shape(ValueId value) const { return graph_.shape(value); }
  const Graph& graph() const { return graph_; }
  Graph finish() { return std::move(graph_); }

 private:
  void take_name(const std::string& name);
  ValueId add_value(std::string name, Shape shape, Dependence dependence);

  Graph graph_;
  std::unordered_set<std::string> names_;  ///< of all values, and aliases
};

}  // namespace tangra::ops
