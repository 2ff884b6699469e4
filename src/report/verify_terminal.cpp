#include <algorithm>
#include <limits>

#include "tangra/report/suggestion.h"
#include "tangra/report/terminal.h"

namespace tangra::report {
namespace {

constexpr std::size_t all_rows = std::numeric_limits<std::size_t>::max();

void show_pairs(Page& page, const verify::VerifyResult& result) {
  page.heading("Differences, each at the entry that is worst against its bound");
  Table table({{"parameter"},
               {"methods"},
               {"of", Align::left, true},
               {"largest entry", Align::right, true},
               {"difference", Align::right},
               {"bound", Align::right},
               {"agree"}});
  std::string before;
  for (const verify::PairResult& pair : result.pairs) {
    // A parameter's name stands once, in front of its pairs.
    table.add({pair.parameter == before ? "" : pair.parameter, pair.first + " - " + pair.second, pair.what,
               significant(pair.largest_entry, 4), significant(pair.difference, 3),
               significant(pair.bound, 3), pair.agree ? "yes" : "NO"});
    before = pair.parameter;
  }
  page.table(table, all_rows);
}

void show_verdict(Page& page, const verify::VerifyResult& result) {
  page.heading("Verdict");
  if (result.agree) {
    page.paragraph("All methods agree: every difference is within its bound.", Tone::good);
    return;
  }
  page.paragraph("The methods do NOT agree.", Tone::bad);
  if (!result.first_failure.empty()) page.field("first", result.first_failure, Tone::bad);
  if (!result.odd_one_out.empty()) page.field("odd one out", result.odd_one_out + "; the others agree there");
}

}  // namespace

std::string terminal(const run::VerifyRunResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Verification of the kernel");
  show_model(page, result.model);
  show_data(page, "data", result.data);
  page.field("reduction", result.reduce);
  std::string methods;
  for (const std::string& name : result.result.methods) methods += (methods.empty() ? "" : ", ") + name;
  page.field("methods", methods);
  show_pairs(page, result.result);
  if (result.result.steps > 0) {
    page.gap();
    page.paragraph("Finite differences took " + plural(result.result.steps, "step") + "; " +
                   grouped(result.result.steps_skipped) + " skipped at kinks or edges of a domain, " +
                   grouped(result.result.entries_excluded) + " derivatives without any step that works.");
  }
  for (const std::string& note : result.result.notes) page.paragraph(note);
  show_verdict(page, result.result);
  page.heading("Costs");
  show_costs(page, result.provenance);
  return page.text();
}

}  // namespace tangra::report
