#include "tangra/differentiate/network_factors.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/base/tensor_cache.h"

namespace tangra::differentiate {
namespace {

template <class T>
std::vector<Tensor<T>> one(Tensor<T> tensor) {
  std::vector<Tensor<T>> list;
  list.push_back(std::move(tensor));
  return list;
}

/// Entries of all values of one sample.
template <class T>
Index activation_entries(const Program<T>& program) {
  Index sum = 0;
  for (std::size_t id = 0; id < program.graph().values.size(); ++id) {
    if (!program.is_batch_free(static_cast<ValueId>(id))) sum += program.graph().values[id].shape.elements();
  }
  return sum;
}

}  // namespace

template <class T>
Tensor<T> rows_of(const Tensor<T>& inputs, Index begin, Index end) {
  Shape shape = inputs.shape();
  const Index size = shape.elements(1, shape.rank());
  shape[0] = end - begin;
  // Activations give their memory back: what is not taken from there again would only fill the store.
  auto rows = take_tensor<T>(std::move(shape));
  std::copy_n(inputs.data() + begin * size, (end - begin) * size, rows.data());
  return rows;
}

template <class T>
NetworkFactors<T>::NetworkFactors(const Program<T>& program, const Tensor<T>& inputs, ValueId of, Basis basis,
                                  const Context& context)
    : program_(program), inputs_(inputs), of_(of), basis_(std::move(basis)), context_(context) {
  TANGRA_ENSURE(basis_.outputs() == program.graph().shape(of).elements());
}

template <class T>
Activations<T> NetworkFactors<T>::activations(Index begin, Index end, const Activations<T>* sides) const {
  return forward(program_, one(rows_of(inputs_, begin, end)), context_, sides);
}

template <class T>
factors::FactorBlock<T> NetworkFactors<T>::factors_of(Index begin, const Activations<T>& activations,
                                                      const Activations<T>* sides,
                                                      const factors::TermSink<T>* sink,
                                                      const factors::Wanted* wanted) const {
  require_finite(program_, activations, of_, begin);
  Tensor<T> seeds = basis_.seeds(begin, activations[of_]);
  const ReverseTargets targets{.of = of_, .parameters = true, .values = {}, .explicit_parameters = false, .wanted = wanted};
  return reverse(program_, activations, targets, std::move(seeds), context_, sides, sink).parameters;
}

template <class T>
factors::FactorBlock<T> NetworkFactors<T>::make(Index begin, Index end) const {
  return factors_of(begin, activations(begin, end), nullptr);
}

template <class T>
void NetworkFactors<T>::sweep(Index begin, Index end, const factors::TermSink<T>& take, const factors::Wanted* wanted) const {
  factors_of(begin, activations(begin, end), nullptr, &take, wanted);
}

template <class T>
factors::SweepWork NetworkFactors<T>::work_per_sample() const {
  factors::SweepWork work;
  const Graph& graph = program_.graph();
  const auto count = static_cast<double>(directions());
  std::vector<bool> learned(graph.values.size(), false);  // a parameter lies behind it
  const auto is_learned = [&](ValueId value) {
    return value != no_id &&
           (learned[static_cast<std::size_t>(value)] || graph.value(value).dependence == Dependence::parameters);
  };
  const auto moved = [&](ValueId value) { return static_cast<double>(graph.shape(value).elements()) * sizeof(T); };
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const auto id = static_cast<NodeId>(n);
    if (program_.is_batch_free(node.outputs.front())) continue;
    const double own = program_.op(id).multiply_adds(node, program_.input_shapes(id), program_.output_shapes(id).front());
    work.forward.multiply_adds += own;
    const bool any = std::ranges::any_of(node.inputs, is_learned);
    for (const ValueId output : node.outputs) {
      work.forward.bytes += moved(output);
      learned[static_cast<std::size_t>(output)] = any;
    }
    for (const ValueId input : node.inputs) {
      if (input == no_id) continue;
      work.forward.bytes += moved(input);
      if (program_.is_batch_free(input) || !is_learned(input)) continue;
      work.reverse.multiply_adds += count * own;
      work.reverse.bytes += count * (moved(input) + moved(node.outputs.front()));
    }
  }
  return work;
}

