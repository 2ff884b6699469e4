#include <algorithm>
#include <cmath>
#include <limits>

#include "tangra/analysis/alignment.h"
#include "tangra/analysis/conjugate_gradients.h"
#include "tangra/analysis/regression.h"
#include "tangra/base/error.h"
#include "tangra/formats/csv.h"
#include "tangra/formats/npy.h"
#include "tangra/run/kernel/needs.h"
#include "tangra/run/kernel/network_kernel.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

MatrixView<const double> view(const Tensor<double>& a) { return matrix(a.data(), a.shape()[0], a.shape()[1]); }

[[noreturn]] void contradiction(const char* what, const char* where, const char* cure) {
  throw Error(ErrorKind::usage, {.what = what, .where = where, .got = {}, .expected = {}, .cure = cure});
}

/// (rows, columns) of numbers in memory, or from a .npy or .csv; (rows,) is one column.
Tensor<double> target_table(const std::optional<Array>& given, const std::string& file, Index rows) {
  const Array array = given ? *given : extension_of(file) == ".csv" ? formats::read_csv(file) : formats::read_npy(file);
  const Shape& shape = array.shape();
  if (shape.rank() < 1 || shape.rank() > 2 || shape[0] != rows) {
    throw Error(ErrorKind::input, {.what = "the targets do not fit the training samples", .where = file, .got = "shape " + to_string(shape),
                                   .expected = "(" + std::to_string(rows) + ", outputs)", .cure = {}});
  }
  Tensor<double> table = finite(array, file);
  table.reshape(Shape{rows, table.size() / std::max<Index>(1, rows)});
  return table;
}

class PredictRun {
 public:
  PredictRun(const PredictSpec& spec, const Caller& caller)
      : spec_(spec), session_(spec.resources, caller), context_(session_.context()) {}

  PredictResult run() {
    train_ = load(spec_.model, spec_.train);
    test_ = load_second(train_, spec_.test);
    const std::uint64_t model = fingerprint(*train_.graph);
    session_.step("load");
    session_.count_loaded();
    describe();
    make_targets();
    const MemoryNeeds formed = needs_of_matrix(), products = needs_of_products();
    const bool cheaper = may_apply() && spec_.solver != Solver::cholesky && products.least() < formed.least();
    session_.require(spec_.solver == Solver::conjugate_gradients || cheaper ? products : formed);
    set_prior();
    if (use_matrix(formed)) {
      by_cholesky();
    } else {
      by_conjugate_gradients();
    }
    finish();
    result_.provenance = session_.provenance(model, {train_.data.fingerprint, test_.data.fingerprint});
    return std::move(result_);
  }

 private:
  KernelSpec kernel_spec(const data::DataSpec& data) const {
    KernelSpec spec;
    spec.model = spec_.model;
    spec.data = data;
    spec.reduce = spec_.reduce;
    spec.precision = spec_.precision;
    spec.resources = spec_.resources;
    return spec;
  }

  void describe() {
    const Graph& graph = *train_.graph;
    const KernelSpec spec = kernel_spec(spec_.train);
    const KernelJob job = kernel_job(spec, train_, nullptr);
    type_ = compute_type(spec_.precision, graph);
    outputs_ = graph.shape(job.of).elements();
    full_ = job.reduction.is(kernel::AxisReduction::full) && outputs_ > 1;
    result_.model = train_.model;
    result_.train = train_.summary;
    result_.test = test_.summary;
    result_.reduce = kernel::to_string(job.reduction);
    result_.precision = name_of(type_);
    result_.prior = spec_.prior == PriorMean::network ? "network" : "zero";
    result_.out = spec_.out;
    result_.size = kernel_size(job);
  }

