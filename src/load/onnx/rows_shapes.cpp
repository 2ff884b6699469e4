// Rows of the lowering table: other shapes of the same entries. None of them costs anything: values keep the
// form that they have in the graph, and a Reshape is added only where an operator asks for another one.
#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/load/onnx/lowering.h"

namespace tangra::load::onnx {
namespace {

/// The result has shape `one` for one sample and `many` for several, unless the file holds for one sample
/// alone: then `many` is none, or leaves out how many there are (`states_number`). In any other file the axis
/// that grows with the samples must be where the samples are: nothing else proves that they stay apart.
void reshape_to(Lower& call, const Shape& one, const std::optional<Shape>& many, bool states_number) {
  Fact& x = call.in(0);
  const Place place = call.place(0);
  if (!place) return call.alias(0, x, one, std::nullopt);
  const auto [fits, axis] =
      many ? grown_axis(one, *many, call.probe()) : Grown{.fits = false, .axis = std::nullopt};
  Place found = fits && axis ? place_along(x.shape, *place, one, *axis) : std::nullopt;
  // [1, -1] in a file for one sample means that sample, though it could be read otherwise.
  if (call.is_for_one() && (!found || (!found->alone() && states_number)))
    found = call.read_place(x.shape, *place, one);
  if (!found) {
    call.refuse_mixing("the new shape does not keep the samples apart (one sample: " + to_string(x.shape) +
                       " to " + to_string(one) + "; " + std::to_string(call.probe()) + ": " +
                       to_string(call.shape_for_many(x)) +
                       (many ? " to " + to_string(*many) : " does not fit") + ")");
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
  const bool literal = call.is_for_one() && wanted->one == wanted->many &&
                       std::ranges::find(wanted->one, Index{1}) != wanted->one.end();
  reshape_to(call, *one, reshaped(call.shape_for_many(x), wanted->many, zero), literal);
}

void flatten(Lower& call) {
  const Fact& x = call.in(0);
  Index axis = call.node.attributes.integer("axis", 1);
  if (axis < 0) axis += x.shape.rank();
  if (axis < 0 || axis > x.shape.rank()) call.refuse("there is no such axis", std::to_string(axis));
  const auto flat = [&](const Shape& shape) {
    return Shape{shape.elements(0, axis), shape.elements(axis, shape.rank())};
  };
  reshape_to(call, flat(x.shape), flat(call.shape_for_many(x)), false);
}

std::optional<std::vector<Index>> axes_of(Lower& call) {
  return call.integers_of("axes", 1);
}

/// Without axes, those that have length 1: for any number of samples, unless the file holds for one alone.
void squeeze(Lower& call) {
  Fact& x = call.in(0);
  const Shape many = call.is_for_one() ? x.shape : call.shape_for_many(x);
  std::vector<bool> gone(static_cast<std::size_t>(x.shape.rank()), false);
  if (const auto axes = axes_of(call)) {
    for (const Index axis : *axes) gone[static_cast<std::size_t>(call.axis(axis, x.shape.rank()))] = true;
  } else {
    for (Index axis = 0; axis < many.rank(); ++axis) gone[static_cast<std::size_t>(axis)] = many[axis] == 1;
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
  Shape one, many;
  try {
    one = broadcast(x.shape, Shape(wanted->one));
    many = broadcast(call.shape_for_many(x), Shape(wanted->many));
  } catch (const Error& error) {
    call.refuse(error.complaint().what, error.complaint().got, error.complaint().expected);
  }
  Place place = moved(call.place(0), one.rank() - x.shape.rank());
  if (!place) {
    const auto [fits, axis] = grown_axis(one, many, call.probe());
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
