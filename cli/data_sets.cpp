#include "data_sets.h"

#include <algorithm>

#include "tangra/data/data_set.h"

namespace tangra::cli {
namespace {

std::optional<data::DataSetInfo> known_set(const DataShowRequest& request) {
  const std::string name = request.source.substr(0, request.source.find(':'));
  for (data::DataSetInfo& set : data::list(request.data_dir)) {
    if (set.name == name) return std::move(set);
  }
  return std::nullopt;
}

void describe(const data::DataSet& set, report::DataSetShown& shown) {
  shown.loaded = true;
  shown.shape = set.inputs.shape();
  shown.description = set.description;
  shown.fingerprint = set.fingerprint;
  shown.first = set.inputs.rows(0, 1);
  if (!set.labels || set.labels->empty()) return;
  shown.first_label = set.labels->front();
  const Index largest = std::ranges::max(*set.labels);
  constexpr Index most_classes = 10000;  // more are no classes but values
  if (largest >= most_classes) return;
  shown.class_counts.assign(static_cast<std::size_t>(largest) + 1, 0);
  for (const Index label : *set.labels) ++shown.class_counts[static_cast<std::size_t>(label)];
}

}  // namespace

report::DataSetList list_data_sets(const DataListRequest& request) {
  return {.sets = data::list(request.data_dir)};
}

report::DataSetShown show_data_set(const DataShowRequest& request) {
  report::DataSetShown shown;
  shown.name = request.source;
  shown.info = known_set(request);
  if (shown.info && !shown.info->found) return shown;
  describe(data::load({.source = request.source, .data_dir = request.data_dir}), shown);
  return shown;
}

}  // namespace tangra::cli
