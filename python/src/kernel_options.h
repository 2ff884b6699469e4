#pragma once
#include <nanobind/nanobind.h>

#include "arrays.h"
#include "model.h"
#include "tangra/run/spec.h"

namespace tangra::python {

using OptionalArray = std::optional<Given>;

data::DataSpec data_of(const Given& x, const char* name);
/// "auto", "float32" or "float64".
run::Precision precision_of(const std::string& text);
/// Kernel and operator start from this.
run::KernelSpec kernel_spec(const Model& model, const Given& x, const OptionalArray& x2, const std::string& reduce,
                            const OptionalArray& basis, const std::string& precision, std::size_t memory, int threads);

}  // namespace tangra::python
