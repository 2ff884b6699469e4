#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "tangra/analysis/linearised.h"
#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"
#include "tangra/run/session.h"
#include "tangra/run/kernel/small_kernel.h"

namespace tangra::run {
namespace {

/// The share of the bound that the learning rate has where none is given.
constexpr double small_share = 0.1;

/// 0, 1, .. in equal ratios to `last`: at most `points` different steps.
std::vector<Index> steps_to_compare(Index last, Index points) {
  std::set<Index> steps = {0, last};
  for (Index k = 0; k + 1 < points; ++k) {
    const double exponent = points > 2 ? static_cast<double>(k) / static_cast<double>(points - 2) : 0;
    steps.insert(std::llround(std::pow(static_cast<double>(last), exponent)));
  }
  return {steps.begin(), steps.end()};
}

/// sqrt(sum_i |a_i - b_i|^2 / N), a and b: [N, O].
double rms_distance(const Tensor<double>& a, const Tensor<double>& b) {
  double sum = 0;
  for (Index e = 0; e < a.size(); ++e) sum += (a[e] - b[e]) * (a[e] - b[e]);
  return std::sqrt(sum / static_cast<double>(a.shape()[0]));
}

/// |a - b| / |b|, the norms over all arrays.
double relative_distance(const formats::NamedArrays& a, const formats::NamedArrays& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const Tensor<double> of_a = a[k].second.converted<double>();
    const Tensor<double> of_b = b[k].second.converted<double>();
    for (Index e = 0; e < of_a.size(); ++e) {
      difference += (of_a[e] - of_b[e]) * (of_a[e] - of_b[e]);
      norm += of_b[e] * of_b[e];
    }
  }
  return std::sqrt(difference / norm);
}

train::Score score_of(const train::Loss& loss, const Tensor<double>& outputs, const std::vector<Index>& labels) {
  train::Score score{.loss_sum = 0, .correct = 0, .samples = outputs.shape()[0]};
  const auto classes = static_cast<std::size_t>(loss.classes());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto outcome = loss(outputs.span().subspan(i * classes, classes), labels[i], {});
    score.loss_sum += outcome.loss;
    score.correct += outcome.correct ? 1 : 0;
  }
  return score;
}

Tensor<double> one_hot(const std::vector<Index>& labels, Index classes) {
  Tensor<double> targets({static_cast<Index>(labels.size()), classes});
  for (std::size_t i = 0; i < labels.size(); ++i) targets[static_cast<Index>(i) * classes + labels[i]] = 1;
  return targets;
}

/// One comparison in one scalar type of the network.
template <class T>
class Comparison {
 public:
  Comparison(const Loaded& loaded, const Loaded& test, Session& session, LineariseResult& result)
      : spec_(result.requested),
        graph_(loaded.graph),
        session_(session),
        context_(session.context()),
        result_(result),
        loss_(spec_.loss, *loaded.graph),
        samples_(labelled_samples<T>(loaded, loss_)),
        test_(labelled_samples<T>(test, loss_)),
        program_(loaded.graph, context_),
        steps_(steps_to_compare(spec_.steps, spec_.points)) {
    if (spec_.loss == train::LossKind::cross_entropy && !loss_.takes_logits()) {
      throw Error(ErrorKind::unsupported,
                  {.what = "linearised log-probabilities are no log-probabilities any more", .where = "MODEL",
                   .got = "a network that ends in log-softmax", .expected = "one that ends in logits or softmax",
                   .cure = "Leave the log-softmax out: the loss is the same"});
    }
    result_.loss = loss_.description();
    result_.precision = name_of(dtype_of<T>());
  }

