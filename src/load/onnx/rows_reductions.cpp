// Rows of the lowering table: sums, means, norms and softmax. None may go along the axis of the samples.
#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/load/onnx/lowering.h"

namespace tangra::load::onnx {
namespace {

/// axes: an attribute before opset 18 (ReduceSum: 13), an input since.
void reduction(Lower& call) {
  Fact& x = call.in(0);
  const Index rank = x.shape.rank();
  const auto given = call.integers_of("axes", 1);
  const bool all = !given || given->empty();
  const Place place = call.place(0);
  if (all && call.node.attributes.integer("noop_with_empty_axes", 0) != 0)
    return call.alias(0, x, x.shape, place);
  std::vector<bool> gone(static_cast<std::size_t>(rank), all);
  if (given) {
    for (const Index axis : *given) gone[static_cast<std::size_t>(call.axis(axis, rank))] = true;
  }
  if (place && gone[static_cast<std::size_t>(place->axis)])
    call.refuse_mixing("it reduces along the axis of the samples");
  const bool keep = call.node.attributes.integer("keepdims", 1) != 0;
  Place result = place;
  Shape shape;
  for (Index axis = 0; axis < rank; ++axis) {
    const bool goes = gone[static_cast<std::size_t>(axis)];
    if (!goes || keep)
      shape.append(goes ? 1 : x.shape[axis]);
    else if (place && axis < place->axis)
      --result->axis;
  }
  const Frame frame(x.shape, rank > 0 && gone[0]);
  std::vector<Index> axes;
  for (Index axis = 0; axis < rank; ++axis) {
    if (gone[static_cast<std::size_t>(axis)]) axes.push_back(frame.axis(axis));
  }
  const ValueId value = call.value(x, frame.shape);
  if (axes.empty()) return call.alias(0, x, x.shape, place);  // a scalar
  call.result(0, call.apply(call.node.op, {value}, {{"axes", axes}, {"keepdims", Index{keep ? 1 : 0}}}),
              shape, result);
}

/// Before opset 13 all axes from `axis` on are one (and `axis` is 1 unless stated).
void softmax(Lower& call) {
  Fact& x = call.in(0);
  const Index rank = x.shape.rank();
  const bool merged = call.opset < 13;
  const Index axis = call.axis(call.node.attributes.integer("axis", merged ? 1 : -1), rank);
  const Place place = call.place(0);
  if (place && (merged ? place->axis >= axis : place->axis == axis))
    call.refuse_mixing("it normalises across the samples");
  if (merged && axis + 1 < rank) {
    const Shape flat{x.shape.elements(0, axis), x.shape.elements(axis, rank)};
    return call.result(0, call.apply(call.node.op, {call.value(x, flat)}, {{"axis", Index{1}}}), x.shape,
                       place);
  }
  const Frame frame(x.shape, axis == 0);
  const ValueId value = call.value(x, frame.shape);
  call.result(0, call.apply(call.node.op, {value}, {{"axis", frame.axis(axis)}}), x.shape, place);
}

}  // namespace

void add_reduction_rows(Rows& rows) {
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                         "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
    rows[op] = {.lower = reduction, .fixed = {1}};
  }
  rows["Softmax"] = {.lower = softmax};
  rows["LogSoftmax"] = {.lower = softmax};
}

const Rows& all_rows() {
  static const Rows rows = [] {
    Rows all;
    add_elementwise_rows(all);
    add_product_rows(all);
    add_image_rows(all);
    add_shape_rows(all);
    add_index_rows(all);
    add_reduction_rows(all);
    return all;
  }();
  return rows;
}

const Row* find_row(const std::string& op) {
  const auto found = all_rows().find(op);
  return found == all_rows().end() ? nullptr : &found->second;
}

}  // namespace tangra::load::onnx
