#pragma once
#include "options.h"
#include "tangra/report/data_sets.h"

namespace tangra::cli {

report::DataSetList list_data_sets(const DataListRequest& request);
/// A named set that is not on this machine is described all the same. Throws Error(input) for an unknown name
/// that is no file either.
report::DataSetShown show_data_set(const DataShowRequest& request);

}  // namespace tangra::cli
