#pragma once
// Not for other rooms: networks that differ in width.
#include <memory>
#include <vector>

#include "tangra/formats/json_file.h"
#include "tangra/run/report_data.h"

namespace tangra::run {

/// Of each run what it wrote; null for a kernel that stands alone.
using Descriptions = std::vector<std::shared_ptr<const formats::JsonFile>>;

/// The chain with `width` in place of every "=> n" but the last, and of every "n =>" but the first.
std::string with_hidden_width(const std::string& chain, Index width);
/// The least number behind "=>" in a chain but the last one; 0 where there are fewer than two.
Index hidden_width(const std::string& chain);

/// What falls with width, over all runs that tell of it.
std::vector<WidthPlot> width_plots(const Descriptions& descriptions);

}  // namespace tangra::run
