#include <algorithm>
#include <cmath>
#include <limits>

#include "tangra/base/context.h"
#include "tangra/report/suggestion.h"
#include "tangra/report/terminal.h"

namespace tangra::report {
namespace {

constexpr std::size_t all_rows = std::numeric_limits<std::size_t>::max();

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void show_layers(Page& page, const run::SummaryResult& result) {
  page.heading("Operations");
  Table table(
      {{"name"}, {"operator"}, {"result"}, {"parameters", Align::left, true}, {"entries", Align::right}});
  for (const run::SummaryResult::Row& row : result.layers) {
    table.add({row.name, row.op, sizes(row.shape), joined(row.parameters),
               row.parameters.empty() ? "" : grouped(row.parameter_count)});
  }
  page.table(table, all_rows);
}

void show_parameters(Page& page, const run::SummaryResult& result) {
  page.heading("Parameters");
  Table table({{"name"},
               {"layer", Align::left, true},
               {"shape"},
               {"type", Align::left, true},
               {"entries", Align::right},
               {"bytes", Align::right, true},
               {"trained"},
               {"why", Align::left, true}});
  for (const run::SummaryResult::ParameterRow& row : result.parameters) {
    table.add({row.name, row.layer, sizes(row.shape), std::string(name_of(row.type)), grouped(row.count),
               human_bytes(row.bytes), row.trainable ? "yes" : "no", row.why});
  }
  page.table(table, all_rows);
}

/// Least, mean and largest entry, which tell at a glance whether something went wrong.
std::vector<std::string> range_of(const Array& array) {
  if (array.size() == 0 || !is_floating(array.type())) return {"", "", ""};
  const Tensor<double> values = array.converted<double>();
  double least = values[0];
  double largest = values[0];
  double sum = 0;
  for (const double value : values) {
    least = std::min(least, value);
    largest = std::max(largest, value);
    sum += value;
  }
  return {significant(least, 6), significant(sum / static_cast<double>(values.size()), 6),
          significant(largest, 6)};
}

}  // namespace

std::string terminal(const run::SummaryResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Network");
  show_model(page, result.model);
  show_layers(page, result);
  show_parameters(page, result);
  page.heading("Totals");
  page.field("parameters",
             grouped(result.model.parameters) + " trained" +
                 (result.model.frozen > 0 ? ", " + grouped(result.model.frozen) + " frozen" : ""));
  page.field("memory", human_bytes(result.parameter_bytes) + " of parameters, " +
                           human_bytes(result.activation_bytes) + " of values for each sample");
  return page.text();
}

std::string terminal(const run::ArraysResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Derivatives");
  show_model(page, result.model);
  show_data(page, "data", result.data);
  page.field("precision", result.precision);
  for (const std::string& note : result.notes)
    page.field(&note == &result.notes.front() ? "notes" : "", note);
  page.heading("Arrays");
  Table table({{"name"},
               {"shape"},
               {"type", Align::left, true},
               {"memory", Align::right, true},
               {"least", Align::right, true},
               {"mean", Align::right, true},
               {"largest", Align::right, true}});
  for (const run::NamedArray& entry : result.arrays) {
    std::vector<std::string> cells = {entry.name, sizes(entry.array.shape()),
                                      std::string(name_of(entry.array.type())),
                                      human_bytes(entry.array.bytes())};
    for (std::string& cell : range_of(entry.array)) cells.push_back(std::move(cell));
    table.add(std::move(cells));
  }
  page.table(table, all_rows);
  page.heading("Costs");
  show_costs(page, result.provenance);
  page.field("file", result.out.empty() ? "none; -o FILE keeps the arrays" : result.out);
  return page.text();
}

}  // namespace tangra::report
