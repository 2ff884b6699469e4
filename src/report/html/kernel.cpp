// Kernels and their spectra.
#include <algorithm>
#include <numeric>

#include "charts.h"
#include "runs.h"

namespace tangra::report {
namespace {

void show_parts(Section& section, const Object& fields) {
  const std::vector<Object> names = list(fields, "/parts");
  const std::vector<double> traces = numbers(fields, "/part_traces");
  if (names.size() < 2 || traces.size() != names.size() || !(traces.back() > 0)) return;
  std::vector<std::string> labels;
  std::vector<double> shares;
  std::vector<std::vector<std::string>> rows;
  for (std::size_t k = 0; k + 1 < names.size(); ++k) {
    if (!names[k].is_string()) continue;
    labels.push_back(names[k].get<std::string>());
    shares.push_back(traces[k] / traces.back());
    rows.push_back({labels.back(), significant(traces[k], 8), shown_percent(shares.back())});
  }
  section.heading("Share of each part");
  section.chart(share_chart(labels, shares), "Where the kernel comes from",
                "The trace of each part of the parameters, as a share of the whole kernel's. The parts add "
                "up to the kernel.");
  section.table({{"part"}, {"trace", true}, {"share", true}}, rows);
}

/// The plan of the same kernel, where the page has it.
const Object* plan_of(const Object& kernel, const std::vector<ReadRun>& others) {
  for (const ReadRun& other : others) {
    bool same = text(other.fields, "/command") == "plan";
    for (const char* key : {"/model_fingerprint", "/data_fingerprints", "/reduce", "/shape", "/precision"})
      same = same && field(other.fields, key) == field(kernel, key);
    if (same) return &other.fields;
  }
  return nullptr;
}

std::optional<double> step_of(const Object& fields, const std::string& name) {
  for (const Object& step : list(fields, "/steps")) {
    if (text(step, "/step") == name) return number(step, "/seconds");
  }
  return std::nullopt;
}

/// What the run itself was told to take: the contraction, or all steps before it together.
std::optional<double> told(const Object& fields, bool contraction) {
  std::optional<double> seconds;
  for (const Object& step : list(fields, "/expected")) {
    if ((text(step, "/step") == "contraction") != contraction) continue;
    const auto own = number(step, "/seconds");
    if (!own) return std::nullopt;
    seconds = seconds.value_or(0) + *own;
  }
  return seconds;
}

void show_plan_against_measured(Section& section, const Object& fields, const std::vector<ReadRun>& others) {
  const Object* plan = plan_of(fields, others);
  std::vector<std::vector<std::string>> rows;
  const auto add = [&rows](const char* what, std::optional<double> expected, std::optional<double> measured) {
    if (!expected || !measured) return;
    rows.push_back({what, shown_seconds(expected), shown_seconds(measured),
                    *expected > 0 ? significant(*measured / *expected, 3) : ""});
  };
  const auto expected = [&](const char* path, bool contraction) { return plan != nullptr ? number(*plan, path) : told(fields, contraction); };
  add("factors", expected("/expected_seconds/factors", false), step_of(fields, "factors"));
  add("contraction", expected("/expected_seconds/contraction", true), step_of(fields, "contraction"));
  if (plan != nullptr) add("in all", number(*plan, "/expected_seconds/total"), number(fields, "/seconds"));
  if (rows.empty()) return;
  section.heading("Plan against measured");
  section.table({{"step"}, {"expected", true}, {"measured", true}, {"ratio", true}}, rows);
}

void show_orders(Section& section, const Object& fields) {
  std::vector<std::vector<std::string>> rows;
  for (const Object& row : list(fields, "/plan"))
    rows.push_back({text(row, "/parameter"), text(row, "/order"), shown_count(number(row, "/total_multiply_adds")),
                    shown_bytes(number(row, "/bytes")), shown_seconds(number(row, "/expected_seconds")), text(row, "/reason")});
  if (rows.empty()) return;
  section.begin_details("Orders of contraction: how the factors of each parameter were multiplied");
  section.table({{"parameter"}, {"order"}, {"multiply-adds", true}, {"factors", true}, {"expected", true}, {"why"}}, rows);
  section.end_details();
}

void show_picture(Section& section, const run::HeatMap& map) {
  const bool sorted = !map.row_bands.empty();
  std::string caption = sorted ? "Samples are sorted by class; lines part the classes. "
                               : "Samples are in the order of the data. ";
  if (map.rows > map.height)
    caption += "Each pixel is the mean of " +
               significant(static_cast<double>(map.rows) / static_cast<double>(map.height), 3) +
               " rows and as many columns. ";
  caption += "The colours span " + significant(map.low, 5) + " to " + significant(map.high, 5) +
             ", the middle 96 % of the pixels; what lies beyond has the colour of the end.";
  section.chart(heat_chart(map),
                "The kernel of " + grouped(map.rows) + " × " + grouped(map.columns) + " entries", caption);
}

/// Shares after 1, 2, 4, .. eigenvectors and after all that are known.
void show_share_table(Section& section, const std::vector<double>& cumulated) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t k = 1; k < cumulated.size(); k *= 2)
    rows.push_back({grouped(static_cast<Index>(k)), shown_percent(cumulated[k - 1])});
  rows.push_back({grouped(static_cast<Index>(cumulated.size())), shown_percent(cumulated.back())});
  section.begin_details("Shares of the labels as numbers");
  section.table({{"eigenvectors", true}, {"share", true}}, rows);
  section.end_details();
}

