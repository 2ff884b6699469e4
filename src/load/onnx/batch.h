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

/// The shape for `samples` samples of an array that has shape `one` for one.
Shape at_many(const Shape& one, const Place& place, Index samples);

/// The axis along which the shape for `samples` samples is that many times as long as the shape for one; none
/// where they are alike in all axes. `fits` is false where they differ in another way.
struct Grown {
  bool fits = true;
  std::optional<Index> axis;
};
Grown grown_axis(const Shape& one, const Shape& many, Index samples);

/// Where the samples are once an array of shape `from` (for one sample) is read with shape `to`, if they lie
/// along `axis` of it; nothing where the entries before and behind do not come out even.
Place place_along(const Shape& from, const BatchPlace& place, const Shape& to, Index axis);
/// All places in `to` that the entries before and behind allow, the likeliest first: an axis of length 1 of
/// its own, the place's own axis before others, then merged ones. They differ in the axis alone to which the
/// same place between two entries is counted.
std::vector<BatchPlace> likely_places(const Shape& from, const BatchPlace& place, const Shape& to);

/// Which place is taken where a reshaped array has several and the file does not say: one that was exported
/// for one sample has (T, heads, d) for (T, N * heads, d), which could be (T * N, heads, d) too. What follows
/// in the network shows it, so all are tried; arrays that are reshaped alike are read alike.
class Readings {
 public:
  BatchPlace chosen(const Shape& from, const BatchPlace& place, const Shape& to,
                    const std::vector<BatchPlace>& places);
  /// Goes on to the next combination of choices; false where there is none.
  bool advance();

 private:
  struct Reading {
    Shape from, to;
    BatchPlace place;
    std::size_t choice = 0;
    std::size_t count = 1;
  };
  std::vector<Reading> readings_;  ///< in the order in which they were asked for
};

/// The place counted in an array with `added` axes more in front.
Place moved(const Place& place, Index added);

}  // namespace tangra::load::onnx
