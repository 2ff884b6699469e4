#include "runs.h"
#include "tangra/report/html.h"
#include "tangra/report/page/page.h"

namespace tangra::report {

std::string terminal(const run::ReportResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Report");
  Table table({{"run"}, {"command"}, {"in short"}});
  for (const run::ReportRun& run : result.runs) {
    Object fields = Object::parse(run.json, nullptr, false);
    const ReadRun read{.run = &run, .fields = fields.is_object() ? std::move(fields) : Object::object()};
    table.add({run.name, run.command, headline(read)});
  }
  page.table(table);
  for (const run::WidthPlot& plot : result.plots) {
    page.heading(plot.what);
    if (plot.slope)
      page.field("slope", significant(plot.slope->slope, 4) + " +- " + significant(plot.slope->error, 2) +
                              ", " + plot.expected);
  }
  for (const std::string& each : result.left_out) page.field("left out", each);
  if (!has_charts())
    page.field(
        "charts",
        "none: this program was built without Vega (scripts/install.sh brings it); tables have all numbers");
  page.gap();
  page.field("written", result.out.empty() ? "nothing: name a page with -o REPORT.html" : result.out);
  return page.text();
}

}  // namespace tangra::report
