#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "runs.h"
#include "running.h"

namespace tangra::python {
namespace {

struct SpectrumChoices {
  Index top = 0;
  bool vectors = false;
  bool density = false;
  bool without_matrix = false;
  double tolerance = 0;
};

/// The eigenvectors, (eigenvalues, rows), where they were asked for and computed.
nb::tuple spectrum_of(run::SpectrumSpec& spec, const SpectrumChoices& choices, const nb::object& progress) {
  spec.top = choices.top;
  spec.vectors = choices.vectors;
  spec.density = choices.density;
  spec.without_matrix = choices.without_matrix;
  spec.tolerance = choices.tolerance;
  run::SpectrumResult result =
      watched(progress, [&](const run::Caller& caller) { return run::run_spectrum(spec, caller); });
  std::vector<run::NamedArray> arrays;
  if (result.spectrum.vectors.size() > 0) arrays.push_back({"eigenvectors", Array(std::move(result.spectrum.vectors))});
  return arrays_json_and_table(arrays, result);
}

nb::tuple spectrum(const OptionalArray& kernel, const std::string& path, double relative_error, const OptionalArray& labels,
                   Index top, bool vectors, bool density, double tolerance, std::size_t memory, int threads,
                   const nb::object& progress) {
  run::SpectrumSpec spec;
  spec.kernel = kernel ? "the kernel" : path;
  if (kernel) spec.kernel_array = lent_by_python(*kernel, "kernel");
  spec.relative_error = relative_error;
  if (labels) {
    spec.labels_file = "labels";
    spec.labels_array = from_python(*labels, "labels");
  }
  spec.resources = resources(memory, threads);
  return spectrum_of(spec, {.top = top, .vectors = vectors, .density = density, .tolerance = tolerance}, progress);
}

nb::tuple network_spectrum(const Model& model, const Given& x, const OptionalArray& labels, const std::string& reduce,
                           const OptionalArray& basis, const std::string& space, Index top, bool vectors, bool density,
                           bool without_matrix, double tolerance, const std::string& precision, std::size_t memory,
                           int threads, const nb::object& progress) {
  run::SpectrumSpec spec;
  run::KernelSpec kernel = kernel_spec(model, x, std::nullopt, reduce, basis, precision, memory, threads);
  kernel.data = data_of(x, "x", labels, "labels");
  kernel.space = choose<run::Space>(space, "space", {{"samples", run::Space::samples}, {"parameters", run::Space::parameters}});
  spec.resources = kernel.resources;
  spec.from_model = std::move(kernel);
  return spectrum_of(spec, {.top = top, .vectors = vectors, .density = density, .without_matrix = without_matrix,
                            .tolerance = tolerance}, progress);
}

nb::tuple predict(const Model& model, const Given& x, const OptionalArray& labels, const OptionalArray& targets,
                  const Given& x_test, const OptionalArray& test_labels, const std::string& reduce,
                  const std::vector<double>& ridges, const std::string& prior, const std::string& solver, bool variance,
                  const std::string& precision, std::size_t memory, int threads, const nb::object& progress) {
  run::PredictSpec spec;
  spec.model = model.spec();
  spec.train = data_of(x, "x", labels, "y");
  spec.test = data_of(x_test, "x_test", test_labels, "y_test");
  if (targets) {
    spec.targets = "y";
    spec.targets_array = from_python(*targets, "y");
  }
  spec.reduce = reduce;
  spec.ridges = ridges;
  spec.prior = choose<run::PriorMean>(prior, "prior", {{"zero", run::PriorMean::zero}, {"network", run::PriorMean::network}});
  spec.solver = choose<run::Solver>(solver, "solver", {{"auto", run::Solver::automatic},
                                                       {"cholesky", run::Solver::cholesky},
                                                       {"cg", run::Solver::conjugate_gradients}});
  spec.variance = variance;
  spec.precision = precision_of(precision);
  spec.resources = resources(memory, threads);
  const run::PredictResult result =
      watched(progress, [&](const run::Caller& caller) { return run::run_predict(spec, caller); });
  return arrays_json_and_table(result.arrays, result);
}

nb::tuple infinite(const Model& model, const Given& x, const OptionalArray& x2, const std::string& kind, bool compare,
                   const std::vector<Index>& widths, Index seeds, std::size_t memory, int threads, const nb::object& progress) {
  run::InfiniteSpec spec;
  spec.model = model.spec();
  spec.data = data_of(x, "x");
  if (x2) spec.data2 = data_of(*x2, "x2");
  spec.kind = choose<run::InfiniteKind>(kind, "kind", {{"ntk", run::InfiniteKind::ntk}, {"nngp", run::InfiniteKind::nngp}});
  spec.compare = compare;
  spec.widths = widths;
  spec.seeds = seeds;
  spec.resources = resources(memory, threads);
  const run::InfiniteResult result =
      watched(progress, [&](const run::Caller& caller) { return run::run_infinite(spec, caller); });
  return arrays_json_and_table(result.arrays, result);
}

}  // namespace

void bind_answers(nb::module_& module) {
  module.def("spectrum", &spectrum, nb::arg("kernel").none(), nb::kw_only(), nb::arg("path"), nb::arg("relative_error"),
             nb::arg("labels").none(), nb::arg("top"), nb::arg("vectors"), nb::arg("density"), nb::arg("tolerance"),
             nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
  module.def("network_spectrum", &network_spectrum, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("labels").none(),
             nb::arg("reduce"), nb::arg("basis").none(), nb::arg("space"), nb::arg("top"), nb::arg("vectors"),
             nb::arg("density"), nb::arg("without_matrix"), nb::arg("tolerance"), nb::arg("precision"), nb::arg("memory"),
             nb::arg("threads"), nb::arg("progress").none());
  module.def("predict", &predict, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("labels").none(),
             nb::arg("targets").none(), nb::arg("x_test"), nb::arg("test_labels").none(), nb::arg("reduce"), nb::arg("ridges"),
             nb::arg("prior"), nb::arg("solver"), nb::arg("variance"), nb::arg("precision"), nb::arg("memory"),
             nb::arg("threads"), nb::arg("progress").none());
  module.def("infinite", &infinite, nb::arg("model"), nb::arg("x"), nb::arg("x2").none(), nb::kw_only(), nb::arg("kind"),
             nb::arg("compare"), nb::arg("widths"), nb::arg("seeds"), nb::arg("memory"), nb::arg("threads"),
             nb::arg("progress").none());
}

}  // namespace tangra::python
