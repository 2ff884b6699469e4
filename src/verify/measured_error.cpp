#include "tangra/verify/measured_error.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "tangra/base/error.h"
#include "tangra/base/memory_needs.h"
#include "tangra/differentiate/kernel_products.h"
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

/// A few samples of one set, in both scalar types.
struct FewInputs {
  FewInputs(const Tensor<float>& inputs, Index count)
      : samples(spread(inputs.shape()[0], count)),
        single(chosen_rows<float>(inputs, samples)),
        wide(chosen_rows<double>(inputs, samples)) {}
  Index count() const { return static_cast<Index>(samples.size()); }

  std::vector<Index> samples;
  Tensor<float> single;
  Tensor<double> wide;
};

/// Their factors in float32, and in float64 on the same sides.
struct FewSamples : FewInputs {
  FewSamples(const Program<float>& program, const Program<double>& exact, const Tensor<float>& inputs,
             ValueId of, const Basis& basis, Index count, const Context& context)
      : FewInputs(inputs, count),
        own(chosen_basis(basis, samples)),
        single_factors(program, single, of, own, context),
        double_factors(exact, wide, program, single, of, own, context) {}

  Basis own;
  NetworkFactors<float> single_factors;
  SidedFactors<double, float> double_factors;
};

/// What an assembly of the total needs to know of a kernel.
struct Frame {
  factors::RowLayout layout = {};
  kernel::Parts parts;
  std::vector<Index> sizes;
  double divisor = 1;
  factors::SampleCounts counts = {};  ///< in the order of the whole run
  bool at_once = false;               ///< no sweep is to be made anew for lack of memory
};

Frame frame_of(const Graph& graph, const kernel::LoweredReduction& reduction, Index rows, Index columns) {
  return {.layout = reduction.layout,
          .parts = kernel::divide(graph, kernel::PartsBy::total),
          .sizes = parameter_sizes(graph),
          .divisor = reduction.divisor,
          .counts = {.rows = rows, .columns = columns}};
}

template <class T>
kernel::Assembly<T> assembly_of(const Frame& frame, const factors::FactorSource<T>& rows,
                                const factors::FactorSource<T>* columns) {
  kernel::Assembly<T> assembly;
  assembly.counts = frame.counts;
  assembly.rows = &rows;
  assembly.columns = columns;
  assembly.layout = frame.layout;
  assembly.parts = frame.parts;
  assembly.sizes = frame.sizes;
  assembly.divisor = frame.divisor;
  return assembly;
}

template <class T>
Tensor<T> assembled(const Frame& frame, const factors::FactorSource<T>& rows,
                    const factors::FactorSource<T>* columns, const Context& context) {
  const Index height = rows.samples() * frame.layout.full;
  const Index width = (columns == nullptr ? rows : *columns).samples() * frame.layout.full;
  kernel::MemoryStore<T> store(1, {frame.layout.planes, height, width}, height, width);
  const kernel::Assembly<T> assembly = assembly_of(frame, rows, columns);
  if (frame.at_once) {
    const kernel::AssemblyReport report = kernel::plan_assembly(assembly, context);
    if (report.groups > 1 || report.passes > 1) {
      const std::size_t wanted = context.memory.in_use() + kernel::least_memory(assembly, context).better;
      throw Error(ErrorKind::memory, {.what = "the factors of a few samples do not fit together", .where = "--memory",
                                      .got = "a budget of " + human_bytes(context.memory.budget()),
                                      .expected = "at least " + enough_bytes(wanted), .cure = {}});
    }
  }
  kernel::assemble(assembly, store, context);
  return std::move(store.part(0));
}

/// By value: whether `of` depends on it.
std::vector<bool> behind(const Graph& graph, ValueId of) {
  std::vector<bool> result(graph.values.size(), false);
  result[static_cast<std::size_t>(of)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool any = std::ranges::any_of(node->outputs, [&](ValueId v) { return result[static_cast<std::size_t>(v)]; });
    for (const ValueId input : node->inputs) {
      if (any && input != no_id) result[static_cast<std::size_t>(input)] = true;
    }
  }
  return result;
}

