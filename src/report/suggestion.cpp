#include "tangra/report/suggestion.h"

#include <algorithm>

#include "tangra/base/context.h"

namespace tangra::report {
namespace {

void add_option(Command& command, std::string_view option, const std::string& value) {
  if (value.empty()) return;
  command.push_back({std::string(option)});
  command.push_back({value});
}

void add_model_options(Command& command, const load::ModelSpec& model) {
  add_option(command, "--init", model.init);
  if (model.seed) add_option(command, "--seed", std::to_string(*model.seed));
  if (model.parameterization != "standard") add_option(command, "--parameterization", model.parameterization);
  add_option(command, "--weights", model.weights);
  if (model.input_shape) {
    std::string lengths;
    for (const Index length : *model.input_shape) lengths += (lengths.empty() ? "" : ",") + std::to_string(length);
    add_option(command, "--input-shape", lengths);
  }
  add_option(command, "--params", model.params);
  add_option(command, "--buffers", model.buffers);
}

void add_data_options(Command& command, const data::DataSpec& data) {
  add_option(command, "--data-dir", data.data_dir);
  if (data.n) add_option(command, "--n", std::to_string(*data.n));
  if (data.samples) {
    add_option(command, "--samples",
               std::to_string(data.samples->first) + ":" + std::to_string(data.samples->second));
  }
  if (data.scale) add_option(command, "--scale", significant(*data.scale, 17));
  add_option(command, "--normalize", data.normalize.value_or(""));
  if (data.nhwc) add_option(command, "--data-layout", "nhwc");
}

}  // namespace

Command command_on(std::string_view command, const load::ModelSpec& model, const data::DataSpec& data) {
  Command words = {
      {"tangra"}, {std::string(command)}, {model.text, load::is_chain_text(model.text)}, {data.source}};
  // The network may stand in the text over several lines; a command is easier to paste without them.
  if (words[2].blanks_may_break) words[2].text = printable(words[2].text);
  add_model_options(words, model);
  add_data_options(words, data);
  return words;
}

Command with(Command command, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) command.push_back({std::string(word)});
  return command;
}

void show_model(Page& page, const run::ModelSummary& model) {
  page.field("network", model.text);
  std::string facts = sizes(model.input) + (page.unicode() ? " → " : " -> ") + sizes(model.output) + ", " +
                      plural(model.parameters, "parameter");
  if (model.frozen > 0) facts += ", " + grouped(model.frozen) + " frozen";
  page.field("", facts);
}

void show_data(Page& page, std::string_view label, const run::DataSummary& data) {
  page.field(label, data.name + ": " + plural(data.samples, "sample") + " of " + sizes(data.shape) +
                        (data.labels ? ", with labels" : ""));
  if (!data.description.empty()) page.field("", data.description);
}

void show_costs(Page& page, const run::Provenance& provenance) {
  std::string steps;
  for (const auto& [name, seconds] : provenance.seconds) {
    if (seconds >= 0.01 * provenance.total_seconds)
      steps += (steps.empty() ? "" : ", ") + name + " " + duration(seconds);
  }
  page.field("time", duration(provenance.total_seconds) + (steps.empty() ? "" : " (" + steps + ")"));
  std::string memory = human_bytes(provenance.peak_bytes) + " at most";
  if (provenance.memory_budget > 0)
    memory += ", of a budget of " + human_bytes(provenance.memory_budget);
  page.field("memory", memory);
  std::string machine = plural(provenance.threads, "thread");
  if (!provenance.simd_target.empty()) machine += ", " + provenance.simd_target;
  if (!provenance.machine.empty()) machine += ", " + provenance.machine;
  page.field("machine", machine);
}

}  // namespace tangra::report
