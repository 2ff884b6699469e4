#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tangra/base/array.h"
#include "tangra/formats/npz.h"

namespace tangra::formats {

/// What a .safetensors file holds.
struct SafeTensors {
  NamedArrays arrays;  ///< in the order of the header
  std::map<std::string, std::string> metadata;
};

/// Everything that reads throws Error(input) that names file or file:key where the file is absent or
/// malformed: a type that DType lacks (BF16 and the 8-bit floats), offsets that leave the file, overlap or
/// leave gaps, a name twice.
std::vector<std::string> safetensors_keys(const std::filesystem::path& path);
SafeTensors read_safetensors(const std::filesystem::path& path);
/// One array; only its bytes are read.
Array read_safetensors(const std::filesystem::path& path, const std::string& key);

/// Writes the arrays; the header keeps their order, wide types come first in the data so that all are
/// aligned.
void write_safetensors(const std::filesystem::path& path, const NamedArrays& arrays,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace tangra::formats
