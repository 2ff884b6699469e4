#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/differentiate/kernel_products.h"
#include "tangra/differentiate/network_factors.h"
#include "tangra/kernel/assembly.h"
#include "tangra/kernel/zarr_store.h"
#include "tangra/run/kernel/expected.h"
#include "tangra/run/kernel/job.h"
#include "tangra/run/kernel/measure.h"
#include "tangra/run/kernel/needs.h"
#include "tangra/run/kernel/observed.h"
#include "tangra/run/kernel/rates.h"
#include "tangra/run/memory.h"

namespace tangra::run {
namespace {

/// One kernel in one scalar type.
template <class T>
class Computation {
 public:
  Computation(const KernelJob& job, Session& session, KernelResult& result)
      : job_(job),
        session_(session),
        context_(session.context()),
        result_(result),
        graph_(*job.rows.graph),
        program_(job.rows.graph, context_) {
    require_memory();
    rows_ = taken_inputs<T>(job.rows, session);
    if (job.columns != nullptr) columns_ = taken_inputs<T>(*job.columns, session);
    scratch_ = Reservation(context_.memory, scratch_bytes(graph_, sizeof(T), context_), "what threads keep of products");
    parts_ = kernel::divide(graph_, job.spec.by == By::total   ? kernel::PartsBy::total
                                    : job.spec.by == By::layer ? kernel::PartsBy::layer
                                                               : kernel::PartsBy::parameter);
    for (const Parameter& parameter : graph_.parameters) sizes_.push_back(parameter.data.size());
    session_.step("prepare");
  }

  Prediction plan() {
    const differentiate::NetworkFactors<T> rows(program_, *rows_, job_.of, job_.seeds(), context_);
    std::optional<differentiate::NetworkFactors<T>> columns;
    if (job_.columns != nullptr) columns.emplace(program_, *columns_, job_.of, job_.seeds(), context_);
    result_.method = job_.spec.method == Method::jacobian ? "jacobian" : "structured";
    const kernel::Assembly<T> assembly{.rows = &rows, .columns = columns ? &*columns : nullptr, .layout = job_.lowered.layout,
                                       .parts = parts_, .sizes = sizes_, .divisor = job_.lowered.divisor,
                                       .block_samples = job_.spec.block_samples,
                                       .order = asked_order()};
    result_.shape = job_.lowered.kernel_shape(row_count(), column_count());
    result_.axes = job_.lowered.kernel_axes();
    Prediction predicted;
    predicted.kernel_bytes = kernel_bytes(job_, sizeof(T));
    Reservation memory;
    const bool in_memory = job_.spec.out.empty() || extension_of(job_.spec.out) == ".npz";
    if (in_memory) memory = Reservation(context_.memory, predicted.kernel_bytes, "the kernel");
    held_ = resident_memory() + (in_memory ? predicted.kernel_bytes : 0);
    const kernel::AssemblyReport report = kernel::plan_assembly(assembly, context_);
    const linalg::Rates machine = rates(context_);
    describe(report, parts_, machine);
    result_.expected = expected_steps(assembly, report, std::optional(machine));
    predicted.tiles = report.tiles;
    predicted.factor_bytes = report.factor_bytes;
    predicted.peak_bytes = held_ + report.factor_bytes;
    predicted.multiply_adds_rate = rate_of(machine);
    predicted.contraction_seconds = *result_.expected.back().seconds;
    predicted.written_to = "memory";
    predicted.write_rate = machine.written_bytes;
    if (!in_memory) {
      const std::filesystem::path folder = std::filesystem::absolute(job_.spec.out).parent_path();
      if (const auto rate = disk_rate(folder)) {
        predicted.written_to = folder.string();
        predicted.write_rate = *rate;
      }
    }
    const auto blocks = static_cast<double>((row_count() + report.block_samples - 1) / std::max<Index>(1, report.block_samples));
    const bool lower = extension_of(job_.spec.out) == ".zarr" && job_.columns == nullptr && job_.spec.triangle != Triangle::full;
    const double share = lower && blocks > 0 ? static_cast<double>(report.tiles) / (blocks * blocks) : 1;
    predicted.stored_bytes = static_cast<std::size_t>(share * static_cast<double>(predicted.kernel_bytes));
    predicted.write_seconds = static_cast<double>(predicted.stored_bytes) / predicted.write_rate;
    predicted.factor_seconds = seconds_per_sample(rows) * swept_samples(report.groups) * static_cast<double>(report.passes) +
                               *result_.expected[2].seconds;
    return predicted;
  }

