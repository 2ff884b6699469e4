#include "tangra/load/chain/functions.h"

#include <algorithm>
#include <array>

namespace tangra::load {
namespace {

struct Row {
  std::string_view name;
  std::string_view op;
};

// docs/chain.md states the formulas. Flux's tanh_fast and sigmoid_fast are approximations of tanh and
// sigmoid; exact derivatives are those of the functions themselves.
constexpr auto rows = std::to_array<Row>({
    {"identity", "Identity"},
    {"relu", "Relu"},
    {"relu6", "Clip"},
    {"leakyrelu", "LeakyRelu"},
    {"leaky_relu", "LeakyRelu"},
    {"elu", "Elu"},
    {"selu", "Selu"},
    {"gelu", "Gelu"},
    {"gelu_tanh", "Gelu"},
    {"gelu_erf", "Gelu"},
    {"silu", "Silu"},
    {"swish", "Silu"},
    {"softplus", "Softplus"},
    {"softsign", "Softsign"},
    {"sigmoid", "Sigmoid"},
    {"sigmoid_fast", "Sigmoid"},
    {"σ", "Sigmoid"},
    {"tanh", "Tanh"},
    {"tanh_fast", "Tanh"},
    {"erf", "Erf"},
    {"hardtanh", "Clip"},
    {"hard_tanh", "Clip"},
    {"exp", "Exp"},
    {"log", "Log"},
    {"normalised_relu", "NormalizedRelu"},
    {"normalized_relu", "NormalizedRelu"},
    {"softmax", "Softmax"},
    {"logsoftmax", "LogSoftmax"},
    {"log_softmax", "LogSoftmax"},
});

constexpr auto names = [] {
  std::array<std::string_view, rows.size()> result;
  std::ranges::transform(rows, result.begin(), &Row::name);
  return result;
}();

const Row* find_row(std::string_view name) {
  const auto* found = std::ranges::find(rows, name, &Row::name);
  return found == rows.end() ? nullptr : found;
}

Attributes attributes_of(const Row& row, std::optional<double> number) {
  if (row.op == "LeakyRelu") return {{"alpha", number.value_or(0.01)}};
  if (row.op == "Elu") return {{"alpha", number.value_or(1.0)}};
  // Klambauer, Unterthiner, Mayr, Hochreiter, "Self-normalizing neural networks" (NIPS 2017).
  if (row.op == "Selu") return {{"alpha", 1.6732632423543772848}, {"gamma", 1.0507009873554804934}};
  if (row.op == "Gelu") return {{"approximate", std::string(row.name == "gelu_erf" ? "none" : "tanh")}};
  if (row.op == "Clip" && row.name == "relu6") return {{"min", 0.0}, {"max", 6.0}};
  if (row.op == "Clip") return {{"min", -1.0}, {"max", 1.0}};
  if (row.op == "Softmax" || row.op == "LogSoftmax") return {{"axis", Index{-1}}};
  return {};
}

}  // namespace

std::optional<Function> find_function(std::string_view name, std::optional<double> number) {
  const Row* row = find_row(name);
  if (row == nullptr) return std::nullopt;
  return Function{.op = std::string(row->op),
                  .attributes = attributes_of(*row, number),
                  .elementwise = row->op != "Softmax" && row->op != "LogSoftmax"};
}

bool takes_number(std::string_view name) {
  const Row* row = find_row(name);
  return row != nullptr && (row->op == "LeakyRelu" || row->op == "Elu");
}

std::span<const std::string_view> function_names() {
  return names;
}

}  // namespace tangra::load
