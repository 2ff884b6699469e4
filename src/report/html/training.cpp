// Training, and linearised training beside it.
#include "charts.h"
#include "runs.h"

namespace tangra::report {
namespace {

/// A number of every entry of a list, over another.
Line line_of(const std::string& name, const std::vector<Object>& entries, const std::string& x,
             const std::string& y) {
  Line line{.name = name, .x = {}, .y = {}};
  for (const Object& entry : entries) {
    line.x.push_back(number(entry, x).value_or(std::nan("")));
    line.y.push_back(number(entry, y).value_or(std::nan("")));
  }
  return line;
}

bool any(const Line& line) {
  for (const double value : line.y) {
    if (std::isfinite(value)) return true;
  }
  return false;
}

std::vector<Line> with_data(const std::vector<Line>& lines) {
  std::vector<Line> kept;
  for (const Line& line : lines) {
    if (any(line)) kept.push_back(line);
  }
  return kept;
}

void show_moments(Section& section, const Object& fields) {
  const std::vector<Object> moments = list(fields, "/kernel_moments");
  if (moments.empty()) return;
  section.heading("How the kernel moves");
  section.paragraph(text(fields, "/kernel"));
  section.begin_row();
  section.chart(line_chart({line_of("distance", moments, "/epoch", "/distance")},
                           {.x = "epoch", .y = "|K - K₀| / |K₀|"}),
                "Distance from the kernel at the start",
                "Near 0 the network trains in the lazy regime, where its kernel stays what it was.");
  section.chart(
      line_chart({line_of("with the labels, centred", moments, "/epoch", "/label_alignment_centred"),
                  line_of("with the kernel at the start, centred", moments, "/epoch", "/alignment_centred")},
                 {.x = "epoch", .y = "alignment"}),
      "Alignment", "A kernel that turns towards the labels has learned features.");
  section.end_row();
  std::size_t count = 0;
  for (const Object& moment : moments) count = std::max(count, numbers(moment, "/eigenvalues").size());
  std::vector<Line> lines;
  for (std::size_t k = 0; k < std::min<std::size_t>(count, 5); ++k)
    lines.push_back(
        line_of("λ" + std::to_string(k + 1), moments, "/epoch", "/eigenvalues/" + std::to_string(k)));
  if (!lines.empty())
    section.chart(line_chart(lines, {.x = "epoch", .y = "eigenvalue", .y_log = true}),
                  "The largest eigenvalues", "Of the kernel at the end of each epoch.");
  std::vector<std::vector<std::string>> rows;
  for (const Object& moment : moments) {
    rows.push_back({shown_count(number(moment, "/epoch")), shown(number(moment, "/distance"), 5),
                    shown(number(moment, "/alignment"), 5),
                    shown(number(moment, "/label_alignment_centred"), 5), shown(number(moment, "/trace"), 6),
                    shown(number(moment, "/eigenvalues/0"), 6)});
  }
  section.begin_details("The kernel's moves as numbers");
  section.table({{"epoch", true},
                 {"distance", true},
                 {"alignment", true},
                 {"labels, centred", true},
                 {"trace", true},
                 {"λ1", true}},
                rows, 60);
  section.end_details();
}

}  // namespace

void show_train(Section& section, const ReadRun& read) {
  const Object& fields = read.fields;
  const std::vector<Object> epochs = list(fields, "/epochs");
  if (flag(fields, "/diverged"))
    section.verdict("Training diverged: " + text(fields, "/divergence/what"), "Take a smaller learning rate.",
                    Mood::bad);
  std::vector<Tile> tiles;
  if (!epochs.empty()) {
    const Object& last = epochs.back();
    tiles.push_back(
        {"training loss", shown(number(last, "/train/loss"), 6), "at the end, mean over samples"});
    tiles.push_back({"training accuracy", shown_percent(number(last, "/train/accuracy"))});
    if (number(last, "/test/loss")) {
      tiles.push_back({"test loss", shown(number(last, "/test/loss"), 6)});
      tiles.push_back({"test accuracy", shown_percent(number(last, "/test/accuracy"))});
    }
  }
  tiles.push_back({"learning rate", shown(number(fields, "/optimizer/lr")), text(fields, "/optimizer/name")});
  if (number(fields, "/rate_bound/bound"))
    tiles.push_back({"bound of the rate", shown(number(fields, "/rate_bound/bound"), 4),
                     "gradient descent is stable below it: " + text(fields, "/rate_bound/formula")});
  section.tiles(tiles);
  section.begin_row();
  section.chart(line_chart(with_data({line_of("training", epochs, "/epoch", "/train/loss"),
                                      line_of("test", epochs, "/epoch", "/test/loss")}),
                           {.x = "epoch", .y = "loss", .y_log = true}),
                "Loss", text(fields, "/loss_description"));
  section.chart(line_chart(with_data({line_of("training", epochs, "/epoch", "/train/accuracy"),
                                      line_of("test", epochs, "/epoch", "/test/accuracy")}),
                           {.x = "epoch", .y = "accuracy", .percent = true}),
                "Accuracy", "The share of samples whose largest output is their label.");
  section.end_row();
  show_moments(section, fields);
  std::vector<std::vector<std::string>> rows;
  for (const Object& epoch : epochs) {
    rows.push_back({shown_count(number(epoch, "/epoch")), shown(number(epoch, "/train/loss")),
                    shown_percent(number(epoch, "/train/accuracy")),
                    number(epoch, "/test/loss") ? shown(number(epoch, "/test/loss")) : "",
                    number(epoch, "/test/accuracy") ? shown_percent(number(epoch, "/test/accuracy")) : ""});
  }
  section.begin_details("Epochs as numbers");
  section.table(
      {{"epoch", true}, {"loss", true}, {"accuracy", true}, {"test loss", true}, {"test accuracy", true}},
      rows, 100);
  section.end_details();
}

void show_linearise(Section& section, const ReadRun& read) {
  const Object& fields = read.fields;
  const std::vector<Object> moments = list(fields, "/moments");
  if (flag(fields, "/diverged"))
    section.verdict("The network diverged: " + text(fields, "/divergence/what"),
                    "Take a smaller learning rate.", Mood::bad);
  section.tiles({{"largest distance", shown(number(fields, "/largest_distance"), 5),
                  "between the network and its linearisation, training samples"},
                 {"on test samples", shown(number(fields, "/largest_distance_test"), 5),
                  "the same where nothing was fitted"},
                 {"the kernel moved by", shown_percent(number(fields, "/kernel_distance")),
                  "|K - K₀| / |K₀| at the last step"},
                 {"the parameters by", shown_percent(number(fields, "/parameter_distance")),
                  "|θ - θ₀| / |θ₀| at the last step"},
                 {"learning rate", shown(number(fields, "/lr"), 5),
                  "stable below " + shown(number(fields, "/rate_bound/bound"), 4)}});
  section.begin_row();
  section.chart(line_chart({line_of("network", moments, "/step", "/train/network/loss"),
                            line_of("linearised", moments, "/step", "/train/linearised/loss"),
                            line_of("network, test", moments, "/step", "/test/network/loss"),
                            line_of("linearised, test", moments, "/step", "/test/linearised/loss")},
                           {.x = "step", .y = "loss"}),
                "Loss of both",
                "Where the lines lie together, the kernel at the start foretells how the network trains.");
  section.chart(line_chart({line_of("training", moments, "/step", "/train/distance"),
                            line_of("test", moments, "/step", "/test/distance"),
                            line_of("way of the linearised, training", moments, "/step", "/train/moved")},
                           {.x = "step", .y = "distance of outputs", .y_log = true}),
                "How far apart they are",
                "Root mean square over samples. The third line tells how far the outputs went: the lazy "
                "regime is where the others stay far below it.");
  section.end_row();
  std::vector<std::vector<std::string>> rows;
  for (const Object& moment : moments) {
    rows.push_back({shown_count(number(moment, "/step")), shown(number(moment, "/train/network/loss"), 5),
                    shown(number(moment, "/train/linearised/loss"), 5),
                    shown(number(moment, "/train/distance"), 4), shown(number(moment, "/test/distance"), 4),
                    shown_percent(number(moment, "/test/network/accuracy")),
                    shown_percent(number(moment, "/test/linearised/accuracy"))});
  }
  section.begin_details("Steps as numbers");
  section.table({{"step", true},
                 {"loss", true},
                 {"linearised", true},
                 {"distance", true},
                 {"on test", true},
                 {"test accuracy", true},
                 {"linearised", true}},
                rows, 60);
  section.end_details();
}

}  // namespace tangra::report
