// Concat and Split: runs of entries that are copied as they lie.
#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// Puts its inputs behind one another along an axis.
class Concat final : public OpOf<Concat> {
 public:
  std::string_view name() const override { return "Concat"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1 << 20);
    Shape result = inputs[0];
    const Index axis = axis_of(node, result);
    for (std::size_t k = 1; k < inputs.size(); ++k) {
      Shape other = inputs[k];
      if (other.rank() != result.rank()) {
        refuse(node, "the inputs differ in rank", to_string(other), to_string(result));
      }
      result[axis] += other[axis];
      other[axis] = result[axis];
      if (other != result) {
        refuse(node, "the inputs differ along another axis", to_string(inputs[k]), to_string(result));
      }
    }
    return {result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_piece(call, 1, [&](int k, Index sample, Index, Index from, Index to, Index count) {
      std::copy_n(call.inputs[static_cast<std::size_t>(k)].at(sample) + from, count, results[0] + to);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    each_piece(call, directions, [&](int k, Index sample, Index r, Index from, Index to, Index count) {
      T* target = results[static_cast<std::size_t>(k)];
      if (target == nullptr) return;
      target += (sample * directions + r) * call.input_shapes[static_cast<std::size_t>(k)].elements() + from;
      for (Index e = 0; e < count; ++e) target[e] += cotangents[0][to + e];
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    each_piece(call, directions, [&](int k, Index sample, Index r, Index from, Index to, Index count) {
      const Operand<T>& tangent = tangents[static_cast<std::size_t>(k)];
      if (!tangent) return fill_zero(results[0] + to, count);
      const Index size = call.input_shapes[static_cast<std::size_t>(k)].elements();
      std::copy_n(tangent.at(sample) + r * size + from, count, results[0] + to);
    });
  }

 private:
  static Index axis_of(const Node& node, const Shape& shape) {
    return resolved_axis(node, node.attributes.integer("axis", 0), shape.rank());
  }

  /// Calls use(input, sample, direction, first entry of the input, first entry of all results, count).
  template <class T, class Use>
  static void each_piece(const Call<T>& call, Index directions, const Use& use) {
    const Shape& result = call.output_shapes[0];
    const Index axis = axis_of(call.node, call.input_shapes[0]);
    const Index outer = result.elements(0, axis);
    for_samples(call, directions * result.elements(), [&](Index i) {
      for (Index r = 0; r < directions; ++r) {
        Index to = (i * directions + r) * result.elements();
        for (Index o = 0; o < outer; ++o) {
          for (std::size_t k = 0; k < call.inputs.size(); ++k) {
            const Index count = call.input_shapes[k].elements(axis, result.rank());
            use(static_cast<int>(k), i, r, o * count, to, count);
            to += count;
          }
        }
      }
    });
  }
};

/// Cuts its input along an axis into pieces of the lengths `split`, or into `num_outputs` pieces of equal
/// length, of which the last may be shorter.
class Split final : public OpOf<Split> {
 public:
  std::string_view name() const override { return "Split"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    const Index axis = axis_of(node, inputs[0]);
    const Index length = inputs[0][axis];
    std::vector<Index> pieces = node.attributes.integers("split", {});
    if (pieces.empty()) {
      const Index number = node.attributes.integer("num_outputs", 0);
      if (number < 1) refuse(node, "neither split nor num_outputs says into how many pieces");
      const Index step = (length + number - 1) / number;
      for (Index k = 0; k < number; ++k) pieces.push_back(std::min(step, length - k * step));
    }
    std::vector<Shape> results;
    Index sum = 0;
    bool negative = false;
    for (const Index piece : pieces) {
      results.push_back(inputs[0]);
      results.back()[axis] = piece;
      negative = negative || piece < 0;
      sum += piece;
    }
    if (negative || sum != length) {
      refuse(node, "the pieces do not add up to the axis", to_string(Shape(pieces)), std::to_string(length));
    }
    return results;
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_piece(call, 1, [&](std::size_t k, Index sample, Index, Index from, Index to, Index count) {
      std::copy_n(call.inputs[0].at(sample) + from, count, results[k] + to);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    const Index size = call.input_shapes[0].elements();
    each_piece(call, directions,
               [&](std::size_t k, Index sample, Index r, Index from, Index to, Index count) {
                 if (cotangents[k] == nullptr) return;
                 T* target = results[0] + (sample * directions + r) * size + from;
                 for (Index e = 0; e < count; ++e) target[e] += cotangents[k][to + e];
               });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Index size = call.input_shapes[0].elements();
    each_piece(call, directions,
               [&](std::size_t k, Index sample, Index r, Index from, Index to, Index count) {
                 std::copy_n(tangents[0].at(sample) + r * size + from, count, results[k] + to);
               });
  }

  std::optional<View> view_of_output(const Node& node, std::span<const Shape> inputs,
                                     std::span<const std::optional<double>>, int output) const override {
    const Index axis = axis_of(node, inputs[0]);
    const std::vector<Shape> pieces = infer(node, inputs);
    View view{.input = 0, .offset = 0, .strides = inputs[0].strides(), .scale = 1};
    const Index stride = view.strides[static_cast<std::size_t>(axis)];
    for (int k = 0; k < output; ++k) view.offset += pieces[static_cast<std::size_t>(k)][axis] * stride;
    return view;
  }

 private:
  static Index axis_of(const Node& node, const Shape& shape) {
    return resolved_axis(node, node.attributes.integer("axis", 0), shape.rank());
  }

  /// Calls use(output, sample, direction, first entry of the input, first entry of all of the output's,
  /// count).
  template <class T, class Use>
  static void each_piece(const Call<T>& call, Index directions, const Use& use) {
    const Shape& whole = call.input_shapes[0];
    const Index axis = axis_of(call.node, whole);
    const Index outer = whole.elements(0, axis);
    for_samples(call, directions * whole.elements(), [&](Index i) {
      for (Index r = 0; r < directions; ++r) {
        Index from = 0;
        for (Index o = 0; o < outer; ++o) {
          for (std::size_t k = 0; k < call.output_shapes.size(); ++k) {
            const Index count = call.output_shapes[k].elements(axis, whole.rank());
            use(k, i, r, from, ((i * directions + r) * outer + o) * count, count);
            from += count;
          }
        }
      }
    });
  }
};

}  // namespace

void add_piece_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<Concat>());
  table.push_back(std::make_unique<Split>());
}

}  // namespace tangra::ops
