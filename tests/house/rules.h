#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace tangra::house {

/// "src/ops/op.h:12: what is wrong", one for each place.
using Faults = std::vector<std::string>;

// Each looks at a whole checkout and names every place that breaks its rule.

/// USES in every room's CMakeLists.txt, and every include of another room, follow the arrows; other includes
/// are "tangra/ROOM/x.h" or the name of a file beside; what other rooms include is listed under HEADERS.
Faults arrow_faults(const std::filesystem::path& project);
/// A third-party library is seen by its own rooms alone.
Faults library_faults(const std::filesystem::path& project);
/// Threads are made in base alone; nothing prints to standard output, aborts or exits outside cli.
Faults behaviour_faults(const std::filesystem::path& project);
/// Fewer than 500 lines in a file, at most 25 entries in a folder.
Faults size_faults(const std::filesystem::path& project);
/// No path of somebody's machine in any file.
Faults machine_path_faults(const std::filesystem::path& project);
/// VERSION is what CMake was configured with, and the newest entry of CHANGELOG.md.
Faults version_faults(const std::filesystem::path& project, const std::string& configured);

}  // namespace tangra::house