template <class T>
Index NetworkFactors<T>::samples_at_once() const {
  // What a thread works on should lie in the caches, but a sweep also reads all parameters: it should not do so for less.
  constexpr std::size_t cached = std::size_t{8} << 20U;
  std::size_t parameters = 0;
  for (const Parameter& parameter : program_.graph().parameters) {
    parameters += static_cast<std::size_t>(parameter.data.size()) * sizeof(T);
  }
  const auto each = static_cast<std::size_t>(activation_entries(program_) * (1 + directions())) * sizeof(T);
  return static_cast<Index>(std::max(cached, 2 * parameters) / std::max<std::size_t>(1, each)) + 1;
}

template <class T>
FactorsOfBoth<T>::FactorsOfBoth(const Program<T>& program, const Tensor<T>& rows, const Tensor<T>& columns, ValueId of,
                                const Basis& basis, const Context& context) {
  const Index samples = rows.shape()[0] + columns.shape()[0];
  if (!basis.is_constant() || NetworkFactors<T>(program, rows, of, basis, context).samples_at_once() < samples) return;
  Shape shape = rows.shape();
  shape[0] = samples;
  inputs_ = Tensor<T>::uninitialized(shape);
  std::copy_n(columns.data(), columns.size(), std::copy_n(rows.data(), rows.size(), inputs_.data()));
  factors_.emplace(program, inputs_, of, basis, context);
}

template <class T>
factors::FactorBlock<T> NetworkFactors<T>::make_on_sides(Index begin, Index end, const Activations<T>& sides) const {
  return factors_of(begin, activations(begin, end, &sides), &sides);
}

template <class T>
std::size_t NetworkFactors<T>::bytes_per_sample() const {
  // Every activation and its cotangents, and what each use of a parameter adds: its factors or explicit rows.
  Index entries = activation_entries(program_) * (1 + directions());
  const Graph& graph = program_.graph();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const ValueId input = node.inputs[k];
      if (input == no_id || graph.value(input).dependence != Dependence::parameters) continue;
      const auto id = static_cast<NodeId>(n);
      const auto index = static_cast<int>(k);
      entries += program_.has_outer_form(id, index)
                     ? program_.op(id).outer_entries(node, program_.input_shapes(id), index, directions())
                     : graph.shape(input).elements() * directions();
    }
  }
  return static_cast<std::size_t>(entries) * sizeof(T);
}

template <class T>
ActivationFactors<T>::ActivationFactors(const Program<T>& program, const Tensor<T>& inputs, ValueId value,
                                        const Context& context)
    : program_(program), inputs_(inputs), value_(value), context_(context) {}

template <class T>
Activations<T> ActivationFactors<T>::activations(Index begin, Index end) const {
  return forward(program_, one(rows_of(inputs_, begin, end)), context_);
}

template <class T>
factors::FactorBlock<T> ActivationFactors<T>::make(Index begin, Index end) const {
  return factors_of(begin, activations(begin, end));
}

template <class T>
factors::FactorBlock<T> ActivationFactors<T>::make_on_sides(Index begin, Index end, const Activations<T>& sides) const {
  return factors_of(begin, forward(program_, one(rows_of(inputs_, begin, end)), context_, &sides));
}

template <class T>
factors::FactorBlock<T> ActivationFactors<T>::factors_of(Index begin, const Activations<T>& activations) const {
  require_finite(program_, activations, value_, begin);
  const Shape flat{program_.graph().shape(value_).elements()};
  factors::FactorBlock<T> block{.samples = activations.samples(), .directions = 1, .terms = {}};
  factors::Term<T> term;
  term.place = {.parameter = 0, .offset = 0, .shape = flat, .strides = flat.strides(), .scale = 1};
  term.left = activations.shared(value_);
  block.terms.push_back(std::move(term));
  return block;
}

template <class T>
std::size_t ActivationFactors<T>::bytes_per_sample() const {
  return static_cast<std::size_t>(activation_entries(program_)) * sizeof(T);
}

template class NetworkFactors<float>;
template class NetworkFactors<double>;
template class FactorsOfBoth<float>;
template class FactorsOfBoth<double>;
template class ActivationFactors<float>;
template class ActivationFactors<double>;
template Tensor<float> rows_of<float>(const Tensor<float>&, Index, Index);
template Tensor<double> rows_of<double>(const Tensor<double>&, Index, Index);

}  // namespace tangra::differentiate
