#pragma once
// Not for other rooms: where the files of named data sets may lie.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tangra::data {

/// The folders looked at for the set of this name, in order: below `data_dir`, the entries of TANGRA_DATA,
/// ./data,
/// ~/.cache/tangra and /usr/share/datasets the set's own folder, then the folder itself.
std::vector<std::filesystem::path> places_of(const std::string& name, const std::string& data_dir);

/// `file` or `file`.gz in `folder`, whichever is there.
std::optional<std::filesystem::path> plain_or_gzip(const std::filesystem::path& folder,
                                                   const std::string& file);

/// The first place that has one of the files (or one with .gz).
std::optional<std::filesystem::path> place_with(const std::string& name, const std::string& data_dir,
                                                const std::vector<std::string>& files);

/// The files of a set's training or test part that show that it is there.
std::vector<std::string> telling_files(const std::string& name, bool test);

}  // namespace tangra::data
