#include <algorithm>
#include <map>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/differentiate/network_factors.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

[[noreturn]] void does_not_fit(const std::string& where, const Shape& got, const Shape& expected) {
  throw Error(ErrorKind::input, {.what = "the direction has another shape than what it belongs to", .where = where,
                                 .got = to_string(got), .expected = to_string(expected), .cure = {}});
}

template <class T>
std::vector<Tensor<T>> block_of(const Tensor<T>& inputs, Index begin, Index end) {
  std::vector<Tensor<T>> own;
  own.push_back(differentiate::rows_of(inputs, begin, end));
  return own;
}

/// The memory of the sweeps over a block of samples, and how many these are: as many as fit, up to 64. The bits do not
/// depend on that.
struct Block {
  Index samples = 64;
  Reservation memory;
};

template <class T>
Block block_that_fits(const differentiate::Program<T>& program, const Tensor<T>& inputs, ValueId of, const Context& context) {
  std::vector<Index> outputs(static_cast<std::size_t>(program.graph().shape(of).elements()));
  std::iota(outputs.begin(), outputs.end(), Index{0});
  const auto one_direction = differentiate::Basis::sums(static_cast<Index>(outputs.size()), {outputs});
  const differentiate::NetworkFactors<T> sweeps(program, inputs, of, one_direction, context);
  const std::size_t each = sweeps.bytes_per_sample();
  Block block;
  block.samples = static_cast<Index>(std::clamp<std::size_t>(context.memory.available() / (each + 1), 1, 64));
  block.memory = Reservation(context.memory, static_cast<std::size_t>(block.samples) * each,
                             "the derivatives of " + std::to_string(block.samples) + " of the samples at a time");
  return block;
}

std::vector<NamedArray> tangents_of(const ProductSpec& spec) {
  if (!spec.direction_arrays.empty()) return spec.direction_arrays;
  std::vector<NamedArray> tangents;
  for (auto& [name, array] : formats::read_npz(spec.directions)) tangents.push_back({name, std::move(array)});
  return tangents;
}

Array cotangents_of(const ProductSpec& spec) {
  return spec.direction_arrays.empty() ? formats::read_npy(spec.directions) : spec.direction_arrays.front().array;
}

/// J t: [N, output], for tangents of parameters (shared by the samples) and of the input (one for each).
template <class T>
Tensor<T> push(const ProductSpec& spec, Loaded& loaded, Session& session) {
  const Graph& graph = *loaded.graph;
  const Context& context = session.context();
  const differentiate::Program<T> program(loaded.graph, context);
  const SharedSamples<T> shared = taken_inputs<T>(loaded, session);
  const Tensor<T>& inputs = *shared;
  const Index samples = inputs.shape()[0];
  std::map<ValueId, Tensor<T>> tangents;
  const std::vector<NamedArray> arrays = tangents_of(spec);
  session.count_resident();
  Index entries = 0;
  for (const auto& [name, array] : arrays) entries += array.size();
  const Reservation directions_memory(context.memory, static_cast<std::size_t>(entries) * (sizeof(double) + sizeof(T)), "the tangents");
  for (const auto& [name, array] : arrays) {
    const ParameterId parameter = graph.find_parameter(name);
    if (parameter == no_id && name != "input") {
      throw Error(ErrorKind::input, {.what = "the network has no such parameter", .where = spec.directions, .got = name,
                                     .expected = "input or a parameter's name", .cure = {}});
    }
    const ValueId value = parameter == no_id ? graph.inputs.front() : graph.parameter(parameter).value;
    const Shape expected = parameter == no_id ? inputs.shape() : graph.parameter(parameter).data.shape();
    if (array.shape() != expected) does_not_fit(spec.directions + ":" + name, array.shape(), expected);
    tangents[value] = Array(finite(array, spec.directions + ":" + name)).template converted<T>();
  }
  const ValueId of = find_value(graph, "output", "MODEL");
  const Index size = graph.shape(of).elements();
  const Reservation result_memory(context.memory, static_cast<std::size_t>(samples * size) * sizeof(T), "the result, J t");
  Tensor<T> result(graph.shape(of).with_leading(samples));
  const Block block = block_that_fits(program, inputs, of, context);
  for (Index begin = 0; begin < samples; begin += block.samples) {
    const Index end = std::min(samples, begin + block.samples);
    context.check_cancelled();
    const auto activations = differentiate::forward(program, block_of(inputs, begin, end), context);
    differentiate::require_finite(program, activations, of, begin);
    std::map<ValueId, ops::Operand<T>> directions;
    for (const auto& [value, tangent] : tangents) {
      const Index stride = program.is_batch_free(value) ? 0 : graph.shape(value).elements();
      directions[value] = {tangent.data() + begin * stride, stride};
    }
    const Tensor<T> pushed = differentiate::push_forward(program, activations, 1, directions, of, context);
    std::ranges::copy(pushed, result.data() + begin * size);
  }
  return result;
}