  /// Y: [N, columns], one-hot of the labels or the numbers of a file.
  void make_targets() {
    const Index samples = train_.summary.samples;
    if (!spec_.targets.empty()) {
      targets_ = target_table(spec_.targets_array, spec_.targets, samples);
    } else {
      if (!train_.data.labels) {
        throw Error(ErrorKind::input, {.what = "the training samples have no labels", .where = spec_.train.source, .got = {},
                                       .expected = {}, .cure = "Give --labels, or numbers to predict with --targets"});
      }
      const std::vector<Index>& labels = *train_.data.labels;
      const Index classes = labels.empty() ? 0 : 1 + *std::ranges::max_element(labels);
      targets_ = analysis::one_hot(labels, samples, std::max(classes, outputs_ > 1 ? outputs_ : 2));
      result_.labelled = true;
    }
    columns_ = result_.columns = targets_.shape()[1];
    const bool needs_outputs = full_ || spec_.prior == PriorMean::network;
    if (needs_outputs && columns_ != outputs_) {
      throw Error(ErrorKind::input, {.what = full_ ? "the full kernel predicts the outputs that the network has"
                                                   : "the network's outputs are no prior for these targets",
                                     .where = full_ ? "--reduce full" : "--prior network",
                                     .got = std::to_string(columns_) + " targets for each sample",
                                     .expected = std::to_string(outputs_), .cure = "Choose --reduce mean and --prior zero"});
    }
    if (test_.data.labels && result_.labelled && !test_.data.labels->empty() &&
        *std::ranges::max_element(*test_.data.labels) >= columns_) {
      throw Error(ErrorKind::input, {.what = "a test sample has a label that no training sample has", .where = spec_.test.source,
                                     .got = std::to_string(*std::ranges::max_element(*test_.data.labels)),
                                     .expected = "0 to " + std::to_string(columns_ - 1), .cure = {}});
    }
    result_.form = form();
  }

  std::string form() const {
    if (full_) return "the full kernel of " + std::to_string(outputs_) + " outputs, with all pairs of outputs";
    if (columns_ == 1) return "one output by the kernel " + result_.reduce;
    const std::string all = "one kernel shared by all " + std::to_string(columns_) + " outputs: ";
    if (result_.reduce == "mean") return all + "the mean over the outputs of K[i,a,j,a], which approximates the full kernel";
    if (result_.reduce == "trace") return all + "the trace, the sum over the outputs of K[i,a,j,a]";
    if (result_.reduce == "sum") return all + "that of the summed outputs";
    return all + "that of " + result_.reduce;
  }

  /// The network's outputs at all samples: their accuracy, and where asked for what the kernel is to correct.
  void set_prior() {
    const ValueId of = train_.graph->outputs.front();
    prior_ = Tensor<double>(Shape{test_.summary.samples, columns_});
    if (columns_ != outputs_) return;
    const Tensor<double> outputs = network_outputs(test_, of, type_, context_);
    if (test_labels() != nullptr) result_.network_accuracy = analysis::accuracy(view(outputs), *test_labels());
    if (spec_.prior == PriorMean::network) {
      std::ranges::copy(outputs, prior_.begin());
      const Tensor<double> known = network_outputs(train_, of, type_, context_);
      for (Index i = 0; i < targets_.size(); ++i) targets_[i] -= known[i];
      train_prior_ = known.clone();
    }
    session_.step("outputs");
  }

  const std::vector<Index>* test_labels() const {
    return result_.labelled && test_.data.labels && !test_.data.labels->empty() ? &*test_.data.labels : nullptr;
  }

  /// Whether conjugate gradients could do what is asked for.
  bool may_apply() const { return spec_.ridges.size() == 1 && spec_.ridges.front() > 0 && !spec_.variance; }

  void add_targets(MemoryNeeds& needs) const {
    const Index samples = train_.summary.samples + test_.summary.samples;
    needs.hold(static_cast<std::size_t>(4 * samples * columns_) * sizeof(double) + lapack_bytes, "targets and predictions");
    add_outputs(needs, train_, type_);
  }

  MemoryNeeds needs_of_matrix() {
    MemoryNeeds needs;
    add_targets(needs);
    const KernelSpec own = kernel_spec(spec_.train);
    KernelSpec between = kernel_spec(spec_.test);
    between.data2 = spec_.train;
    const std::size_t matrix = add_matrix(needs, kernel_job(own, train_, nullptr), type_, context_);
    add_matrix(needs, kernel_job(between, test_, &train_), type_, context_);
    if (spec_.ridges.size() > 1) {
      needs.hold(matrix, "a copy of the kernel");
      needs.use(matrix, "eigenvectors");
      needs.give_back(matrix);
    }
    if (spec_.variance) {
      KernelSpec self = kernel_spec(spec_.test);
      self.pairs = Pairs::self;
      needs.hold(add_kernel(needs, kernel_job(self, test_, nullptr), type_, Samples::shared, context_), "variances");
      needs.use(static_cast<std::size_t>(result_.size * std::max<Index>(1024, outputs_)) * sizeof(double), "solves for variances");
    }
    return needs;
  }

