#include "tangra/analysis/spectrum.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "tangra/analysis/density.h"
#include "tangra/base/error.h"
#include "tangra/formats/json_file.h"
#include "tangra/kernel/kernel_file.h"
#include "tangra/kernel/stored_operator.h"
#include "tangra/run/kernel/needs.h"
#include "tangra/run/kernel/network_kernel.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

/// Up to here all eigenvalues take no longer than the largest few.
constexpr Index small_matrix = 1500;
constexpr Index density_bins = 40;
/// Random vectors of an estimate of the density, and steps from each; two are enough for a norm.
constexpr Index probes = 16;
constexpr Index density_steps = 50;
constexpr Index norm_steps = 2;

[[noreturn]] void contradiction(const char* what, const char* where, const char* cure) {
  throw Error(ErrorKind::usage, {.what = what, .where = where, .got = {}, .expected = {}, .cure = cure});
}

/// The side of the square matrix that a stored kernel is. Throws Error(input) for other shapes.
Index side_of(const Shape& shape, const std::string& where) {
  if (shape.rank() == 2 && shape[0] == shape[1]) return shape[0];
  if (shape.rank() == 4 && shape[0] == shape[2] && shape[1] == shape[3]) return shape[0] * shape[1];
  std::string cure = "A train x test kernel has no eigenvalues";
  if (shape.rank() == 3) cure = "A diagonal kernel is one kernel for each output: compute one with --reduce output=K";
  throw Error(ErrorKind::input, {.what = "this is not a symmetric kernel", .where = where, .got = "shape " + to_string(shape),
                                 .expected = "(n, n) or (n, O, n, O)", .cure = std::move(cure)});
}

/// The error of the entries, relative to their root mean square, as the .json beside the file tells it; says in words where
/// it is from.
double measured_error_beside(const std::filesystem::path& kernel, const Shape& shape, std::string& source) {
  const std::filesystem::path path = kernel.string() + ".json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    source = "not known: there is no " + path.string();
    return 0;
  }
  const formats::JsonFile file(path);
  const auto described = file.integers("/shape");
  if (described && *described != shape.lengths()) {
    throw Error(ErrorKind::input, {.what = "the description beside the kernel belongs to another one", .where = path.string(),
                                   .got = "shape " + to_string(Shape(*described)), .expected = to_string(shape),
                                   .cure = "Remove it, or compute the kernel anew"});
  }
  const std::optional<double> error = file.number("/measured_error/rms");
  source = (error ? "measured, " : "not measured, ") + path.string();
  if (!error || *error >= 0) return error.value_or(0);
  throw Error(ErrorKind::input, {.what = "a measured error cannot be negative", .where = path.string(),
                                 .got = std::to_string(*error), .expected = "0 or more", .cure = {}});
}

/// What LAPACK works in for the eigenvalues alone of a matrix of this size: blocks of its rows.
std::size_t eigenvalues_memory(Index n) { return static_cast<std::size_t>(n) * 320 * sizeof(double); }

std::size_t square_bytes(Index n) { return static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * sizeof(double); }

class SpectrumRun {
 public:
  SpectrumRun(const SpectrumSpec& spec, const Caller& caller)
      : spec_(spec), session_(spec.resources, caller), context_(session_.context()) {
    result_.top = spec.top;
    result_.out = spec.out;
  }

  SpectrumResult run() {
    if (spec_.from_model) {
      of_model();
    } else if (spec_.kernel_array) {
      of_array();
    } else {
      of_file();
    }
    write();
    result_.provenance = session_.provenance(model_fingerprint_, std::move(data_fingerprints_));
    return std::move(result_);
  }

 private:
  void of_file() {
    const std::filesystem::path path = kernel::without_slash(spec_.kernel);
    const kernel::KernelFile file(path);
    const Index n = take_shape(file.shape(), file.type());
    options_.errors.relative = measured_error_beside(path, file.shape(), result_.error_source);
    if (spec_.top > 0 && 2 * square_bytes(n) > context_.memory.available()) return of_pieces(file, n);
    require_matrix(n, "the kernel in float64 (--top K reads it in pieces)");
    const Reservation memory(context_.memory, square_bytes(n), "the kernel in float64");
    auto entries = Tensor<double>::uninitialized(Shape{n, n});
    file.read_all(matrix(entries.data(), n, n), context_);
    session_.step("load");
    of_matrix(entries);
  }

