// Resize, nearest and linear: each entry of the result is a weighted sum of a few entries of the input. The
// rows of that sparse matrix give forward, pull-back and push-forward.
//
// Attributes, all by axis of one sample: `sizes` (the result's lengths) or `scales` (the length is cut off,
// the given scale stays in the coordinates); `mode` nearest or linear; `coordinate_transformation_mode`
// half_pixel, half_pixel_symmetric, pytorch_half_pixel, tf_half_pixel_for_nn, asymmetric or align_corners;
// `nearest_mode` round_prefer_floor, round_prefer_ceil, floor or ceil.
#include <algorithm>
#include <cmath>

#include "tangra/ops/loops.h"
#include "tangra/ops/maps.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// One entry of an input and its weight.
struct Tap {
  Index from;
  double weight;
};

/// Row e of the matrix is taps[first[e]] to taps[first[e + 1] - 1].
struct SparseRows {
  Shape result;
  std::vector<std::size_t> first{0};
  std::vector<Tap> taps;
};

/// How one axis is resized.
struct Axis {
  Index in;
  Index out;
  double scale;
};

std::vector<Axis> axes_of(const Node& node, const Shape& input) {
  const std::vector<Index> sizes = node.attributes.integers("sizes", {});
  const std::vector<double> scales = node.attributes.reals("scales", {});
  const bool by_size = std::ssize(sizes) == input.rank() && scales.empty();
  if (!by_size && (std::ssize(scales) != input.rank() || !sizes.empty())) {
    refuse(node, "either sizes or scales has to have one number for each axis",
           std::to_string(sizes.size()) + " sizes and " + std::to_string(scales.size()) + " scales",
           std::to_string(input.rank()));
  }
  std::vector<Axis> axes;
  Shape result;
  for (std::size_t k = 0; k < input.lengths().size(); ++k) {
    const Index in = input[static_cast<Index>(k)];
    const double scale =
        by_size ? static_cast<double>(sizes[k]) / static_cast<double>(std::max<Index>(1, in)) : scales[k];
    const double length =
        by_size ? static_cast<double>(sizes[k]) : std::floor(static_cast<double>(in) * scale);
    if (!(scale > 0) || !(length >= 0) || length > static_cast<double>(most_entries) ||
        (in == 0 && length > 0)) {
      refuse(node, "an axis cannot be resized like this",
             std::to_string(in) + " entries by " + std::to_string(scale));
    }
    axes.push_back({in, static_cast<Index>(length), scale});
    result.append(axes.back().out);
  }
  require_size(node, result);
  return axes;
}

/// Where position k of the result lies on the input's axis.
double coordinate(const Node& node, const std::string& mode, const Axis& axis, Index k) {
  const auto position = static_cast<double>(k);
  const auto in = static_cast<double>(axis.in);
  const auto out = static_cast<double>(axis.out);
  if (mode == "half_pixel") return (position + 0.5) / axis.scale - 0.5;
  if (mode == "pytorch_half_pixel") return axis.out > 1 ? (position + 0.5) / axis.scale - 0.5 : 0;
  if (mode == "tf_half_pixel_for_nn") return (position + 0.5) / axis.scale;
  if (mode == "asymmetric") return position / axis.scale;
  if (mode == "align_corners") return axis.out > 1 ? position * (in - 1) / (out - 1) : 0;
  if (mode == "half_pixel_symmetric") {
    // What cutting the length off took away is taken from both ends.
    const double offset = in / 2 * (1 - out / (axis.scale * in));
    return offset + (position + 0.5) / axis.scale - 0.5;
  }
  refuse(node, "this coordinate_transformation_mode is not supported", mode,
         "half_pixel, half_pixel_symmetric, pytorch_half_pixel, tf_half_pixel_for_nn, asymmetric or "
         "align_corners");
}

double nearest(const Node& node, const std::string& mode, double place) {
  if (mode == "round_prefer_floor") return std::ceil(place - 0.5);
  if (mode == "round_prefer_ceil") return std::floor(place + 0.5);
  if (mode == "floor") return std::floor(place);
  if (mode == "ceil") return std::ceil(place);
  refuse(node, "there is no such nearest_mode", mode, "round_prefer_floor, round_prefer_ceil, floor or ceil");
}

