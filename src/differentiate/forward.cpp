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
    context.check_cancelled();
    const auto id = static_cast<NodeId>(n);
    const NodeCall<T> call(program, activations, id, context, sides, false);
    std::vector<Tensor<T>> results;
    std::vector<T*> pointers;
    for (const ValueId output : node.outputs) {
      results.push_back(take_tensor<T>(graph.shape(output).with_leading(samples)));
      pointers.push_back(results.back().data());
    }
    program.op(id).forward(*call, pointers);
    for (std::size_t k = 0; k < results.size(); ++k) activations.set(node.outputs[k], std::move(results[k]));
  }
  return activations;
}

template <class T>
void require_finite(const Program<T>& program, const Activations<T>& activations, ValueId value, Index first) {
  const Tensor<T>& entries = activations[value];
  const auto bad = std::ranges::find_if_not(entries, [](T entry) { return std::isfinite(entry); });
  if (bad == entries.end()) return;
  const Index size = program.graph().shape(value).elements();
  throw Error(ErrorKind::numerics,
              {.what = "the network's output is not finite",
               .where = "sample " + std::to_string(first + (bad - entries.begin()) / size) + ", value " +
                        program.graph().value(value).name,
               .got = std::isnan(*bad) ? "NaN" : "infinity", .expected = {},
               .cure = "The sample leaves the domain of an operator (log of a negative number) or overflows: scale the data "
                       "(--scale, --normalize) or use --precision float64"});
}

template <class T>
std::vector<ops::Choice> choices_of(const Program<T>& program, const Activations<T>& activations, NodeId node,
                                    const Context& context) {
  const NodeCall<T> call(program, activations, node, context, nullptr, false);
  return program.op(node).choices(*call);
}

template <class T>
Index count_near_kinks(const Program<T>& program, const Activations<T>& activations,
                       const std::vector<double>& errors, const Context& context) {
  Index count = 0;
  const Graph& graph = program.graph();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const auto id = static_cast<NodeId>(n);
    if (program.is_batch_free(node.inputs.front())) continue;
    const double error = errors[static_cast<std::size_t>(node.inputs.front())];
    for (const ops::Choice& choice : choices_of(program, activations, id, context)) {
      count += choice.lead > 0 && choice.lead <= 2 * error;  // either entry may be wrong
    }
    const std::vector<double> kinks = program.op(id).kinks(node);
    if (kinks.empty()) continue;
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
template void require_finite<float>(const Program<float>&, const Activations<float>&, ValueId, Index);
template void require_finite<double>(const Program<double>&, const Activations<double>&, ValueId, Index);
template std::vector<ops::Choice> choices_of<float>(const Program<float>&, const Activations<float>&,
                                                    NodeId, const Context&);
template std::vector<ops::Choice> choices_of<double>(const Program<double>&, const Activations<double>&,
                                                     NodeId, const Context&);
template Index count_near_kinks<float>(const Program<float>&, const Activations<float>&,
                                       const std::vector<double>&, const Context&);
template Index count_near_kinks<double>(const Program<double>&, const Activations<double>&,
                                        const std::vector<double>&, const Context&);

}  // namespace tangra::differentiate
