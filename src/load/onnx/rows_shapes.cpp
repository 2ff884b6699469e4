// Rows of the lowering table: other shapes of the same entries. None of them costs anything: values keep the
// form that they have in the graph, and a Reshape is added only where an operator asks for another one.
#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/load/onnx/lowering.h"

namespace tangra::load::onnx {
namespace {

/// The result has shape `one` for one sample and `two` for two, unless the file holds for one sample alone:
/// then `two` is none, or leaves out that there are two (`states_number`).
void reshape_to(Lower& call, const Shape& one, const std::optional<Shape>& two, bool states_number) {
  Fact& x = call.in(0);
  const Place place = call.place(0);
  if (!place) return call.alias(0, x, one, std::nullopt);
  const auto [fits, axis] = two ? doubled_axis(one, *two) : Doubled{.fits = false, .axis = std::nullopt};
  Place found = fits && axis ? place_along(x.shape, *place, one, *axis) : std::nullopt;
  // [1, -1] in a file for one sample means that sample, though it could be read otherwise.
  if (!found || (!found->alone() && states_number)) found = call.read_place(x.shape, *place, one);
  if (!found) {
    call.refuse_mixing("the new shape does not keep the samples apart (" + to_string(x.shape) + " to " +
                       to_string(one) + ")");
  }
  call.alias(0, x, one, found);
}

void reshape(Lower& call) {
  const bool zero = call.node.attributes.integer("allowzero", 0) != 0;
  const auto wanted = call.integers(1);
  if (!wanted) call.refuse("the new shape is missing");
  const Fact& x = call.in(0);
  const auto one = reshaped(x.shape, wanted->one, zero);
  if (!one) {
    const Index made_for = call.samples_in_file();
    call.refuse("the new shape does not fit", to_string(Shape(wanted->one)),
                "as many entries as " + to_string(x.shape) +
                    (made_for > 1 ? " (the file is made for " + std::to_string(made_for) +
                                        " samples: export it for one, or for any number)"
                                  : ""));
  }
  const bool literal = call.is_for_one() && wanted->one == wanted->two &&
                       std::ranges::find(wanted->one, Index{1}) != wanted->one.end();
  reshape_to(call, *one, reshaped(x.shape_two(), wanted->two, zero), literal);
}

void flatten(Lower& call) {
  const Fact& x = call.in(0);
  Index axis = call.node.attributes.integer("axis", 1);
  if (axis < 0) axis += x.shape.rank();
  if (axis < 0 || axis > x.shape.rank()) call.refuse("there is no such axis", std::to_string(axis));
  const auto flat = [&](const Shape& shape) {
    return Shape{shape.elements(0, axis), shape.elements(axis, shape.rank())};
  };
  reshape_to(call, flat(x.shape), flat(x.shape_two()), false);
}

std::optional<std::vector<Index>> axes_of(Lower& call) {
  return call.integers_of("axes", 1);
}

/// Without axes, those that have length 1: for any number of samples, unless the file holds for one alone.
void squeeze(Lower& call) {
  Fact& x = call.in(0);
  const Shape two = call.is_for_one() ? x.shape : x.shape_two();
  std::vector<bool> gone(static_cast<std::size_t>(x.shape.rank()), false);
  if (const auto axes = axes_of(call)) {
    for (const Index axis : *axes) gone[static_cast<std::size_t>(call.axis(axis, x.shape.rank()))] = true;
  } else {
    for (Index axis = 0; axis < two.rank(); ++axis) gone[static_cast<std::size_t>(axis)] = two[axis] == 1;
  }
  Place place = call.place(0);
  Shape shape;
  Index before = 0;
  for (Index axis = 0; axis < x.shape.rank(); ++axis) {
    if (!gone[static_cast<std::size_t>(axis)]) {
      shape.append(x.shape[axis]);
      continue;
    }
    if (x.shape[axis] != 1) call.refuse("an axis to squeeze is longer than 1", to_string(x.shape));
    if (place && axis < place->axis) ++before;
  }
  if (place && gone[static_cast<std::size_t>(place->axis)]) {
    if (!call.is_for_one() || !place->alone()) call.refuse_mixing("it takes away the axis of the samples");
    place = std::nullopt;  // what is left is that sample's, whatever becomes of its axes
  } else if (place) {
    place->axis -= before;
  }
  call.alias(0, x, shape, place);
}

void unsqueeze(Lower& call) {
  Fact& x = call.in(0);
  const std::vector<Index> axes = axes_of(call).value_or(std::vector<Index>{});
  const Index rank = x.shape.rank() + std::ssize(axes);
  std::vector<bool> added(static_cast<std::size_t>(rank), false);
  for (const Index axis : axes) {
    const auto at = static_cast<std::size_t>(call.axis(axis, rank));
    if (added[at]) call.refuse("an axis is inserted twice");
    added[at] = true;
  }
  const Place place = call.place(0);
  Place result;
  Shape shape;
  Index from = 0;
  for (Index axis = 0; axis < rank; ++axis) {
    if (added[static_cast<std::size_t>(axis)]) {
      shape.append(1);
      continue;
    }
    if (place && from == place->axis) result = BatchPlace{axis, place->outer, place->inner};
    shape.append(x.shape[from++]);
  }
  call.alias(0, x, shape, result);
}

void transpose(Lower& call) {
  Fact& x = call.in(0);
  const Index rank = x.shape.rank();
  std::vector<Index> order;
  for (Index axis = rank; axis-- > 0;) order.push_back(axis);
  order = call.node.attributes.integers("perm", order);
  std::vector<Index> sorted = order;
  std::ranges::sort(sorted);
  bool sound = std::ssize(order) == rank;
  for (std::size_t k = 0; k < sorted.size(); ++k) sound = sound && sorted[k] == static_cast<Index>(k);
  if (!sound) call.refuse("perm is not a permutation of the axes", to_string(Shape(order)));
  Place place = call.place(0);
  if (place) place->axis = std::ranges::find(order, place->axis) - order.begin();
  Shape shape;
  for (const Index axis : order) shape.append(x.shape[axis]);
  // Axes of length 1 may go anywhere: where only they move, the entries stay in their order.
  std::vector<Index> long_axes;
  for (const Index axis : order) {
    if (x.shape[axis] != 1) long_axes.push_back(axis);
  }
  if (std::ranges::is_sorted(long_axes)) return call.alias(0, x, shape, place);
  const Frame frame(x.shape, order[0] != 0);
  std::vector<Index> kept;
  for (const Index axis : order) {
    if (!frame.dropped || axis != 0) kept.push_back(frame.axis(axis));
  }
  call.result(0, call.apply("Transpose", {call.value(x, frame.shape)}, {{"perm", kept}}), shape, place);
}

/// Copies along axes of length 1. Where they are copies for each sample, one sample needs none.
void expand(Lower& call) {
  Fact& x = call.in(0);
  const auto wanted = call.integers(1);
  if (!wanted) call.refuse("the new shape is missing");
  Shape one, two;
  try {
    one = broadcast(x.shape, Shape(wanted->one));
    two = broadcast(x.shape_two(), Shape(wanted->two));
  } catch (const Error& error) {
    call.refuse(error.complaint().what, error.complaint().got, error.complaint().expected);
  }
  Place place = moved(call.place(0), one.rank() - x.shape.rank());
  if (!place) {
    const auto [fits, axis] = doubled_axis(one, two);
    if (!fits) call.refuse_mixing("the new shape grows with the samples along several axes");
    if (axis) place = BatchPlace{*axis, 1, one[*axis]};
  } else if (one[place->axis] != place->outer * place->inner) {
    call.refuse_mixing("it copies the samples along their own axis");
  }
  if (one.elements() == x.shape.elements()) return call.alias(0, x, one, place);
  const Frame frame(one, false);
  const Shape from = frame.dropped && x.shape.rank() == one.rank() ? tail(x.shape) : x.shape;
  call.result(0, call.apply("Expand", {call.value(x, from)}, {{"shape", frame.shape.lengths()}}), one, place);
}

}  // namespace

void add_shape_rows(Rows& rows) {
  rows["Reshape"] = {.lower = reshape, .fixed = {1}};
  rows["Flatten"] = {.lower = flatten};
  rows["Squeeze"] = {.lower = squeeze, .fixed = {1}};
  rows["Unsqueeze"] = {.lower = unsqueeze, .fixed = {1}};
  rows["Transpose"] = {.lower = transpose};
  rows["Expand"] = {.lower = expand, .fixed = {1}};
}

}  // namespace tangra::load::onnx