  /// A .zarr keeps the tiles of a run that is stopped or that the disk fails, so the message says how to go on.
  void run() {
    try {
      compute();
    } catch (const Error& error) {
      if (zarr_ == nullptr || !zarr_->begun()) throw;
      if (error.kind() != ErrorKind::interrupted && error.kind() != ErrorKind::input) {
        zarr_->abandon();
        throw;
      }
      Complaint complaint = error.complaint();
      complaint.cure += std::string(complaint.cure.empty() ? "" : ". ") + "What is done stays in " + job_.spec.out +
                        "; the same command with --resume goes on";
      throw Error(error.kind(), complaint);
    }
  }

 private:
  void compute() {
    result_.method = "structured";
    if constexpr (std::is_same_v<T, float>) {
      measure_error(job_, program_, *rows_, job_.columns != nullptr ? &*columns_ : nullptr, session_, result_);
    }
    if (!job_.spec.conjugate.empty()) return conjugate();
    const differentiate::NetworkFactors<T> rows(program_, *rows_, job_.of, job_.seeds(), context_);
    std::optional<differentiate::NetworkFactors<T>> columns;
    std::optional<differentiate::FactorsOfBoth<T>> both;
    if (job_.columns != nullptr) {
      columns.emplace(program_, *columns_, job_.of, job_.seeds(), context_);
      both.emplace(program_, *rows_, *columns_, job_.of, job_.seeds(), context_);
    }
    kernel::Assembly<T> assembly{.rows = &rows, .columns = columns ? &*columns : nullptr,
                                 .both = both ? both->get() : nullptr, .layout = job_.lowered.layout,
                                 .parts = parts_, .sizes = sizes_, .divisor = job_.lowered.divisor,
                                 .block_samples = job_.spec.block_samples};
    if (job_.spec.space == Space::parameters) return parameter_space(assembly);
    if (job_.spec.pairs == Pairs::self) return self(assembly);
    if (job_.spec.method == Method::product) return products();
    if (job_.spec.method == Method::jacobian) {
      assembly.order = asked_order();
      result_.method = "jacobian";
    }
    all_pairs(assembly, parts_, job_.lowered.kernel_axes());
    finish();
  }

  /// Says at once what would not fit later; where it is a part of a longer run that has been said already.
  void require_memory() {
    MemoryNeeds needs;
    const bool in_memory = add_kernel<T>(needs, job_, program_, Samples::given_back, context_) > 0;
    const bool has_file_form = job_.spec.pairs == Pairs::all && job_.spec.space == Space::samples && job_.spec.method != Method::product;
    session_.require(needs, in_memory && has_file_form ? "A .zarr or .npy file (-o K.zarr) is written piece by piece and not held in memory" : "");
  }

  static double rate_of(const linalg::Rates& rates) {
    return std::is_same_v<T, float> ? rates.float32_multiply_adds : rates.float64_multiply_adds;
  }

  /// Sweeps of the samples: with g groups, the rows once and the columns once for each group of rows.
  double swept_samples(Index groups) const {
    const auto n1 = static_cast<double>(row_count());
    if (job_.columns == nullptr) return groups <= 1 ? n1 : n1 * (1 + static_cast<double>(groups - 1) / 2);
    return n1 + static_cast<double>(column_count()) * static_cast<double>(std::max<Index>(1, groups));
  }

  /// Seconds that the pool takes for the sweeps of one sample: the median of some rounds, each of as many samples as a sweep
  /// of the run has, in half a second where the network lets it.
  double seconds_per_sample(const differentiate::NetworkFactors<T>& source) const {
    constexpr std::size_t rounds = 7;
    constexpr double enough = 0.5;
    const Index count = std::min({row_count(), source.samples_at_once(), std::max<Index>(1, result_.block_samples)});
    if (count == 0) return 0;
    const factors::TermSink<T> drop = [](const factors::Term<T>&) {};
    std::vector<double> seconds;
    double spent = 0;
    while (seconds.size() <= rounds && (spent < enough || seconds.size() < 2)) {
      const auto start = std::chrono::steady_clock::now();
      context_.pool.parallel_for(context_.pool.size(), [&](Index, int) { source.sweep(0, count, drop); });
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      spent += seconds.back();
    }
    seconds.erase(seconds.begin());  // it touches memory
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::ranges::nth_element(seconds, middle);
    return *middle / static_cast<double>(count * context_.pool.size());
  }