  void run() {
    result_.bound = rate_bound(program_, loss_, samples_, 0, context_);
    result_.rate = spec_.rate > 0 ? spec_.rate : small_share * result_.bound.bound;
    session_.step("bound of the learning rate");
    start_ = outputs_of(program_, samples_);
    start_test_ = outputs_of(program_, test_);
    kernel_ = small_kernel<T>(program_, samples_.inputs, nullptr, loss_.of(), "full", context_);
    session_.step("kernel");
    train_linearised();
    train_network();
    summarise();
    write();
  }

 private:
  Index samples() const { return samples_.count(); }
  Index outputs() const { return loss_.classes(); }
  Index rows() const { return samples() * outputs(); }

  Tensor<double> outputs_of(const differentiate::Program<T>& program, const train::Samples<T>& samples) const {
    return train::Objective<T>(program, loss_, samples, context_).outputs();
  }

  void train_linearised() {
    context_.report("linearised training", 0, 1);
    const Tensor<double> targets = one_hot(samples_.labels, outputs());
    if (spec_.loss == train::LossKind::mse) {
      Tensor<double> copy = kernel_.clone();
      const analysis::LinearisedSquares squares(matrix(copy.data(), rows(), rows()), matrix(start_.data(), rows(), 1),
                                                matrix(targets.data(), rows(), 1), samples(), context_);
      for (const Index step : steps_) states_.push_back(squares.descent(result_.rate, step, context_));
    } else {
      const linalg::MatrixOperator k(matrix<const double>(kernel_.data(), rows(), rows()), true);
      states_ = analysis::cross_entropy_descent(k, matrix(start_.data(), samples(), outputs()),
                                                matrix(targets.data(), samples(), outputs()), result_.rate, steps_, context_)
                    .states;
    }
    cross_ = small_kernel<T>(program_, test_.inputs, &samples_.inputs, loss_.of(), "full", context_);
    session_.step("linearised training");
  }

  /// f_0 + k a on the test samples.
  Tensor<double> linearised_test(const analysis::LinearisedState& state) const {
    Tensor<double> result = start_test_.clone();
    const Index test_rows = test_.count() * outputs();
    linalg::gemm<double>(context_, linalg::Engine::fast, matrix<const double>(cross_.data(), test_rows, rows()),
                         matrix<const double>(state.weights.data(), rows(), 1), true, matrix(result.data(), test_rows, 1));
    return result;
  }

  LinearisedView view_of(const Tensor<double>& network, const Tensor<double>& linearised, const Tensor<double>& start,
                         const std::vector<Index>& labels) const {
    return {.network = score_of(loss_, network, labels), .linearised = score_of(loss_, linearised, labels),
            .distance = rms_distance(network, linearised), .moved = rms_distance(linearised, start)};
  }

  void compare(std::size_t place, const differentiate::Program<T>& program) {
    Tensor<double> on_train = Tensor<double>::uninitialized(start_.shape());
    std::ranges::copy(states_[place].outputs, on_train.begin());
    const Tensor<double> on_test = linearised_test(states_[place]);
    const Tensor<double> network = outputs_of(program, samples_);
    const Tensor<double> network_test = outputs_of(program, test_);
    result_.moments.push_back({.step = steps_[place], .time = result_.rate * static_cast<double>(steps_[place]),
                               .train = view_of(network, on_train, start_, samples_.labels),
                               .test = view_of(network_test, on_test, start_test_, test_.labels)});
    keep(0, network);
    keep(1, on_train);
    keep(2, network_test);
    keep(3, on_test);
  }

  void keep(std::size_t which, const Tensor<double>& outputs) {
    kept_[which].insert(kept_[which].end(), outputs.begin(), outputs.end());
  }

