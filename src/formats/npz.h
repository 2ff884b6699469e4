#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tangra/base/array.h"

namespace tangra::formats {

/// Arrays under names, in the order in which they stand in the file.
using NamedArrays = std::vector<std::pair<std::string, Array>>;

/// NumPy's .npz: a zip archive (stored or deflated) of .npy members; other members are passed over.
/// Everything that reads throws Error(input) that names file:key where the archive or a member is absent,
/// damaged (checksums are verified) or malformed.
std::vector<std::string> npz_keys(const std::filesystem::path& path);
NamedArrays read_npz(const std::filesystem::path& path);
Array read_npz(const std::filesystem::path& path, const std::string& key);

/// Writes the arrays uncompressed, with a fixed date: the same arrays make the same bytes. Throws
/// Error(input) where two have the same name or one has none.
void write_npz(const std::filesystem::path& path, const NamedArrays& arrays);

}  // namespace tangra::formats