  Index row_count() const { return rows_->shape()[0]; }
  Index column_count() const { return job_.columns != nullptr ? columns_->shape()[0] : row_count(); }

  std::optional<factors::Order> asked_order() const {
    return job_.spec.method == Method::jacobian ? std::optional(factors::Order::explicit_rows) : std::nullopt;
  }

  void describe(const kernel::AssemblyReport& report, const kernel::Parts& parts, const std::optional<linalg::Rates>& known) {
    result_.block_samples = report.block_samples;
    result_.groups = report.groups;
    const auto n1 = static_cast<double>(row_count());
    const auto n2 = static_cast<double>(column_count());
    const double pairs = job_.spec.pairs == Pairs::self ? n1 : job_.columns != nullptr ? n1 * n2 : n1 * (n1 + 1) / 2;
    result_.multiply_adds = report.plan.multiply_adds() * pairs;
    PlanSize size{.samples = job_.columns != nullptr ? n1 + n2 : n1, .pairs = pairs, .entry_bytes = sizeof(T)};
    if (known) size.rate = rate_of(*known);
    result_.plan = plan_rows(report.plan, parts.names, size, [&](ParameterId parameter) {
      return job_.spec.conjugate.empty() ? graph_.parameter(parameter).name : job_.spec.conjugate;
    });
    result_.parts = parts.names;
    if (parts.with_total) result_.parts.emplace_back("total");
  }

  /// Of a run that takes some seconds they are measured where no earlier one has, and where the memory budget has room for it.
  std::optional<linalg::Rates> known_rates(const kernel::AssemblyReport& report) const {
    constexpr double seconds = 3;
    const bool long_enough = report.factor_seconds + report.contract_seconds > seconds;
    const bool has_room = context_.memory.available() >= linalg::measuring_rates_bytes(context_);
    return long_enough && has_room ? rates(context_) : kept_rates(context_);
  }

  void all_pairs(const kernel::Assembly<T>& assembly, const kernel::Parts& parts, std::vector<std::string> axes) {
    const bool conjugate = !job_.spec.conjugate.empty();
    result_.shape = conjugate ? Shape{row_count(), column_count()} : job_.lowered.kernel_shape(row_count(), column_count());
    result_.axes = std::move(axes);
    const Index height = row_count() * assembly.layout.full;
    const Index width = column_count() * assembly.layout.full;
    Reservation memory;
    std::size_t memory_bytes = 0;  ///< of the kernel
    std::optional<kernel::MemoryStore<T>> stored;
    file_ = open_file(assembly, parts, height, width);
    if (file_ == nullptr) {
      memory_bytes = kernel_bytes(job_, sizeof(T));
      memory = Reservation(context_.memory, memory_bytes, "the kernel");
      stored.emplace(parts.count(), result_.shape, height, width);
    }
    kernel::TileStore<T>& store = stored ? static_cast<kernel::TileStore<T>&>(*stored) : *file_;
    Observed<T> observed(&store, parts.count(), assembly.layout.planes, height, width,
                         zarr_ == nullptr ? std::string() : job_.spec.out);
    const Reservation kept(context_.memory, observed.bytes(), "the kernel's diagonals");
    held_ = resident_memory() + memory_bytes;
    const kernel::AssemblyReport report = assembled(assembly, observed);
    result_.expected_peak_bytes = held_ + report.factor_bytes;
    session_.add_step("factors", report.factor_seconds);
    session_.add_step("contraction", report.contract_seconds);
    const auto known = known_rates(report);
    describe(report, parts, known);
    if (job_.spec.conjugate.empty()) result_.expected = expected_steps(assembly, report, known);
    observed.describe(result_);
    for (int part = 0; stored && part < parts.count(); ++part) {
      result_.arrays.push_back({result_.parts[static_cast<std::size_t>(part)], Array(std::move(stored->part(part)))});
    }
  }