void show_label_fit(Section& section, const Object& fields) {
  const std::vector<double> cumulated = numbers(fields, "/labels/cumulated_share");
  if (cumulated.empty()) return;
  section.heading("Labels");
  section.tiles({{"alignment with the labels", shown(number(fields, "/labels/alignment"), 4),
                  "1 where K is the kernel of the labels themselves"},
                 {"centred alignment", shown(number(fields, "/labels/centred_alignment"), 4),
                  "the same when the mean of K is taken out"}});
  std::vector<double> ranks(cumulated.size());
  std::iota(ranks.begin(), ranks.end(), 1.0);
  std::vector<Line> lines{{.name = "all classes", .x = ranks, .y = cumulated}};
  const std::vector<Object> by_class = list(fields, "/labels/cumulated_share_by_class");
  std::size_t least = 0, most = 0;
  std::vector<std::vector<double>> columns;
  for (const Object& column : by_class) columns.push_back(numbers(Object{{"c", column}}, "/c"));
  const std::size_t middle = std::min<std::size_t>(cumulated.size(), 16) - 1;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].size() != cumulated.size()) return section.note("the shares by class are malformed");
    if (columns[c][middle] < columns[least][middle]) least = c;
    if (columns[c][middle] > columns[most][middle]) most = c;
  }
  if (columns.size() > 1) {
    lines.push_back(
        {.name = "class " + std::to_string(most) + ", learned first", .x = ranks, .y = columns[most]});
    lines.push_back(
        {.name = "class " + std::to_string(least) + ", learned last", .x = ranks, .y = columns[least]});
  }
  section.chart(line_chart(lines, {.x = "leading eigenvectors",
                                   .y = "share of the labels",
                                   .x_log = true,
                                   .percent = true,
                                   .marks = false}),
                "How much of the labels lies along the leading eigenvectors",
                "Gradient descent learns what lies along leading eigenvectors first. Labels that need few "
                "eigenvectors are easy for this kernel.");
  show_share_table(section, cumulated);
}

void show_density(Section& section, const Object& fields) {
  const std::vector<double> edges = numbers(fields, "/density/edges"),
                            counts = numbers(fields, "/density/counts");
  if (counts.empty()) return;
  section.chart(density_chart(edges, counts), "Eigenvalues by size",
                flag(fields, "/density/estimated") ? "Estimated by Lanczos quadrature from random vectors."
                                                   : "Counted.");
  std::vector<std::vector<std::string>> rows;
  for (std::size_t k = 0; k < counts.size() && k + 1 < edges.size(); ++k) {
    if (counts[k] > 0)
      rows.push_back({significant(edges[k], 4), significant(edges[k + 1], 4), significant(counts[k], 5)});
  }
  section.begin_details("Eigenvalues by size as numbers");
  section.table({{"from", true}, {"to", true}, {"eigenvalues", true}}, rows, 100);
  section.end_details();
}

void show_eigenvalue_table(Section& section, const Object& fields) {
  const std::vector<double> values = numbers(fields, "/eigenvalues"),
                            residuals = numbers(fields, "/residuals");
  const double trace = number(fields, "/trace").value_or(0);
  std::vector<std::vector<std::string>> rows;
  for (std::size_t k = 0; k < values.size(); ++k) {
    rows.push_back({grouped(static_cast<Index>(k + 1)), significant(values[k], 10),
                    trace > 0 ? shown_percent(values[k] / trace) : "",
                    k < residuals.size() ? significant(residuals[k], 3) : ""});
  }
  section.begin_details("Eigenvalues as numbers");
  section.table({{"rank", true}, {"eigenvalue", true}, {"of the trace", true}, {"residual", true}}, rows, 50);
  section.end_details();
}

}  // namespace