  void train_network() {
    const train::TrainingOptions options{.optimizer = {.method = train::Method::gd, .rate = result_.rate},
                                         .epochs = spec_.steps};
    train::Trainer<T> trainer(graph_, loss_, samples_, options, context_);
    const auto before = trainer.parameters();
    for (std::size_t place = 0; place < steps_.size(); ++place) {
      while (trainer.epoch() < steps_[place]) {
        result_.divergence = trainer.run_epoch();
        if (result_.divergence) return;
      }
      compare(place, trainer.program());
    }
    result_.parameter_distance = relative_distance(trainer.parameters(), before);
    session_.step("training");
    const auto last = small_kernel<T>(trainer.program(), samples_.inputs, nullptr, loss_.of(), "full", context_);
    result_.kernel_distance = relative_distance({{"", Array(last)}}, {{"", Array(kernel_)}});
    session_.step("kernel at the end");
  }

  void summarise() {
    for (const LinearisedMoment& moment : result_.moments) {
      result_.largest_distance = std::max(result_.largest_distance, moment.train.distance);
      result_.largest_distance_test = std::max(result_.largest_distance_test, moment.test.distance);
    }
  }

  void write() {
    if (result_.divergence) return;
    std::vector<NamedArray> arrays;
    Tensor<std::int64_t> steps({static_cast<Index>(steps_.size())});
    std::ranges::copy(steps_, steps.begin());
    arrays.push_back({"steps", Array(std::move(steps))});
    const char* const names[] = {"network:train", "linearised:train", "network:test", "linearised:test"};
    for (std::size_t k = 0; k < kept_.size(); ++k) {
      const Index count = k < 2 ? samples() : test_.count();
      Tensor<double> entries({static_cast<Index>(steps_.size()), count, outputs()});
      std::ranges::copy(kept_[k], entries.begin());
      arrays.push_back({names[k], Array(std::move(entries))});
    }
    if (spec_.out.empty()) {
      result_.arrays = std::move(arrays);
      return;
    }
    context_.check_cancelled();
    write_arrays(spec_.out, arrays);
    result_.out = spec_.out;
    session_.step("write");
  }

  const LineariseSpec& spec_;
  std::shared_ptr<const Graph> graph_;
  Session& session_;
  const Context& context_;
  LineariseResult& result_;
  train::Loss loss_;
  train::Samples<T> samples_;
  train::Samples<T> test_;
  differentiate::Program<T> program_;  ///< at the first parameters
  std::vector<Index> steps_;
  Tensor<double> start_;       ///< [N, O]
  Tensor<double> start_test_;  ///< [M, O]
  Tensor<double> kernel_;      ///< [N, O, N, O]
  Tensor<double> cross_;       ///< [M, O, N, O]
  std::vector<analysis::LinearisedState> states_;
  std::array<std::vector<double>, 4> kept_;  ///< outputs at all steps: of both, on both sets
};

}  // namespace

void LineariseSpec::validate() const {
  model.validate();
  const auto require = [](bool holds, const char* option, const std::string& got, const char* expected) {
    if (holds) return;
    throw Error(ErrorKind::usage, {.what = "this number is out of its range", .where = option, .got = got,
                                   .expected = expected, .cure = {}});
  };
  require(std::isfinite(rate) && rate >= 0, "--lr", std::to_string(rate), "a positive number");
  require(steps >= 1, "--steps", std::to_string(steps), "1 or more");
  require(points >= 2, "--points", std::to_string(points), "2 or more");
  check_out(out, existing, {".npz"});
}

LineariseResult run_linearise(const LineariseSpec& spec, const Caller& caller) {
  spec.validate();
  Session session(spec.resources, caller);
  const Loaded loaded = load(spec.model, spec.data);
  const Loaded test = load_second(loaded, spec.test);
  session.step("load");
  LineariseResult result;
  result.requested = spec;
  result.model = loaded.model;
  result.data = loaded.summary;
  result.test = test.summary;
  if (compute_type(spec.precision, *loaded.graph) == DType::float64) Comparison<double>(loaded, test, session, result).run();
  else Comparison<float>(loaded, test, session, result).run();
  result.provenance = session.provenance(fingerprint(*loaded.graph), {loaded.data.fingerprint, test.data.fingerprint});
  return result;
}

}  // namespace tangra::run