  MemoryNeeds needs_of_products() {
    MemoryNeeds needs;
    add_targets(needs);
    const KernelSpec own = kernel_spec(spec_.train);
    KernelSpec between = kernel_spec(spec_.test);
    between.data2 = spec_.train;
    const std::size_t solver = analysis::conjugate_gradients_memory(result_.size, full_ ? 1 : columns_, {});
    needs.hold(solver, "conjugate gradients");
    add_operator(needs, kernel_job(own, train_, nullptr), type_, context_);
    needs.give_back(solver);
    add_operator(needs, kernel_job(between, test_, &train_), type_, context_);
    return needs;
  }

  bool use_matrix(const MemoryNeeds& formed) const {
    if (spec_.solver != Solver::automatic) return spec_.solver == Solver::cholesky;
    if (!may_apply()) return true;
    if (formed.least() > context_.memory.available()) return false;
    const auto n = static_cast<double>(result_.size);
    const double m = n / static_cast<double>(train_.summary.samples) * static_cast<double>(test_.summary.samples);
    const double copies = spec_.ridges.size() > 1 ? 3 : 1.5;
    return 8 * (copies * n * n + 1.5 * m * n) <= static_cast<double>(context_.memory.available());
  }

  /// The system's right-hand sides: [N, columns], or for the full kernel the same memory as one column.
  MatrixView<const double> right_hand_sides() const {
    return full_ ? matrix<const double>(targets_.data(), targets_.size(), 1) : view(targets_);
  }

  NetworkMatrix kernel_of(const data::DataSpec& data, Loaded& rows, Loaded* columns) {
    KernelSpec spec = kernel_spec(data);
    if (columns != nullptr) spec.data2 = spec_.train;
    Loaded own_rows = rows;  // shares the samples, which a computation gives back when it has taken them over
    std::optional<Loaded> own_columns;
    if (columns != nullptr) own_columns = *columns;
    const KernelJob job = kernel_job(spec, own_rows, own_columns ? &*own_columns : nullptr);
    return network_matrix(job, type_, session_);
  }

  void by_cholesky() {
    result_.solver = "Cholesky";
    NetworkMatrix k = kernel_of(spec_.train, train_, nullptr);
    const NetworkMatrix cross = kernel_of(spec_.test, test_, &train_);
    const Index n = result_.size, block = full_ ? outputs_ : 1;
    result_.mean_diagonal = 0;
    for (Index i = 0; i < n; ++i) result_.mean_diagonal += k.entries[i * n + i] / static_cast<double>(n);
    result_.ridge = spec_.ridges.size() > 1 ? best_of_path(k.entries, cross.entries, block) : spec_.ridges.front();
    analysis::RidgeFit fit = analysis::fit_ridge(std::move(k.entries), right_hand_sides(), result_.ridge, context_);
    session_.step("solve");
    result_.jitter = fit.jitter;
    result_.message = fit.message;
    result_.converged = fit.solved;
    if (!fit.solved) return;
    result_.log_likelihood = fit.log_likelihood;
    set_means(analysis::predict(fit, view(cross.entries), context_));
    // K alpha = y - (ridge + jitter) alpha.
    Tensor<double> residuals = fit.alpha.clone();
    for (double& entry : residuals) entry *= fit.ridge + fit.jitter;
    score_training(residuals, result_.training_error, result_.training_accuracy);
    if (spec_.variance) set_variance(fit, cross.entries, block);
    const Tensor<double> left_out = analysis::leave_one_out(fit, block, context_);
    result_.leave_one_out.emplace();
    score_training(left_out, *result_.leave_one_out, result_.leave_one_out_accuracy);
    session_.step("leave-one-out");
  }

