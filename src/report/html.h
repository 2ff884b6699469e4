#pragma once
#include <string>

#include "tangra/report/style.h"
#include "tangra/run/report_data.h"

namespace tangra::report {

/// One HTML page with everything in it: no other file, no network. Numbers stand in tables; charts are drawn
/// by Vega, which goes into the page where the program was built with it, else the page says that they are
/// missing.
std::string html(const run::ReportResult& result);

/// Whether the program was built with Vega.
bool has_charts();

std::string json(const run::ReportResult& result);
std::string terminal(const run::ReportResult& result, const TerminalStyle& style);

}  // namespace tangra::report
