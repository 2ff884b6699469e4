#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/differentiate/node_call.h"

namespace tangra::differentiate {

template <class T>
Tensor<T> push_forward(const Program<T>& program, const Activations<T>& activations, Index directions,
                       const std::map<ValueId, ops::Operand<T>>& tangents, ValueId of, const Context& context) {
  const Graph& graph = program.graph();
  std::vector<ops::Operand<T>> known(graph.values.size());
  std::vector<Tensor<T>> owned(graph.values.size());
  for (const auto& [value, tangent] : tangents) known[static_cast<std::size_t>(value)] = tangent;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    std::vector<ops::Operand<T>> inputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id == no_id ? ops::Operand<T>{} : known[static_cast<std::size_t>(id)]);
    }
    if (std::ranges::none_of(inputs, [](const auto& tangent) { return static_cast<bool>(tangent); })) continue;
    context.check_cancelled();
    const auto id = static_cast<NodeId>(n);
    const NodeCall<T> call(program, activations, id, context, nullptr, true);
    const bool batch_free = program.is_batch_free(node.outputs.front());
    std::vector<T*> results;
    for (const ValueId output : node.outputs) {
      const Index size = graph.shape(output).elements() * directions;
      Tensor<T>& own = owned[static_cast<std::size_t>(output)];
      own = Tensor<T>::uninitialized(graph.shape(output).with_leading(directions).with_leading(call->samples));
      results.push_back(own.data());
      known[static_cast<std::size_t>(output)] = {own.data(), batch_free ? 0 : size};
    }
    program.op(id).pushforward(*call, directions, inputs, results);
  }
  const auto& result = known[static_cast<std::size_t>(of)];
  auto tangent = Tensor<T>(graph.shape(of).with_leading(directions).with_leading(activations.samples()));
  const Index size = graph.shape(of).elements() * directions;
  for (Index i = 0; result && i < activations.samples(); ++i) {
    std::copy_n(result.at(i), size, tangent.data() + i * size);
  }
  return tangent;
}

template Tensor<float> push_forward<float>(const Program<float>&, const Activations<float>&, Index,
                                           const std::map<ValueId, ops::Operand<float>>&, ValueId, const Context&);
template Tensor<double> push_forward<double>(const Program<double>&, const Activations<double>&, Index,
                                             const std::map<ValueId, ops::Operand<double>>&, ValueId, const Context&);

}  // namespace tangra::differentiate
