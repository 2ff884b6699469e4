#include <filesystem>

#include "tangra/base/error.h"
#include "tangra/base/hash.h"
#include "tangra/kernel/reduction.h"
#include "tangra/load/weights.h"
#include "tangra/run/session.h"
#include "tangra/run/kernel/small_kernel.h"
#include "tangra/run/training/train_history.h"

namespace tangra::run {
namespace {

[[noreturn]] void refuse(std::string what, std::string where, std::string got, std::string expected) {
  throw Error(ErrorKind::usage, {.what = std::move(what), .where = std::move(where), .got = std::move(got),
                                 .expected = std::move(expected), .cure = {}});
}

void require_count(Index value, Index least, const char* option) {
  if (value >= least) return;
  refuse("this number is too small", option, std::to_string(value), std::to_string(least) + " or more");
}

void check_kernel_reduction(const std::string& reduce) {
  const kernel::Reduction reduction = kernel::parse_reduction(reduce);
  if (!reduction.is(kernel::AxisReduction::full) && !reduction.is(kernel::AxisReduction::diagonal)) return;
  refuse("the kernel that is followed has one entry for each pair of samples", "--reduce", reduce,
         "trace, mean, sum or output=K");
}

/// Rows at most that the operator behind the rate bound is to have.
constexpr Index most_bound_rows = 10000;

/// Of inputs and labels.
std::uint64_t fingerprint_of(const data::DataSet& data) {
  Hash hash;
  hash.add(data.fingerprint);
  for (const Index label : *data.labels) hash.add(static_cast<std::uint64_t>(label));
  return hash.value();
}

/// One training run in one scalar type.
template <class T>
class Run {
 public:
  Run(const Loaded& loaded, const Loaded* test, Session& session, TrainResult& result)
      : spec_(result.requested),
        graph_(loaded.graph),
        session_(session),
        context_(session.context()),
        result_(result),
        loss_(spec_.loss, *loaded.graph),
        samples_(labelled_samples<T>(loaded, loss_)),
        trainer_(loaded.graph, loss_, samples_, options(), context_) {
    if (test != nullptr) test_ = labelled_samples<T>(*test, loss_);
    result_.loss = loss_.description();
    result_.precision = name_of(dtype_of<T>());
    std::vector<std::uint64_t> data = {fingerprint_of(loaded.data)};
    if (test != nullptr) data.push_back(fingerprint_of(test->data));
    settings_ = settings_of(result_, fingerprint(*graph_), data);
    session_.step("prepare");
  }

  void run(const BoundObserver& on_bound) {
    find_bound(on_bound);
    start_kernel();
    if (!resume()) look(true);
    while (trainer_.epoch() < spec_.epochs) {
      result_.divergence = trainer_.run_epoch();
      session_.add_to_step("training");
      if (result_.divergence) return;
      look(trainer_.epoch() == spec_.epochs);
      const bool last = trainer_.epoch() == spec_.epochs;
      if (spec_.checkpoint_every > 0 && (last || trainer_.epoch() % spec_.checkpoint_every == 0)) save();
    }
    write_weights();
  }

 private:
  train::TrainingOptions options() const {
    return {.optimizer = spec_.optimizer, .epochs = spec_.epochs, .batch_size = spec_.batch_size,
            .shuffle_seed = spec_.shuffle_seed};
  }

  void find_bound(const BoundObserver& on_bound) {
    if (spec_.bound_samples == 0) return;
    const Index most = std::max<Index>(1, most_bound_rows / loss_.classes());
    const auto numbers = spread(std::min(spec_.bound_samples, most), samples_.count());
    const double momentum = spec_.optimizer.method == train::Method::gd ? spec_.optimizer.momentum : 0;
    context_.report("bound of the learning rate", 0, 1);
    result_.bound = rate_bound(trainer_.program(), loss_, chosen(samples_, numbers), momentum, context_);
    session_.step("bound of the learning rate");
    if (on_bound) on_bound(*result_.bound);
  }

  Tensor<double> kernel() const {
    return small_kernel<T>(trainer_.program(), kernel_samples_.inputs, nullptr, loss_.of(), spec_.reduce, context_);
  }

  void start_kernel() {
    if (spec_.kernel_every == 0) return;
    kernel_samples_ = chosen(samples_, spread(spec_.kernel_samples, samples_.count()));
    motion_.emplace(kernel(), kernel_samples_.labels, spec_.top);
    result_.kernel = spec_.reduce + " of " + graph_->value(loss_.of()).name + " on " +
                     std::to_string(kernel_samples_.count()) + " training samples";
    session_.step("kernel");
  }

  /// Whether there was a checkpoint to go on from.
  bool resume() {
    const std::string path = spec_.checkpoint_path();
    if (!spec_.resume || !std::filesystem::exists(path)) return false;
    const train::Checkpoint checkpoint = train::read_checkpoint(path);
    train::check_settings(checkpoint, settings_, path);
    trainer_.restore(checkpoint, path);
    if (trainer_.epoch() > spec_.epochs) {
      refuse("the checkpoint is from a later epoch than the last one asked for", path, std::to_string(trainer_.epoch()),
             "--epochs " + std::to_string(trainer_.epoch()) + " or more");
    }
    restore_history(checkpoint, path, result_);
    result_.resumed_from = result_.last_checkpoint = trainer_.epoch();
    look(trainer_.epoch() == spec_.epochs);
    return true;
  }

