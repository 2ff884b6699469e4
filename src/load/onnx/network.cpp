#include "tangra/load/onnx/network.h"

#include <algorithm>
#include <queue>

#include "tangra/base/error.h"
#include "tangra/formats/refuse.h"

namespace tangra::load::onnx {
namespace {

using formats::refuse;

std::vector<std::string> chosen_outputs(const FileModel& model, const std::string& wanted) {
  std::vector<std::string> names;
  std::string listed;
  for (const ValueInfo& output : model.outputs) {
    names.push_back(output.name);
    listed += (listed.empty() ? "" : ", ") + output.name;
  }
  if (wanted.empty()) return names;
  if (std::ranges::find(names, wanted) == names.end()) {
    throw Error(ErrorKind::usage, {.what = "the network has no such output",
                                   .where = "--output",
                                   .got = wanted,
                                   .expected = "one of: " + listed,
                                   .cure = {}});
  }
  return {wanted};
}

/// Which node makes each value.
std::map<std::string, std::size_t> producers_of(const FileModel& model) {
  std::map<std::string, std::size_t> producers;
  std::set<std::string> given;
  for (const Initializer& initializer : model.initializers) given.insert(initializer.name);
  for (const ValueInfo& input : model.inputs) {
    if (!given.insert(input.name).second) refuse(model.source, "two inputs have the same name", input.name);
  }
  for (std::size_t n = 0; n < model.nodes.size(); ++n) {
    for (const std::string& output : model.nodes[n].outputs) {
      if (output.empty()) continue;
      if (given.contains(output) || !producers.emplace(output, n).second) {
        refuse(model.source, "two nodes make the same value", output, {}, "The file is damaged");
      }
    }
  }
  return producers;
}

/// Lengths that the file leaves open, taken from the data's sample where that fits.
void fill_open(std::vector<std::optional<Index>>& lengths, const std::optional<Shape>& sample) {
  if (!sample) return;
  const auto is_open = [](const std::optional<Index>& length) { return !length; };
  const auto open = std::ranges::count_if(lengths, is_open);
  if (open == 0) return;
  if (sample->rank() == std::ssize(lengths)) {
    for (std::size_t k = 0; k < lengths.size(); ++k) {
      if (!lengths[k]) lengths[k] = (*sample)[static_cast<Index>(k)];
    }
    return;
  }
  Index known = 1;
  for (const auto& length : lengths) {
    if (length && __builtin_mul_overflow(known, *length, &known)) return;
  }
  const Index all = sample->elements();
  if (open == 1 && known > 0 && all % known == 0) *std::ranges::find_if(lengths, is_open) = all / known;
}

/// The axis that numbers the samples: the first one, unless it has a fixed length and exactly one other has
/// none.
std::size_t sample_axis(const std::vector<ValueInfo::Length>& shape) {
  if (!shape[0].fixed) return 0;
  const auto is_open = [](const ValueInfo::Length& length) { return !length.fixed; };
  if (std::ranges::count_if(shape, is_open) != 1) return 0;
  return static_cast<std::size_t>(std::ranges::find_if(shape, is_open) - shape.begin());
}

}  // namespace

Needed needed_nodes(const FileModel& model, const OnnxOptions& options) {
  Needed needed{.outputs = chosen_outputs(model, options.output), .nodes = {}, .values = {}};
  const auto producers = producers_of(model);
  std::set<std::string> given;
  for (const Initializer& initializer : model.initializers) given.insert(initializer.name);
  for (const ValueInfo& input : model.inputs) given.insert(input.name);
  std::vector<bool> is_needed(model.nodes.size(), false);
  std::vector<std::string> open = needed.outputs;
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    if (name.empty() || !needed.values.insert(name).second) continue;
    const auto found = producers.find(name);
    if (found == producers.end()) {
      if (!given.contains(name))
        refuse(model.source, "nobody makes a value that is used", name, {}, "The file is damaged");
      continue;
    }
    if (is_needed[found->second]) continue;
    is_needed[found->second] = true;
    const FileNode& node = model.nodes[found->second];
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
  }
  // In the file's order as far as it is one.
  std::vector<std::size_t> waits(model.nodes.size(), 0);
  std::vector<std::vector<std::size_t>> users(model.nodes.size());
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  std::size_t count = 0;
  for (std::size_t n = 0; n < model.nodes.size(); ++n) {
    if (!is_needed[n]) continue;
    ++count;
    for (const std::string& input : model.nodes[n].inputs) {
      const auto found = producers.find(input);
      if (found == producers.end()) continue;
      ++waits[n];
      users[found->second].push_back(n);
    }
    if (waits[n] == 0) ready.push(n);
  }
  while (!ready.empty()) {
    const std::size_t n = ready.top();
    ready.pop();
    needed.nodes.push_back(&model.nodes[n]);
    for (const std::size_t user : users[n]) {
      if (--waits[user] == 0) ready.push(user);
    }
  }
  if (needed.nodes.size() != count) {
    const auto stuck = std::ranges::find_if(waits, [](std::size_t open_inputs) { return open_inputs > 0; });
    refuse(model.source, "the graph has a cycle",
           "node " + model.nodes[static_cast<std::size_t>(stuck - waits.begin())].name, {},
           "The file is damaged");
  }
  return needed;
}

InputPlan plan_input(const FileModel& model, const ValueInfo& info, const OnnxOptions& options) {
  const std::string where = model.source + ": input " + info.name;
  InputPlan plan{.name = info.name, .type = info.type, .shape = {}, .sample = {}, .place = {}};
  std::vector<ValueInfo::Length> stated = info.shape.value_or(std::vector<ValueInfo::Length>{});
  if (!info.shape) {
    if (!options.input)
      refuse(where, "the file does not tell the shape", {}, "a shape, or data that have one");
    if (!options.whole_inputs) stated.emplace_back();
    for (const Index length : *options.input) stated.push_back({.fixed = length, .name = {}});
  }
  const bool has_samples = !options.whole_inputs && !stated.empty();
  const std::size_t axis = has_samples ? sample_axis(stated) : stated.size();
  std::vector<std::optional<Index>> lengths;
  for (std::size_t k = 0; k < stated.size(); ++k) {
    if (k != axis) lengths.push_back(stated[k].fixed);
  }
  fill_open(lengths, options.input);
  for (std::size_t k = 0, from = 0; k < stated.size(); ++k) {
    if (k == axis) {
      plan.shape.append(1);
      plan.samples = stated[k].fixed.value_or(0);
      continue;
    }
    const auto length = lengths[from++];
    if (!length) {
      refuse(where, "the length of axis " + std::to_string(k) + " is not fixed in the file",
             stated[k].name.empty() ? "nothing" : "the name " + stated[k].name, "a number",
             "Give data of the right shape, or export the network with that length fixed");
    }
    plan.shape.append(*length);
    plan.sample.append(*length);
  }
  constexpr Index most_entries = Index{1} << 40;
  Index entries = 1;
  for (const Index length : plan.sample) {
    if (length < 0 || __builtin_mul_overflow(entries, length, &entries) || entries > most_entries) {
      refuse(where, "no computer holds an input of this shape", to_string(plan.sample));
    }
  }
  if (has_samples) plan.place = BatchPlace{static_cast<Index>(axis), 1, 1};
  return plan;
}

}  // namespace tangra::load::onnx
