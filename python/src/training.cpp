#include "tangra/run/training.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "runs.h"
#include "running.h"

namespace tangra::python {
namespace {

train::LossKind loss_of(const std::string& text) {
  return choose<train::LossKind>(text, "loss", {{"mse", train::LossKind::mse}, {"cross-entropy", train::LossKind::cross_entropy}});
}

nb::tuple linearise(const Model& model, const Given& x, const Given& labels, const Given& x_test, const Given& test_labels,
                    const std::string& loss, double rate, Index steps, Index points, const std::string& precision,
                    std::size_t memory, int threads, const nb::object& progress) {
  run::LineariseSpec spec;
  spec.model = model.spec();
  spec.data = data_of(x, "x", labels, "y");
  spec.test = data_of(x_test, "x_test", test_labels, "y_test");
  spec.loss = loss_of(loss);
  spec.rate = rate;
  spec.steps = steps;
  spec.points = points;
  spec.precision = precision_of(precision);
  spec.resources = resources(memory, threads);
  const run::LineariseResult result =
      watched(progress, [&](const run::Caller& caller) { return run::run_linearise(spec, caller); });
  return arrays_json_and_table(result.arrays, result);
}

train::OptimizerSpec optimizer_of(const std::string& name, double rate, double momentum) {
  return {.method = choose<train::Method>(name, "optimizer", {{"gd", train::Method::gd}, {"adam", train::Method::adam}}),
          .rate = rate, .momentum = momentum};
}

/// The weights at the end by name, which become the model's own where training went well.
nb::tuple train(const Model& model, const Given& x, const Given& labels, const OptionalArray& x_test,
                const OptionalArray& test_labels, const std::string& loss, const std::string& optimizer, double rate,
                double momentum, Index epochs, Index batch_size, std::uint64_t shuffle_seed, Index evaluate_every,
                Index kernel_every, Index kernel_samples, const std::string& reduce, const std::string& precision,
                std::size_t memory, int threads, const nb::object& progress) {
  run::TrainSpec spec;
  spec.model = model.spec();
  spec.data = data_of(x, "x", labels, "y");
  if (x_test) spec.test = data_of(*x_test, "x_test", test_labels, "y_test");
  spec.loss = loss_of(loss);
  spec.optimizer = optimizer_of(optimizer, rate, momentum);
  spec.epochs = epochs;
  spec.batch_size = batch_size;
  spec.shuffle_seed = shuffle_seed;
  spec.evaluate_every = evaluate_every;
  spec.kernel_every = kernel_every;
  spec.kernel_samples = kernel_samples;
  spec.reduce = reduce;
  spec.precision = precision_of(precision);
  spec.resources = resources(memory, threads);
  const run::TrainResult result =
      watched(progress, [&](const run::Caller& caller) { return run::run_train(spec, caller); });
  return arrays_json_and_table(result.weights, result);
}

}  // namespace

void bind_training(nb::module_& module) {
  module.def("linearise", &linearise, nb::arg("model"), nb::arg("x"), nb::arg("labels"), nb::arg("x_test"),
             nb::arg("test_labels"), nb::kw_only(), nb::arg("loss"), nb::arg("rate"), nb::arg("steps"), nb::arg("points"),
             nb::arg("precision"), nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
  module.def("train", &train, nb::arg("model"), nb::arg("x"), nb::arg("labels"), nb::arg("x_test").none(),
             nb::arg("test_labels").none(), nb::kw_only(), nb::arg("loss"), nb::arg("optimizer"), nb::arg("rate"),
             nb::arg("momentum"), nb::arg("epochs"), nb::arg("batch_size"), nb::arg("shuffle_seed"), nb::arg("evaluate_every"),
             nb::arg("kernel_every"), nb::arg("kernel_samples"), nb::arg("reduce"), nb::arg("precision"), nb::arg("memory"),
             nb::arg("threads"), nb::arg("progress").none());
}

}  // namespace tangra::python
