#include "tangra/train/loss.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tangra/base/error.h"

namespace tangra::train {
namespace {

bool only_changes_the_shape(const Node& node) {
  static constexpr std::array names = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"};
  return std::ranges::find(names, node.op) != names.end();
}

/// The node that makes the value, in front of those that only change its shape; null where that is no node.
const Node* maker_of(const Graph& graph, ValueId value) {
  while (graph.value(value).producer != no_id) {
    const Node& node = graph.node(graph.value(value).producer);
    if (!only_changes_the_shape(node)) return &node;
    value = node.inputs.front();
  }
  return nullptr;
}

void require_one_line(const Graph& graph, const Node& node) {
  const Shape& shape = graph.shape(node.outputs.front());
  const Index axis = node.attributes.integer("axis", -1);
  const Index length = shape[axis < 0 ? axis + shape.rank() : axis];
  if (length == shape.elements()) return;
  throw Error(ErrorKind::unsupported,
              {.what = "cross-entropy with one label a sample needs one distribution a sample",
               .where = "node " + node.name,
               .got = node.op + " over " + std::to_string(length) + " of " + to_string(shape) + " entries",
               .expected = "one over all outputs",
               .cure = "Take --loss mse, or a network with one softmax over its outputs"});
}

Index position_of_maximum(std::span<const double> values) {
  return std::ranges::max_element(values) - values.begin();
}

double distance(std::span<const double> outputs, std::size_t label, std::span<double> gradient) {
  double sum = 0;
  for (std::size_t a = 0; a < outputs.size(); ++a) {
    const double difference = outputs[a] - (a == label ? 1.0 : 0.0);
    sum += difference * difference;
    if (!gradient.empty()) gradient[a] = difference;
  }
  return sum / 2;
}

double of_logits(std::span<const double> z, std::size_t label, std::span<double> gradient) {
  const auto m = static_cast<std::size_t>(position_of_maximum(z));
  double others = 0;
  for (std::size_t a = 0; a < z.size(); ++a) {
    if (a != m) others += std::exp(z[a] - z[m]);
  }
  if (!gradient.empty()) {
    double without_label = 0;
    for (std::size_t a = 0; a < z.size(); ++a) {
      gradient[a] = (a == m ? 1.0 : std::exp(z[a] - z[m])) / (1 + others);
      if (a != label) without_label += gradient[a];
    }
    gradient[label] = -without_label;
  }
  return std::log1p(others) + (z[m] - z[label]);
}

double of_log_probabilities(std::span<const double> outputs, std::size_t label, std::span<double> gradient) {
  std::ranges::fill(gradient, 0.0);
  if (!gradient.empty()) gradient[label] = -1;
  return -outputs[label];
}

}  // namespace

Loss::Loss(LossKind kind, const Graph& graph) : kind_(kind), of_(graph.outputs.front()) {
  const Node* last = maker_of(graph, of_);
  if (kind == LossKind::mse) {
    description_ = "half the squared distance of " + graph.value(of_).name + " to one-hot labels";
  } else if (last != nullptr && last->op == "LogSoftmax") {
    require_one_line(graph, *last);
    form_ = Form::log_probabilities;
    description_ = "cross-entropy of the log-probabilities " + graph.value(of_).name;
  } else {
    form_ = Form::logits;
    if (last != nullptr && last->op == "Softmax") {
      require_one_line(graph, *last);
      of_ = last->inputs.front();
    }
    description_ = "cross-entropy of the softmax of " + graph.value(of_).name;
  }
  description_ += ", mean over samples";
  classes_ = graph.shape(of_).elements();
}

Loss::Outcome Loss::operator()(std::span<const double> outputs, Index label, std::span<double> gradient) const {
  const auto place = static_cast<std::size_t>(label);
  Outcome outcome{.loss = 0, .correct = position_of_maximum(outputs) == label};
  switch (form_) {
    case Form::distance: outcome.loss = distance(outputs, place, gradient); break;
    case Form::logits: outcome.loss = of_logits(outputs, place, gradient); break;
    case Form::log_probabilities: outcome.loss = of_log_probabilities(outputs, place, gradient); break;
  }
  return outcome;
}

std::string name_of(LossKind kind) { return kind == LossKind::mse ? "mse" : "cross-entropy"; }

void check_labels(const std::vector<Index>& labels, Index samples, Index classes, const std::string& where) {
  if (static_cast<Index>(labels.size()) != samples) {
    throw Error(ErrorKind::input, {.what = "the number of labels does not fit the samples", .where = where,
                                   .got = std::to_string(labels.size()) + " labels",
                                   .expected = "one for each of the " + std::to_string(samples) + " samples", .cure = {}});
  }
  const auto bad = std::ranges::find_if(labels, [&](Index label) { return label < 0 || label >= classes; });
  if (bad == labels.end()) return;
  throw Error(ErrorKind::input, {.what = "a label is no class of the network",
                                 .where = where + ", sample " + std::to_string(bad - labels.begin()),
                                 .got = std::to_string(*bad),
                                 .expected = "0 to " + std::to_string(classes - 1) + ", as the network has " +
                                             std::to_string(classes) + (classes == 1 ? " output" : " outputs"),
                                 .cure = "Give the network an output for each class, or mend the labels"});
}

}  // namespace tangra::train