  /// What of_matrix() takes at least.
  void add_of_matrix(MemoryNeeds& needs, Index n) const {
    needs.hold(lapack_bytes, "linear algebra");
    if (lists_all(n)) needs.use(eigenvalues_memory(n), "eigenvalues", eigenvalues_memory(n) + 2 * square_bytes(n));
    else needs.use(analysis::krylov_memory(n, {.count = spec_.top}), "eigenvalues");
  }

  void require_matrix(Index n, const std::string& what) {
    MemoryNeeds needs;
    needs.hold(square_bytes(n), what);
    add_of_matrix(needs, n);
    session_.require(needs);
  }

  void of_array() {
    const Array& kernel = *spec_.kernel_array;
    const Index n = take_shape(kernel.shape(), kernel.type());
    options_.errors.relative = spec_.relative_error;
    result_.error_source = spec_.relative_error > 0 ? "as given" : "not given";
    require_matrix(n, "the kernel in float64");
    const Reservation memory(context_.memory, square_bytes(n), "the kernel in float64");
    Tensor<double> entries = kernel.converted<double>();
    entries.reshape(Shape{n, n});
    session_.step("load");
    of_matrix(entries);
  }

  /// What is known of a kernel that is given: its side.
  Index take_shape(const Shape& shape, DType type) {
    result_.source = spec_.kernel;
    result_.shape = shape;
    if (!is_floating(type)) {
      throw Error(ErrorKind::input, {.what = "a kernel has real entries", .where = result_.source,
                                     .got = std::string(name_of(type)), .expected = "float32 or float64", .cure = {}});
    }
    result_.precision = name_of(type);
    const Index n = side_of(shape, result_.source);
    if (shape.rank() == 4) outputs_ = shape[1];
    if (spec_.labels_array) {
      labels_ = data::take_labels(*spec_.labels_array, spec_.labels_file, n / outputs_);
    } else if (!spec_.labels_file.empty()) {
      labels_ = data::load_labels(spec_.labels_file, n / outputs_);
    } else {
      result_.labels_note = "no labels were given";
    }
    options_.errors.storage_epsilon = type == DType::float64 ? 0x1p-53 : 0x1p-24;
    return n;
  }

  /// A file that does not fit into memory: every product reads it, so vectors go together.
  void of_pieces(const kernel::KernelFile& file, Index n) {
    result_.stored = false;
    const kernel::StoredOperator k(file, true);
    const kernel::StoredNorms norms = k.norms(result_.source, context_);
    if (norms.asymmetry > 1e-6 * norms.frobenius) {
      throw Error(ErrorKind::input, {.what = "the kernel is not symmetric", .where = result_.source,
                                     .got = "|K - K^T| about " + std::to_string(norms.asymmetry),
                                     .expected = "rounding, beside |K| of " + std::to_string(norms.frobenius),
                                     .cure = "A train x test kernel has singular values, not eigenvalues"});
    }
    session_.step("load");
    options_.krylov.count = std::min(spec_.top, n);
    options_.krylov.block = 32;
    if (spec_.tolerance > 0) options_.krylov.tolerance = spec_.tolerance;
    options_.vectors = true;
    result_.spectrum = analysis::top_spectrum(
        k, {.trace = norms.trace, .frobenius = norms.frobenius, .largest_row_sum = norms.largest_row_sum, .asymmetry = norms.asymmetry},
        options_, context_);
    session_.step("eigenvalues");
    fit_labels(k);
    count_density(&k);
  }

