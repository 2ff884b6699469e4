#pragma once
#include <nanobind/nanobind.h>

#include "tangra/load/model.h"

namespace tangra::python {

/// A network as Python holds it. Setting parameters makes another graph, so that what is running is not disturbed.
struct Model {
  std::shared_ptr<const Graph> graph;
  std::string text;  ///< where it came from
  load::ModelSpec origin = {};  ///< how it was loaded, without the graph

  load::ModelSpec spec() const {
    load::ModelSpec spec = origin;
    spec.text = text;
    spec.graph = graph;
    return spec;
  }
};

void bind_model(nanobind::module_& module);

}  // namespace tangra::python
