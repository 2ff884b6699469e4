#include "rules.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "text.h"

namespace tangra::house {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_lines = 499;
constexpr std::size_t most_entries = 25;

/// Where a header of somebody else's may be included; `in` holds folders of the project.
struct Library {
  std::string_view prefix;
  std::vector<std::string> in;
  bool hidden = false;  ///< not in public headers, where it would cost every file that includes them
};

const std::vector<Library>& libraries() {
  static const std::vector<Library> table = {
      {"zlib.h", {"src/formats", "tests"}},
      {"zip.h", {"src/formats", "tests"}},
      {"nlohmann/", {"src/formats", "src/report", "tests"}, true},
      {"CLI/", {"cli"}, true},
      {"fmt/", {"src", "cli", "tests", "bench"}, true},
      {"hwy/", {"src/linalg"}},
      {"lapacke", {"src/linalg", "bench"}},
      {"lapack.h", {"src/linalg", "bench"}},
      {"cblas", {"src/linalg", "bench"}},
      {"f77blas", {"src/linalg", "bench"}},
      {"openblas", {"src/linalg", "bench"}},
      {"google/protobuf", {"src/load"}},
      {"onnx", {"src/load", "tests/fuzz"}},
      {"gtest/", {"tests"}},
      {"benchmark/", {"bench"}},
      {"nanobind/", {"python"}},
  };
  return table;
}

/// Words that may stand in src/ only in the room that is named (empty: in none; cli is not in src).
struct Word {
  std::string_view text;
  std::string_view room;
  std::string_view why;
};

constexpr std::string_view threads = "threads are made in base alone: use the pool of the context";
constexpr std::string_view prints = "the library does not print: return it in the result, or report progress";
constexpr std::string_view ends = "the library does not end the process: throw tangra::Error";

constexpr Word words[] = {
    {"std::jthread", "base", threads},
    {"std::thread", "base", threads},
    {"std::async", "base", threads},
    {"pthread_create", "base", threads},
    {"std::execution", "base", threads},
    {"#pragma omp", "base", threads},
    {"std::cout", "", prints},
    {"std::cerr", "", prints},
    {"std::clog", "", prints},
    {"printf(", "", prints},
    {"fprintf(", "", prints},
    {"puts(", "", prints},
    {"fmt::print(", "", prints},
    {"putchar(", "", prints},
    {"abort(", "", ends},
    {"exit(", "", ends},
    {"_exit(", "", ends},
    {"quick_exit(", "", ends},
    {"terminate(", "", ends},
};

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Whether `word` stands in the line, not as the end or beginning of a longer name, and is not asked about
/// something.
bool has_word(const std::string& line, std::string_view word) {
  for (std::size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
    if (at > 0 && is_word_character(line[at - 1])) continue;
    const std::string_view behind = std::string_view(line).substr(at + word.size());
    if (is_word_character(word.back()) && !behind.empty() && is_word_character(behind.front())) continue;
    if (behind.starts_with("::hardware_concurrency")) continue;  // counts cores, makes no thread
    return true;
  }
  return false;
}

std::string at(const fs::path& file, std::size_t line) {
  return file.string() + ":" + std::to_string(line) + ": ";
}

bool lies_in(const fs::path& file, const std::vector<std::string>& folders) {
  return std::ranges::any_of(
      folders, [&](const std::string& folder) { return file.string().starts_with(folder + "/"); });
}

std::string folders_in_words(const std::vector<std::string>& folders) {
  std::string text;
  for (const std::string& folder : folders) text += (text.empty() ? "" : ", ") + folder;
  return text;
}

/// The path between the marks of an include; empty where the line is none.
std::string included(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t");
  if (first == std::string::npos || !line.substr(first).starts_with("#include")) return {};
  const std::size_t open = line.find_first_of("<\"");
  const std::size_t close = line.find_first_of(">\"", open + 1);
  return close == std::string::npos ? std::string() : line.substr(open + 1, close - open - 1);
}

/// Whether other rooms may include the file.
bool is_public(const fs::path& project, const fs::path& file) {
  fs::path room;
  for (const fs::path& part : file.parent_path()) {
    if (room.empty() && part != "src") return false;
    room /= part;
    if (room.has_parent_path()) break;
  }
  const auto headers = room_list(read(project / room / "CMakeLists.txt"), "HEADERS");
  return std::ranges::find(headers, file.lexically_relative(room).string()) != headers.end();
}

bool is_text_of_ours(const fs::path& file) {
  const auto extension = file.extension();
  return extension == ".cpp" || extension == ".h" || extension == ".cmake" || extension == ".sh" ||
         extension == ".py" || file.filename() == "CMakeLists.txt";
}

}  // namespace