  /// Fills the table of ridges; the one whose leave-one-out error is least.
  double best_of_path(const Tensor<double>& k, const Tensor<double>& cross, Index block) {
    const Reservation memory(context_.memory, k.bytes(), "a copy of the kernel");
    Tensor<double> copy = k.clone();
    const analysis::RidgePath path(matrix(copy.data(), result_.size, result_.size), right_hand_sides(), context_);
    double best = std::numeric_limits<double>::infinity(), chosen = spec_.ridges.back();
    for (const double ridge : spec_.ridges) {
      const analysis::RidgePath::Point point = path.at(ridge, block, context_);
      RidgeRow row{.ridge = ridge, .solved = point.solved, .degrees_of_freedom = point.degrees_of_freedom};
      if (point.solved) {
        std::optional<double> ignored;
        Tensor<double> residuals = targets_.clone();
        for (Index i = 0; i < residuals.size(); ++i) residuals[i] -= point.fitted[i];
        score_training(residuals, row.training_error, ignored);
        score_training(point.left_out, row.leave_one_out, row.leave_one_out_accuracy);
        if (test_labels() != nullptr) {
          analysis::RidgeFit fit{.solved = true, .alpha = point.alpha.clone()};
          row.accuracy = analysis::accuracy(view(with_prior(analysis::predict(fit, view(cross), context_))), *test_labels());
        }
        if (row.leave_one_out < best) best = row.leave_one_out, chosen = ridge;
      }
      result_.path.push_back(row);
    }
    session_.step("ridge path");
    return chosen;
  }

  void by_conjugate_gradients() {
    result_.solver = "conjugate gradients";
    result_.ridge = spec_.ridges.front();
    const KernelSpec spec = kernel_spec(spec_.train);
    KernelSpec between = kernel_spec(spec_.test);
    between.data2 = spec_.train;
    Loaded train = train_, test = test_;
    const KernelJob own = kernel_job(spec, train, nullptr), cross = kernel_job(between, test, &train);
    analysis::ConjugateGradients solution;
    {
      const std::unique_ptr<NetworkOperator> k = network_operator(own, type_, context_);
      // Products round in the type of the arithmetic; what is promised has to stay above.
      const double tolerance = type_ == DType::float64 ? 1e-10 : 1e-6;
      solution = analysis::conjugate_gradients(k->get(), result_.ridge, right_hand_sides(), {.tolerance = tolerance}, context_);
    }
    session_.step("solve");
    result_.converged = solution.converged;
    result_.message = solution.message;
    result_.iterations = solution.iterations;
    result_.solver_residuals = solution.residuals;
    result_.mean_diagonal = std::numeric_limits<double>::quiet_NaN();
    const std::unique_ptr<NetworkOperator> k = network_operator(cross, type_, context_);
    const Index columns = solution.x.shape()[1], rows = k->get().rows();
    Tensor<double> means = Tensor<double>::uninitialized(Shape{rows, columns});
    k->get().apply(view(solution.x), matrix(means.data(), rows, columns), context_);
    set_means(std::move(means));
    Tensor<double> residuals = solution.x.clone();
    for (double& entry : residuals) entry *= result_.ridge;
    score_training(residuals, result_.training_error, result_.training_accuracy);
    session_.step("predictions");
  }

  Tensor<double> with_prior(Tensor<double> means) const {
    means.reshape(Shape{test_.summary.samples, columns_});
    for (Index i = 0; i < means.size(); ++i) means[i] += prior_[i];
    return means;
  }

  void set_means(Tensor<double> means) {
    means_ = with_prior(std::move(means));
    if (test_labels() == nullptr) return;
    result_.accuracy = analysis::accuracy(view(means_), *test_labels());
    Tensor<double> residuals = means_.clone();
    for (Index i = 0; i < test_.summary.samples; ++i) residuals[i * columns_ + (*test_labels())[static_cast<std::size_t>(i)]] -= 1;
    result_.test_error = analysis::mean_squared_error(view(residuals));
  }

  /// residuals: y - f at the training samples, [N, columns] in memory.
  void score_training(const Tensor<double>& residuals, double& error, std::optional<double>& accuracy) const {
    const Index samples = train_.summary.samples;
    error = analysis::mean_squared_error(matrix(residuals.data(), samples, columns_));
    if (!result_.labelled) return;
    Tensor<double> fitted = targets_.clone();
    for (Index i = 0; i < fitted.size(); ++i) fitted[i] += (train_prior_.size() > 0 ? train_prior_[i] : 0) - residuals[i];
    accuracy = analysis::accuracy(view(fitted), *train_.data.labels);
  }

