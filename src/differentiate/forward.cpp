#include <algorithm>
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/differentiate/node_call.h"

namespace tangra::differentiate {

template <class T>
Activations<T> forward(const Program<T>& program, std::vector<Tensor<T>> inputs, const Context& context,
                       const Activations<T>* sides) {
  const Graph& graph = program.graph();
  TANGRA_ENSURE(inputs.size() == graph.inputs.size() && !inputs.empty());
  const Index samples = inputs.front().shape()[0];
  Activations<T> activations(samples, graph.values.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    TANGRA_ENSURE(inputs[k].shape() == graph.shape(graph.inputs[k]).with_leading(samples));
    activations.set(graph.inputs[k], std::move(inputs[k]));
  }
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (program.is_batch_free(node.outputs.front())) continue;
    const auto id = static_cast<NodeId>(n);
    const NodeCall<T> call(program, activations, id, context, sides, false);
    std::vector<Tensor<T>> results;
    std::vector<T*> pointers;
    for (const ValueId output : node.outputs) {
      results.push_back(Tensor<T>::uninitialized(graph.shape(output).with_leading(samples)));
      pointers.push_back(results.back().data());
    }
    program.op(id).forward(*call, pointers);
    for (std::size_t k = 0; k < results.size(); ++k) activations.set(node.outputs[k], std::move(results[k]));
  }
  return activations;
}

template <class T>
Index count_near_kinks(const Program<T>& program, const Activations<T>& activations, const std::vector<double>& errors) {
  Index count = 0;
  const Graph& graph = program.graph();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const std::vector<double> kinks = program.op(static_cast<NodeId>(n)).kinks(node);
    if (kinks.empty() || program.is_batch_free(node.inputs.front())) continue;
    const double error = errors[static_cast<std::size_t>(node.inputs.front())];
    for (const T x : activations[node.inputs.front()]) {
      count += std::ranges::any_of(kinks, [&](double kink) { return std::abs(static_cast<double>(x) - kink) <= error; });
    }
  }
  return count;
}

template Activations<float> forward<float>(const Program<float>&, std::vector<Tensor<float>>, const Context&,
                                           const Activations<float>*);
template Activations<double> forward<double>(const Program<double>&, std::vector<Tensor<double>>, const Context&,
                                             const Activations<double>*);
template Index count_near_kinks<float>(const Program<float>&, const Activations<float>&, const std::vector<double>&);
template Index count_near_kinks<double>(const Program<double>&, const Activations<double>&, const std::vector<double>&);

}  // namespace tangra::differentiate