/// The taps of position k along one axis. Beyond the ends the last entry goes on.
std::vector<Tap> taps_along(const Node& node, const Axis& axis, Index k) {
  const std::string mode = node.attributes.text("mode", "nearest");
  const double last = static_cast<double>(axis.in - 1);
  const double place =
      coordinate(node, node.attributes.text("coordinate_transformation_mode", "half_pixel"), axis, k);
  if (mode == "nearest") {
    const std::string rounding = node.attributes.text("nearest_mode", "round_prefer_floor");
    return {{static_cast<Index>(std::clamp(nearest(node, rounding, place), 0.0, last)), 1}};
  }
  if (mode != "linear") refuse(node, "this mode is not supported", mode, "nearest or linear");
  const double inside = std::clamp(place, 0.0, last);
  const double low = std::floor(inside);
  const auto from = static_cast<Index>(low);
  if (inside == low) return {{from, 1}};
  return {{from, 1 - (inside - low)}, {from + 1, inside - low}};
}

SparseRows rows_of(const Node& node, const Shape& input) {
  const std::vector<Axis> axes = axes_of(node, input);
  std::vector<std::vector<std::vector<Tap>>> along;  // by axis and position
  SparseRows rows;
  for (const Axis& axis : axes) {
    rows.result.append(axis.out);
    auto& taps = along.emplace_back();
    for (Index k = 0; k < axis.out; ++k) taps.push_back(taps_along(node, axis, k));
  }
  const std::vector<Index> strides = input.strides();
  const std::vector<Index> steps = rows.result.strides();
  std::vector<Tap> row;
  std::vector<Tap> longer;
  for (Index e = 0; e < rows.result.elements(); ++e) {
    row = {{0, 1}};
    Index rest = e;
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      longer.clear();
      for (const Tap& tap : row) {
        for (const Tap& more : along[axis][static_cast<std::size_t>(rest / steps[axis])]) {
          longer.push_back({tap.from + more.from * strides[axis], tap.weight * more.weight});
        }
      }
      rest %= steps[axis];
      std::swap(row, longer);
    }
    rows.taps.insert(rows.taps.end(), row.begin(), row.end());
    rows.first.push_back(rows.taps.size());
  }
  return rows;
}

class Resize final : public OpOf<Resize> {
 public:
  std::string_view name() const override { return "Resize"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    Shape result;
    for (const Axis& axis : axes_of(node, inputs[0])) {
      if (axis.out > 0) taps_along(node, axis, 0);  // refuses modes that there are not
      result.append(axis.out);
    }
    return {result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_row(call, 1, [&](Index i, Index, Index to, std::span<const Tap> taps) {
      results[0][to] = weighted(call.inputs[0].at(i), taps);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    const Index size = call.input_shapes[0].elements();
    each_row(call, directions, [&](Index i, Index r, Index from, std::span<const Tap> taps) {
      T* to = results[0] + (i * directions + r) * size;
      for (const Tap& tap : taps) to[tap.from] += static_cast<T>(tap.weight) * cotangents[0][from];
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Index size = call.input_shapes[0].elements();
    each_row(call, directions, [&](Index i, Index r, Index to, std::span<const Tap> taps) {
      results[0][to] = weighted(tangents[0].at(i) + r * size, taps);
    });
  }

 private:
  template <class T>
  static T weighted(const T* x, std::span<const Tap> taps) {
    T sum = 0;
    for (const Tap& tap : taps) sum += static_cast<T>(tap.weight) * x[tap.from];
    return sum;
  }

  /// Calls use(sample, direction, running entry of the result, its taps) for every entry.
  template <class T, class Use>
  static void each_row(const Call<T>& call, Index directions, const Use& use) {
    const SparseRows rows = rows_of(call.node, call.input_shapes[0]);
    const Index size = rows.result.elements();
    for_samples(call, 2 * directions * std::ssize(rows.taps), [&](Index i) {
      for (Index r = 0; r < directions; ++r) {
        for (std::size_t e = 0; e + 1 < rows.first.size(); ++e) {
          use(i, r, (i * directions + r) * size + Index(e),
              std::span(rows.taps).subspan(rows.first[e], rows.first[e + 1] - rows.first[e]));
        }
      }
    });
  }
};

}  // namespace

void add_resize_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<Resize>());
}

}  // namespace tangra::ops