  void of_model() {
    KernelSpec own = *spec_.from_model;
    own.out.clear();
    Loaded rows = load(own.model, own.data);
    labels_ = rows.data.labels;
    if (!labels_) result_.labels_note = "the samples have no labels";
    session_.step("load");
    session_.count_loaded();
    const Space asked = own.space;
    own.space = Space::samples;
    const KernelJob job = kernel_job(own, rows, nullptr);
    const Graph& graph = *rows.graph;
    model_fingerprint_ = fingerprint(graph);
    data_fingerprints_ = {rows.data.fingerprint};
    const Index n = kernel_size(job), parameters = graph.parameter_count();
    outputs_ = job.lowered.layout.full;
    result_.source = rows.model.text + ", " + rows.summary.name + ", " +
                     (own.conjugate.empty() ? kernel::to_string(job.reduction) : "conjugate");
    result_.shape = own.conjugate.empty() ? job.lowered.kernel_shape(rows.summary.samples, rows.summary.samples) : Shape{n, n};
    options_.null_spaces = known_null_spaces(job);
    const bool has_twin = own.conjugate.empty() && job.lowered.layout.inner == 1;
    if (asked == Space::parameters || (spec_.top == 0 && has_twin && parameters < n)) {
      own.space = Space::parameters;
      return in_parameter_space(job, n);
    }
    const DType type = compute_type(own.precision, graph);
    result_.precision = name_of(type);
    const MemoryNeeds products = needs_of_operator(job, type), formed = needs_of_matrix(job, type);
    const bool may_apply = spec_.top > 0 && own.conjugate.empty();
    session_.require(spec_.without_matrix || (may_apply && products.least() < formed.least()) ? products : formed,
                     may_apply ? "" : "The largest eigenvalues alone (--top K) need no matrix");
    const bool fits = std::max(2 * square_bytes(n), formed.least()) <= context_.memory.available();
    if (spec_.without_matrix || (may_apply && !fits)) return of_operator(job, type);
    NetworkMatrix matrix = network_matrix(job, type, session_);
    options_.errors = matrix.errors;
    result_.error_source = matrix.result.measured_error ? "measured" : "not measured";
    of_matrix(matrix.entries);
  }

  MemoryNeeds needs_of_matrix(const KernelJob& job, DType type) const {
    MemoryNeeds needs;
    add_matrix(needs, job, type, context_);
    const Index parameters = job.rows.graph->parameter_count();
    add_of_matrix(needs, job.spec.space == Space::parameters ? parameters : kernel_size(job));
    return needs;
  }

  MemoryNeeds needs_of_operator(const KernelJob& job, DType type) const {
    if (!job.spec.conjugate.empty()) return {};
    MemoryNeeds needs;
    KernelSpec self = job.spec;
    self.pairs = Pairs::self;
    Loaded rows = job.rows;
    needs.give_back(add_kernel(needs, kernel_job(self, rows, nullptr), type, Samples::shared, context_));
    const Index n = kernel_size(job);
    const std::size_t pairs = analysis::krylov_memory(n, {.count = spec_.top});
    needs.hold(pairs, "eigenvectors");
    needs.use(analysis::density_memory(n, {.probes = probes, .steps = spec_.density ? density_steps : norm_steps}), "a density estimate");
    add_operator(needs, job, type, context_);
    return needs;
  }

  /// J^T J in place of J J^T, and the zeros that it lacks. In float64 unless something else was asked for: its entries
  /// are sums over all samples, whose error is measured on a few of them alone.
  void in_parameter_space(const KernelJob& job, Index n) {
    const bool as_asked = job.spec.precision != Precision::automatic;
    const DType type = as_asked ? compute_type(job.spec.precision, *job.rows.graph) : DType::float64;
    result_.precision = name_of(type);
    result_.space = "parameters";
    const Index parameters = job.rows.graph->parameter_count();
    if (parameters > n) {
      result_.shape = Shape{parameters, parameters};
      options_.null_spaces = {{.dimension = parameters - n,
                               .reason = "J^T J has " + std::to_string(parameters) + " rows and rank " + std::to_string(n) + " at most"}};
    }
    session_.require(needs_of_matrix(job, type));
    NetworkMatrix matrix = network_matrix(job, type, session_);
    options_.errors = matrix.errors;
    if (matrix.result.measured_error) result_.error_source = "measured on the sum of a few samples";
    labels_.reset();
    result_.labels_note = "eigenvectors in the space of parameters belong to no samples";
    of_matrix(matrix.entries);
    if (n > result_.spectrum.size) analysis::add_zeros(result_.spectrum, n - result_.spectrum.size);
  }

