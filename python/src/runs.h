#pragma once
#include <nanobind/nanobind.h>

namespace tangra::python {

void bind_runs(nanobind::module_& module);
void bind_data(nanobind::module_& module);
void bind_operator(nanobind::module_& module);

}  // namespace tangra::python
