#pragma once
// Not for other rooms: the file's graph before it is lowered.
#include <set>
#include <string>
#include <vector>

#include "tangra/load/onnx/file_model.h"
#include "tangra/load/onnx/lowering.h"
#include "tangra/load/onnx/onnx.h"

namespace tangra::load::onnx {

/// The nodes that the outputs need, each behind those that make its inputs.
struct Needed {
  std::vector<std::string> outputs;  ///< those to load
  std::vector<const FileNode*> nodes;
  std::set<std::string> values;  ///< all names that nodes and outputs use
};

/// Throws Error(input) for a graph with a cycle, a value that nobody makes or that two nodes make, and
/// Error(usage) for an output that the file has not.
Needed needed_nodes(const FileModel& model, const OnnxOptions& options);

/// An input with the lengths that it has for one sample.
struct InputPlan {
  std::string name;
  DType type;
  Shape shape;   ///< with ONNX's rank
  Shape sample;  ///< without the axis of the samples
  Place place;
  Index samples = 0;  ///< for which the file is made; 0: any number
};

/// Throws Error(input) where a length is not known.
InputPlan plan_input(const FileModel& model, const ValueInfo& info, const OnnxOptions& options);

/// The whole way from plain data to the network.
Graph network_of(const FileModel& model, const OnnxOptions& options);

}  // namespace tangra::load::onnx