  bool lists_all(Index n) const { return spec_.top == 0 || n <= std::max(small_matrix, 2 * spec_.top); }

  void of_matrix(Tensor<double>& entries) {
    const Index n = entries.shape()[0];
    options_.krylov.count = std::min(spec_.top, n);
    if (spec_.tolerance > 0) options_.krylov.tolerance = spec_.tolerance;
    const bool by_samples = result_.space == "samples";
    options_.vectors = spec_.residuals && by_samples && (labels_ || spec_.vectors || !spec_.out.empty());
    if (!lists_all(n)) {
      result_.spectrum = analysis::top_spectrum(matrix<const double>(entries.data(), n, n), options_, context_);
      session_.step("eigenvalues");
      const linalg::MatrixOperator k(matrix<const double>(entries.data(), n, n), true);
      fit_labels(k);
      count_density(&k);
      return;
    }
    const bool keeps_copy = labels_.has_value();  // LAPACK destroys K
    const std::size_t needed = square_bytes(n) * (keeps_copy ? 3 : 2) + eigenvalues_memory(n) + lapack_bytes;
    options_.residuals = spec_.residuals && needed <= context_.memory.available();
    options_.vectors = options_.vectors && options_.residuals;
    Tensor<double> kept;
    Reservation memory;
    if (options_.residuals && keeps_copy) {
      memory = Reservation(context_.memory, square_bytes(n), "a copy of the kernel");
      kept = entries.clone();
    }
    result_.spectrum = analysis::spectrum(matrix(entries.data(), n, n), options_, context_);
    session_.step("eigenvalues");
    if (kept.size() > 0) {
      fit_labels(linalg::MatrixOperator(matrix<const double>(kept.data(), n, n), true));
    } else if (labels_) {
      result_.labels_note = spec_.residuals ? "eigenvectors do not fit into the memory budget" : "eigenvectors were not asked for";
    }
    count_density(nullptr);
  }

  void of_operator(const KernelJob& job, DType type) {
    result_.stored = false;
    const double trace = network_trace(job, type, session_, options_.errors);
    session_.count_resident();
    const std::unique_ptr<NetworkOperator> held = network_operator(job, type, context_);
    const linalg::LinearOperator& k = held->get();
    session_.step("factors");
    options_.krylov.count = std::min(spec_.top, k.rows());
    // Products round in the type of the arithmetic: residuals below some n^(1/2) of it are not to be had.
    const double rounding = 64 * (type == DType::float64 ? 0x1p-53 : 0x1p-24);
    options_.krylov.tolerance = spec_.tolerance > 0 ? spec_.tolerance : std::max(1e-11, rounding);
    options_.vectors = true;
    analysis::Eigenpairs pairs = analysis::largest_eigenpairs(k, options_.krylov, context_);
    session_.step("eigenvalues");
    const analysis::SpectralDensity density = density_of(k, pairs.values, pairs.vectors, spec_.density ? density_steps : norm_steps);
    session_.step("density");
    const analysis::Estimate squares = density.sum([](double value) { return value * value; });
    const double frobenius = std::sqrt(std::max(0.0, squares.value));
    result_.frobenius_error = frobenius > 0 ? squares.error / (2 * frobenius) : 0;
    result_.spectrum = analysis::top_spectrum(std::move(pairs), k.rows(), {.trace = trace, .frobenius = frobenius}, options_);
    if (spec_.density) {
      result_.spectrum.entropy_rank = density.entropy_rank();
      put_density(density);
    }
    fit_labels(k);
  }

  analysis::SpectralDensity density_of(const linalg::LinearOperator& k, const std::vector<double>& values,
                                       const Tensor<double>& vectors, Index steps) const {
    const Index known = vectors.size() == 0 ? 0 : static_cast<Index>(values.size());
    analysis::DensityOptions options{.probes = probes, .steps = steps};
    if (known > 0) {
      options.known_values = values;
      options.known_vectors = matrix<const double>(vectors.data(), known, k.rows());
    }
    return analysis::spectral_density(k, options, context_);
  }

