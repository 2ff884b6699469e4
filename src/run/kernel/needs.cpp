#include "tangra/run/kernel/needs.h"

#include <algorithm>
#include <memory>

#include "tangra/differentiate/kernel_products.h"
#include "tangra/differentiate/network_factors.h"
#include "tangra/kernel/assembly.h"
#include "tangra/kernel/kernel_operator.h"
#include "tangra/linalg/gemm.h"
#include "tangra/run/kernel/network_kernel.h"

namespace tangra::run {
namespace {

using differentiate::Program;

constexpr const char* kept_products = "what threads keep of products";

kernel::Parts parts_of(const KernelJob& job) {
  if (!job.spec.conjugate.empty()) return {.names = {"total"}, .part_of = {0}, .with_total = false};
  const By by = job.spec.by;
  return kernel::divide(*job.rows.graph, by == By::total   ? kernel::PartsBy::total
                                         : by == By::layer ? kernel::PartsBy::layer
                                                           : kernel::PartsBy::parameter);
}

Shape shape_of(const KernelJob& job) {
  const Index rows = job.rows.summary.samples;
  const Index columns = job.columns != nullptr ? job.columns->summary.samples : rows;
  if (!job.spec.conjugate.empty()) return {rows, columns};
  if (job.spec.space == Space::parameters) return {job.rows.graph->parameter_count(), job.rows.graph->parameter_count()};
  if (job.spec.pairs == Pairs::self) return job.lowered.self_shape(rows);
  return job.lowered.kernel_shape(rows, columns);
}

bool is_written_by_tiles(const KernelJob& job) {
  const std::string extension = extension_of(job.spec.out);
  const bool tiles = job.spec.pairs == Pairs::all && job.spec.space == Space::samples && job.spec.method != Method::product;
  return tiles && (extension == ".npy" || extension == ".zarr");
}

template <class T>
Tensor<T> no_samples(const Loaded& loaded) {
  return Tensor<T>(loaded.graph->shape(loaded.graph->inputs.front()).with_leading(0));
}

template <class T>
void add_all_pairs(MemoryNeeds& needs, const KernelJob& job, const kernel::Assembly<T>& assembly, const Context& context) {
  const auto parts = static_cast<std::size_t>(assembly.parts.count());
  const Index columns = assembly.columns != nullptr ? assembly.counts->columns : assembly.counts->rows;
  const Index side = std::min(assembly.counts->rows, columns) * assembly.layout.full;
  const std::size_t diagonals = parts * static_cast<std::size_t>(assembly.layout.planes * side) * sizeof(double);
  needs.hold(diagonals, "the kernel's diagonals");
  const kernel::LeastMemory least = kernel::least_memory(assembly, context);
  needs.use(least.bytes, job.spec.conjugate.empty() ? "the factors of two samples" : "the activations of two samples", least.better);
  needs.give_back(diagonals);
}

template <class T>
void add_assembly(MemoryNeeds& needs, const KernelJob& job, const Program<T>& program, const factors::FactorSource<T>& source,
                  const Context& context) {
  const Graph& graph = *job.rows.graph;
  const Index rows = job.rows.summary.samples;
  kernel::Assembly<T> assembly{.rows = &source, .columns = job.columns != nullptr ? &source : nullptr, .layout = job.lowered.layout,
                               .parts = parts_of(job), .sizes = {}, .divisor = 1, .block_samples = job.spec.block_samples};
  if (job.spec.conjugate.empty()) {
    for (const Parameter& parameter : graph.parameters) assembly.sizes.push_back(parameter.data.size());
  } else {
    assembly.sizes = {graph.shape(job.of).elements()};
  }
  assembly.counts = {.rows = rows, .columns = job.columns != nullptr ? job.columns->summary.samples : 0};
  if (job.spec.method == Method::jacobian) assembly.order = factors::Order::explicit_rows;
  if (job.spec.space == Space::parameters) {
    // The kernel itself is held already.
    needs.use(kernel::parameter_space_memory(assembly, rows) - kernel_bytes(job, sizeof(T)), "explicit rows of a block of samples");
  } else if (job.spec.pairs == Pairs::self) {
    const kernel::LeastMemory least = kernel::least_self_memory(assembly, rows, context);
    needs.use(least.bytes, "the factors of one sample", least.better);
  } else if (job.spec.method == Method::product) {
    needs.use(differentiate::product_bytes(source, rows, program.graph()), "the vector products of all rows");
  } else {
    add_all_pairs(needs, job, assembly, context);
  }
}

template <class T>
void add_typed_operator(MemoryNeeds& needs, const KernelJob& job, const Context& context) {
  const Program<T> program(job.rows.graph, context);
  const std::size_t samples = add_samples<T>(needs, job.rows, Samples::shared) +
                              (job.columns != nullptr ? add_samples<T>(needs, *job.columns, Samples::shared) : 0);
  const Tensor<T> none = no_samples<T>(job.rows);
  const differentiate::NetworkFactors<T> source(program, none, job.of, job.seeds(), context);
  Index parameters = 0;
  for (const Parameter& parameter : job.rows.graph->parameters) parameters += parameter.trainable ? parameter.data.size() : 0;
  needs.use(scratch_bytes(*job.rows.graph, sizeof(T), context) + lapack_bytes + kernel::operator_memory(source, parameters * job.lowered.layout.inner, context), "products with the kernel, which is not formed");
  needs.give_back(samples);
}

template <class T>
void add_typed_outputs(MemoryNeeds& needs, const Loaded& loaded) {
  const std::size_t samples = add_samples<T>(needs, loaded, Samples::shared);
  Index entries = 0;
  for (const Value& value : loaded.graph->values) entries += value.dependence == Dependence::samples ? value.shape.elements() : 0;
  const Index block = std::min<Index>(loaded.summary.samples, outputs_block);
  needs.use(static_cast<std::size_t>(block * entries) * sizeof(T), "the outputs of a block of samples");
  needs.give_back(samples);
}

}  // namespace

template <class T>
std::size_t add_samples(MemoryNeeds& needs, const Loaded& loaded, Samples samples) {
  if (loaded.inputs.type() == dtype_of<T>()) return 0;
  const auto bytes = static_cast<std::size_t>(loaded.inputs.size()) * sizeof(T);
  needs.hold(bytes, "the samples in " + std::string(name_of(dtype_of<T>())) + " (--n takes fewer)");
  if (samples == Samples::given_back) needs.give_back(loaded.inputs.bytes());
  return bytes;
}

template std::size_t add_samples<float>(MemoryNeeds&, const Loaded&, Samples);
template std::size_t add_samples<double>(MemoryNeeds&, const Loaded&, Samples);

std::size_t scratch_bytes(const Graph& graph, std::size_t entry, const Context& context) {
  Index largest = 0;
  for (const Parameter& parameter : graph.parameters) largest = std::max(largest, parameter.data.size());
  return linalg::gemm_scratch_bytes(largest, entry) * static_cast<std::size_t>(context.pool.size());
}

std::size_t kernel_bytes(const KernelJob& job, std::size_t entry) {
  return static_cast<std::size_t>(shape_of(job).elements()) * entry * static_cast<std::size_t>(parts_of(job).count());
}

template <class T>
std::size_t add_kernel(MemoryNeeds& needs, const KernelJob& job, const Program<T>& program, Samples samples, const Context& context) {
  std::size_t converted = add_samples<T>(needs, job.rows, samples);
  const std::size_t scratch = scratch_bytes(*job.rows.graph, sizeof(T), context);
  needs.hold(scratch, kept_products);
  if (job.columns != nullptr) converted += add_samples<T>(needs, *job.columns, samples);
  const std::size_t bytes = is_written_by_tiles(job) ? 0 : kernel_bytes(job, sizeof(T));
  needs.hold(bytes, "the kernel, " + std::to_string(parts_of(job).count()) + " x " + to_string(shape_of(job)));
  const Tensor<T> none = no_samples<T>(job.rows);
  if (job.spec.conjugate.empty()) {
    add_assembly<T>(needs, job, program, differentiate::NetworkFactors<T>(program, none, job.of, job.seeds(), context), context);
  } else {
    add_assembly<T>(needs, job, program, differentiate::ActivationFactors<T>(program, none, job.of, context), context);
  }
  needs.give_back(converted + scratch);
  return bytes;
}
template std::size_t add_kernel<float>(MemoryNeeds&, const KernelJob&, const Program<float>&, Samples, const Context&);
template std::size_t add_kernel<double>(MemoryNeeds&, const KernelJob&, const Program<double>&, Samples, const Context&);

std::size_t add_kernel(MemoryNeeds& needs, const KernelJob& job, DType type, Samples samples, const Context& context) {
  if (type == DType::float64) return add_kernel<double>(needs, job, Program<double>(job.rows.graph, context), samples, context);
  return add_kernel<float>(needs, job, Program<float>(job.rows.graph, context), samples, context);
}

std::size_t add_matrix(MemoryNeeds& needs, const KernelJob& job, DType type, const Context& context) {
  const std::size_t narrow = add_kernel(needs, job, type, Samples::shared, context);
  const std::size_t wide = narrow / bytes_of(type) * sizeof(double);
  needs.hold(wide, "the kernel in float64");
  needs.give_back(narrow);
  return wide;
}

void add_operator(MemoryNeeds& needs, const KernelJob& job, DType type, const Context& context) {
  if (type == DType::float64) add_typed_operator<double>(needs, job, context);
  else add_typed_operator<float>(needs, job, context);
}

void add_outputs(MemoryNeeds& needs, const Loaded& loaded, DType type) {
  if (type == DType::float64) add_typed_outputs<double>(needs, loaded);
  else add_typed_outputs<float>(needs, loaded);
}

}  // namespace tangra::run
