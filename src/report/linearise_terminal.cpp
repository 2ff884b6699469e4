#include <fmt/format.h>

#include "tangra/report/suggestion.h"
#include "tangra/report/terminal.h"

namespace tangra::report {
namespace {

void show_moments(Page& page, const run::LineariseResult& result, bool test) {
  page.heading(test ? "Test samples" : "Training samples");
  Table table({{"step", Align::right},
               {"time", Align::right, true},
               {"loss", Align::right},
               {"linearised", Align::right},
               {"accuracy", Align::right},
               {"linearised", Align::right},
               {"distance", Align::right},
               {"of the way", Align::right}});
  for (const run::LinearisedMoment& moment : result.moments) {
    const run::LinearisedView& view = test ? moment.test : moment.train;
    table.add({grouped(moment.step), significant(moment.time, 4), significant(view.network.loss(), 5),
               significant(view.linearised.loss(), 5), fmt::format("{:.1f} %", 100 * view.network.accuracy()),
               fmt::format("{:.1f} %", 100 * view.linearised.accuracy()), significant(view.distance, 3),
               view.moved == 0 ? "" : fmt::format("{:.3g} %", 100 * view.distance / view.moved)});
  }
  page.table(table, result.moments.size());
}

}  // namespace

std::string terminal(const run::LineariseResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Linearised training, and the network beside it");
  show_model(page, result.model);
  show_data(page, "data", result.data);
  show_data(page, "test", result.test);
  page.field("loss", result.loss);
  page.field("optimizer", fmt::format("gradient descent with all samples, learning rate {}, {} of the bound", significant(result.rate, 4),
                                      significant(result.rate / result.bound.bound, 3)));
  page.field("rate bound", significant(result.bound.bound, 4) + ": " + result.bound.formula);
  page.field("precision", result.precision);
  if (result.divergence) {
    page.field("diverged", fmt::format("in step {}: {}", result.divergence->step, result.divergence->what), Tone::bad);
  } else {
    page.field("distance", fmt::format("{} on the training samples at most, {} on the test samples", significant(result.largest_distance, 4),
                                       significant(result.largest_distance_test, 4)));
    page.field("", fmt::format("at the end the kernel has moved by {:.3g} % of its norm, the parameters by {:.3g} %",
                               100 * result.kernel_distance, 100 * result.parameter_distance));
  }
  show_moments(page, result, false);
  show_moments(page, result, true);
  page.paragraph(
      "distance: root of the mean squared distance of the outputs of network and linearisation; of the way: as a share of how far "
      "the linearisation has moved");
  page.heading("Costs");
  show_costs(page, result.provenance);
  if (!result.divergence) page.field("file", result.out.empty() ? "none; -o F.npz keeps the outputs" : result.out);
  return page.text();
}

}  // namespace tangra::report