  /// Edges that ascend by a constant factor up to the largest eigenvalue, from the rounding bound or twelve decades
  /// below it.
  std::vector<double> edges() const {
    const double largest = result_.spectrum.eigenvalues.front() * (1 + 0x1p-40);
    const double smallest = std::max(result_.spectrum.rounding_bound, 1e-12 * largest);
    std::vector<double> result;
    if (!(largest > smallest)) return result;
    for (Index i = 0; i <= density_bins; ++i)
      result.push_back(smallest * std::pow(largest / smallest, static_cast<double>(i) / density_bins));
    result.back() = largest;
    return result;
  }

  void put_density(const analysis::SpectralDensity& density) {
    DensityCounts counts{.edges = edges(), .counts = {}, .below = 0, .estimated = true};
    if (counts.edges.empty()) return;
    counts.counts = density.counts(counts.edges);
    const double above = std::accumulate(counts.counts.begin(), counts.counts.end(), 0.0);
    counts.below = std::max(0.0, static_cast<double>(density.size) - above);
    result_.density = std::move(counts);
  }

  /// k: for an estimate, where not all eigenvalues are known.
  void count_density(const linalg::LinearOperator* k) {
    if (!spec_.density) return;
    const analysis::Spectrum& spectrum = result_.spectrum;
    if (!spectrum.complete) {
      const analysis::SpectralDensity density = density_of(*k, spectrum.eigenvalues, spectrum.vectors, 50);
      session_.step("density");
      result_.spectrum.entropy_rank = density.entropy_rank();
      return put_density(density);
    }
    DensityCounts counts{.edges = edges(), .counts = {}, .below = 0, .estimated = false};
    if (counts.edges.empty()) return;
    counts.counts.assign(static_cast<std::size_t>(density_bins), 0.0);
    for (const double value : spectrum.eigenvalues) {
      const auto above = std::ranges::upper_bound(counts.edges, value);
      if (above == counts.edges.begin()) {
        ++counts.below;
      } else {
        ++counts.counts[std::min<std::size_t>(static_cast<std::size_t>(above - counts.edges.begin()) - 1, density_bins - 1)];
      }
    }
    result_.density = std::move(counts);
  }

  void fit_labels(const linalg::LinearOperator& k) {
    const analysis::Spectrum& spectrum = result_.spectrum;
    if (!labels_ || spectrum.vectors.size() == 0) return;
    const Index samples = k.rows() / outputs_;
    Index classes = 1 + *std::ranges::max_element(*labels_);
    if (outputs_ > 1 && classes > outputs_) {
      result_.labels_note = "there are labels up to " + std::to_string(classes - 1) + " and " + std::to_string(outputs_) + " outputs";
      return;
    }
    if (outputs_ > 1) classes = outputs_;
    Tensor<double> y;
    try {
      y = analysis::one_hot(*labels_, samples, classes);
    } catch (const Error& error) {
      // Labels that were asked for have to be sound; a set's own may lack a class among its first samples.
      if (!spec_.labels_file.empty() || (spec_.from_model && !spec_.from_model->data.labels_file.empty())) throw;
      result_.labels_note = error.complaint().what + ": " + error.complaint().got;
      return;
    }
    const Index pairs = static_cast<Index>(spectrum.eigenvalues.size());
    const auto vectors = matrix<const double>(spectrum.vectors.data(), pairs, k.rows());
    LabelFit fit{.classes = classes, .alignment = {}, .shares = {}};
    const auto targets = outputs_ == 1 ? matrix<const double>(y.data(), samples, classes) : matrix<const double>(y.data(), k.rows(), 1);
    fit.alignment = analysis::kernel_target_alignment(k, spectrum.frobenius, targets, outputs_, context_);
    // Of the full kernel, a class' targets are the entries of its own output.
    Tensor<double> apart(Shape{k.rows(), classes});
    for (Index i = 0; i < y.size(); ++i) {
      if (outputs_ == 1) apart[i] = y[i];
      else apart[i * classes + i % classes] = y[i];
    }
    fit.shares = analysis::label_shares(vectors, matrix<const double>(apart.data(), k.rows(), classes), context_);
    if (outputs_ > 1) {
      const analysis::LabelShares whole = analysis::label_shares(vectors, targets, context_);
      fit.shares.share = whole.share;
      fit.shares.cumulated = whole.cumulated;
    }
    result_.labels = std::move(fit);
    session_.step("labels");
  }