/// What the activations of `samples` take in near_kinks(): float32, their sides, float64, a node's choices.
std::size_t kink_bytes(const Program<float>& program, Index samples) {
  Index entries = 0;
  Index largest = 0;
  for (std::size_t v = 0; v < program.graph().values.size(); ++v) {
    if (program.is_batch_free(static_cast<ValueId>(v))) continue;
    const Index own = program.graph().values[v].shape.elements();
    entries += own;
    largest = std::max(largest, own);
  }
  return static_cast<std::size_t>(samples) * (static_cast<std::size_t>(entries) * (sizeof(float) + 2 * sizeof(double)) +
                                              static_cast<std::size_t>(largest) * sizeof(ops::Choice));
}

Index near_kinks(const Program<float>& program, const Program<double>& exact, const FewInputs& few, ValueId of,
                 const Context& context) {
  const Reservation memory(context.memory, kink_bytes(program, few.count()), "the activations of a few samples");
  const auto single = differentiate::forward(program, one_input(few.single.clone()), context);
  const auto sides = single.converted<double>();
  const auto other = differentiate::forward(exact, one_input(few.wide.clone()), context, &sides);
  const std::vector<bool> counts = behind(program.graph(), of);
  std::vector<double> errors(program.graph().values.size(), -1);  // below 0: nothing is near
  for (std::size_t v = 0; v < errors.size(); ++v) {
    const auto value = static_cast<ValueId>(v);
    if (program.is_batch_free(value) || !counts[v]) continue;
    errors[v] = 0;
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

/// The result of a comparison. Kinks come last: what a kernel does not have the memory for it says before it works.
MeasuredError compared(const Program<float>& program, const Program<double>& exact, const FewInputs& rows,
                       const FewInputs* columns, ValueId of, const Tensor<float>& single,
                       const Tensor<double>& wide, const Context& context) {
  MeasuredError result;
  result.samples = rows.samples;
  compare(single, wide, result);
  result.near_kinks = near_kinks(program, exact, rows, of, context);
  if (columns == nullptr) return result;
  result.samples2 = columns->samples;
  result.near_kinks += near_kinks(program, exact, *columns, of, context);
  return result;
}

/// The columns, where they are samples of their own.
std::unique_ptr<FewSamples> few_columns(const Program<float>& program, const Program<double>& exact,
                                        const SecondSet* second, ValueId of, Index count, const Context& context) {
  if (second == nullptr) return nullptr;
  return std::make_unique<FewSamples>(program, exact, second->inputs, of, second->basis, count, context);
}

/// The kernel of rows and columns by vector products: [planes, N1 full, N2 full].
Tensor<float> products(const Program<float>& program, ValueId of, const FewSamples& rows, const FewSamples* columns,
                       const Basis& basis, const Basis& basis2, const kernel::LoweredReduction& reduction,
                       const Context& context) {
  const Index side = rows.count();
  const Index width = columns == nullptr ? side : columns->count();
  const factors::RowLayout& layout = reduction.layout;
  Tensor<float> result(Shape{layout.planes, side * layout.full, width * layout.full});
  if (result.size() == 0) return result;
  const Graph& graph = program.graph();
  const Reservation memory(context.memory, differentiate::product_bytes(rows.single_factors, side, graph),
                           "the vector products of a few samples");
  // The columns stand behind the rows, so that a basis is asked for the samples of either.
  const Basis both = Basis::computed(
      basis.outputs(), basis.rows(), [&](Index k, std::span<const double> outputs, std::span<double> to) {
        const bool row = k < side;
        Tensor<double> own(Shape{1, static_cast<Index>(outputs.size())});
        std::ranges::copy(outputs, own.begin());
        const auto sample = row ? rows.samples[static_cast<std::size_t>(k)] : columns->samples[static_cast<std::size_t>(k - side)];
        std::ranges::copy((row ? basis : basis2).seeds(sample, own).span(), to.begin());
      });
  Tensor<float> inputs = rows.single.clone();
  if (columns != nullptr) {
    Shape shape = inputs.shape();
    shape[0] = side + width;
    inputs = Tensor<float>::uninitialized(shape);
    std::ranges::copy(columns->single, std::ranges::copy(rows.single, inputs.begin()).out);
  }
  std::vector<bool> chosen;
  for (const Parameter& parameter : graph.parameters) chosen.push_back(parameter.trainable);
  const differentiate::KernelProducts<float> product(program, rows.single, of, both, context);
  for (Index j = 0; j < width; ++j) {
    const Tensor<float> column = product.columns(inputs, columns == nullptr ? j : side + j, chosen);
    differentiate::add_column(column, layout, reduction.divisor, j, width, result);
  }
  if (columns == nullptr) differentiate::mirror(result, layout.planes, width * layout.full);
  return result;
}

}  // namespace

MeasuredError measure_error(const Program<float>& program, const Program<double>& exact,
                            const Tensor<float>& inputs, ValueId of,
                            const kernel::LoweredReduction& reduction, const Basis& basis,
                            const Context& context, const SecondSet* second, Index count) {
  const FewSamples rows(program, exact, inputs, of, basis, count, context);
  const auto columns = few_columns(program, exact, second, of, count, context);
  Frame frame = frame_of(program.graph(), reduction, inputs.shape()[0], second == nullptr ? 0 : second->inputs.shape()[0]);
  frame.at_once = count > 1;
  const auto wide = assembled<double>(frame, rows.double_factors, columns ? &columns->double_factors : nullptr, context);
  const auto single = assembled<float>(frame, rows.single_factors, columns ? &columns->single_factors : nullptr, context);
  return compared(program, exact, rows, columns.get(), of, single, wide, context);
}

MeasuredError measure_product_error(const Program<float>& program, const Program<double>& exact,
                                    const Tensor<float>& inputs, ValueId of,
                                    const kernel::LoweredReduction& reduction, const Basis& basis,
                                    const Context& context, const SecondSet* second, Index count) {
  const FewSamples rows(program, exact, inputs, of, basis, count, context);
  const auto columns = few_columns(program, exact, second, of, count, context);
  const Frame frame = frame_of(program.graph(), reduction, rows.count(), columns ? columns->count() : 0);
  const auto wide = assembled<double>(frame, rows.double_factors, columns ? &columns->double_factors : nullptr, context);
  const Basis& basis2 = second == nullptr ? basis : second->basis;
  const auto single = products(program, of, rows, columns.get(), basis, basis2, reduction, context);
  return compared(program, exact, rows, columns.get(), of, single, wide, context);
}

MeasuredError measure_conjugate_error(const Program<float>& program, const Program<double>& exact,
                                      const Tensor<float>& inputs, ValueId of, const Context& context,
                                      const Tensor<float>* inputs2, Index count) {
  using Single = differentiate::ActivationFactors<float>;
  using Wide = SidedFactors<double, float, differentiate::ActivationFactors>;
  const FewInputs rows(inputs, count);
  std::optional<FewInputs> columns;
  std::optional<Single> single_columns;
  std::optional<Wide> wide_columns;
  if (inputs2 != nullptr) {
    columns.emplace(*inputs2, count);
    single_columns.emplace(program, columns->single, of, context);
    wide_columns.emplace(exact, columns->wide, program, columns->single, of, context);
  }
  Frame frame;
  frame.parts = {.names = {"total"}, .part_of = {0}, .with_total = false};
  frame.sizes = {program.graph().shape(of).elements()};
  frame.counts = {.rows = inputs.shape()[0], .columns = inputs2 == nullptr ? 0 : inputs2->shape()[0]};
  const Wide wide_rows(exact, rows.wide, program, rows.single, of, context);
  const auto wide = assembled<double>(frame, wide_rows, wide_columns ? &*wide_columns : nullptr, context);
  const Single single_rows(program, rows.single, of, context);
  const auto single = assembled<float>(frame, single_rows, single_columns ? &*single_columns : nullptr, context);
  return compared(program, exact, rows, columns ? &*columns : nullptr, of, single, wide, context);
}

MeasuredError measure_parameter_space_error(const Program<float>& program, const Program<double>& exact,
                                            const Tensor<float>& inputs, ValueId of,
                                            const kernel::LoweredReduction& reduction, const Basis& basis,
                                            const Context& context, Index count) {
  constexpr Index most = 256;
  const Graph& graph = program.graph();
  const FewSamples rows(program, exact, inputs, of, basis, count, context);
  const Frame frame = frame_of(graph, reduction, rows.count(), 0);
  const std::vector<Index> chosen = spread(graph.parameter_count(), most);
  const auto wide = kernel::assemble_parameter_space(assembly_of<double>(frame, rows.double_factors, nullptr), context, &chosen);
  const auto single = kernel::assemble_parameter_space(assembly_of<float>(frame, rows.single_factors, nullptr), context, &chosen);
  MeasuredError result = compared(program, exact, rows, nullptr, of, single, wide, context);
  result.parameters = chosen;
  return result;
}

}  // namespace tangra::verify
