#pragma once
// Not for other rooms: where the samples' axis is in an array of an ONNX graph.
#include <optional>
#include <vector>

#include "tangra/base/shape.h"

namespace tangra::load::onnx {

/// The place of the N samples in a row-major array: axis `axis` has length outer * N * inner, and runs over
/// (outer, N, inner). (T * N rows: outer = T; N * heads: inner = heads.)
struct BatchPlace {
  Index axis = 0;
  Index outer = 1;
  Index inner = 1;

  /// The axis holds nothing but the samples.
  bool alone() const { return outer == 1 && inner == 1; }
  bool operator==(const BatchPlace&) const = default;
};

using Place = std::optional<BatchPlace>;

/// The shape with twice as many samples as the one for a single sample.
Shape at_two(const Shape& one, const Place& place);

/// The axis along which two shapes differ, one being twice the other; none where they are alike in all
/// others. `fits` is false where they differ in another way.
struct Doubled {
  bool fits = true;
  std::optional<Index> axis;
};
Doubled doubled_axis(const Shape& one, const Shape& two);

/// Where the samples are once an array of shape `from` (for one sample) is read with shape `to`, if they lie
/// along `axis` of it; nothing where the entries before and behind do not come out even.
Place place_along(const Shape& from, const BatchPlace& place, const Shape& to, Index axis);
/// The best place in `to` where the shape itself says nothing: an axis of length 1 of its own, the place's
/// own axis first, else any that the entries before and behind allow.
Place likely_place(const Shape& from, const BatchPlace& place, const Shape& to);

/// The place counted in an array with `added` axes more in front.
Place moved(const Place& place, Index added);

}  // namespace tangra::load::onnx
