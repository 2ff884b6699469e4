#include "support/networks.h"

#include <cmath>
#include <random>

namespace tangra::test {

Tensor<double> random_tensor(const Shape& shape, unsigned seed, double low, double high) {
  std::mt19937 random(seed);
  Tensor<double> tensor(shape);
  for (double& entry : tensor) entry = low + (high - low) * (static_cast<double>(random()) + 0.5) / 4294967296.0;
  return tensor;
}

std::shared_ptr<const Graph> dense_network(const std::vector<Index>& widths, const std::string& activation,
                                           const std::string& head, unsigned seed, DType type) {
  ops::GraphBuilder builder("dense");
  ValueId value = builder.input("input", {widths.front()});
  const auto add = [&](const std::string& name, const Shape& shape, double limit) {
    const Tensor<double> drawn = random_tensor(shape, ++seed, -limit, limit);
    Parameter own{.name = name, .layer = name.substr(0, name.find('.')), .role = ParameterRole::weight, .why = {},
                  .trainable = true, .data = Array(drawn), .value = no_id};
    if (type == DType::float32) own.data = Array(own.data.converted<float>());
    return builder.parameter(std::move(own));
  };
  for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer) {
    const std::string name = std::to_string(layer);
    const double limit = std::sqrt(3.0 / static_cast<double>(widths[layer]));
    const ValueId weight = add(name + ".weight", {widths[layer + 1], widths[layer]}, limit);
    const ValueId bias = add(name + ".bias", {widths[layer + 1]}, 0.5);
    const bool last = layer + 2 == widths.size();
    const bool activated = !last && !activation.empty();
    value = builder.apply("Linear", {value, weight, bias}, {}, activated ? name + ".linear" : name);
    if (activated) value = builder.apply(activation, {value}, {}, name);
  }
  if (!head.empty()) value = builder.apply(head, {value}, {}, "head");
  builder.output(value);
  return std::make_shared<const Graph>(builder.finish());
}

template <class T>
Kernel<T> kernel_of(const std::shared_ptr<const Graph>& graph, const Tensor<T>& rows, const Tensor<T>* columns,
                    const KernelOptions& options, const Context& context) {
  const differentiate::Program<T> program(graph, context);
  const ValueId of = graph->outputs.front();
  const Shape& outputs = graph->shape(of);
  const auto lowered = kernel::lower(kernel::parse_reduction(options.reduce), outputs);
  const auto basis = differentiate::Basis::sums(outputs.elements(), lowered.members);
  const differentiate::NetworkFactors<T> row_factors(program, rows, of, basis, context);
  std::optional<differentiate::NetworkFactors<T>> column_factors;
  if (columns != nullptr) column_factors.emplace(program, *columns, of, basis, context);
  std::optional<differentiate::FactorsOfBoth<T>> both;
  if (options.one_sweep) both.emplace(program, rows, *columns, of, basis, context);
  kernel::Assembly<T> assembly{.rows = &row_factors, .columns = column_factors ? &*column_factors : nullptr,
                               .both = both ? both->get() : nullptr,
                               .layout = lowered.layout, .parts = kernel::divide(*graph, options.by), .sizes = {},
                               .divisor = lowered.divisor, .block_samples = options.block_samples,
                               .order = options.order, .counts = options.counts};
  for (const Parameter& own : graph->parameters) assembly.sizes.push_back(own.data.size());
  const Index n1 = rows.shape()[0];
  const Index n2 = columns != nullptr ? columns->shape()[0] : n1;
  kernel::MemoryStore<T> store(assembly.parts.count(), lowered.kernel_shape(n1, n2), n1 * lowered.layout.full,
                               n2 * lowered.layout.full);
  Kernel<T> result;
  result.report = kernel::assemble(assembly, store, context);
  result.names = assembly.parts.names;
  if (assembly.parts.with_total) result.names.emplace_back("total");
  for (int part = 0; part < assembly.parts.count(); ++part) result.parts.push_back(store.part(part).clone());
  return result;
}

template Kernel<float> kernel_of<float>(const std::shared_ptr<const Graph>&, const Tensor<float>&, const Tensor<float>*,
                                        const KernelOptions&, const Context&);
template Kernel<double> kernel_of<double>(const std::shared_ptr<const Graph>&, const Tensor<double>&, const Tensor<double>*,
                                          const KernelOptions&, const Context&);

}  // namespace tangra::test
