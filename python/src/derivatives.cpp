#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "runs.h"
#include "running.h"

namespace tangra::python {
namespace {

nb::tuple outputs(const Model& model, const Given& x, const std::string& of, const std::string& precision, std::size_t memory,
                  int threads, const nb::object& progress) {
  const run::OutputsSpec spec{.model = model.spec(), .data = data_of(x, "x"), .of = of, .precision = precision_of(precision),
                              .resources = resources(memory, threads)};
  return arrays_and_json(watched(progress, [&](const run::Caller& caller) { return run::run_outputs(spec, caller); }));
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
  return arrays_and_json(watched(progress, [&](const run::Caller& caller) { return run::run_jacobian(spec, caller); }));
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
    spec.direction_arrays.push_back({name, lent_by_python(nb::cast<Given>(value), name.c_str())});
  }
  spec.precision = precision_of(precision);
  spec.resources = resources(memory, threads);
  return arrays_and_json(watched(progress, [&](const run::Caller& caller) { return run::run_product(spec, caller); }));
}

}  // namespace

void bind_derivatives(nb::module_& module) {
  module.def("outputs", &outputs, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("of"), nb::arg("precision"),
             nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
  module.def("jacobian", &jacobian, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("wrt"), nb::arg("of"),
             nb::arg("layout"), nb::arg("input_form"), nb::arg("precision"), nb::arg("memory"), nb::arg("threads"),
             nb::arg("progress").none());
  module.def("product", &product, nb::arg("model"), nb::arg("x"), nb::kw_only(), nb::arg("forward"), nb::arg("directions"),
             nb::arg("precision"), nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
}

}  // namespace tangra::python
