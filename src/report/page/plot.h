#pragma once
// Not for other rooms: eigenvalues as a picture of characters.
#include <span>
#include <string>
#include <vector>

#include "tangra/base/index.h"

namespace tangra::report {

struct LogPlot {
  std::span<const double> values;  ///< largest first
  double floor = 0;                ///< drawn as a line where it lies within the picture
  Index width = 60;                ///< of the whole picture, with its axis
  Index height = 9;
  bool unicode = true;
};

/// The values over their rank, on a logarithmic axis; negative ones by their absolute value, with another
/// mark. Empty where fewer than three differ from 0.
std::vector<std::string> plot_lines(const LogPlot& plot);

}  // namespace tangra::report
