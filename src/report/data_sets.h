#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tangra/base/array.h"
#include "tangra/data/catalogue.h"

namespace tangra::report {

/// tangra data list
struct DataSetList {
  std::vector<data::DataSetInfo> sets;
};

/// tangra data show: a named set or a file, as far as it is known.
struct DataSetShown {
  std::string name;                       ///< as asked for
  std::optional<data::DataSetInfo> info;  ///< of a named set
  bool loaded = false;                    ///< what follows is known
  Shape shape;                            ///< (N, ...)
  std::string description;                ///< what was done with the raw values
  std::uint64_t fingerprint = 0;
  std::vector<Index> class_counts;  ///< samples with label k; empty without labels
  Array first;                      ///< the first sample
  std::optional<Index> first_label;
};

}  // namespace tangra::report
