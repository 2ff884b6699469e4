#pragma once
#include <string>
#include <vector>

#include "tangra/base/array.h"
#include "tangra/model/attributes.h"

namespace tangra {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
using ParameterId = std::int32_t;
inline constexpr std::int32_t no_id = -1;

/// What a value varies with. A value that depends on a sample has one hidden leading axis, the samples, that no shape
/// and no operator mentions.
enum class Dependence {
  constant,    ///< on nothing that is differentiated
  parameters,  ///< on trainable parameters, on no sample
  samples,     ///< on the sample (and perhaps on parameters)
};

/// A named array of the network.
struct Value {
  std::string name;
  Shape shape;  ///< of one sample
  Dependence dependence = Dependence::samples;
  NodeId producer = no_id;  ///< no_id for inputs, parameters and constants
};

/// One operator applied to values.
struct Node {
  std::string op;    ///< a name of the operator table
  std::string name;  ///< for messages and files
  Attributes attributes;
  std::vector<ValueId> inputs;  ///< no_id where an optional input is absent
  std::vector<ValueId> outputs;
};

enum class ParameterRole {
  weight,
  bias,
  statistic,  ///< a running mean or variance: a fact about data, never learned
  other,
};

/// An array that is learned.
struct Parameter {
  std::string name;
  std::string layer;  ///< the part of the network it belongs to; layers are a partition of the parameters
  ParameterRole role = ParameterRole::weight;
  std::string why;        ///< in words, why it counts as a parameter, or why it does not
  bool trainable = true;  ///< a frozen parameter is not differentiated
  std::string initializer = {};  ///< whose numbers these are, as --init names it; empty where they come from a file
  Array data;
  ValueId value = no_id;
};

/// An array that is part of the network and never learned.
struct Constant {
  Array data;
  ValueId value = no_id;
};

/// A network for one sample: plain data, in topological order. Made by ops::GraphBuilder.
struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;  ///< each node after the nodes that make its inputs
  std::vector<Parameter> parameters;
  std::vector<Constant> constants;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  /// Other names of values: that of a part of the network, for what the part gives. No value has such a name itself.
  std::vector<std::pair<std::string, ValueId>> aliases;

  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes[static_cast<std::size_t>(id)]; }
  const Parameter& parameter(ParameterId id) const { return parameters[static_cast<std::size_t>(id)]; }
  const Shape& shape(ValueId id) const { return value(id).shape; }

  /// The value with this name or alias, or no_id.
  ValueId find_value(std::string_view name) const;
  /// The parameter with this name, or no_id.
  ParameterId find_parameter(std::string_view name) const;
  /// Number of entries of all trainable parameters: P.
  Index parameter_count() const;
  /// The type in which the parameters are stored: float64 where any of them is, else float32.
  DType parameter_type() const;
};

/// With `keep`, the parameters that are learned are those whose names match it, also such as the file's reader took for a
/// mask or a setting, but no statistic. What matches `freeze` is not learned. Both are ECMAScript regular expressions,
/// matched anywhere in the name; an empty one is ignored. Finds the dependence of every value anew.
/// Throws Error(usage) for a bad expression and where no parameter is left.
void select_parameters(Graph& graph, const std::string& keep, const std::string& freeze);

/// Finds the dependence of every node's outputs from that of its inputs.
void update_dependence(Graph& graph);

/// 64 bits that change with the structure, the names and every bit of the parameters and constants.
std::uint64_t fingerprint(const Graph& graph);

}  // namespace tangra
