#pragma once
#include <nanobind/nanobind.h>

namespace tangra::python {

void bind_derivatives(nanobind::module_& module);
void bind_kernels(nanobind::module_& module);
void bind_answers(nanobind::module_& module);
void bind_training(nanobind::module_& module);
void bind_data(nanobind::module_& module);
void bind_operator(nanobind::module_& module);
void bind_report(nanobind::module_& module);

}  // namespace tangra::python