void show_kernel(Section& section, const ReadRun& read, const std::vector<ReadRun>& others) {
  const Object& fields = read.fields;
  if (!text(fields, "/conventions").empty()) section.paragraph(text(fields, "/conventions"));
  std::vector<Tile> tiles;
  if (const auto trace = number(fields, "/statistics/trace"))
    tiles.push_back(
        {"trace", significant(*trace, 10), "the sum of the diagonal: squared lengths of all gradients"});
  if (const auto low = number(fields, "/statistics/smallest_diagonal"))
    tiles.push_back({"diagonal",
                     significant(*low, 6) + " to " + shown(number(fields, "/statistics/largest_diagonal")),
                     "squared length of the gradient of a sample"});
  if (const auto largest = number(fields, "/statistics/largest_entry"))
    tiles.push_back({"largest entry", significant(*largest, 8), "in absolute value"});
  if (const auto error = number(fields, "/measured_error/largest_relative"))
    tiles.push_back({"measured error", significant(*error, 2),
                     "of an entry, against float64, as a share of the largest entry"});
  section.tiles(tiles);
  if (read.run->picture) show_picture(section, *read.run->picture);
  show_parts(section, fields);
  show_plan_against_measured(section, fields, others);
  show_orders(section, fields);
}

void show_plan(Section& section, const ReadRun& read) {
  const Object& fields = read.fields;
  section.tiles(
      {{"expected time", shown_seconds(number(fields, "/expected_seconds/total")),
        "from the rates of this machine"},
       {"kernel", shown_bytes(number(fields, "/kernel_bytes")), "of all parts"},
       {"expected peak", shown_bytes(number(fields, "/expected_peak_bytes")), "memory of the whole process"},
       {"factors", shown_bytes(number(fields, "/factor_bytes")), "held at once, with the memory to work in"},
       {"multiply-adds", shown(number(fields, "/multiply_adds"), 4), "of all contractions"}});
  section.table({{"step"}, {"expected", true}},
                {{"factors", shown_seconds(number(fields, "/expected_seconds/factors"))},
                 {"contraction", shown_seconds(number(fields, "/expected_seconds/contraction"))},
                 {"write", shown_seconds(number(fields, "/expected_seconds/write"))}});
  show_orders(section, fields);
}

void show_spectrum(Section& section, const Object& fields) {
  const std::string verdict = text(fields, "/verdict");
  const Mood mood = verdict == "positive definite"           ? Mood::good
                    : verdict == "not positive semidefinite" ? Mood::bad
                                                             : Mood::plain;
  section.verdict(text(fields, "/statement"), text(fields, "/advice"), mood);
  if (!flag(fields, "/converged") && field(fields, "/converged").is_boolean())
    section.verdict("Not converged", text(fields, "/message"), Mood::bad);
  const std::vector<double> values = numbers(fields, "/eigenvalues");
  section.tiles(
      {{"largest eigenvalue", values.empty() ? "not known" : significant(values.front(), 8),
        "decides the learning rate that training bears"},
       {flag(fields, "/smallest_is_upper_bound") ? "smallest, at most" : "smallest eigenvalue",
        shown(number(fields, "/smallest")), "how firmly the kernel tells samples apart"},
       {"condition number", shown(number(fields, "/condition")), "the largest over the smallest eigenvalue"},
       {"effective rank", shown(number(fields, "/effective_rank"), 4),
        "how many directions carry the trace: its square over the sum of squares"},
       {"entropy rank", shown(number(fields, "/entropy_rank"), 4),
        "the same by the entropy of the eigenvalues"},
       {"decay exponent", shown(number(fields, "/decay/exponent"), 4),
        "eigenvalues fall as rank to minus this power"}});
  if (!values.empty()) {
    section.chart(eigenvalue_chart(values, number(fields, "/rounding_bound").value_or(0)),
                  "Eigenvalues by rank",
                  "Both axes are logarithmic: a power law is a straight line. Below the bound (" +
                      shown(number(fields, "/rounding_bound"), 4) +
                      ") rounding decides, and an eigenvalue cannot be told from 0.");
  }
  show_density(section, fields);
  show_label_fit(section, fields);
  show_eigenvalue_table(section, fields);
  std::string nulls;
  for (const Object& space : list(fields, "/null_spaces"))
    nulls += (nulls.empty() ? "" : "; ") + shown_count(number(space, "/dimension")) +
             " zeros: " + text(space, "/reason");
  section.facts({{"method", text(fields, "/method")},
                 {"trace", shown(number(fields, "/trace"), 10)},
                 {"Frobenius norm", shown(number(fields, "/frobenius"), 10)},
                 {"known null spaces", nulls},
                 {"bound of rounding",
                  shown(number(fields, "/rounding_bound"), 4) + ", " + text(fields, "/rounding_bound_from")},
                 {"error of the entries", text(fields, "/entry_error_from")}});
}

}  // namespace tangra::report
