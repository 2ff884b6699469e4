#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tangra::house {

std::string read(const std::filesystem::path& file);
std::vector<std::string> lines_of(std::string_view text);
/// Blanks in place of comments and of what stands in literals; line breaks stay where they are. With
/// `keep_strings` ordinary "..." strings stay, so that includes can be read.
std::string code_of(std::string_view text, bool keep_strings = false);

/// Regular files below project/folder, sorted, as paths from the project on; without links, hidden folders,
/// and what git is told to ignore (build/). An empty folder means the whole project.
std::vector<std::filesystem::path> files_below(const std::filesystem::path& project,
                                               const std::string& folder);
/// The C++ files among them.
std::vector<std::filesystem::path> sources_below(const std::filesystem::path& project,
                                                 const std::string& folder);

/// The words behind `keyword` in a tangra_room(...) call, up to the next keyword: room_list(text, "USES").
std::vector<std::string> room_list(const std::string& cmake_text, std::string_view keyword);

}  // namespace tangra::house
