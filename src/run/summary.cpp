#include "tangra/run/session.h"

namespace tangra::run {

void SummarySpec::validate() const { model.validate(); }

SummaryResult run_summary(const SummarySpec& spec) {
  spec.validate();
  const std::shared_ptr<const Graph> loaded = load::shared_model(spec.model);
  const Graph& graph = *loaded;
  SummaryResult result;
  result.model = summarise(graph, spec.model.text);
  for (const Node& node : graph.nodes) {
    SummaryResult::Row row{.name = node.name, .op = node.op, .shape = graph.shape(node.outputs.front()), .parameters = {},
                           .parameter_count = 0};
    for (const ValueId input : node.inputs) {
      if (input == no_id) continue;
      for (const Parameter& parameter : graph.parameters) {
        if (parameter.value != input) continue;
        row.parameters.push_back(parameter.name);
        row.parameter_count += parameter.data.size();
      }
    }
    result.layers.push_back(std::move(row));
  }
  for (const Parameter& parameter : graph.parameters) {
    result.parameters.push_back({.name = parameter.name, .layer = parameter.layer, .shape = parameter.data.shape(),
                                 .type = parameter.data.type(), .count = parameter.data.size(),
                                 .bytes = parameter.data.bytes(), .trainable = parameter.trainable, .why = parameter.why});
    result.parameter_bytes += parameter.data.bytes();
  }
  for (const Value& value : graph.values) {
    if (value.dependence != Dependence::samples) continue;
    result.activation_bytes += static_cast<std::size_t>(value.shape.elements()) * bytes_of(graph.parameter_type());
  }
  return result;
}

}  // namespace tangra::run
