#include "tangra/load/onnx/batch.h"

namespace tangra::load::onnx {

Shape at_two(const Shape& one, const Place& place) {
  Shape two = one;
  if (place) two[place->axis] *= 2;
  return two;
}

Doubled doubled_axis(const Shape& one, const Shape& two) {
  Doubled result;
  if (one.rank() != two.rank()) return {.fits = false, .axis = std::nullopt};
  for (Index axis = 0; axis < one.rank(); ++axis) {
    if (one[axis] == two[axis]) continue;
    if (result.axis || two[axis] != 2 * one[axis]) return {.fits = false, .axis = std::nullopt};
    result.axis = axis;
  }
  return result;
}

Place place_along(const Shape& from, const BatchPlace& place, const Shape& to, Index axis) {
  const Index before = from.elements(0, place.axis) * place.outer;
  const Index behind = place.inner * from.elements(place.axis + 1, from.rank());
  const Index left = to.elements(0, axis), right = to.elements(axis + 1, to.rank());
  if (left == 0 || right == 0 || before % left != 0 || behind % right != 0) return std::nullopt;
  const BatchPlace result{axis, before / left, behind / right};
  if (result.outer * result.inner != to[axis]) return std::nullopt;
  return result;
}

Place likely_place(const Shape& from, const BatchPlace& place, const Shape& to) {
  const auto alone_at = [&](Index axis) -> Place {
    if (axis >= to.rank() || to[axis] != 1) return std::nullopt;
    return place_along(from, place, to, axis);
  };
  if (const Place same = alone_at(place.axis)) return same;
  for (Index axis = 0; axis < to.rank(); ++axis) {
    if (const Place alone = alone_at(axis)) return alone;
  }
  for (Index axis = 0; axis < to.rank(); ++axis) {
    if (const Place merged = place_along(from, place, to, axis)) return merged;
  }
  return std::nullopt;
}

Place moved(const Place& place, Index added) {
  if (!place) return std::nullopt;
  return BatchPlace{place->axis + added, place->outer, place->inner};
}

}  // namespace tangra::load::onnx
