#pragma once
#include <filesystem>

#include "tangra/model/graph.h"

namespace tangra::load {

/// Replaces every parameter of the graph, the frozen ones too, by the array of the same name in a .npz or
/// .safetensors file. float32 and float64 keep their type, float16 becomes float32. Arrays named `training:...`, which
/// checkpoints have, are left aside. Throws Error(input) that
/// lists them where parameters are missing, names are left over, shapes differ, or an array has another type;
/// the graph is then as it was. `num_batches_tracked` beside a `running_mean`, as PyTorch writes it, is passed over.
void read_weights(Graph& graph, const std::filesystem::path& path);

/// Writes every parameter under its name, as .npz or .safetensors by the extension. An existing file is
/// replaced once the new one is complete. Throws Error(usage) for another extension.
void write_weights(const Graph& graph, const std::filesystem::path& path);

}  // namespace tangra::load