  /// The file that the specification asks for and that is written tile by tile; null where there is none.
  std::unique_ptr<kernel::TileStore<T>> open_file(const kernel::Assembly<T>& assembly, const kernel::Parts& parts, Index height, Index width) {
    const KernelSpec& spec = job_.spec;
    if (extension_of(spec.out) == ".npy") return std::make_unique<kernel::NpyStore<T>>(spec.out, result_.shape, height, width);
    if (extension_of(spec.out) != ".zarr") return nullptr;
    const bool lower = assembly.columns == nullptr && spec.triangle != Triangle::full;
    result_.triangle = lower ? "lower" : "full";
    kernel::ZarrKernel kernel{.path = spec.out, .parts = {}, .shape = result_.shape, .axes = result_.axes, .lower = lower,
                              .manifest = manifest_of(job_, result_), .resume = spec.existing == ExistingFile::resume};
    if (parts.with_total) {
      kernel.parts = parts.names;
      kernel.parts.emplace_back("total");
    }
    auto store = std::make_unique<kernel::ZarrStore<T>>(std::move(kernel));
    zarr_ = store.get();
    return store;
  }

  kernel::AssemblyReport assembled(kernel::Assembly<T> assembly, Observed<T>& store) {
    if (zarr_ != nullptr && zarr_->resumed()) {
      assembly.block_samples = zarr_->block_samples();
      assembly.fixed_block = true;
    }
    const kernel::AssemblyReport report = kernel::assemble(assembly, store, context_);
    if (store.resumed()) result_.resumed = {.tiles = report.tiles, .found = report.tiles_found};
    return report;
  }

  void conjugate() {
    const differentiate::ActivationFactors<T> rows(program_, *rows_, job_.of, context_);
    std::optional<differentiate::ActivationFactors<T>> columns;
    if (job_.columns != nullptr) columns.emplace(program_, *columns_, job_.of, context_);
    const kernel::Parts parts{.names = {"total"}, .part_of = {0}, .with_total = false};
    const kernel::Assembly<T> assembly{.rows = &rows, .columns = columns ? &*columns : nullptr, .layout = {}, .parts = parts,
                                       .sizes = {graph_.shape(job_.of).elements()}, .divisor = 1,
                                       .block_samples = job_.spec.block_samples};
    all_pairs(assembly, parts, {"samples", "samples2"});
    finish();
  }

  /// A .npy gets its name last, when nothing can fail or be interrupted any more.
  void finish() {
    if (file_ == nullptr) return;
    context_.check_cancelled();
    if (zarr_ == nullptr) remove_companion(job_.spec.out);
    file_->finish();
    zarr_ = nullptr;
    file_.reset();
  }

  void parameter_space(const kernel::Assembly<T>& assembly) {
    std::vector<Tensor<T>> k;
    k.push_back(kernel::assemble_parameter_space(assembly, context_));
    session_.step("contraction");
    result_.shape = k.front().shape();
    result_.axes = {"parameters", "parameters2"};
    result_.parts = {"total"};
    describe_parts(k, 1, result_.shape[0]);
    result_.arrays.push_back({"total", Array(std::move(k.front()))});
  }

  void self(const kernel::Assembly<T>& assembly) {
    std::vector<Tensor<T>> results;
    const Reservation memory(context_.memory, kernel_bytes(job_, sizeof(T)), "the kernel");
    const kernel::AssemblyReport report = kernel::assemble_self(assembly, results, context_);
    session_.step("contraction");
    describe(report, parts_, kept_rates(context_));
    result_.shape = job_.lowered.self_shape(row_count());
    result_.axes = {"samples"};
    if (job_.lowered.keeps_planes) result_.axes.emplace_back("outputs");
    if (job_.lowered.keeps_full) result_.axes.insert(result_.axes.end(), {"outputs", "outputs2"});
    describe_self(results);
    for (std::size_t part = 0; part < results.size(); ++part) {
      results[part].reshape(result_.shape);
      result_.arrays.push_back({result_.parts[part], Array(std::move(results[part]))});
    }
  }

  /// results: [n, planes, full, full] each; their diagonals are those of the kernel of all pairs.
  void describe_self(const std::vector<Tensor<T>>& results) {
    const Index full = job_.lowered.layout.full;
    std::vector<double> diagonal;
    for (const Tensor<T>& part : results) {
      diagonal.clear();
      for (Index e = 0; e < part.size(); ++e) {
        if (e % (full * full) % (full + 1) == 0) diagonal.push_back(static_cast<double>(part[e]));
        result_.statistics.largest_entry = std::max(result_.statistics.largest_entry, std::abs(static_cast<double>(part[e])));
      }
      result_.part_traces.push_back(std::accumulate(diagonal.begin(), diagonal.end(), 0.0));
    }
    result_.statistics.trace = result_.part_traces.back();
    if (diagonal.empty()) return;
    result_.statistics.smallest_diagonal = std::ranges::min(diagonal);
    result_.statistics.largest_diagonal = std::ranges::max(diagonal);
    diagonal.resize(std::min(diagonal.size(), static_cast<std::size_t>(corner_size)));
    result_.statistics.corner = {diagonal};
  }

