// GatherData: whole slices of the first input along `axis`, by indices that are data: the second input holds
// them as whole numbers (tokens, of which each takes its row of an embedding). Negative ones count from the
// end. The indices have no derivative.
#include <array>
#include <charconv>
#include <cmath>

#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// The input as [outer, length, inner], the result as [outer, count, inner].
struct Extent {
  Index outer;
  Index length;
  Index count;
  Index inner;

  static Extent of(const Node& node, std::span<const Shape> inputs) {
    const Shape& data = inputs[0];
    const Index axis = resolved_axis(node, node.attributes.integer("axis", 0), data.rank());
    return {data.elements(0, axis), data[axis], inputs[1].elements(), data.elements(axis + 1, data.rank())};
  }
};

class GatherData final : public OpOf<GatherData> {
 public:
  std::string_view name() const override { return "GatherData"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 2, 2);
    const Shape& data = inputs[0];
    const Index axis = resolved_axis(node, node.attributes.integer("axis", 0), data.rank());
    Shape result;
    for (Index k = 0; k < data.rank(); ++k) {
      if (k != axis)
        result.append(data[k]);
      else
        for (const Index length : inputs[1]) result.append(length);
    }
    return {result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_slice(call, 1, [&](Index i, Index, Index from, Index to, Index count) {
      std::copy_n(call.inputs[0].at(i) + from, count, results[0] + to);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    const Index size = call.input_shapes[0].elements();
    each_slice(call, directions, [&](Index i, Index r, Index from, Index to, Index count) {
      T* target = results[0] + (i * directions + r) * size + from;
      for (Index e = 0; e < count; ++e) target[e] += cotangents[0][to + e];
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    if (!tangents[0])
      return fill_zero(results[0], call.samples * directions * call.output_shapes[0].elements());
    const Index size = call.input_shapes[0].elements();
    each_slice(call, directions, [&](Index i, Index r, Index from, Index to, Index count) {
      std::copy_n(tangents[0].at(i) + r * size + from, count, results[0] + to);
    });
  }

  /// Rows of a table by tokens, for an index along its first axis.
  bool has_outer_form(const Node& node, std::span<const Shape> inputs, int input) const override {
    return input == 0 && inputs[0].rank() >= 2 && Extent::of(node, inputs).outer == 1 &&
           Extent::of(node, inputs).length == inputs[0][0];
  }
  Index outer_entries(const Node&, std::span<const Shape> inputs, int, Index) const override { return inputs[1].elements(); }
  OuterUse<float> outer_use(const Call<float>& call, Index, const float*, int) const override { return use(call); }
  OuterUse<double> outer_use(const Call<double>& call, Index, const double*, int) const override { return use(call); }

 private:
  template <class T>
  static OuterUse<T> use(const Call<T>& call) {
    const Extent x = Extent::of(call.node, call.input_shapes);
    OuterUse<T> result{.positions = x.count,
                       .channels = x.length,
                       .fan_in = x.inner,
                       .transposed = false,
                       .left_is_cotangent = true,
                       .right_is_input = false,
                       .left = {},
                       .right = Tensor<T>::uninitialized({call.samples, x.count}),
                       .gathers = true,
                       .pixel_taps = {}};
    for (Index i = 0; i < call.samples; ++i) {
      for (Index k = 0; k < x.count; ++k) {
        result.right[i * x.count + k] = static_cast<T>(resolved(call.node, call.inputs[1].at(i)[k], x.length));
      }
    }
    return result;
  }

  template <class T>
  static Index resolved(const Node& node, T value, Index length) {
    const bool fits =
        value >= static_cast<T>(-length) && value < static_cast<T>(length) && value == std::floor(value);
    if (!fits) {
      std::array<char, 32> shown{};
      const auto end = std::to_chars(shown.begin(), shown.end(), static_cast<double>(value)).ptr;
      refuse(node, "an index is no whole number or lies outside of the table", std::string(shown.begin(), end),
             "whole numbers from 0 to " + std::to_string(length - 1));
    }
    const auto index = static_cast<Index>(value);
    return index < 0 ? index + length : index;
  }

  /// Calls use(sample, direction, first entry of the input, first entry of all results, count) for every
  /// slice.
  template <class T, class Use>
  static void each_slice(const Call<T>& call, Index directions, const Use& use) {
    const Extent x = Extent::of(call.node, call.input_shapes);
    for_samples(call, directions * call.output_shapes[0].elements(), [&](Index i) {
      const T* values = call.inputs[1].at(i);
      std::vector<Index> rows;
      for (Index k = 0; k < x.count; ++k) rows.push_back(resolved(call.node, values[k], x.length));
      for (Index r = 0; r < directions; ++r) {
        Index to = (i * directions + r) * x.outer * x.count * x.inner;
        for (Index o = 0; o < x.outer; ++o) {
          for (const Index row : rows) {
            use(i, r, (o * x.length + row) * x.inner, to, x.inner);
            to += x.inner;
          }
        }
      }
    });
  }
};

}  // namespace

void add_gather_data_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<GatherData>());
}

}  // namespace tangra::ops
