#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "runs.h"
#include "running.h"

namespace tangra::python {
namespace {

struct KernelChoices {
  std::string by, pairs, space, conjugate, method, out, existing, triangle;
};

run::By by_of(const std::string& text) {
  return choose<run::By>(text, "by", {{"total", run::By::total}, {"layer", run::By::layer}, {"parameter", run::By::parameter}});
}

run::Method method_of(const std::string& text) {
  return choose<run::Method>(text, "method", {{"auto", run::Method::automatic},
                                              {"structured", run::Method::structured},
                                              {"jacobian", run::Method::jacobian},
                                              {"product", run::Method::product}});
}

void choose_kernel(run::KernelSpec& spec, const KernelChoices& choices) {
  spec.by = by_of(choices.by);
  spec.pairs = choose<run::Pairs>(choices.pairs, "pairs", {{"all", run::Pairs::all}, {"self", run::Pairs::self}});
  spec.space = choose<run::Space>(choices.space, "space",
                                  {{"samples", run::Space::samples}, {"parameters", run::Space::parameters}});
  spec.method = method_of(choices.method);
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
  spec.validate();
  report::check_beside(spec);
  const run::KernelResult result =
      watched(progress, [&](const run::Caller& caller) { return run::run_kernel(spec, caller); });
  report::write_beside(result);
  return arrays_and_json(result);
}

nb::tuple plan(const Model& model, const Given& x, const OptionalArray& x2, const std::string& reduce,
               const OptionalArray& basis, const std::string& by, const std::string& method, const std::string& precision,
               const std::string& out, const std::string& triangle, std::size_t memory, int threads,
               const nb::object& progress) {
  run::KernelSpec spec = kernel_spec(model, x, x2, reduce, basis, precision, memory, threads);
  // A file that is there is in nobody's way: nothing is written.
  choose_kernel(spec, {.by = by, .pairs = "all", .space = "samples", .conjugate = "", .method = method, .out = out,
                       .existing = "replace", .triangle = triangle});
  spec.validate();
  return json_and_table(watched(progress, [&](const run::Caller& caller) { return run::run_plan(spec, caller); }));
}

nb::tuple verify(const Model& model, const Given& x, const std::string& reduce, const std::string& precision, std::size_t memory,
                 int threads, const nb::object& progress) {
  run::VerifySpec spec{.model = model.spec(), .data = data_of(x, "x"), .reduce = reduce, .precision = precision_of(precision),
                       .resources = resources(memory, threads)};
  if (x.ndim() > 0) spec.data.n = static_cast<Index>(x.shape(0));
  return json_and_table(watched(progress, [&](const run::Caller& caller) { return run::run_verify(spec, caller); }));
}

}  // namespace

void bind_kernels(nb::module_& module) {
  module.def("kernel", &kernel, nb::arg("model"), nb::arg("x"), nb::arg("x2").none(), nb::kw_only(), nb::arg("reduce"),
             nb::arg("basis").none(), nb::arg("by"), nb::arg("pairs"), nb::arg("space"), nb::arg("conjugate"), nb::arg("method"),
             nb::arg("precision"), nb::arg("out"), nb::arg("existing"), nb::arg("triangle"), nb::arg("memory"), nb::arg("threads"),
             nb::arg("progress").none());
  module.def("plan", &plan, nb::arg("model"), nb::arg("x"), nb::arg("x2").none(), nb::kw_only(), nb::arg("reduce"),
             nb::arg("basis").none(), nb::arg("by"), nb::arg("method"), nb::arg("precision"), nb::arg("out"),
             nb::arg("triangle"), nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
  module.def("verify", &verify, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("reduce"), nb::arg("precision"),
             nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
}

}  // namespace tangra::python