  void set_variance(const analysis::RidgeFit& fit, const Tensor<double>& cross, Index block) {
    KernelSpec spec = kernel_spec(spec_.test);
    spec.pairs = Pairs::self;
    Loaded test = test_;
    const KernelJob job = kernel_job(spec, test, nullptr);
    const Index samples = test_.summary.samples;
    Tensor<double> prior = network_self(job, type_, session_);
    prior.reshape(Shape{samples, block, block});
    variance_ = analysis::posterior_covariance(fit, view(cross), prior, block, context_);
    double sum = 0;
    for (Index i = 0; i < samples; ++i) {
      for (Index a = 0; a < block; ++a) sum += variance_[(i * block + a) * block + a];
    }
    result_.mean_variance = sum / static_cast<double>(samples * block);
    if (block == 1) {
      // One kernel for all outputs: the same variance for each.
      Tensor<double> repeated(Shape{samples, columns_});
      for (Index i = 0; i < repeated.size(); ++i) repeated[i] = variance_[i / columns_];
      variance_ = std::move(repeated);
    }
    session_.step("variances");
  }

  void finish() {
    if (means_.size() == 0) return;
    result_.arrays.push_back({"mean", Array(std::move(means_))});
    if (variance_.size() > 0) result_.arrays.push_back({"variance", Array(std::move(variance_))});
    if (spec_.out.empty()) return;
    if (extension_of(spec_.out) == ".csv") {
      formats::write_csv(spec_.out, result_.arrays.front().array);
    } else {
      write_arrays(spec_.out, result_.arrays);
    }
    result_.arrays.clear();
    session_.step("write");
  }

  const PredictSpec& spec_;
  Session session_;
  const Context& context_;
  PredictResult result_;
  Loaded train_;
  Loaded test_;
  DType type_ = DType::float32;
  Index outputs_ = 1;           ///< of the network
  Index columns_ = 1;           ///< of the targets
  bool full_ = false;           ///< the full kernel of several outputs
  Tensor<double> targets_;      ///< [N, columns], less the prior
  Tensor<double> train_prior_;  ///< [N, columns], or nothing
  Tensor<double> prior_;        ///< [M, columns]
  Tensor<double> means_;        ///< [M, columns]
  Tensor<double> variance_;     ///< [M, columns], or [M, O, O]
};

}  // namespace

void PredictSpec::validate() const {
  if (reduce == "diagonal") {
    throw Error(ErrorKind::usage, {.what = "a diagonal kernel is one kernel for each output", .where = "--reduce", .got = reduce,
                                   .expected = "full, mean, trace, sum or output=K", .cure = {}});
  }
  if (ridges.empty()) contradiction("a ridge is needed", "--ridge", "Give one, or several with commas between; 0 interpolates");
  for (const double ridge : ridges) {
    if (ridge >= 0 && std::isfinite(ridge)) continue;
    throw Error(ErrorKind::usage, {.what = ridge < 0 ? "a ridge cannot be negative" : "a ridge is a finite number", .where = "--ridge", .got = std::to_string(ridge),
                                   .expected = "finite numbers of 0 or more", .cure = {}});
  }
  if (solver == Solver::conjugate_gradients) {
    if (ridges.size() > 1) contradiction("several ridges need the matrix", "--ridge", "Give one, or --solver cholesky");
    if (ridges.front() == 0) contradiction("conjugate gradients need a ridge above 0", "--ridge", "Give one, or --solver cholesky");
    if (variance) contradiction("variances need the matrix", "--variance", "Leave it out, or give --solver cholesky");
  }
  if (variance && !out.empty() && extension_of(out) != ".npz") {
    contradiction("means and variances are two arrays", "-o", "Write a .npz file");
  }
  check_out(out, existing, {".npy", ".csv", ".npz"});
}

PredictResult run_predict(const PredictSpec& spec, const Caller& caller) {
  spec.validate();
  return PredictRun(spec, caller).run();
}

}  // namespace tangra::run
