#include "model.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "arrays.h"
#include "state.h"
#include "tangra/base/error.h"
#include "tangra/load/onnx/onnx.h"
#include "tangra/load/weights.h"
#include "tangra/report/json.h"
#include "tangra/report/terminal.h"
#include "tangra/run/run.h"

namespace tangra::python {
namespace {

std::optional<Shape> shape_of(const std::optional<nb::sequence>& lengths) {
  return lengths ? std::optional(to_shape(*lengths)) : std::nullopt;
}

Model load_text(load::ModelSpec spec) {
  const nb::gil_scoped_release unlocked;
  spec.validate();
  return {.graph = load::shared_model(spec), .text = spec.text, .origin = spec};
}

Model load_bytes(const nb::bytes& file, const std::string& source, const load::OnnxOptions& options, const std::string& params,
                 const std::string& buffers) {
  const std::span bytes(reinterpret_cast<const std::byte*>(file.c_str()), file.size());
  const nb::gil_scoped_release unlocked;
  Graph graph = load::load_onnx(bytes, source, options);
  select_parameters(graph, params, buffers);
  return {.graph = std::make_shared<const Graph>(std::move(graph)), .text = source};
}

ParameterId require_parameter(const Graph& graph, const std::string& name) {
  const ParameterId id = graph.find_parameter(name);
  if (id != no_id) return id;
  std::string names;
  for (const Parameter& parameter : graph.parameters) names += (names.empty() ? "" : ", ") + parameter.name;
  throw nb::key_error((name + ": the network's parameters are " + names).c_str());
}

void set_parameters(Model& model, const nb::dict& arrays) {
  Graph graph = *model.graph;
  for (const auto& [key, value] : arrays) {
    const auto name = nb::cast<std::string>(key);
    Parameter& parameter = graph.parameters[static_cast<std::size_t>(require_parameter(graph, name))];
    Array array = from_python(nb::cast<Given>(value), name.c_str());
    if (array.shape() != parameter.data.shape()) {
      throw Error(ErrorKind::usage, {.what = "the array has another shape than the parameter", .where = name,
                                     .got = to_string(array.shape()), .expected = to_string(parameter.data.shape()),
                                     .cure = {}});
    }
    if (!is_floating(array.type())) {
      throw Error(ErrorKind::usage, {.what = "this array cannot hold weights", .where = name,
                                     .got = std::string(name_of(array.type())), .expected = "float32 or float64", .cure = {}});
    }
    parameter.data = array.type() == DType::float16 ? Array(array.converted<float>()) : std::move(array);
    parameter.initializer.clear();
  }
  model.graph = std::make_shared<const Graph>(std::move(graph));
}

/// A copy with all parameters in float64 or float32.
Model in_type(const Model& model, bool in_double) {
  Graph graph = *model.graph;
  for (Parameter& parameter : graph.parameters) {
    parameter.data = in_double ? Array(parameter.data.converted<double>()) : Array(parameter.data.converted<float>());
  }
  Model copy = model;
  copy.graph = std::make_shared<const Graph>(std::move(graph));
  return copy;
}

/// The parameters with these names, and no others, are learned; they come first, in this order.
void learn(Model& model, const std::vector<std::string>& names) {
  Graph graph = *model.graph;
  for (const std::string& name : names) require_parameter(graph, name);
  const auto place = [&](const Parameter& parameter) { return std::ranges::find(names, parameter.name) - names.begin(); };
  for (Parameter& parameter : graph.parameters) {
    parameter.trainable = std::ranges::find(names, parameter.name) != names.end();
    parameter.why = parameter.trainable ? "learned: it requires a gradient" : "frozen: it requires no gradient";
  }
  std::ranges::stable_sort(graph.parameters, {}, place);
  update_dependence(graph);
  model.graph = std::make_shared<const Graph>(std::move(graph));
}

/// A real attribute that a file holds in float32 becomes the value that is given and rounds to it, if there is one alone.
void sharpen(Model& model, const std::vector<double>& values) {
  const auto exact = [&](double rounded) {
    std::optional<double> found;
    for (const double value : values) {
      if (static_cast<float>(value) != static_cast<float>(rounded)) continue;
      if (found && *found != value) return rounded;
      found = value;
    }
    return found.value_or(rounded);
  };
  Graph graph = *model.graph;
  for (Node& node : graph.nodes) {
    for (auto [name, attribute] : Attributes(node.attributes)) {
      if (auto* real = std::get_if<double>(&attribute)) *real = exact(*real);
      if (auto* reals = std::get_if<std::vector<double>>(&attribute)) std::ranges::transform(*reals, reals->begin(), exact);
      node.attributes.set(name, std::move(attribute));
    }
  }
  model.graph = std::make_shared<const Graph>(std::move(graph));
}

std::vector<std::string> parameter_names(const Model& model, bool frozen) {
  std::vector<std::string> names;
  for (const Parameter& parameter : model.graph->parameters) {
    if (parameter.trainable != frozen) names.push_back(parameter.name);
  }
  return names;
}

}  // namespace

void bind_model(nb::module_& module) {
  nb::class_<Model>(module, "Model")
      .def("summary", [](const Model& model) {
             const run::SummaryResult result = run::run_summary({.model = model.spec()});
             return nb::make_tuple(report::json(result), report::terminal(result, {}));
           }, nb::sig("def summary(self) -> tuple[str, str]"))
      .def("names", &parameter_names, nb::arg("frozen"))
      .def("get", [](const Model& model, const std::string& name) {
             return to_read_only(model.graph->parameter(require_parameter(*model.graph, name)).data);
           }, nb::arg("name"), nb::sig("def get(self, name: str) -> numpy.typing.NDArray[typing.Any]"))
      .def("set", &set_parameters, nb::arg("arrays"))
      .def("save", [](const Model& model, const std::string& path) { load::write_weights(*model.graph, path); }, nb::arg("path"))
      .def("learn", &learn, nb::arg("names"))
      .def("sharpen", &sharpen, nb::arg("values"))
      .def("copy", [](const Model& model) { return model; })
      .def("in_type", &in_type, nb::arg("in_double"))
      .def("__getstate__", [](const Model& model) { return state_of(model); }, nb::sig("def __getstate__(self) -> object"))
      .def("__setstate__", [](Model& model, const nb::tuple& state) { new (&model) Model(model_of(state)); }, nb::arg("state"))
      .def_rw("text", &Model::text)
      .def_prop_ro("precision", [](const Model& model) { return std::string(name_of(model.graph->parameter_type())); })
      .def_prop_ro("input_shape", [](const Model& model) { return to_tuple(model.graph->shape(model.graph->inputs.front())); },
                   nb::sig("def input_shape(self) -> tuple[int, ...]"))
      .def_prop_ro("output_shape", [](const Model& model) { return to_tuple(model.graph->shape(model.graph->outputs.front())); },
                   nb::sig("def output_shape(self) -> tuple[int, ...]"));

  module.def("load", [](const std::string& text, const std::string& init, std::optional<std::uint64_t> seed, const std::string& parameterization,
                        const std::string& weights, const std::string& params, const std::string& buffers,
                        const std::optional<nb::sequence>& input, const std::string& output, const std::string& batch) {
    return load_text({.text = text, .init = init, .seed = seed, .parameterization = parameterization, .weights = weights,
                      .params = params, .buffers = buffers, .input_shape = shape_of(input), .output = output, .batch = batch});
  }, nb::arg("text"), nb::kw_only(), nb::arg("init") = "", nb::arg("seed") = nb::none(), nb::arg("parameterization") = "standard",
     nb::arg("weights") = "", nb::arg("params") = "", nb::arg("buffers") = "", nb::arg("input") = nb::none(),
     nb::arg("output") = "", nb::arg("batch") = "");
  module.def("load_onnx", [](const nb::bytes& file, const std::string& source, const std::string& params, const std::string& buffers,
                             const std::optional<nb::sequence>& input, const std::string& output, bool whole_inputs) {
    return load_bytes(file, source, {.output = output, .whole_inputs = whole_inputs, .input = shape_of(input)}, params, buffers);
  }, nb::arg("file"), nb::kw_only(), nb::arg("source") = "bytes", nb::arg("params") = "", nb::arg("buffers") = "",
     nb::arg("input") = nb::none(), nb::arg("output") = "", nb::arg("whole_inputs") = false);
}

}  // namespace tangra::python
