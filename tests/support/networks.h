#pragma once
#include <string>
#include <vector>

#include "tangra/differentiate/network_factors.h"
#include "tangra/kernel/assembly.h"
#include "tangra/kernel/reduction.h"
#include "tangra/ops/builder.h"

namespace tangra::test {

/// A parameter with these entries, row-major.
template <class T>
Parameter parameter(std::string name, Shape shape, const std::vector<T>& entries) {
  Tensor<T> tensor(std::move(shape));
  std::copy(entries.begin(), entries.end(), tensor.begin());
  const std::string layer = name.substr(0, name.find('.'));
  return {.name = std::move(name), .layer = layer, .role = ParameterRole::weight, .why = {}, .trainable = true,
          .data = Array(tensor), .value = no_id};
}

/// Entries uniform in [low, high], the same for the same seed.
Tensor<double> random_tensor(const Shape& shape, unsigned seed, double low = -1, double high = 1);

/// A dense network with biases: widths[0] inputs, `activation` behind every layer but the last, then `head` (both may be
/// empty). Weights are uniform, of variance 1 / fan-in; named as in chains.
std::shared_ptr<const Graph> dense_network(const std::vector<Index>& widths, const std::string& activation,
                                           const std::string& head, unsigned seed, DType type = DType::float64);

/// The parts of a kernel in memory, the total last; `columns` null: symmetric.
template <class T>
struct Kernel {
  std::vector<std::string> names;
  std::vector<Tensor<T>> parts;
  kernel::AssemblyReport report;
};

struct KernelOptions {
  std::string reduce = "full";
  kernel::PartsBy by = kernel::PartsBy::parameter;
  Index block_samples = 0;
  std::optional<factors::Order> order = std::nullopt;
  bool one_sweep = false;  ///< of rows and columns together
  std::optional<factors::SampleCounts> counts = std::nullopt;  ///< as kernel::Assembly has them
};

template <class T>
Kernel<T> kernel_of(const std::shared_ptr<const Graph>& graph, const Tensor<T>& rows, const Tensor<T>* columns,
                    const KernelOptions& options, const Context& context);

extern template Kernel<float> kernel_of<float>(const std::shared_ptr<const Graph>&, const Tensor<float>&, const Tensor<float>*,
                                               const KernelOptions&, const Context&);
extern template Kernel<double> kernel_of<double>(const std::shared_ptr<const Graph>&, const Tensor<double>&,
                                                 const Tensor<double>*, const KernelOptions&, const Context&);

}  // namespace tangra::test
