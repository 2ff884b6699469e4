#include "tangra/run/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace tangra::run {
namespace {

/// The number behind "KEY" in one of the system's text files.
std::optional<std::size_t> number_in(const std::string& file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t first = line.find_first_of("0123456789", key.size());
    std::size_t value = 0;
    if (first == std::string::npos) return std::nullopt;
    const auto [end, code] = std::from_chars(line.data() + first, line.data() + line.size(), value);
    if (code == std::errc()) return value;
  }
  return std::nullopt;
}

/// The folder of the process's control group (version 2); in a container it is the root of what can be seen.
std::string control_group() {
  std::ifstream stream("/proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("0::")) return "/sys/fs/cgroup" + line.substr(3);
  }
  return "/sys/fs/cgroup";
}

/// What the control group still allows; pages of files count as free, as they can be given up.
std::size_t free_in_group() {
  const std::string group = control_group();
  const auto limit = number_in(group + "/memory.max", "");
  const auto used = number_in(group + "/memory.current", "");
  if (!limit || !used) return std::numeric_limits<std::size_t>::max();
  const std::size_t pages_of_files = number_in(group + "/memory.stat", "file ").value_or(0);
  const std::size_t held = *used - std::min(*used, pages_of_files);
  return *limit - std::min(*limit, held);
}

}  // namespace

std::size_t free_memory() {
  const std::size_t kilobytes = number_in("/proc/meminfo", "MemAvailable:").value_or(0);
  return std::min(kilobytes * 1024, free_in_group());
}

std::size_t resident_memory() { return number_in("/proc/self/status", "VmRSS:").value_or(0) * 1024; }

// Not getrusage's ru_maxrss: a program that is started by a large one inherits that one's peak.
std::size_t peak_memory() { return number_in("/proc/self/status", "VmHWM:").value_or(0) * 1024; }

}  // namespace tangra::run