  /// Columns one sample at a time; see differentiate::KernelProducts.
  void products() {
    result_.method = "product";
    const factors::RowLayout layout = job_.lowered.layout;
    result_.shape = job_.lowered.kernel_shape(row_count(), column_count());
    result_.axes = job_.lowered.kernel_axes();
    result_.parts = parts_.names;
    if (parts_.with_total) result_.parts.emplace_back("total");
    const Index width = column_count() * layout.full;
    const Reservation memory(context_.memory, kernel_bytes(job_, sizeof(T)), "the kernel");
    const differentiate::NetworkFactors<T> source(program_, *rows_, job_.of, job_.seeds(), context_);
    const Reservation sweeps(context_.memory, differentiate::product_bytes(source, row_count(), graph_),
                             "the vector products of all rows");
    const differentiate::KernelProducts<T> product(program_, *rows_, job_.of, job_.seeds(), context_);
    std::vector<Tensor<T>> parts;
    for (int part = 0; part < parts_.count(); ++part) parts.emplace_back(result_.shape);
    for (Index j = 0; j < column_count(); ++j) {
      context_.check_cancelled();
      context_.report("products", static_cast<double>(j), static_cast<double>(column_count()));
      for (std::size_t part = 0; part < parts_.names.size(); ++part) {
        std::vector<bool> chosen;
        for (const int own : parts_.part_of) chosen.push_back(own == static_cast<int>(part));
        const Tensor<T> column = product.columns(job_.columns != nullptr ? *columns_ : *rows_, j, chosen);
        differentiate::add_column(column, layout, job_.lowered.divisor, j, column_count(), parts[part]);
        if (parts_.with_total) differentiate::add_column(column, layout, job_.lowered.divisor, j, column_count(), parts.back());
      }
    }
    session_.step("contraction");
    for (Tensor<T>& part : parts) {
      if (job_.columns == nullptr) differentiate::mirror(part, layout.planes, width);
    }
    describe_parts(parts, layout.planes, width);
    for (std::size_t part = 0; part < parts.size(); ++part) {
      result_.arrays.push_back({result_.parts[part], Array(std::move(parts[part]))});
    }
  }

  /// parts: [planes, rows, columns] each.
  void describe_parts(const std::vector<Tensor<T>>& parts, Index planes, Index columns) {
    const Index rows = columns == 0 ? 0 : parts.front().size() / columns / planes;
    Observed<T> observed(nullptr, static_cast<int>(parts.size()), planes, rows, columns);
    for (std::size_t part = 0; part < parts.size(); ++part) {
      for (Index plane = 0; plane < planes; ++plane) {
        observed.write(static_cast<int>(part), plane, 0, 0,
                       matrix<const T>(parts[part].data() + plane * rows * columns, rows, columns));
      }
    }
    observed.describe(result_);
  }

  const KernelJob& job_;
  Session& session_;
  const Context& context_;
  KernelResult& result_;
  const Graph& graph_;
  differentiate::Program<T> program_;
  SharedSamples<T> rows_;
  SharedSamples<T> columns_;
  Reservation scratch_;
  std::size_t held_ = 0;  ///< before the tiles begin, with the kernel where it is in memory
  kernel::Parts parts_;
  std::vector<Index> sizes_;
  std::unique_ptr<kernel::TileStore<T>> file_;  ///< the kernel's file until it is complete
  kernel::ZarrStore<T>* zarr_ = nullptr;        ///< the store that writes it, where it is a .zarr
};

}  // namespace

template <class T>
void compute_kernel(const KernelJob& job, Session& session, KernelResult& result) {
  Computation<T>(job, session, result).run();
}

template <class T>
Prediction plan_kernel(const KernelJob& job, Session& session, KernelResult& result) {
  return Computation<T>(job, session, result).plan();
}

template Prediction plan_kernel<float>(const KernelJob&, Session&, KernelResult&);
template Prediction plan_kernel<double>(const KernelJob&, Session&, KernelResult&);
template void compute_kernel<float>(const KernelJob&, Session&, KernelResult&);
template void compute_kernel<double>(const KernelJob&, Session&, KernelResult&);

}  // namespace tangra::run
