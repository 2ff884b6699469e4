#include "text.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace tangra::house {
namespace {

namespace fs = std::filesystem;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Goes through a C++ text and blanks out what is no code.
class Blanker {
 public:
  Blanker(std::string_view text, bool keep_strings)
      : text_(text), result_(text), keep_strings_(keep_strings) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (starts("//"))
        blank_to(text_.find('\n', at_));
      else if (starts("/*"))
        blank_to(behind("*/", at_ + 2));
      else if (starts("R\"") && (at_ == 0 || !is_word(text_[at_ - 1])))
        raw_string();
      else if (text_[at_] == '"')
        literal('"', keep_strings_);
      // Between digits it is a separator.
      else if (text_[at_] == '\'' && (at_ == 0 || !is_word(text_[at_ - 1])))
        literal('\'', false);
      else
        ++at_;
    }
    return std::move(result_);
  }

 private:
  bool starts(std::string_view prefix) const { return text_.substr(at_).starts_with(prefix); }
  std::size_t behind(std::string_view mark, std::size_t from) const {
    const std::size_t found = text_.find(mark, from);
    return found == std::string_view::npos ? found : found + mark.size();
  }
  void blank_to(std::size_t end) {
    for (end = std::min(end, text_.size()); at_ < end; ++at_) {
      if (text_[at_] != '\n') result_[at_] = ' ';
    }
  }
  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string_view::npos) return blank_to(text_.size());
    blank_to(behind(")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"", open));
  }
  void literal(char quote, bool keep) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') end += text_[end] == '\\' ? 2 : 1;
    if (keep)
      at_ = std::min(end + 1, text_.size());
    else
      blank_to(end + 1);
  }

  std::string_view text_;
  std::string result_;
  bool keep_strings_;
  std::size_t at_ = 0;
};

bool is_left_out(const fs::path& name) {
  const std::string text = name.string();
  return text == ".git" || text == ".cache" || text == "build" || text == "__pycache__";
}

}  // namespace

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string code_of(std::string_view text, bool keep_strings) {
  return Blanker(text, keep_strings).run();
}

std::vector<fs::path> files_below(const fs::path& project, const std::string& folder) {
  std::vector<fs::path> files;
  const fs::path top = folder.empty() ? project : project / folder;
  if (!fs::is_directory(top)) return files;
  for (auto entry = fs::recursive_directory_iterator(top); entry != fs::recursive_directory_iterator();
       ++entry) {
    if (entry->is_directory() && is_left_out(entry->path().filename()))
      entry.disable_recursion_pending();
    else if (entry->is_regular_file() && !entry->is_symlink())
      files.push_back(fs::relative(entry->path(), project));
  }
  std::ranges::sort(files);
  return files;
}

std::vector<fs::path> sources_below(const fs::path& project, const std::string& folder) {
  std::vector<fs::path> files = files_below(project, folder);
  std::erase_if(files,
                [](const fs::path& file) { return file.extension() != ".cpp" && file.extension() != ".h"; });
  return files;
}

std::vector<std::string> room_list(const std::string& cmake_text, std::string_view keyword) {
  std::string text;
  for (const std::string& line : lines_of(cmake_text)) text += line.substr(0, line.find('#')) + " ";
  std::vector<std::string> words;
  const std::size_t call = text.find("tangra_room(");
  if (call == std::string::npos) return words;
  std::istringstream stream(text.substr(call, text.find(')', call) - call));
  bool wanted = false;
  for (std::string word; stream >> word;) {
    const bool is_keyword = std::ranges::all_of(
        word, [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0 || c == '_'; });
    if (is_keyword)
      wanted = word == keyword;
    else if (wanted)
      words.push_back(word);
  }
  return words;
}

}  // namespace tangra::house