/// J^T c: summed over the samples for parameters, one for each sample for the input.
template <class T>
std::vector<NamedArray> pull(const ProductSpec& spec, Loaded& loaded, Session& session) {
  const Graph& graph = *loaded.graph;
  const Context& context = session.context();
  const differentiate::Program<T> program(loaded.graph, context);
  const SharedSamples<T> shared = taken_inputs<T>(loaded, session);
  const Tensor<T>& inputs = *shared;
  const Index samples = inputs.shape()[0];
  const ValueId of = find_value(graph, "output", "MODEL");
  const Array array = cotangents_of(spec);
  const Shape expected = graph.shape(of).with_leading(samples);
  if (array.shape() != expected) does_not_fit(spec.directions, array.shape(), expected);
  session.count_resident();
  const Reservation directions_memory(context.memory, static_cast<std::size_t>(array.size()) * (sizeof(double) + sizeof(T)), "the cotangents");
  const Tensor<T> cotangents = Array(finite(array, spec.directions)).converted<T>();
  const ValueId input = graph.inputs.front();
  Index entries = inputs.size();
  for (const Parameter& parameter : graph.parameters) entries += parameter.data.size();
  const Reservation result_memory(context.memory, static_cast<std::size_t>(entries) * sizeof(T), "the result, J^T c");
  std::vector<Tensor<T>> by_parameter;
  for (const Parameter& parameter : graph.parameters) by_parameter.emplace_back(parameter.data.shape());
  Tensor<T> by_input(inputs.shape());
  const Index size = graph.shape(of).elements();
  const Index features = graph.shape(input).elements();
  const Block block = block_that_fits(program, inputs, of, context);
  for (Index begin = 0; begin < samples; begin += block.samples) {
    const Index end = std::min(samples, begin + block.samples);
    context.check_cancelled();
    const auto activations = differentiate::forward(program, block_of(inputs, begin, end), context);
    differentiate::require_finite(program, activations, of, begin);
    auto seeds = Tensor<T>::uninitialized({end - begin, 1, size});
    std::copy_n(cotangents.data() + begin * size, seeds.size(), seeds.data());
    const auto swept = differentiate::reverse(program, activations, {.of = of, .parameters = true, .values = {input}},
                                              std::move(seeds), context);
    if (swept.values.front()) std::ranges::copy(*swept.values.front(), by_input.data() + begin * features);
    for (std::size_t p = 0; p < by_parameter.size(); ++p) {
      if (graph.parameters[p].trainable) {
        factors::add_summed(swept.parameters, static_cast<ParameterId>(p), by_parameter[p].data(), session.context());
      }
    }
  }
  std::vector<NamedArray> arrays;
  for (std::size_t p = 0; p < by_parameter.size(); ++p) {
    if (graph.parameters[p].trainable) arrays.push_back({"vjp:" + graph.parameters[p].name, Array(std::move(by_parameter[p]))});
  }
  arrays.push_back({"vjp:input", Array(std::move(by_input))});
  return arrays;
}

template <class T>
void compute(const ProductSpec& spec, Loaded& loaded, Session& session, ArraysResult& result) {
  result.precision = name_of(dtype_of<T>());
  if (spec.forward) {
    result.arrays.push_back({"jvp", Array(push<T>(spec, loaded, session))});
    result.notes.emplace_back("J t for the tangents t of the file: parameters' are shared by all samples, input's are one a sample");
  } else {
    result.arrays = pull<T>(spec, loaded, session);
    result.notes.emplace_back(
        "J^T c for the cotangents c of the file: summed over the samples for parameters, one for each sample for the input. "
        "A vector-Jacobian product, not a Jacobian");
  }
  session.step("sweeps");
}

}  // namespace

void ProductSpec::validate() const {
  model.validate();
  if (directions.empty() && direction_arrays.empty()) {
    throw Error(ErrorKind::usage, {.what = "no direction is given", .where = forward ? "--tangent" : "--cotangent", .got = {},
                                   .expected = forward ? "a .npz with arrays named as parameters, or input" : "a .npy (N, outputs)",
                                   .cure = {}});
  }
  if (forward) check_out(out, existing, {".npy", ".npz"});
  else check_out(out, existing, {".npz"});
}

ArraysResult run_product(const ProductSpec& spec, const Caller& caller) {
  spec.validate();
  Session session(spec.resources, caller);
  Loaded loaded = load(spec.model, spec.data);
  session.step("load");
  session.count_resident();
  ArraysResult result;
  result.command = spec.forward ? "jvp" : "vjp";
  result.model = loaded.model;
  result.data = loaded.summary;
  result.out = spec.out;
  if (compute_type(spec.precision, *loaded.graph) == DType::float64) compute<double>(spec, loaded, session, result);
  else compute<float>(spec, loaded, session, result);
  session.context().check_cancelled();
  write_arrays(spec.out, result.arrays);
  session.step("write");
  result.provenance = session.provenance(fingerprint(*loaded.graph), {loaded.data.fingerprint});
  return result;
}

}  // namespace tangra::run
