// tangra._core: what the package is made of. Everything that users see is in ../tangra.
#include <nanobind/nanobind.h>

#include "errors.h"
#include "model.h"
#include "runs.h"

NB_MODULE(_core, module) {
  tangra::python::translate_errors();
  tangra::python::bind_model(module);
  tangra::python::bind_data(module);
  tangra::python::bind_derivatives(module);
  tangra::python::bind_kernels(module);
  tangra::python::bind_answers(module);
  tangra::python::bind_training(module);
  tangra::python::bind_operator(module);
  tangra::python::bind_report(module);
  module.attr("__version__") = TANGRA_VERSION;
}
