#include "tangra/train/checkpoint.h"

#include <string_view>

#include "tangra/base/error.h"
#include "tangra/formats/safetensors.h"

namespace tangra::train {
namespace {

constexpr std::string_view prefix = "training:";
constexpr const char* kind_key = "tangra.checkpoint";
constexpr const char* kind_version = "1";

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  formats::NamedArrays arrays = checkpoint.parameters;
  for (const auto& [name, array] : checkpoint.state) arrays.emplace_back(std::string(prefix) + name, array);
  auto metadata = checkpoint.settings;
  metadata[kind_key] = kind_version;
  formats::write_safetensors(path, arrays, metadata);
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  formats::SafeTensors file = formats::read_safetensors(path);
  const auto kind = file.metadata.find(kind_key);
  if (kind == file.metadata.end() || kind->second != kind_version) {
    throw Error(ErrorKind::input, {.what = "this is no checkpoint of a training run", .where = path.string(), .got = {},
                                   .expected = "metadata with " + std::string(kind_key) + " = " + kind_version,
                                   .cure = "Without --resume the training starts afresh"});
  }
  Checkpoint checkpoint;
  file.metadata.erase(kind);
  checkpoint.settings = std::move(file.metadata);
  for (auto& [name, array] : file.arrays) {
    if (name.starts_with(prefix)) checkpoint.state.emplace_back(name.substr(prefix.size()), std::move(array));
    else checkpoint.parameters.emplace_back(name, std::move(array));
  }
  return checkpoint;
}

void check_settings(const Checkpoint& checkpoint, const std::map<std::string, std::string>& expected,
                    const std::filesystem::path& path) {
  for (const auto& [key, value] : expected) {
    const auto found = checkpoint.settings.find(key);
    if (found != checkpoint.settings.end() && found->second == value) continue;
    throw Error(ErrorKind::usage, {.what = "the checkpoint belongs to another training run", .where = path.string(),
                                   .got = key + " " + (found == checkpoint.settings.end() ? "unknown" : found->second),
                                   .expected = key + " " + value,
                                   .cure = "Give the same options as then, or start afresh with --force"});
  }
}

}  // namespace tangra::train