Faults library_faults(const fs::path& project) {
  Faults faults;
  for (const char* folder : {"src", "cli", "python", "tests", "bench", "examples"}) {
    for (const fs::path& file : sources_below(project, folder)) {
      std::size_t number = 0;
      for (const std::string& line : lines_of(code_of(read(project / file), true))) {
        ++number;
        const std::string path = included(line);
        const auto library = std::ranges::find_if(
            libraries(), [&](const Library& one) { return path.starts_with(one.prefix); });
        if (path.empty() || library == libraries().end()) continue;
        if (!lies_in(file, library->in)) {
          faults.push_back(at(file, number) + "includes " + path + ", which belongs to " +
                           folders_in_words(library->in));
        } else if (library->hidden && is_public(project, file)) {
          faults.push_back(at(file, number) + "includes " + path +
                           " in a public header: include it in the .cpp");
        }
      }
    }
  }
  return faults;
}

Faults behaviour_faults(const fs::path& project) {
  Faults faults;
  for (const fs::path& file : sources_below(project, "src")) {
    std::size_t number = 0;
    for (const std::string& line : lines_of(code_of(read(project / file)))) {
      ++number;
      for (const Word& word : words) {
        if (!word.room.empty() && lies_in(file, {"src/" + std::string(word.room)})) continue;
        if (has_word(line, word.text))
          faults.push_back(at(file, number) + std::string(word.text) + ": " + std::string(word.why));
      }
    }
  }
  return faults;
}

Faults size_faults(const fs::path& project) {
  Faults faults;
  std::map<fs::path, std::size_t> entries;
  for (const char* folder : {"src", "cli", "python", "tests", "bench", "examples", "cmake", "scripts", "docs"}) {
    std::map<fs::path, bool> counted;
    for (const fs::path& file : files_below(project, folder)) {
      // Every file and every folder on the way to it is an entry of what it lies in.
      for (fs::path entry = file; entry.has_parent_path(); entry = entry.parent_path()) {
        if (counted.emplace(entry, true).second) ++entries[entry.parent_path()];
      }
      if (!is_text_of_ours(file)) continue;
      const std::size_t lines = lines_of(read(project / file)).size();
      if (lines > most_lines) {
        faults.push_back(file.string() + ": " + std::to_string(lines) + " lines, of " +
                         std::to_string(most_lines) + " at most");
      }
    }
  }
  for (const auto& [folder, count] : entries) {
    if (count > most_entries) {
      faults.push_back(folder.string() + ": " + std::to_string(count) + " entries, of " +
                       std::to_string(most_entries) + " at most");
    }
  }
  return faults;
}

Faults machine_path_faults(const fs::path& project) {
  // Put together here, so that this file does not hold them itself.
  static const std::vector<std::string> beginnings = {std::string("/ho") + "me/", std::string("/ro") + "ot/",
                                                      std::string("/Us") + "ers/",
                                                      std::string("/wo") + "rk/"};
  Faults faults;
  for (const fs::path& file : files_below(project, "")) {
    const std::string text = read(project / file);
    if (text.find('\0') != std::string::npos) continue;
    std::size_t number = 0;
    for (const std::string& line : lines_of(text)) {
      ++number;
      for (const std::string& beginning : beginnings) {
        for (std::size_t found = line.find(beginning); found != std::string::npos;
             found = line.find(beginning, found + 1)) {
          // "x/home/y" and "../root/" go on from elsewhere.
          if (found > 0 &&
              (is_word_character(line[found - 1]) || line[found - 1] == '.' || line[found - 1] == '}'))
            continue;
          faults.push_back(at(file, number) + "a path of somebody's machine, " + beginning + "...");
          break;
        }
      }
    }
  }
  return faults;
}

Faults version_faults(const fs::path& project, const std::string& configured) {
  Faults faults;
  const auto lines = lines_of(read(project / "VERSION"));
  const std::string version = lines.empty() ? std::string() : lines.front();
  if (version != configured)
    faults.push_back("VERSION: \"" + version + "\", but CMake was configured with \"" + configured + "\"");
  for (const std::string& line : lines_of(read(project / "CHANGELOG.md"))) {
    if (!line.starts_with("## ")) continue;
    if (!line.starts_with("## " + version + " ") && line != "## " + version) {
      faults.push_back("CHANGELOG.md: the newest entry is \"" + line + "\", VERSION is " + version);
    }
    return faults;
  }
  faults.push_back("CHANGELOG.md: there is no entry");
  return faults;
}

}  // namespace tangra::house
