#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "tangra/model/graph.h"

namespace tangra::load {

struct OnnxOptions {
  /// The name of the output to load alone; empty: all outputs, in the file's order.
  std::string output = {};
  /// The inputs have no axis of samples: each is one sample as a whole.
  bool whole_inputs = false;
  /// The shape of one sample of the data, for lengths that the file leaves open.
  std::optional<Shape> input = {};
  /// How many bytes arrays that are computed from constants while the network is loaded may take at a time, beside
  /// twice what the file holds itself. Two masks of 4096 x 4096 float32 numbers and two of truth values fit.
  Index folded_bytes = Index{160} << 20;
};

/// The network of an ONNX file, for one sample: batch size 1, with the axis of the samples followed through
/// the graph and taken away. docs/onnx.md says what is read and how.
///
///     const Graph graph = load_onnx("resnet.onnx");
///     graph.shape(graph.inputs[0]);    // (3, 32, 32) for an input (N, 3, 32, 32)
///
/// Values and parameters have the file's names. Throws Error(input) for a damaged file, Error(unsupported),
/// with a list, for operators that are not there and for a network that mixes samples, and Error(usage) for
/// an output that it has not.
Graph load_onnx(const std::filesystem::path& path, const OnnxOptions& options = {});

/// The same from memory, without arrays in other files. `source` is what messages call it.
Graph load_onnx(std::span<const std::byte> bytes, const std::string& source, const OnnxOptions& options = {});

}  // namespace tangra::load
