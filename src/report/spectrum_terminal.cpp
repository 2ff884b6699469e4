#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tangra/report/page/plot.h"
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
  page.field("verdict", spectrum.statement.empty() ? spectrum.verdict : spectrum.statement,
             tone_of(spectrum));
  if (!spectrum.advice.empty()) page.field("", spectrum.advice);
  page.field("bound",
             significant(spectrum.rounding_bound, 4) + ": below it an eigenvalue cannot be told from 0");
  if (!spectrum.rounding_bound_from.empty()) page.field("", spectrum.rounding_bound_from);
  if (!result.error_source.empty()) page.field("", "error of the entries: " + result.error_source);
  if (!spectrum.converged) page.field("warning", "not converged: " + spectrum.message, Tone::bad);
}

/// How the eigenvalues were found, and whether some may be missing.
void show_method(Page& page, const run::SpectrumResult& result) {
  const analysis::Spectrum& spectrum = result.spectrum;
  std::string text = spectrum.complete ? "all eigenvalues" : "the largest eigenvalues";
  if (!spectrum.method.empty()) text += " by " + spectrum.method;
  if (result.space == "parameters") text += ", of J^T J in the space of parameters";
  if (!result.stored) text += ", K applied and never held: " + plural(spectrum.applications, "product") + " K v";
  page.field("method", text);
  if (spectrum.inertia) {
    const analysis::InertiaCheck& check = *spectrum.inertia;
    page.field("",
               plural(check.counted, "eigenvalue") + " above " + significant(check.at, 4) + " by LDL^T, " +
                   grouped(check.found) + " of them found",
               check.complete() ? Tone::plain : Tone::bad);
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
  page.heading(top == count && result.spectrum.complete ? "Eigenvalues"
               : result.spectrum.complete               ? "Largest eigenvalues, and the smallest"
                                                        : "Largest eigenvalues");
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
  if (top < count && result.spectrum.complete) add(count - 1);
  page.table(table, static_cast<std::size_t>(top + 1));
}

/// How much of the labels lies along the first eigenvectors, all classes together and class by class.
void show_labels(Page& page, const run::SpectrumResult& result) {
  if (!result.labels) return;
  const run::LabelFit& fit = *result.labels;
  page.heading("Labels");
  page.field("alignment", fmt::format("{} with the kernel, {} centred", significant(fit.alignment.plain, 4),
                                      significant(fit.alignment.centred, 4)));
  Table table({{"eigenvectors", Align::right},
               {"share of the labels", Align::right},
               {"least class", Align::right},
               {"most class", Align::right}});
  const auto count = static_cast<Index>(fit.shares.cumulated.size());
  const auto percent = [](double share) { return fmt::format("{:.1f} %", 100 * share); };
  for (Index first = 1; first <= count; first = first < count ? std::min(count, 4 * first) : count + 1) {
    const auto at = static_cast<std::size_t>(first - 1);
    double least = 1, most = 0;
    for (const auto& column : fit.shares.cumulated_by_column) {
      least = std::min(least, column[at]);
      most = std::max(most, column[at]);
    }
    table.add({grouped(first), percent(fit.shares.cumulated[at]), percent(least), percent(most)});
  }
  page.table(table);
}

void show_density(Page& page, const run::SpectrumResult& result) {
  if (!result.density) return;
  const run::DensityCounts& density = *result.density;
  page.heading(density.estimated ? "Eigenvalues by size, estimated" : "Eigenvalues by size");
  Table table(
      {{"from", Align::right}, {"to", Align::right}, {"eigenvalues", Align::right}, {"", Align::left, true}});
  // Four bins to a line; the bars are logarithmic, as counts are.
  const double all = std::log1p(static_cast<double>(result.spectrum.size));
  const auto add = [&](const std::string& from, double to, double count) {
    table.add({from, significant(to, 3), grouped(static_cast<Index>(std::llround(count))),
               bar(std::clamp(std::log1p(std::max(0.0, count)) / all, 0.0, 1.0), 30, page.unicode())});
  };
  add("", density.edges.front(), density.below);
  constexpr std::size_t together = 4;
  for (std::size_t i = 0; i < density.counts.size(); i += together) {
    double count = 0;
    const std::size_t end = std::min(density.counts.size(), i + together);
    for (std::size_t j = i; j < end; ++j) count += density.counts[j];
    add(significant(density.edges[i], 3), density.edges[end], count);
  }
  page.table(table);
}

std::string or_unknown(double value, int digits) {
  return std::isnan(value) ? "not known" : significant(value, digits);
}

void show_figures(Page& page, const run::SpectrumResult& result) {
  const analysis::Spectrum& spectrum = result.spectrum;
  page.heading("Figures");
  page.field("smallest",
             significant(spectrum.smallest, 6) +
                 (spectrum.smallest_is_upper_bound ? ", an upper bound: without K no more is known" : ""));
  page.field("condition", or_unknown(spectrum.condition, 6));
  if (std::isfinite(spectrum.condition_of_range) && spectrum.condition_of_range > 0 &&
      spectrum.condition_of_range != spectrum.condition) {
    page.field("", significant(spectrum.condition_of_range, 6) + " over the eigenvalues above the bound");
  }
  page.field("trace", significant(spectrum.trace, 10));
  page.field("Frobenius", result.frobenius_error > 0
                              ? significant(spectrum.frobenius, 4) + " +- " +
                                    significant(result.frobenius_error, 2) + ", estimated"
                              : significant(spectrum.frobenius, 10));
  page.field("ranks",
             fmt::format("{} effective (sum^2 / sum of squares), {} by entropy, {} stable, of {}",
                         significant(spectrum.effective_rank, 4), or_unknown(spectrum.entropy_rank, 4),
                         significant(spectrum.stable_rank, 4), grouped(spectrum.size)));
  if (spectrum.decay.exponent > 0) {
    page.field("decay", fmt::format("as rank^-{} (R^2 {})", significant(spectrum.decay.exponent, 3),
                                    significant(spectrum.decay.fit, 3)));
  }
}

}  // namespace

std::string terminal(const run::SpectrumResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Spectrum of a kernel");
  page.field("kernel", result.source + ", " + sizes(result.shape));
  show_verdict(page, result);
  show_method(page, result);
  show_plot(page, result.spectrum);
  show_values(page, result);
  show_figures(page, result);
  show_labels(page, result);
  show_density(page, result);
  page.heading("Costs");
  show_costs(page, result.provenance);
  return page.text();
}

}  // namespace tangra::report
