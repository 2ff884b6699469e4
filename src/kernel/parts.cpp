#include <algorithm>

#include "tangra/kernel/assembly.h"

namespace tangra::kernel {

Parts divide(const Graph& graph, PartsBy by) {
  Parts parts;
  for (const Parameter& parameter : graph.parameters) {
    if (!parameter.trainable) {
      parts.part_of.push_back(-1);
      continue;
    }
    const std::string name = by == PartsBy::total ? "total" : by == PartsBy::layer ? parameter.layer : parameter.name;
    const auto found = std::ranges::find(parts.names, name);
    parts.part_of.push_back(static_cast<int>(found - parts.names.begin()));
    if (found == parts.names.end()) parts.names.push_back(name);
  }
  parts.with_total = by != PartsBy::total;
  return parts;
}

}  // namespace tangra::kernel