  /// Whether a list has an entry for the epoch of the moment at its end.
  template <class Entry>
  bool has_moment(const std::vector<Entry>& entries) const {
    return !entries.empty() && entries.back().epoch == trainer_.epoch();
  }

  /// Scores and kernel of the moment, where it is time for them and they did not come from a checkpoint.
  void look(bool in_any_case) {
    const Index epoch = trainer_.epoch();
    if (!has_moment(result_.scores) && (in_any_case || epoch % spec_.evaluate_every == 0)) {
      EpochScore score{.epoch = epoch, .steps = trainer_.steps(), .train = trainer_.objective().score(), .test = {}};
      if (test_) score.test = train::Objective<T>(trainer_.program(), loss_, *test_, context_).score();
      result_.scores.push_back(score);
      session_.add_to_step("scores");
    }
    if (motion_ && !has_moment(result_.moments) && (in_any_case || epoch % spec_.kernel_every == 0)) {
      result_.moments.push_back(motion_->moment(epoch, kernel(), context_));
      session_.add_to_step("kernel");
    }
  }

  void save() {
    train::Checkpoint checkpoint = trainer_.checkpoint(settings_);
    for (auto& entry : history_arrays(result_)) checkpoint.state.push_back(std::move(entry));
    train::write_checkpoint(spec_.checkpoint_path(), checkpoint);
    result_.last_checkpoint = trainer_.epoch();
    session_.add_to_step("checkpoints");
  }

  void write_weights() {
    const auto arrays = trainer_.parameters();
    if (spec_.out.empty()) {
      for (const auto& [name, array] : arrays) result_.weights.push_back({name, array});
      return;
    }
    context_.check_cancelled();
    Graph trained = *graph_;
    for (std::size_t p = 0; p < arrays.size(); ++p) trained.parameters[p].data = arrays[p].second;
    load::write_weights(trained, spec_.out);
    result_.out = spec_.out;
    session_.step("write");
  }

  const TrainSpec& spec_;
  std::shared_ptr<const Graph> graph_;
  Session& session_;
  const Context& context_;
  TrainResult& result_;
  train::Loss loss_;
  train::Samples<T> samples_;
  std::optional<train::Samples<T>> test_;
  train::Trainer<T> trainer_;
  train::Samples<T> kernel_samples_;
  std::optional<KernelMotion> motion_;
  std::map<std::string, std::string> settings_;
};

}  // namespace

void TrainSpec::validate() const {
  model.validate();
  optimizer.validate();
  require_count(epochs, 1, "--epochs");
  require_count(batch_size, 0, "--batch-size");
  require_count(evaluate_every, 1, "--evaluate-every");
  require_count(kernel_every, 0, "--kernel-every");
  require_count(kernel_samples, 2, "--kernel-samples");
  require_count(top, 0, "--top");
  require_count(bound_samples, 0, "--bound-samples");
  require_count(checkpoint_every, 0, "--checkpoint-every");
  if (kernel_every > 0) check_kernel_reduction(reduce);
  if (out.empty() && (checkpoint_every > 0 || resume)) {
    refuse("checkpoints lie beside the weights, and no file is given for them", resume ? "--resume" : "--checkpoint-every", {},
           "-o W.safetensors");
  }
  const ExistingFile may = resume ? ExistingFile::replace : existing;
  check_out(out, may, {".safetensors", ".npz"});
  if (checkpoint_every > 0) check_out(checkpoint_path(), may, {".safetensors"});
}

std::string TrainSpec::checkpoint_path() const {
  if (out.empty()) return {};
  return std::filesystem::path(out).replace_extension(".checkpoint.safetensors").string();
}

TrainResult run_train(const TrainSpec& spec, const Caller& caller, const BoundObserver& on_bound) {
  spec.validate();
  Session session(spec.resources, caller);
  const Loaded loaded = load(spec.model, spec.data);
  std::optional<Loaded> test;
  if (spec.test) test = load_second(loaded, *spec.test);
  session.step("load");
  TrainResult result;
  result.requested = spec;
  result.model = loaded.model;
  result.data = loaded.summary;
  if (test) result.test = test->summary;
  const auto work = [&]<class T>(T) { Run<T>(loaded, test ? &*test : nullptr, session, result).run(on_bound); };
  if (compute_type(spec.precision, *loaded.graph) == DType::float64) work(double{});
  else work(float{});
  std::vector<std::uint64_t> data = {loaded.data.fingerprint};
  if (test) data.push_back(test->data.fingerprint);
  result.provenance = session.provenance(fingerprint(*loaded.graph), std::move(data));
  return result;
}

}  // namespace tangra::run
