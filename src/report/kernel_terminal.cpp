#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tangra/base/context.h"
#include "tangra/report/suggestion.h"
#include "tangra/report/terminal.h"

namespace tangra::report {
namespace {

constexpr std::size_t plan_rows = 24;

std::string bytes_text(double bytes) { return human_bytes(static_cast<std::size_t>(bytes)); }

std::string axes_text(const run::KernelResult& result) {
  std::string names;
  for (const std::string& axis : result.axes) names += (names.empty() ? "" : ", ") + axis;
  return sizes(result.shape) + (names.empty() ? "" : " (" + names + ")");
}

void show_what(Page& page, const run::KernelResult& result) {
  show_model(page, result.model);
  show_data(page, "data", result.data);
  if (result.data2) show_data(page, "second data", *result.data2);
  page.field("an entry", result.conventions);
  const std::size_t bytes =
      static_cast<std::size_t>(result.shape.elements()) * (result.precision == "float32" ? 4 : 8);
  page.field("K", fmt::format("{}; {}, {}", axes_text(result), result.precision, human_bytes(bytes)));
}

void show_shares(Page& page, const run::KernelResult& result) {
  const std::size_t parts = std::min(result.parts.size(), result.part_traces.size());
  if (parts < 2) return;
  const double total = result.part_traces[parts - 1];
  page.heading("Share of each part in the trace");
  Table table({{"part"}, {""}, {"share", Align::right}, {"trace", Align::right}});
  for (std::size_t p = 0; p < parts; ++p) {
    const double share = total == 0 ? 0 : result.part_traces[p] / total;
    const bool last = p + 1 == parts;
    table.add({result.parts[p], last ? "" : bar(share, 24, page.unicode()),
               fmt::format("{:.2f} %", 100 * share), significant(result.part_traces[p], 8)});
  }
  page.table(table);
}

void show_corner(Page& page, const run::KernelResult& result) {
  const auto& corner = result.statistics.corner;
  if (corner.empty() || corner.front().empty()) return;
  page.heading(corner.size() == 1 && corner.front().size() == 1 ? "K" : "Corner of K");
  // As many columns as fit; the numbers of a row are not to be cut.
  constexpr Index widest_number = 15;
  const auto room = static_cast<std::size_t>(std::max<Index>((page.width() - 2) / (widest_number + 2), 1));
  const std::size_t shown = std::min(room, corner.front().size());
  Table table(std::vector<Column>(shown, Column{"", Align::right}));
  for (const std::vector<double>& row : corner) {
    std::vector<std::string> cells;
    for (std::size_t c = 0; c < std::min(shown, row.size()); ++c) cells.push_back(significant(row[c], 8));
    table.add(std::move(cells));
  }
  page.table(table);
}

/// The error of the entries, as far as it was measured.
std::string error_text(const run::KernelResult& result) {
  if (!result.measured_error) {
    if (result.precision == "float64") return "rounding of float64";
    return "rounding of float32, not measured" + (result.not_measured.empty() ? "" : ": " + result.not_measured);
  }
  const verify::MeasuredError& error = *result.measured_error;
  std::string text = significant(error.largest_relative, 2) + " of the largest entry, against float64 on " +
                     (error.entries == 1 ? "1 entry" : grouped(error.entries) + " entries");
  if (!error.parameters.empty()) text += " of " + plural(static_cast<Index>(error.samples.size()), "sample") + "' sum";
  if (error.near_kinks > 0) {
    text += "; " + plural(error.near_kinks, "unit") + " so close to a kink that rounding may carry it across";
  }
  return text;
}

/// What stands in place of a corner where a result is no matrix: its first entries.
void show_first_entries(Page& page, const run::KernelResult& result) {
  if (!result.statistics.corner.empty() || result.arrays.empty()) return;
  const Array& array = result.arrays.back().array;
  if (array.size() == 0 || !is_floating(array.type())) return;
  constexpr Index most = 8;
  const Tensor<double> values = array.converted<double>();
  std::string text;
  for (Index i = 0; i < std::min(most, values.size()); ++i)
    text += (i > 0 ? "  " : "") + significant(values[i], 8);
  page.heading("First entries");
  page.paragraph(text + (values.size() > most ? "  ..." : ""));
}

void show_statistics(Page& page, const run::KernelResult& result) {
  const run::KernelStatistics& statistics = result.statistics;
  page.heading("Figures");
  if (!result.statistics.corner.empty()) {
    if (!result.data2) {
      page.field("trace", significant(statistics.trace, 10));
      page.field("diagonal", significant(statistics.smallest_diagonal, 8) + " to " +
                                 significant(statistics.largest_diagonal, 8));
    }
    page.field("largest", significant(statistics.largest_entry, 8) + " in absolute value");
  }
  page.field("error", error_text(result));
}

void show_plan(Page& page, const run::KernelResult& result) {
  page.heading("Plan");
  page.field("method", result.method);
  if (result.plan.empty()) return;
  page.field("work",
             significant(result.multiply_adds, 3) + " multiply-adds, blocks of " +
                 plural(result.block_samples, "sample") +
                 (result.groups > 1 ? ", factors made anew in " + plural(result.groups, "group") : ""));
  const bool timed = result.plan.front().seconds.has_value();
  std::vector<Column> columns{{"parameter"}, {"order"}, {"multiply-adds", Align::right}, {"factors", Align::right}};
  if (timed) columns.push_back({"time", Align::right});
  columns.push_back({"why"});
  Table table(std::move(columns));
  for (const run::PlanRow& row : result.plan) {
    std::vector<std::string> cells{row.parameter, row.order, significant(row.total_multiply_adds, 3), bytes_text(row.bytes)};
    if (timed) cells.push_back(duration(row.seconds.value_or(0)));
    cells.push_back(row.reason);
    table.add(std::move(cells));
  }
  page.table(table, plan_rows);
}

void show_steps(Page& page, const run::KernelResult& result) {
  Table table({{"step"}, {"multiply-adds", Align::right}, {"memory traffic", Align::right}, {"time", Align::right}});
  for (const run::ExpectedStep& step : result.expected) {
    table.add({step.step, significant(step.multiply_adds, 3), bytes_text(step.bytes), duration(step.seconds.value_or(0))});
  }
  page.table(table);
}

/// How far off the expectation was: "factors 1.2 s, took 1.1 times that; contraction 0.3 s, took 0.97 times that; memory
/// 512 MiB, took 0.9 times that".
std::string expected_text(const run::KernelResult& result) {
  std::string text;
  const auto compare = [&](const std::string& step, bool (*belongs)(const run::ExpectedStep&)) {
    double expected = 0;
    for (const run::ExpectedStep& own : result.expected) expected += belongs(own) ? own.seconds.value_or(0) : 0;
    const auto took = std::ranges::find(result.provenance.seconds, step, &std::pair<std::string, double>::first);
    if (took == result.provenance.seconds.end() || expected <= 0) return;
    text += (text.empty() ? "" : "; ") + step + " " + duration(expected) + ", took " + significant(took->second / expected, 2) + " times that";
  };
  compare("factors", [](const run::ExpectedStep& step) { return step.step != "contraction"; });
  compare("contraction", [](const run::ExpectedStep& step) { return step.step == "contraction"; });
  if (result.expected_peak_bytes > 0) {
    const double share = static_cast<double>(result.provenance.peak_bytes) / static_cast<double>(result.expected_peak_bytes);
    text += (text.empty() ? "" : "; ") + std::string("memory ") + human_bytes(result.expected_peak_bytes) + ", took " + significant(share, 2) + " times that";
  }
  return text;
}

std::string resumed_text(const run::Resumed& resumed) {
  const std::string all = plural(resumed.tiles, "tile");
  if (resumed.found == resumed.tiles) return all + ", all there and sound: nothing was left to compute";
  return all + ", " + grouped(resumed.found) + " of them there and sound, " + grouped(resumed.tiles - resumed.found) + " computed";
}

/// Whether K is one symmetric matrix, so that its eigenvalues can be asked for.
bool symmetric_matrix(const run::KernelResult& result) {
  return !result.data2 && result.requested.pairs == run::Pairs::all &&
         (result.shape.rank() == 2 || result.shape.rank() == 4);
}

/// The options that decide what K is, but for the parts.
Command with_choices(Command command, const run::KernelResult& result) {
  const run::KernelSpec& spec = result.requested;
  command = spec.conjugate.empty() ? with(command, {"--reduce", result.reduce})
                                   : with(command, {"--conjugate", spec.conjugate});
  if (!spec.basis.empty()) command = with(command, {"--basis", spec.basis});
  if (spec.space == run::Space::parameters) command = with(command, {"--space", "parameters"});
  if (spec.pairs == run::Pairs::self) command = with(command, {"--pairs", "self"});
  if (spec.precision != run::Precision::automatic) command = with(command, {"--precision", result.precision});
  return command;
}

Command kernel_command(const run::KernelResult& result) {
  const run::KernelSpec& spec = result.requested;
  Command command = command_on("kernel", spec.model, spec.data);
  if (spec.data2) {
    command.insert(command.begin() + 4, CommandWord{spec.data2->source});
    if (spec.data2->n) command = with(command, {"--n2", std::to_string(*spec.data2->n)});
    if (spec.data2->samples) {
      const auto& [begin, end] = *spec.data2->samples;
      command = with(command, {"--samples2", std::to_string(begin) + ":" + std::to_string(end)});
    }
  }
  return with_choices(std::move(command), result);
}

void show_next(Page& page, const run::KernelResult& result) {
  const run::KernelSpec& spec = result.requested;
  page.heading("What to try next");
  const bool conjugate = !spec.conjugate.empty();
  const bool total = spec.by == run::By::total;
  if (symmetric_matrix(result) && (result.out.ends_with(".npy") || result.out.ends_with(".zarr"))) {
    page.command({{"tangra"}, {"spectrum"}, {result.out}});
  } else if (symmetric_matrix(result) && !conjugate) {
    page.command(with_choices(command_on("spectrum", spec.model, spec.data), result));
  }
  const Command kernel = kernel_command(result);
  if (result.out.empty() && total) page.command(with(kernel, {"-o", "K.npy"}));
  if (result.out.empty() && !total) {
    page.command(with(kernel, {"--by", spec.by == run::By::layer ? "layer" : "parameter", "-o", "K.npz"}));
  }
  if (conjugate) return;
  if (total && spec.space == run::Space::samples && result.plan.size() > 1)
    page.command(with(kernel, {"--by", "layer"}));
  data::DataSpec few = spec.data;
  few.n = std::min<Index>(result.data.samples, 4);
  page.command(command_on("verify", spec.model, few));
}

}  // namespace

std::string terminal(const run::KernelResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title(result.requested.conjugate.empty() ? "Neural tangent kernel" : "Conjugate kernel");
  show_what(page, result);
  show_shares(page, result);
  show_corner(page, result);
  show_first_entries(page, result);
  show_statistics(page, result);
  show_plan(page, result);
  page.heading("Costs");
  show_costs(page, result.provenance);
  if (const std::string text = expected_text(result); !text.empty()) page.field("expected", text);
  if (!result.out.empty()) page.field("files", result.out + ", " + result.out + ".json");
  if (result.triangle == "lower") page.field("", "the lower triangle alone; above it K reads as NaN in other programs");
  if (result.resumed) page.field("resumed", resumed_text(*result.resumed));
  show_next(page, result);
  return page.text();
}

std::string terminal(const run::PlanResult& result, const TerminalStyle& style) {
  const run::KernelResult& kernel = result.kernel;
  const run::Prediction& predicted = result.predicted;
  Page page(style);
  page.title("Plan of a neural tangent kernel, which was not computed");
  show_what(page, kernel);
  show_plan(page, kernel);
  page.heading("Expected");
  show_steps(page, kernel);
  page.field("time", duration(predicted.seconds()) + " (factors " + duration(predicted.factor_seconds) +
                         " by the sweeps of a few samples, contraction " + duration(predicted.contraction_seconds) +
                         (predicted.written_to == "memory" ? ", writing " : ", beside it writing ") +
                         duration(predicted.write_seconds) + " at " +
                         human_bytes(static_cast<std::size_t>(predicted.write_rate)) + " a second, measured " +
                         (predicted.written_to == "memory" ? "in memory" : "at " + predicted.written_to) + ")");
  page.field("rate", significant(predicted.multiply_adds_rate, 3) + " multiply-adds a second, " +
                         plural(kernel.provenance.threads, "thread"));
  page.field("K", human_bytes(predicted.stored_bytes) +
                      (predicted.stored_bytes < predicted.kernel_bytes ? " of its lower triangle" : "") + " in " +
                      plural(predicted.tiles, "tile") +
                      (kernel.out.empty() || kernel.out.ends_with(".npz") ? ", in memory" : ", on disk"));
  page.field("peak memory", human_bytes(predicted.peak_bytes) + " of the process, of them " + human_bytes(predicted.factor_bytes) +
                                " for factors and work; the budget is " + human_bytes(kernel.provenance.memory_budget));
  page.heading("Costs of the plan itself");
  show_costs(page, kernel.provenance);
  return page.text();
}

}  // namespace tangra::report
