#include "tangra/load/onnx/batch.h"

#include <algorithm>
#include <functional>

namespace tangra::load::onnx {

Shape at_many(const Shape& one, const Place& place, Index samples) {
  Shape many = one;
  if (place) many[place->axis] *= samples;
  return many;
}

Grown grown_axis(const Shape& one, const Shape& many, Index samples) {
  Grown result;
  if (one.rank() != many.rank()) return {.fits = false, .axis = std::nullopt};
  for (Index axis = 0; axis < one.rank(); ++axis) {
    if (one[axis] == many[axis]) continue;
    if (result.axis || many[axis] != samples * one[axis]) return {.fits = false, .axis = std::nullopt};
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

std::vector<BatchPlace> likely_places(const Shape& from, const BatchPlace& place, const Shape& to) {
  std::vector<BatchPlace> places;
  for (Index axis = 0; axis < to.rank(); ++axis) {
    if (const Place found = place_along(from, place, to, axis)) places.push_back(*found);
  }
  std::ranges::stable_sort(places, std::less(), [&](const BatchPlace& found) {
    return found.alone() ? (found.axis == place.axis ? 0 : 1) : 2;
  });
  return places;
}

BatchPlace Readings::chosen(const Shape& from, const BatchPlace& place, const Shape& to,
                            const std::vector<BatchPlace>& places) {
  const auto found = std::ranges::find_if(readings_, [&](const Reading& reading) {
    return reading.from == from && reading.place == place && reading.to == to;
  });
  if (found != readings_.end()) return places[found->choice];
  if (places.size() > 1) readings_.push_back({from, to, place, 0, places.size()});
  return places.front();
}

bool Readings::advance() {
  // What was asked for later may depend on what was chosen before, and is found anew.
  while (!readings_.empty() && ++readings_.back().choice == readings_.back().count) readings_.pop_back();
  return !readings_.empty();
}

Place moved(const Place& place, Index added) {
  if (!place) return std::nullopt;
  return BatchPlace{place->axis + added, place->outer, place->inner};
}

}  // namespace tangra::load::onnx