  void write() {
    analysis::Spectrum& spectrum = result_.spectrum;
    const auto listed = static_cast<Index>(spectrum.eigenvalues.size());
    if (spectrum.vectors.size() > 0) {
      spectrum.vectors.reshape(Shape{listed, spectrum.vectors.size() / std::max<Index>(1, listed)});
    }
    if (!spec_.out.empty()) {
      const auto array = [](const std::vector<double>& values) {
        Tensor<double> tensor(Shape{static_cast<Index>(values.size())});
        std::ranges::copy(values, tensor.begin());
        return Array(std::move(tensor));
      };
      std::vector<NamedArray> arrays{{"eigenvalues", array(spectrum.eigenvalues)}};
      if (!spectrum.residuals.empty()) arrays.push_back({"residuals", array(spectrum.residuals)});
      if (spectrum.vectors.size() > 0) arrays.push_back({"eigenvectors", Array(spectrum.vectors)});
      write_arrays(spec_.out, arrays);
      session_.step("write");
    }
    if (!spec_.vectors) spectrum.vectors = {};
  }

  const SpectrumSpec& spec_;
  Session session_;
  const Context& context_;
  SpectrumResult result_;
  analysis::SpectrumOptions options_;
  std::optional<std::vector<Index>> labels_;
  Index outputs_ = 1;  ///< that stand in the rows of K
  std::uint64_t model_fingerprint_ = 0;
  std::vector<std::uint64_t> data_fingerprints_;
};

}  // namespace

void SpectrumSpec::validate() const {
  if (kernel.empty() == !from_model.has_value()) {
    throw Error(ErrorKind::usage, {.what = "a spectrum needs one kernel", .where = "spectrum", .got = {},
                                   .expected = "a .npy or .zarr, or a model and data with --reduce", .cure = {}});
  }
  if (top < 0) {
    throw Error(ErrorKind::usage, {.what = "a number of eigenvalues cannot be negative", .where = "--top",
                                   .got = std::to_string(top), .expected = "0 (all) or more", .cure = {}});
  }
  if (!(tolerance >= 0) || tolerance >= 1) {
    throw Error(ErrorKind::usage, {.what = "a tolerance is a share of the largest eigenvalue", .where = "--tolerance",
                                   .got = std::to_string(tolerance), .expected = "a number from 0 to 1", .cure = {}});
  }
  if (without_matrix && top == 0) {
    contradiction("all eigenvalues need the matrix", "--without-k", "Say how many of the largest with --top");
  }
  if (without_matrix && !from_model) contradiction("a kernel's file is a matrix", "--without-k", "Leave it out");
  check_out(out, existing, {".npz"});
  if (!from_model) return;
  from_model->validate();
  if (from_model->reduce == "diagonal") {
    throw Error(ErrorKind::usage, {.what = "a diagonal kernel is one kernel for each output, without eigenvalues of its own",
                                   .where = "--reduce", .got = "diagonal", .expected = "full, trace, mean, sum or output=K",
                                   .cure = {}});
  }
  if (from_model->data2 || from_model->pairs == Pairs::self || from_model->by != By::total) {
    contradiction("only the total kernel of one set of samples has eigenvalues", "spectrum", "");
  }
  if (without_matrix && (!from_model->conjugate.empty() || from_model->space == Space::parameters)) {
    contradiction("only a tangent kernel in the space of samples is applied without K", "--without-k", "Leave it out");
  }
}

SpectrumResult run_spectrum(const SpectrumSpec& spec, const Caller& caller) {
  spec.validate();
  return SpectrumRun(spec, caller).run();
}

}  // namespace tangra::run
