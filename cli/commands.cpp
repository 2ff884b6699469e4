#include "commands.h"

#include <memory>

#include "data_sets.h"
#include "progress.h"
#include "signals.h"
#include "tangra/base/error.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/report/html.h"
#include "tangra/report/json.h"
#include "tangra/report/terminal.h"
#include "tangra/run/run.h"
#include "terminal.h"

namespace tangra::cli {
namespace {

constexpr int done = 0;
constexpr int numerics_failed = 5;

/// Runs one command with a progress line, which is gone when the result is written.
template <class Run>
auto with_progress(const Options& options, const Run& run) {
  const auto progress = options.progress ? std::make_unique<ProgressLine>() : nullptr;
  return run(run::Caller{.progress = progress.get(), .cancelled = &cancelled()});
}

template <class Result>
void deliver(const Result& result, const Options& options) {
  write_standard_output(options.json ? report::json(result)
                                     : report::terminal(result, standard_output_style()));
}

/// Tells before the first step of gradient descent that its learning rate is too large.
run::BoundObserver warn_of_rate(const run::TrainSpec& spec) {
  return [spec](const run::RateBound& bound) {
    if (spec.optimizer.method != train::Method::gd || spec.optimizer.rate <= bound.bound) return;
    write_standard_error("tangra: warning: --lr " + std::to_string(spec.optimizer.rate) +
                         " is above the bound of stability, " + std::to_string(bound.bound) + "\n");
  };
}

class Executor {
 public:
  explicit Executor(const Options& options) : options_(options) {}

  int operator()(const run::SummarySpec& spec) const { return delivered(run::run_summary(spec)); }
  int operator()(const run::JacobianSpec& spec) const {
    return delivered(
        with_progress(options_, [&](const run::Caller& caller) { return run::run_jacobian(spec, caller); }));
  }
  int operator()(const run::ProductSpec& spec) const {
    return delivered(
        with_progress(options_, [&](const run::Caller& caller) { return run::run_product(spec, caller); }));
  }
  int operator()(const run::KernelSpec& spec) const {
    spec.validate();
    report::check_beside(spec);
    const auto result =
        with_progress(options_, [&](const run::Caller& caller) { return run::run_kernel(spec, caller); });
    report::write_beside(result);
    return delivered(result);
  }
  int operator()(const PlanRequest& request) const {
    return delivered(with_progress(
        options_, [&](const run::Caller& caller) { return run::run_plan(request.spec, caller); }));
  }
  int operator()(const run::VerifySpec& spec) const {
    const auto result =
        with_progress(options_, [&](const run::Caller& caller) { return run::run_verify(spec, caller); });
    deliver(result, options_);
    if (result.result.agree) return done;
    write_standard_error("tangra: the methods do not agree: " + harmless(result.result.first_failure) + "\n");
    return numerics_failed;
  }
  int operator()(const run::SpectrumSpec& spec) const {
    const auto result =
        with_progress(options_, [&](const run::Caller& caller) { return run::run_spectrum(spec, caller); });
    deliver(result, options_);
    return result.spectrum.converged ? done : not_converged(result.spectrum.message);
  }
  int operator()(const run::TrainSpec& spec) const {
    const auto result = with_progress(
        options_, [&](const run::Caller& caller) { return run::run_train(spec, caller, warn_of_rate(spec)); });
    deliver(result, options_);
    return exit_code_of(result.divergence);
  }
  int operator()(const run::LineariseSpec& spec) const {
    const auto result =
        with_progress(options_, [&](const run::Caller& caller) { return run::run_linearise(spec, caller); });
    deliver(result, options_);
    return exit_code_of(result.divergence);
  }
  int operator()(const run::PredictSpec& spec) const {
    const auto result =
        with_progress(options_, [&](const run::Caller& caller) { return run::run_predict(spec, caller); });
    deliver(result, options_);
    return result.converged ? done : not_converged(result.message);
  }
  int operator()(const run::InfiniteSpec& spec) const {
    return delivered(
        with_progress(options_, [&](const run::Caller& caller) { return run::run_infinite(spec, caller); }));
  }
  int operator()(const run::ReportSpec& spec) const {
    const auto result =
        with_progress(options_, [&](const run::Caller& caller) { return run::run_report(spec, caller); });
    if (!spec.out.empty()) {
      formats::AtomicFile file(spec.out);
      file.append(std::string_view(report::html(result)));
      file.commit();
    }
    return delivered(result);
  }
  int operator()(const DataListRequest& request) const { return delivered(list_data_sets(request)); }
  int operator()(const DataShowRequest& request) const { return delivered(show_data_set(request)); }

 private:
  static int not_converged(const std::string& message) {
    write_standard_error("tangra: not converged: " + harmless(message) + "\n");
    return numerics_failed;
  }
  static int exit_code_of(const std::optional<train::Divergence>& divergence) {
    if (!divergence) return done;
    write_standard_error("tangra: training diverged in step " + std::to_string(divergence->step) + ": " + divergence->what +
                         "; take a smaller --lr\n");
    return numerics_failed;
  }

  template <class Result>
  int delivered(const Result& result) const {
    deliver(result, options_);
    return done;
  }

  const Options& options_;
};

}  // namespace

int execute(const Options& options) {
  return std::visit(Executor(options), options.request);
}

}  // namespace tangra::cli
