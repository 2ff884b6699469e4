// The arrows between the rooms, and whether the tree follows them.
#include <map>
#include <set>
#include <sstream>

#include "rules.h"
#include "text.h"

namespace tangra::house {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

/// Which rooms a room may use directly; what those may use, it may use too. This is the one place that states
/// it: src/README.md draws it, the CMakeLists.txt of a room names what it does use.
const std::map<std::string, Names>& arrows() {
  static const std::map<std::string, Names> table = {
      {"base", {}},
      {"formats", {"base"}},
      {"linalg", {"base"}},
      {"model", {"base"}},
      {"ops", {"base", "linalg", "model"}},
      {"load", {"formats", "model", "ops"}},
      {"data", {"formats"}},
      {"factors", {"model", "linalg"}},
      {"differentiate", {"ops", "factors"}},
      {"kernel", {"factors", "formats"}},
      {"analysis", {"linalg"}},
      {"infinite", {"model", "linalg"}},
      {"train", {"differentiate", "formats"}},
      {"verify", {"differentiate", "kernel"}},
      {"run", {"load", "data", "kernel", "analysis", "infinite", "train", "verify"}},
      {"report", {"run"}},
  };
  return table;
}

/// Adds what can be reached from `room` along the arrows, the room itself left out.
void reach(const std::string& room, Names& reached) {
  for (const std::string& used : arrows().at(room)) {
    if (reached.insert(used).second) reach(used, reached);
  }
}

std::string comma_separated(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "no room" : text;
}

/// A room as its CMakeLists.txt has it.
struct Room {
  Names uses;
  Names headers;
};

std::map<std::string, Room> rooms_of(const fs::path& project) {
  std::map<std::string, Room> rooms;
  for (const fs::path& file : files_below(project, "src")) {
    if (file.filename() != "CMakeLists.txt" || file.parent_path() == "src") continue;
    const std::string text = read(project / file);
    const auto uses = room_list(text, "USES");
    const auto headers = room_list(text, "HEADERS");
    rooms[file.parent_path().filename()] = {{uses.begin(), uses.end()}, {headers.begin(), headers.end()}};
  }
  return rooms;
}

struct Include {
  std::size_t line;
  std::string path;
};

/// The "..." includes of a file.
std::vector<Include> quoted_includes(const fs::path& file) {
  std::vector<Include> includes;
  std::size_t number = 0;
  for (const std::string& line : lines_of(code_of(read(file), true))) {
    ++number;
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos || !line.substr(first).starts_with("#include")) continue;
    const std::size_t open = line.find('"');
    const std::size_t close = line.find('"', open + 1);
    if (close != std::string::npos) includes.push_back({number, line.substr(open + 1, close - open - 1)});
  }
  return includes;
}

/// What is wrong with one include of the room (empty: nothing).
std::string fault_of(const std::string& room, const fs::path& file, const Include& include,
                     const std::map<std::string, Room>& rooms) {
  if (!include.path.starts_with("tangra/")) {
    const bool own_name = include.path.find('/') == std::string::npos;
    if (own_name && fs::exists(file.parent_path() / include.path)) return {};
    if (include.path.starts_with("hwy/")) return {};  // library_faults() looks after those
    return "includes \"" + include.path + "\": write \"tangra/ROOM/x.h\", or the name of a file beside";
  }
  std::istringstream parts(include.path);
  std::string other;
  std::getline(parts, other, '/');
  std::getline(parts, other, '/');
  std::string header;
  std::getline(parts, header);
  if (other == room) return {};
  Names allowed;
  reach(room, allowed);
  if (!allowed.contains(other)) {
    return "includes \"" + include.path + "\": " + room + " may use " + comma_separated(allowed);
  }
  const auto found = rooms.find(other);
  if (found != rooms.end() && !found->second.headers.contains(header)) {
    return "includes \"" + include.path + "\", which is not among the HEADERS of " + other;
  }
  return {};
}

}  // namespace

Faults arrow_faults(const fs::path& project) {
  Faults faults;
  const auto rooms = rooms_of(project);
  for (const auto& [name, room] : rooms) {
    const std::string place = "src/" + name + "/CMakeLists.txt: ";
    if (!arrows().contains(name)) {
      faults.push_back(place + "no arrows are stated for this room (tests/house/arrows.cpp)");
      continue;
    }
    Names allowed;
    reach(name, allowed);
    for (const std::string& used : room.uses) {
      if (!allowed.contains(used))
        faults.push_back(place + "USES " + used + ": " + name + " may use " + comma_separated(allowed));
    }
    for (const fs::path& file : sources_below(project, "src/" + name)) {
      for (const Include& include : quoted_includes(project / file)) {
        const std::string fault = fault_of(name, project / file, include, rooms);
        if (!fault.empty())
          faults.push_back(file.string() + ":" + std::to_string(include.line) + ": " + fault);
      }
    }
  }
  if (rooms.empty()) faults.push_back("src: there is no room");
  return faults;
}

}  // namespace tangra::house
