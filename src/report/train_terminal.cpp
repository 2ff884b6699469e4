#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tangra/report/suggestion.h"
#include "tangra/report/terminal.h"

namespace tangra::report {
namespace {

constexpr std::size_t most_rows = 20;

/// The places of at most `most_rows` entries of a list, evenly spread, the first and the last among them.
std::set<std::size_t> shown(std::size_t count) {
  std::set<std::size_t> places;
  for (std::size_t k = 0; k < std::min(count, most_rows); ++k) {
    places.insert(count <= most_rows ? k : k * (count - 1) / (most_rows - 1));
  }
  return places;
}

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

void show_left_out(Page& page, std::size_t all, std::size_t listed) {
  if (listed < all) page.paragraph(fmt::format("{} of {} rows; --json lists all", listed, all));
}

void show_how(Page& page, const run::TrainResult& result) {
  const run::TrainSpec& spec = result.requested;
  const train::OptimizerSpec& optimizer = spec.optimizer;
  std::string how;
  if (optimizer.method == train::Method::adam) {
    how = fmt::format("Adam, learning rate {}, beta {}, {}, epsilon {}", significant(optimizer.rate), significant(optimizer.beta1),
                      significant(optimizer.beta2), significant(optimizer.epsilon));
  } else {
    how = fmt::format("gradient descent, learning rate {}", significant(optimizer.rate));
    if (optimizer.momentum > 0) how += ", momentum " + significant(optimizer.momentum);
  }
  page.field("loss", result.loss);
  page.field("optimizer", how);
  page.field("batches", spec.batch_size > 0 ? fmt::format("{}, shuffled with seed {}", plural(spec.batch_size, "sample"), spec.shuffle_seed)
                                            : "all samples in every step");
  page.field("precision", result.precision);
}

void show_bound(Page& page, const run::TrainResult& result) {
  if (!result.bound) return;
  const run::RateBound& bound = *result.bound;
  const train::OptimizerSpec& optimizer = result.requested.optimizer;
  const bool descent = optimizer.method == train::Method::gd;
  std::string text = fmt::format("{}{}: {}", bound.samples < result.data.samples ? "about " : "", significant(bound.bound, 4), bound.formula);
  if (bound.samples < result.data.samples) text += fmt::format(", from {} of the samples", grouped(bound.samples));
  page.field("rate bound", text);
  if (!bound.converged) page.field("", "the eigenvalue has not converged: the true bound is lower");
  if (!descent) {
    page.field("", "for gradient descent; Adam scales every parameter by itself");
  } else if (optimizer.rate > bound.bound) {
    page.field("", fmt::format("the learning rate is {} times that: unstable unless the curvature falls", significant(optimizer.rate / bound.bound, 3)),
               Tone::bad);
  } else {
    page.field("", fmt::format("the learning rate is {} of it", significant(optimizer.rate / bound.bound, 3)));
  }
}

void show_scores(Page& page, const run::TrainResult& result) {
  page.heading("Epochs");
  std::vector<Column> columns = {{"epoch", Align::right}, {"steps", Align::right, true}, {"loss", Align::right}, {"accuracy", Align::right}};
  if (result.test) {
    columns.push_back({"test loss", Align::right});
    columns.push_back({"test accuracy", Align::right});
  }
  Table table(std::move(columns));
  const auto places = shown(result.scores.size());
  for (const std::size_t place : places) {
    const run::EpochScore& score = result.scores[place];
    std::vector<std::string> cells = {grouped(score.epoch), grouped(score.steps), significant(score.train.loss()),
                                      percent(score.train.accuracy())};
    if (score.test) {
      cells.push_back(significant(score.test->loss()));
      cells.push_back(percent(score.test->accuracy()));
    } else if (result.test) {
      cells.resize(6);
    }
    table.add(std::move(cells));
  }
  page.table(table);
  show_left_out(page, result.scores.size(), places.size());
}

void show_moments(Page& page, const run::TrainResult& result) {
  if (result.moments.empty()) return;
  page.heading("How the kernel moves");
  page.field("kernel", result.kernel);
  Table table({{"epoch", Align::right},
               {"distance", Align::right},
               {"cosine", Align::right},
               {"centred", Align::right, true},
               {"labels", Align::right},
               {"centred", Align::right, true},
               {"trace", Align::right, true},
               {"largest eigenvalues", Align::left}});
  const auto places = shown(result.moments.size());
  for (const std::size_t place : places) {
    const run::KernelMoment& moment = result.moments[place];
    std::string values;
    for (const double value : moment.eigenvalues) values += (values.empty() ? "" : " ") + significant(value, 3);
    table.add({grouped(moment.epoch), significant(moment.distance, 3), fmt::format("{:.4f}", moment.alignment),
               fmt::format("{:.4f}", moment.alignment_centred), fmt::format("{:.4f}", moment.labels),
               fmt::format("{:.4f}", moment.labels_centred), significant(moment.trace, 4), std::move(values)});
  }
  page.table(table);
  show_left_out(page, result.moments.size(), places.size());
  page.paragraph(
      "distance: |K - K0| / |K0| in the Frobenius norm; cosine: with K0, the kernel before the first step; labels: the alignment "
      "with the labels' own kernel");
}

void show_end(Page& page, const run::TrainResult& result) {
  page.heading("Costs");
  show_costs(page, result.provenance);
  const std::string checkpoint = result.requested.checkpoint_path();
  if (result.resumed_from > 0) page.field("resumed", "from epoch " + grouped(result.resumed_from));
  if (result.last_checkpoint > 0) page.field("checkpoint", fmt::format("{}, epoch {}", checkpoint, result.last_checkpoint));
  if (!result.divergence) page.field("file", result.out.empty() ? "none; -o W.safetensors keeps the weights" : result.out);
}

}  // namespace

std::string terminal(const run::TrainResult& result, const TerminalStyle& style) {
  Page page(style);
  page.title("Training");
  show_model(page, result.model);
  show_data(page, "data", result.data);
  if (result.test) show_data(page, "test", *result.test);
  show_how(page, result);
  show_bound(page, result);
  if (result.divergence) {
    page.field("diverged", fmt::format("in epoch {}, step {}: {}", result.divergence->epoch, result.divergence->step, result.divergence->what),
               Tone::bad);
  }
  show_scores(page, result);
  show_moments(page, result);
  show_end(page, result);
  return page.text();
}

}  // namespace tangra::report
