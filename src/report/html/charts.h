#pragma once
// Not for other rooms: specifications of charts for Vega. A colour is named "$ink", "$muted", "$first" to
// "$fifth", "$grid" or
// "$paper"; the page puts in that of its light or dark dress. No width is given: the page has it.
#include <string>
#include <vector>

#include "section.h"
#include "tangra/run/report_data.h"

namespace tangra::report {

/// A line of a chart: y over x, points that are not finite left out.
struct Line {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
};

struct Axes {
  std::string x;
  std::string y;
  bool x_log = false;
  bool y_log = false;
  bool percent = false;  ///< y is a share
  bool marks = true;     ///< a mark at every point
};

/// Lines in one picture, told apart by colour and a legend.
Object line_chart(const std::vector<Line>& lines, const Axes& axes);
/// Eigenvalues, largest first, over their rank; `bound` 0: none.
Object eigenvalue_chart(const std::vector<double>& eigenvalues, double bound);
/// Counts between edges that ascend by a constant factor.
Object density_chart(const std::vector<double>& edges, const std::vector<double>& counts);
/// Shares of a whole, largest first.
Object share_chart(const std::vector<std::string>& names, const std::vector<double>& shares);
Object heat_chart(const run::HeatMap& map);
/// Points over width, the line of their slope and nothing else.
Object width_chart(const run::WidthPlot& plot, const std::string& label);

}  // namespace tangra::report
