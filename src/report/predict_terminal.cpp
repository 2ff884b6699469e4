#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tangra/report/suggestion.h"
#include "tangra/report/terminal.h"

namespace tangra::report {
namespace {

std::string percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.2f} %", 100 * *share) : std::string();
}

std::string number(const std::optional<double>& value, int digits = 5) {
  return value ? significant(*value, digits) : std::string();
}

void show_scores(Page& page, const run::PredictResult& result) {
  page.heading("Errors (half the squared distance, mean over samples)");
  Table table({{""}, {"error", Align::right}, {"accuracy", Align::right}});
  table.add({"training", significant(result.training_error, 5), percent(result.training_accuracy)});
  if (result.leave_one_out)
    table.add({"leave-one-out", number(result.leave_one_out), percent(result.leave_one_out_accuracy)});
  if (result.accuracy) table.add({"test", number(result.test_error), percent(result.accuracy)});
  if (result.network_accuracy) table.add({"the network itself, test", "", percent(result.network_accuracy)});
  page.table(table);
}

void show_path(Page& page, const run::PredictResult& result) {
  if (result.path.empty()) return;
  page.heading("Ridges");
  Table table({{"ridge", Align::right},
               {"degrees of freedom", Align::right},
               {"training", Align::right},
               {"leave-one-out", Align::right},
               {"accuracy", Align::right, true},
               {"test accuracy", Align::right},
               {""}});
  for (const run::RidgeRow& row : result.path) {
    const std::string chosen = row.ridge == result.ridge ? "chosen" : "";
    if (!row.solved) {
      table.add({significant(row.ridge, 4), "", "", "", "", "", "singular " + chosen});
      continue;
    }
    table.add({significant(row.ridge, 4), significant(row.degrees_of_freedom, 5),
               significant(row.training_error, 4), significant(row.leave_one_out, 4),
               percent(row.leave_one_out_accuracy), percent(row.accuracy), chosen});
  }
  page.table(table);
}

void show_system(Page& page, const run::PredictResult& result) {
  page.field("kernel", result.reduce + ": " + result.form);
  page.field("prior", result.prior == "network" ? "the network's own outputs" : "zero");
  std::string solver = result.solver + ", " + grouped(result.size) + " unknowns for each of " +
                       plural(result.size > result.train.samples ? 1 : result.columns, "right-hand side");
  if (result.iterations > 0) solver += ", " + plural(result.iterations, "iteration");
  page.field("solver", solver + ", kernel in " + result.precision);
  std::string ridge = significant(result.ridge, 6);
  if (std::isfinite(result.mean_diagonal))
    ridge += ", beside a mean diagonal of " + significant(result.mean_diagonal, 4);
  page.field("ridge", ridge);
  if (result.jitter > 0) page.field("jitter", significant(result.jitter, 4), Tone::strong);
  if (!result.message.empty()) page.field("", result.message, result.converged ? Tone::plain : Tone::bad);
}

}  // namespace

std::string terminal(const run::PredictResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Kernel regression");
  show_model(page, result.model);
  show_data(page, "training", result.train);
  show_data(page, "test", result.test);
  show_system(page, result);
  show_path(page, result);
  if (result.converged || result.iterations > 0) show_scores(page, result);
  if (result.log_likelihood || result.mean_variance)
    page.heading("As a Gaussian process, with the ridge as its noise");
  if (result.log_likelihood)
    page.field("evidence", "log likelihood " + significant(*result.log_likelihood, 8));
  if (result.mean_variance)
    page.field("variance", significant(*result.mean_variance, 5) + " on average over the test samples");
  page.heading("Costs");
  show_costs(page, result.provenance);
  if (!result.out.empty()) page.field("written", result.out);
  return page.text();
}

namespace {

/// Distances by width, each with a bar whose length is its logarithm.
void show_convergence(Page& page, const run::InfiniteResult& result) {
  if (result.convergence.empty()) return;
  page.heading("Networks of other widths");
  Table table({{"width", Align::right}, {"distances from the closed form"}, {""}});
  double largest = 0, least = 0;
  for (const auto& [width, distance] : result.convergence) {
    largest = std::max(largest, distance);
    least = least == 0 ? distance : std::min(least, distance);
  }
  for (std::size_t k = 0; k < result.convergence.size();) {
    const Index width = result.convergence[k].first;
    std::string values;
    double logarithms = 0, count = 0;
    for (; k < result.convergence.size() && result.convergence[k].first == width; ++k, ++count) {
      values += (values.empty() ? "" : "  ") + significant(result.convergence[k].second, 3);
      logarithms += std::log(result.convergence[k].second);
    }
    const double span = std::log(largest / least) + 0.1;
    table.add({grouped(width), values, bar((logarithms / count - std::log(least) + 0.1) / span, 24, page.unicode())});
  }
  page.table(table);
  if (result.slope) {
    page.field("slope", fmt::format("{} +- {} of log distance over log width; theory says -0.5", significant(result.slope->slope, 4),
                                    significant(result.slope->error, 2)));
  }
}

}  // namespace

std::string terminal(const run::InfiniteResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title(result.kind == "ntk" ? "Tangent kernel of infinite width"
                                  : "Gaussian process of infinite width");
  show_model(page, result.model);
  show_data(page, "data", result.data);
  if (result.data2) show_data(page, "columns", *result.data2);
  page.field("kernel", result.conventions);
  page.field("shape", sizes(result.shape));
  page.heading("Layers");
  Table table({{"layer"}, {"widths"}, {"sigma_w", Align::right}, {"sigma_b", Align::right}, {"behind it"}});
  for (const run::InfiniteResult::Layer& layer : result.layers) {
    table.add({layer.name, grouped(layer.in) + (page.unicode() ? " → " : " -> ") + grouped(layer.out),
               significant(layer.sigma_w, 5), significant(layer.sigma_b, 5),
               layer.activation.empty() ? "nothing" : layer.activation});
  }
  page.table(table);
  page.heading("Entries");
  if (!result.data2) page.field("trace", significant(result.statistics.trace, 10));
  page.field("diagonal", significant(result.statistics.smallest_diagonal, 8) + " to " +
                             significant(result.statistics.largest_diagonal, 8));
  page.field("largest", significant(result.statistics.largest_entry, 8));
  if (result.comparison) {
    page.heading("The finite network's kernel, at its widths and seed");
    page.field("distance", fmt::format("{} % of the closed form, in the Frobenius norm",
                                       significant(100 * result.comparison->distance, 4)));
    page.field("", fmt::format("{} % of the largest entry at most; both fall as 1 / sqrt(width)",
                               significant(100 * result.comparison->largest, 4)));
  }
  show_convergence(page, result);
  page.heading("Costs");
  show_costs(page, result.provenance);
  if (!result.out.empty()) page.field("written", result.out);
  return page.text();
}

}  // namespace tangra::report
