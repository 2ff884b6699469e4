#include <fmt/format.h>

#include <algorithm>

#include "tangra/report/plot.h"
#include "tangra/report/suggestion.h"
#include "tangra/report/terminal.h"

namespace tangra::report {
namespace {

constexpr Index listed_by_default = 10;

Tone tone_of(const analysis::Spectrum& spectrum) {
  if (spectrum.verdict == "positive definite") return Tone::good;
  return spectrum.negative_beyond_rounding > 0 ? Tone::bad : Tone::strong;
}

void show_verdict(Page& page, const run::SpectrumResult& result) {
  const analysis::Spectrum& spectrum = result.spectrum;
  page.field("verdict", spectrum.verdict, tone_of(spectrum));
  if (!spectrum.advice.empty()) page.field("", spectrum.advice);
  page.field("bound",
             significant(spectrum.rounding_bound, 4) + ": below it an eigenvalue cannot be told from 0");
  if (!spectrum.rounding_bound_from.empty()) page.field("", spectrum.rounding_bound_from);
  if (!result.error_source.empty()) page.field("", "error of the entries: " + result.error_source);
  if (spectrum.within_rounding > 0) {
    page.field("", plural(spectrum.within_rounding, "eigenvalue") + " within the bound");
  }
  if (spectrum.negative_beyond_rounding > 0) {
    page.field("", plural(spectrum.negative_beyond_rounding, "negative eigenvalue") + " beyond the bound",
               Tone::bad);
  }
}

void show_plot(Page& page, const analysis::Spectrum& spectrum) {
  LogPlot plot{.values = spectrum.eigenvalues,
               .floor = spectrum.rounding_bound,
               .width = std::min<Index>(page.width() - 2, 90),
               .unicode = page.unicode()};
  const std::vector<std::string> lines = plot_lines(plot);
  if (lines.empty()) return;
  page.heading(page.unicode()
                   ? "Eigenvalues by rank (• positive, ○ absolute value of a negative one, ┄ bound)"
                   : "Eigenvalues by rank (* positive, o absolute value of a negative one, - bound)");
  for (const std::string& line : lines) page.line(line);
}

void show_values(Page& page, const run::SpectrumResult& result) {
  const std::vector<double>& values = result.spectrum.eigenvalues;
  const auto count = static_cast<Index>(values.size());
  const Index top = std::min(count, result.top > 0 ? result.top : listed_by_default);
  if (count == 0) return;
  page.heading(top == count ? "Eigenvalues" : "Largest eigenvalues, and the smallest");
  const bool residuals = result.spectrum.residuals.size() == values.size();
  std::vector<Column> columns = {
      {"rank", Align::right}, {"eigenvalue", Align::right}, {"of the trace", Align::right}};
  if (residuals) columns.push_back({"residual", Align::right});
  Table table(std::move(columns));
  const auto add = [&](Index k) {
    const double value = values[static_cast<std::size_t>(k)];
    const double share = result.spectrum.trace == 0 ? 0 : value / result.spectrum.trace;
    std::vector<std::string> cells = {grouped(k + 1), significant(value, 10),
                                      fmt::format("{:.3g} %", 100 * share)};
    if (residuals) cells.push_back(significant(result.spectrum.residuals[static_cast<std::size_t>(k)], 3));
    table.add(std::move(cells));
  };
  for (Index k = 0; k < top; ++k) add(k);
  if (top < count) add(count - 1);
  page.table(table, static_cast<std::size_t>(top + 1));
}

void show_figures(Page& page, const analysis::Spectrum& spectrum) {
  page.heading("Figures");
  page.field("condition", significant(spectrum.condition, 6));
  page.field("trace", significant(spectrum.trace, 10));
  page.field("Frobenius", significant(spectrum.frobenius, 10));
  page.field("ranks",
             fmt::format("{} effective (sum^2 / sum of squares), {} by entropy, {} stable, of {}",
                         significant(spectrum.effective_rank, 4), significant(spectrum.entropy_rank, 4),
                         significant(spectrum.stable_rank, 4), grouped(spectrum.size)));
}

}  // namespace

std::string terminal(const run::SpectrumResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Spectrum of a kernel");
  page.field("kernel", result.source + ", " + sizes(result.shape));
  show_verdict(page, result);
  show_plot(page, result.spectrum);
  show_values(page, result);
  show_figures(page, result.spectrum);
  page.heading("Costs");
  show_costs(page, result.provenance);
  return page.text();
}

}  // namespace tangra::report
