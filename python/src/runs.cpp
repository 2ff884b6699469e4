#include "runs.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <filesystem>

#include "kernel_options.h"
#include "tangra/base/error.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/report/json.h"
#include "tangra/report/terminal.h"
#include "tangra/run/run.h"
#include "watch.h"

namespace tangra::python {
namespace {

template <class T>
T choose(const std::string& text, const char* argument, std::initializer_list<std::pair<const char*, T>> choices) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (text == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw Error(ErrorKind::usage, {.what = "there is no such choice", .where = argument, .got = text,
                                 .expected = "one of " + names, .cure = {}});
}

nb::dict to_dict(const std::vector<run::NamedArray>& arrays) {
  nb::dict result;
  for (const run::NamedArray& one : arrays) result[one.name.c_str()] = to_numpy(one.array);
  return result;
}

/// run(spec, caller) under watch().
template <class Spec, class Result>
Result watched(Result (*run)(const Spec&, const run::Caller&), const Spec& spec, nb::handle progress) {
  std::atomic<bool> cancelled{false};
  Result result;
  watch(progress, cancelled, [&](const run::Caller& caller) { result = run(spec, caller); });
  return result;
}

/// Python holds other things, too: a budget is for what a run takes itself.
run::Resources resources(std::size_t memory, int threads) {
  return {.threads = threads, .memory = memory, .whole_process = false};
}

/// The arrays by name, and the description as `--json` gives it.
template <class Result>
nb::tuple arrays_and_json(const Result& result) {
  return nb::make_tuple(to_dict(result.arrays), report::json(result));
}

/// The description and, as the program prints it, the table.
template <class Result>
nb::tuple json_and_table(const Result& result) {
  return nb::make_tuple(report::json(result), report::terminal(result, {}));
}

nb::tuple outputs(const Model& model, const Given& x, const std::string& of, const std::string& precision, std::size_t memory,
                  int threads, const nb::object& progress) {
  const run::OutputsSpec spec{.model = model.spec(), .data = data_of(x, "x"), .of = of, .precision = precision_of(precision),
                              .resources = resources(memory, threads)};
  return arrays_and_json(watched(run::run_outputs, spec, progress));
}

nb::tuple jacobian(const Model& model, const Given& x, const std::vector<std::string>& wrt, const std::string& of,
                   const std::string& layout, const std::string& input_form, const std::string& precision, std::size_t memory,
                   int threads, const nb::object& progress) {
  run::JacobianSpec spec;
  spec.model = model.spec();
  spec.data = data_of(x, "x");
  spec.wrt = wrt;
  spec.of = of;
  spec.layout = choose<run::JacobianLayout>(
      layout, "layout", {{"dense", run::JacobianLayout::dense}, {"structured", run::JacobianLayout::structured}});
  spec.input_form = choose<run::InputForm>(
      input_form, "input_form",
      {{"blocks", run::InputForm::blocks}, {"full", run::InputForm::full}, {"summed", run::InputForm::summed}});
  spec.precision = precision_of(precision);
  spec.resources = resources(memory, threads);
  return arrays_and_json(watched(run::run_jacobian, spec, progress));
}

/// directions: tangents by name (jvp), or cotangents under the name "cotangents" (vjp).
nb::tuple product(const Model& model, const Given& x, bool forward, const nb::dict& directions, const std::string& precision,
                  std::size_t memory, int threads, const nb::object& progress) {
  run::ProductSpec spec;
  spec.model = model.spec();
  spec.data = data_of(x, "x");
  spec.forward = forward;
  spec.directions = forward ? "tangents" : "cotangents";
  for (const auto& [key, value] : directions) {
    const auto name = nb::cast<std::string>(key);
    spec.direction_arrays.push_back({name, from_python(nb::cast<Given>(value), name.c_str())});
  }
  spec.precision = precision_of(precision);
  spec.resources = resources(memory, threads);
  return arrays_and_json(watched(run::run_product, spec, progress));
}

struct KernelChoices {
  std::string by, pairs, space, conjugate, method, out, existing, triangle;
};

void choose_kernel(run::KernelSpec& spec, const KernelChoices& choices) {
  spec.by = choose<run::By>(choices.by, "by",
                            {{"total", run::By::total}, {"layer", run::By::layer}, {"parameter", run::By::parameter}});
  spec.pairs = choose<run::Pairs>(choices.pairs, "pairs", {{"all", run::Pairs::all}, {"self", run::Pairs::self}});
  spec.space = choose<run::Space>(choices.space, "space",
                                  {{"samples", run::Space::samples}, {"parameters", run::Space::parameters}});
  spec.method = choose<run::Method>(choices.method, "method", {{"auto", run::Method::automatic},
                                                               {"structured", run::Method::structured},
                                                               {"jacobian", run::Method::jacobian},
                                                               {"product", run::Method::product}});
  spec.conjugate = choices.conjugate;
  spec.out = choices.out;
  spec.existing = choose<run::ExistingFile>(choices.existing, "existing", {{"refuse", run::ExistingFile::refuse},
                                                                           {"replace", run::ExistingFile::replace},
                                                                           {"resume", run::ExistingFile::resume}});
  spec.triangle = choose<run::Triangle>(choices.triangle, "triangle", {{"auto", run::Triangle::automatic},
                                                                       {"lower", run::Triangle::lower},
                                                                       {"full", run::Triangle::full}});
}

nb::tuple kernel(const Model& model, const Given& x, const OptionalArray& x2, const std::string& reduce,
                 const OptionalArray& basis, const std::string& by, const std::string& pairs, const std::string& space,
                 const std::string& conjugate, const std::string& method, const std::string& precision, const std::string& out,
                 const std::string& existing, const std::string& triangle, std::size_t memory, int threads,
                 const nb::object& progress) {
  run::KernelSpec spec = kernel_spec(model, x, x2, reduce, basis, precision, memory, threads);
  choose_kernel(spec, {.by = by, .pairs = pairs, .space = space, .conjugate = conjugate, .method = method, .out = out,
                       .existing = existing, .triangle = triangle});
  const run::KernelResult result = watched(run::run_kernel, spec, progress);
  const std::string description = report::json(result);
  const bool nothing_done = result.resumed && result.resumed->found == result.resumed->tiles;
  if (!result.out.empty() && !(nothing_done && std::filesystem::exists(result.out + ".json"))) {
    formats::AtomicFile file(result.out + ".json");
    file.append(std::string_view(description));
    file.commit();
  }
  return nb::make_tuple(to_dict(result.arrays), description);
}

nb::tuple verify(const Model& model, const Given& x, const std::string& reduce, const std::string& precision, std::size_t memory,
                 int threads, const nb::object& progress) {
  run::VerifySpec spec{.model = model.spec(), .data = data_of(x, "x"), .reduce = reduce, .precision = precision_of(precision),
                       .resources = resources(memory, threads)};
  if (x.ndim() > 0) spec.data.n = static_cast<Index>(x.shape(0));
  return json_and_table(watched(run::run_verify, spec, progress));
}

nb::tuple spectrum(const OptionalArray& kernel, const std::string& path, double relative_error, std::size_t memory, int threads, const nb::object& progress) {
  run::SpectrumSpec spec;
  spec.kernel = kernel ? "the kernel" : path;
  if (kernel) spec.kernel_array = from_python(*kernel, "kernel");
  spec.relative_error = relative_error;
  spec.resources = resources(memory, threads);
  return json_and_table(watched(run::run_spectrum, spec, progress));
}

}  // namespace

data::DataSpec data_of(const Given& x, const char* name) { return {.source = name, .array = from_python(x, name)}; }

run::Precision precision_of(const std::string& text) {
  return choose<run::Precision>(text, "precision", {{"auto", run::Precision::automatic},
                                                    {"float32", run::Precision::float32},
                                                    {"float64", run::Precision::float64}});
}

run::KernelSpec kernel_spec(const Model& model, const Given& x, const OptionalArray& x2, const std::string& reduce,
                            const OptionalArray& basis, const std::string& precision, std::size_t memory, int threads) {
  run::KernelSpec spec;
  spec.model = model.spec();
  spec.data = data_of(x, "x");
  if (x2) spec.data2 = data_of(*x2, "x2");
  spec.reduce = reduce;
  if (basis) {
    spec.basis = "basis";
    spec.basis_array = from_python(*basis, "basis");
  }
  spec.precision = precision_of(precision);
  spec.resources = resources(memory, threads);
  return spec;
}

void bind_runs(nb::module_& module) {
  module.def("outputs", &outputs, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("of"), nb::arg("precision"),
             nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
  module.def("jacobian", &jacobian, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("wrt"), nb::arg("of"),
             nb::arg("layout"), nb::arg("input_form"), nb::arg("precision"), nb::arg("memory"), nb::arg("threads"),
             nb::arg("progress").none());
  module.def("product", &product, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("forward"), nb::arg("directions"),
             nb::arg("precision"), nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
  module.def("kernel", &kernel, nb::arg("model"), nb::arg("x"), nb::arg("x2").none(), nb::kw_only(), nb::arg("reduce"),
             nb::arg("basis").none(), nb::arg("by"), nb::arg("pairs"), nb::arg("space"), nb::arg("conjugate"), nb::arg("method"),
             nb::arg("precision"), nb::arg("out"), nb::arg("existing"), nb::arg("triangle"), nb::arg("memory"), nb::arg("threads"),
             nb::arg("progress").none());
  module.def("verify", &verify, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("reduce"), nb::arg("precision"),
             nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
  module.def("spectrum", &spectrum, nb::arg("kernel").none(), nb::kw_only(), nb::arg("path"), nb::arg("relative_error"), nb::arg("memory"), nb::arg("threads"),
             nb::arg("progress").none());
}

}  // namespace tangra::python
