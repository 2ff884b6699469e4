#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "tangra/formats/npz.h"

namespace tangra::train {

/// A moment of a training run in a .safetensors file: every parameter of the network under its name, so that the file
/// can be read as weights; what else is needed to go on, under `training:NAME`; the run's settings as metadata.
struct Checkpoint {
  formats::NamedArrays parameters;
  formats::NamedArrays state;  ///< without the prefix
  std::map<std::string, std::string> settings;
};

/// A file that is there is replaced once the new one is complete.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Throws Error(input) where the file is absent, malformed or no checkpoint.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Throws Error(usage) that names the first setting in `expected` that the checkpoint has otherwise.
void check_settings(const Checkpoint& checkpoint, const std::map<std::string, std::string>& expected,
                    const std::filesystem::path& path);

}  // namespace tangra::train
