#pragma once
#include "model.h"

namespace tangra::python {

/// All of a network as numbers, texts, bytes and tuples of them, for pickle.
nanobind::tuple state_of(const Model& model);
/// Throws Error(usage) for the state of another version and for a damaged one.
Model model_of(const nanobind::tuple& state);

}  // namespace tangra::python
