#include "tangra/ops/op.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/ops/table.h"

namespace tangra::ops {

bool Op::has_outer_form(const Node&, std::span<const Shape>, int) const { return false; }
bool Op::pulls_in_place(const Node&) const { return false; }
double Op::multiply_adds(const Node&, std::span<const Shape>, const Shape& output) const {
  return static_cast<double>(output.elements());
}

OuterUse<float> Op::outer_use(const Call<float>&, Index, const float*, int) const {
  throw Error(ErrorKind::internal, {.what = "no outer form", .where = std::string(name()), .got = {}, .expected = {}, .cure = {}});
}
OuterUse<double> Op::outer_use(const Call<double>&, Index, const double*, int) const {
  throw Error(ErrorKind::internal, {.what = "no outer form", .where = std::string(name()), .got = {}, .expected = {}, .cure = {}});
}
Index Op::outer_entries(const Node&, std::span<const Shape>, int, Index) const { return 0; }
bool Op::passes_cotangent(const Node&, std::span<const Shape>, int) const { return false; }
std::optional<View> Op::view(const Node&, std::span<const Shape>, std::span<const std::optional<double>>) const {
  return std::nullopt;
}
std::optional<View> Op::view_of_output(const Node& node, std::span<const Shape> inputs,
                                       std::span<const std::optional<double>> constants, int output) const {
  return output == 0 ? view(node, inputs, constants) : std::nullopt;
}
std::vector<double> Op::kinks(const Node&) const { return {}; }
std::vector<Choice> Op::choices(const Call<float>&) const { return {}; }
std::vector<Choice> Op::choices(const Call<double>&) const { return {}; }

namespace {

std::vector<std::unique_ptr<Op>> make_table() {
  std::vector<std::unique_ptr<Op>> table;
  add_function_ops(table);
  add_hyperbolic_ops(table);
  add_activation_ops(table);
  add_arithmetic_ops(table);
  add_comparison_ops(table);
  add_linear_ops(table);
  add_matmul_ops(table);
  add_einsum_ops(table);
  add_strided_ops(table);
  add_piece_ops(table);
  add_entry_map_ops(table);
  add_gather_data_ops(table);
  add_resize_ops(table);
  add_reduction_ops(table);
  add_softmax_ops(table);
  add_layer_normalisation_ops(table);
  add_batch_normalisation_ops(table);
  add_response_normalisation_ops(table);
  add_conv_ops(table);
  add_pool_ops(table);
  std::ranges::sort(table, {}, [](const auto& op) { return op->name(); });
  return table;
}

const std::vector<std::unique_ptr<Op>>& table() {
  static const std::vector<std::unique_ptr<Op>> ops = make_table();
  return ops;
}

}  // namespace

const Op* find_op(std::string_view name) {
  const auto found = std::ranges::lower_bound(table(), name, {}, [](const auto& op) { return op->name(); });
  return found != table().end() && (*found)->name() == name ? found->get() : nullptr;
}

std::vector<std::string_view> op_names() {
  std::vector<std::string_view> names;
  for (const auto& op : table()) names.push_back(op->name());
  return names;
}

void refuse(const Node& node, std::string what, std::string got, std::string expected) {
  throw Error(ErrorKind::input, {.what = std::move(what), .where = "node " + node.name + " (" + node.op + ")",
                                 .got = std::move(got), .expected = std::move(expected), .cure = {}});
}

void require_inputs(const Node& node, std::span<const Shape> inputs, int least, int most) {
  const auto count = static_cast<int>(inputs.size());
  bool present = count >= least && count <= most;
  for (int k = 0; present && k < least; ++k) present = node.inputs[static_cast<std::size_t>(k)] != no_id;
  if (present) return;
  refuse(node, "the number of inputs is wrong", std::to_string(count),
         least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most));
}

Index resolved_axis(const Node& node, Index axis, Index rank) {
  const Index resolved = axis < 0 ? axis + rank : axis;
  if (resolved < 0 || resolved >= rank) {
    refuse(node, "there is no such axis", std::to_string(axis), "an axis of an array with " + std::to_string(rank));
  }
  return resolved;
}

}  // namespace tangra::ops
