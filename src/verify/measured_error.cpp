#include "tangra/verify/measured_error.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "tangra/kernel/assembly.h"
#include "tangra/verify/sided_factors.h"

namespace tangra::verify {
namespace {

using differentiate::Basis;
using differentiate::NetworkFactors;
using differentiate::Program;

/// Up to `count` of `samples`, evenly spread, the first and the last among them.
std::vector<Index> spread(Index samples, Index count) {
  std::vector<Index> chosen;
  const Index most = std::min(samples, count);
  for (Index k = 0; k < most; ++k) chosen.push_back(most == 1 ? 0 : k * (samples - 1) / (most - 1));
  return chosen;
}

template <class T>
Tensor<T> chosen_rows(const Tensor<float>& inputs, const std::vector<Index>& samples) {
  Shape shape = inputs.shape();
  const Index size = shape.elements(1, shape.rank());
  shape[0] = static_cast<Index>(samples.size());
  auto rows = Tensor<T>::uninitialized(shape);
  T* to = rows.data();
  for (const Index sample : samples) {
    to = std::transform(inputs.data() + sample * size, inputs.data() + (sample + 1) * size, to,
                        [](float entry) { return static_cast<T>(entry); });
  }
  return rows;
}

/// The basis of chosen samples, whose k-th one is samples[k] of the data.
Basis chosen_basis(const Basis& basis, const std::vector<Index>& samples) {
  return Basis::computed(
      basis.outputs(), basis.rows(), [=](Index k, std::span<const double> outputs, std::span<double> rows) {
        Tensor<double> own(Shape{1, static_cast<Index>(outputs.size())});
        std::ranges::copy(outputs, own.begin());
        const Tensor<double> seeds = basis.seeds(samples[static_cast<std::size_t>(k)], own);
        std::ranges::copy(seeds.span(), rows.begin());
      });
}

/// The factors of a few samples of one set, in float32 and in float64 on the same sides.
struct FewSamples {
  FewSamples(const Program<float>& program, const Program<double>& exact, const Tensor<float>& inputs,
             ValueId of, const Basis& basis, Index count, const Context& context)
      : samples(spread(inputs.shape()[0], count)),
        own(chosen_basis(basis, samples)),
        single_inputs(chosen_rows<float>(inputs, samples)),
        double_inputs(chosen_rows<double>(inputs, samples)),
        single_factors(program, single_inputs, of, own, context),
        double_factors(exact, double_inputs, program, single_inputs, of, own, context) {}

  std::vector<Index> samples;
  Basis own;
  Tensor<float> single_inputs;
  Tensor<double> double_inputs;
  NetworkFactors<float> single_factors;
  SidedFactors<double, float> double_factors;
};

template <class T>
Tensor<T> assembled(const Graph& graph, const factors::FactorSource<T>& rows,
                    const factors::FactorSource<T>* columns, const kernel::LoweredReduction& reduction,
                    const factors::SampleCounts& counts, const Context& context) {
  kernel::Assembly<T> assembly;
  assembly.counts = counts;  // in the order of the whole run
  assembly.rows = &rows;
  assembly.columns = columns;
  assembly.layout = reduction.layout;
  assembly.parts = kernel::divide(graph, kernel::PartsBy::total);
  assembly.sizes = parameter_sizes(graph);
  assembly.divisor = reduction.divisor;
  const Index height = rows.samples() * reduction.layout.full;
  const Index width = (columns == nullptr ? rows : *columns).samples() * reduction.layout.full;
  kernel::MemoryStore<T> store(1, {reduction.layout.planes, height, width}, height, width);
  kernel::assemble(assembly, store, context);
  return std::move(store.part(0));
}

Index near_kinks(const Program<float>& program, const Program<double>& exact, const FewSamples& few,
                 const Context& context) {
  const auto single = few.single_factors.activations(0, static_cast<Index>(few.samples.size()));
  const auto sides = single.converted<double>();
  const auto other = differentiate::forward(exact, one_input(few.double_inputs.clone()), context, &sides);
  std::vector<double> errors(program.graph().values.size(), 0);
  for (std::size_t v = 0; v < errors.size(); ++v) {
    const auto value = static_cast<ValueId>(v);
    if (program.is_batch_free(value)) continue;
    for (Index e = 0; e < single[value].size(); ++e) {
      errors[v] = std::max(errors[v], std::abs(static_cast<double>(single[value][e]) - other[value][e]));
    }
  }
  return differentiate::count_near_kinks(program, single, errors, context);
}

void compare(const Tensor<float>& single, const Tensor<double>& exact, MeasuredError& result) {
  double largest = 0;
  double error_squares = 0;
  double squares = 0;
  for (Index e = 0; e < exact.size(); ++e) {
    const double error = static_cast<double>(single[e]) - exact[e];
    largest = std::max(largest, std::abs(error));
    result.largest_entry = std::max(result.largest_entry, std::abs(exact[e]));
    error_squares += error * error;
    squares += exact[e] * exact[e];
  }
  result.entries = exact.size();
  result.largest_relative = largest == 0 ? 0 : largest / result.largest_entry;
  result.rms = error_squares == 0 ? 0 : std::sqrt(error_squares / squares);
}

}  // namespace

MeasuredError measure_error(const Program<float>& program, const Program<double>& exact,
                            const Tensor<float>& inputs, ValueId of,
                            const kernel::LoweredReduction& reduction, const Basis& basis,
                            const Context& context, const SecondSet* second, Index count) {
  MeasuredError result;
  const FewSamples rows(program, exact, inputs, of, basis, count, context);
  result.samples = rows.samples;
  std::unique_ptr<FewSamples> columns;
  if (second != nullptr) {
    columns = std::make_unique<FewSamples>(program, exact, second->inputs, of, second->basis, count, context);
    result.samples2 = columns->samples;
  }
  const Graph& graph = program.graph();
  const factors::SampleCounts counts{.rows = inputs.shape()[0], .columns = second == nullptr ? 0 : second->inputs.shape()[0]};
  const Tensor<float> single =
      assembled<float>(graph, rows.single_factors, columns == nullptr ? nullptr : &columns->single_factors,
                       reduction, counts, context);
  const Tensor<double> wide =
      assembled<double>(graph, rows.double_factors, columns == nullptr ? nullptr : &columns->double_factors,
                        reduction, counts, context);
  compare(single, wide, result);
  result.near_kinks = near_kinks(program, exact, rows, context);
  if (columns != nullptr) result.near_kinks += near_kinks(program, exact, *columns, context);
  return result;
}

}  // namespace tangra::verify
