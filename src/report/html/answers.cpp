// What was asked of kernels: predictions, infinite width, verification; and the smaller commands.
#include "charts.h"
#include "runs.h"

namespace tangra::report {

void show_predict(Section& section, const ReadRun& read) {
  const Object& fields = read.fields;
  if (!flag(fields, "/converged")) section.verdict("Not converged", text(fields, "/message"), Mood::bad);
  std::vector<Tile> tiles;
  const auto add = [&](const char* label, const char* pointer, bool percent, const char* hint) {
    if (const auto value = number(fields, pointer))
      tiles.push_back({label, percent ? shown_percent(value) : significant(*value, 6), hint});
  };
  add("test accuracy", "/accuracy", true, "of the kernel's predictions on samples it has not seen");
  add("leave-one-out accuracy", "/leave_one_out_accuracy", true,
      "each training sample predicted from all others");
  add("the network's own", "/network_accuracy", true, "test accuracy of the network that the kernel is of");
  add("training accuracy", "/training_accuracy", true, "on the samples it was fitted to");
  add("leave-one-out error", "/leave_one_out", false, "half the squared distance, mean over samples");
  add("test error", "/test_error", false, "the same, on the test samples");
  add("ridge", "/ridge", false, "what is added to the diagonal of K");
  add("mean diagonal", "/mean_diagonal", false, "of K: what the ridge is to be compared with");
  add("mean variance", "/mean_variance", false, "of the predictions, as a Gaussian process");
  section.tiles(tiles);
  std::vector<std::vector<std::string>> rows;
  Line left_out{.name = "leave-one-out error", .x = {}, .y = {}},
      training{.name = "training error", .x = {}, .y = {}};
  Line test{.name = "test accuracy", .x = {}, .y = {}},
      accuracy{.name = "leave-one-out accuracy", .x = {}, .y = {}};
  for (const Object& row : list(fields, "/path")) {
    const double ridge = number(row, "/ridge").value_or(std::nan(""));
    const auto add_to = [&](Line& line, const char* pointer) {
      line.x.push_back(ridge);
      line.y.push_back(number(row, pointer).value_or(std::nan("")));
    };
    add_to(left_out, "/leave_one_out");
    add_to(training, "/training_error");
    add_to(test, "/accuracy");
    add_to(accuracy, "/leave_one_out_accuracy");
    rows.push_back({significant(ridge), shown(number(row, "/degrees_of_freedom"), 5),
                    shown(number(row, "/training_error")), shown(number(row, "/leave_one_out")),
                    shown_percent(number(row, "/leave_one_out_accuracy")),
                    shown_percent(number(row, "/accuracy"))});
  }
  if (!rows.empty()) {
    section.heading("The ridge");
    section.begin_row();
    section.chart(line_chart({left_out, training}, {.x = "ridge", .y = "error", .x_log = true}),
                  "Errors over the ridge",
                  "A small ridge follows the training samples, a large one smooths. The least leave-one-out "
                  "error chooses.");
    section.chart(
        line_chart({test, accuracy}, {.x = "ridge", .y = "accuracy", .x_log = true, .percent = true}),
        "Accuracies over the ridge",
        "Leave-one-out needs no test samples; here it can be seen how well it foretells them.");
    section.end_row();
    section.table({{"ridge", true},
                   {"degrees of freedom", true},
                   {"training error", true},
                   {"leave-one-out", true},
                   {"its accuracy", true},
                   {"test accuracy", true}},
                  rows);
  }
  section.facts({{"form", text(fields, "/form")},
                 {"prior mean", text(fields, "/prior")},
                 {"solver", text(fields, "/solver")},
                 {"size of the system", shown_count(number(fields, "/size"))},
                 {"jitter", shown(number(fields, "/jitter"))},
                 {"message", flag(fields, "/converged") ? text(fields, "/message") : ""}});
}

void show_infinite(Section& section, const ReadRun& read) {
  const Object& fields = read.fields;
  section.paragraph(text(fields, "/conventions"));
  std::vector<Tile> tiles;
  if (const auto distance = number(fields, "/comparison/distance")) {
    tiles.push_back({"distance of the finite network", shown_percent(distance),
                     "|K - T| / |T| in the Frobenius norm; falls as 1 / √width"});
    tiles.push_back({"largest difference", shown_percent(number(fields, "/comparison/largest")),
                     "of a single entry, as a share of the largest"});
  }
  if (const auto slope = number(fields, "/slope/slope"))
    tiles.push_back({"slope with width",
                     significant(*slope, 4) + " ± " + shown(number(fields, "/slope/error"), 2),
                     "log distance over log width; theory says -1/2"});
  tiles.push_back({"diagonal",
                   shown(number(fields, "/statistics/smallest_diagonal")) + " to " +
                       shown(number(fields, "/statistics/largest_diagonal")),
                   "of the closed form"});
  section.tiles(tiles);
  run::WidthPlot plot;
  std::vector<std::vector<std::string>> widths;
  for (const Object& row : list(fields, "/convergence")) {
    const auto width = number(row, "/width"), distance = number(row, "/distance");
    if (!width || !distance || !(*width >= 1 && *width < 1e9) || !(*distance > 0)) continue;
    plot.points.push_back({.width = static_cast<Index>(*width), .value = *distance});
    widths.push_back({shown_count(width), significant(*distance, 5)});
  }
  if (plot.points.size() > 1) {
    plot.slope = run::WidthSlope{.slope = number(fields, "/slope/slope").value_or(0), .error = 0};
    section.chart(
        width_chart(plot, "distance"), "Distance from infinite width",
        "Each point is a random network of that width; the line has the slope found by least squares.");
    section.begin_details("The distances as numbers");
    section.table({{"width", true}, {"distance", true}}, widths, 200);
    section.end_details();
  }
  std::vector<std::vector<std::string>> rows;
  for (const Object& layer : list(fields, "/layers"))
    rows.push_back({text(layer, "/name"), shown_count(number(layer, "/in")),
                    shown_count(number(layer, "/out")), shown(number(layer, "/sigma_w"), 5),
                    shown(number(layer, "/sigma_b"), 5), text(layer, "/activation")});
  section.table({{"layer"}, {"in", true}, {"out", true}, {"σ_w", true}, {"σ_b", true}, {"function"}}, rows);
}

void show_verify(Section& section, const ReadRun& read) {
  const Object& fields = read.fields;
  const bool agree = flag(fields, "/agree");
  section.verdict(
      agree ? "All methods agree" : "The methods do not agree: " + text(fields, "/first_failure"),
      agree ? "The same kernel was computed in independent ways; every difference is within its bound." : "",
      agree ? Mood::good : Mood::bad);
  std::vector<std::vector<std::string>> rows;
  for (const Object& pair : list(fields, "/pairs")) {
    rows.push_back({text(pair, "/parameter"), text(pair, "/first") + " – " + text(pair, "/second"),
                    shown(number(pair, "/difference"), 3), shown(number(pair, "/bound"), 3),
                    flag(pair, "/agree") ? "yes" : "no"});
  }
  section.table({{"parameter"}, {"methods"}, {"difference", true}, {"bound", true}, {"agree"}}, rows, 60);
}

void show_summary(Section& section, const ReadRun& read) {
  const Object& fields = read.fields;
  section.tiles({{"parameters", shown_count(number(fields, "/model/parameters")), "that are trained"},
                 {"their bytes", shown_bytes(number(fields, "/parameter_bytes"))},
                 {"a sample's activations", shown_bytes(number(fields, "/activation_bytes")),
                  "in the network's own precision"}});
  std::vector<std::vector<std::string>> rows;
  for (const Object& layer : list(fields, "/layers"))
    rows.push_back({text(layer, "/name"), text(layer, "/operator"), shown_shape(layer, "/shape"),
                    shown_count(number(layer, "/parameter_count"))});
  section.table({{"layer"}, {"operator"}, {"shape"}, {"parameters", true}}, rows, 100);
}

void show_arrays(Section& section, const ReadRun& read) {
  std::vector<std::vector<std::string>> rows;
  for (const Object& array : list(read.fields, "/arrays"))
    rows.push_back({text(array, "/name"), shown_shape(array, "/shape"), text(array, "/type")});
  section.table({{"array"}, {"shape"}, {"type"}}, rows, 100);
  for (const Object& note : list(read.fields, "/notes")) {
    if (note.is_string()) section.note(note.get<std::string>());
  }
}

}  // namespace tangra::report
