#include <algorithm>

#include "tangra/differentiate/network_factors.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

/// What the activations of a block of samples may take.
constexpr Index block_bytes = Index{16} << 20;

template <class T>
Tensor<T> outputs_of(const OutputsSpec& spec, Loaded& loaded, Session& session) {
  const Context& context = session.context();
  const Graph& graph = *loaded.graph;
  const differentiate::Program<T> program(loaded.graph, context);
  const SharedSamples<T> shared = taken_inputs<T>(loaded, session);
  const Tensor<T>& inputs = *shared;
  const ValueId of = find_value(graph, spec.of, "--of");
  const Index samples = inputs.shape()[0];
  const Index size = graph.shape(of).elements();
  Index entries = 1;
  for (const Value& value : graph.values) entries += value.dependence == Dependence::samples ? value.shape.elements() : 0;
  const Index block = std::clamp<Index>(block_bytes / (entries * Index(sizeof(T))), 1, std::max<Index>(1, samples));
  const Reservation memory(context.memory, static_cast<std::size_t>(samples * size + block * entries) * sizeof(T), "the outputs");
  auto result = Tensor<T>::uninitialized(graph.shape(of).with_leading(samples));
  for (Index begin = 0; begin < samples; begin += block) {
    context.check_cancelled();
    context.report("evaluating", static_cast<double>(begin), static_cast<double>(samples));
    std::vector<Tensor<T>> own;
    own.push_back(differentiate::rows_of(inputs, begin, std::min(samples, begin + block)));
    const auto activations = differentiate::forward(program, std::move(own), context);
    differentiate::require_finite(program, activations, of, begin);
    std::ranges::copy(activations[of], result.data() + begin * size);
  }
  return result;
}

}  // namespace

void OutputsSpec::validate() const { model.validate(); }

ArraysResult run_outputs(const OutputsSpec& spec, const Caller& caller) {
  spec.validate();
  Session session(spec.resources, caller);
  Loaded loaded = load(spec.model, spec.data);
  session.step("load");
  session.count_resident();
  ArraysResult result;
  result.command = "outputs";
  result.model = loaded.model;
  result.data = loaded.summary;
  const DType type = compute_type(spec.precision, *loaded.graph);
  result.precision = name_of(type);
  result.arrays.push_back({"output", type == DType::float64 ? Array(outputs_of<double>(spec, loaded, session))
                                                            : Array(outputs_of<float>(spec, loaded, session))});
  session.step("forward");
  result.provenance = session.provenance(fingerprint(*loaded.graph), {loaded.data.fingerprint});
  return result;
}

}  // namespace tangra::run
