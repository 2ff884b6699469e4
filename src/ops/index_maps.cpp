// Operators that only say which entry goes where: each entry of a result is one entry of an input.
// A family member states its map; forward copies along it, pull-back adds back along it.
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// Result entry (i1, .., im) is input entry offset + i1 * strides[0] + ..
struct Strided {
  Shape result;
  Index offset = 0;
  std::vector<Index> strides;
};

struct Reshape {
  static constexpr std::string_view name = "Reshape";

  static Strided map(const Node& node, const Shape& input) {
    Shape result(node.attributes.integers("shape", {}));
    Index known = 1;
    Index open_axis = -1;
    for (Index axis = 0; axis < result.rank(); ++axis) {
      if (result[axis] == -1 && open_axis < 0) open_axis = axis;
      else known *= result[axis];
    }
    if (open_axis >= 0 && known > 0) result[open_axis] = input.elements() / known;
    for (const Index length : result) {
      if (length < 0) refuse(node, "the shape has a negative length", to_string(result));
    }
    if (result.elements() != input.elements()) {
      refuse(node, "the shapes differ in their number of elements", to_string(input) + " to " + to_string(result));
    }
    return {.result = result, .offset = 0, .strides = result.strides()};
  }
};

struct Transpose {
  static constexpr std::string_view name = "Transpose";

  static Strided map(const Node& node, const Shape& input) {
    std::vector<Index> reversed(static_cast<std::size_t>(input.rank()));
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    const std::vector<Index> order = node.attributes.integers("perm", reversed);
    std::vector<Index> sorted = order;
    std::ranges::sort(sorted);
    std::ranges::reverse(reversed);
    if (sorted != reversed) refuse(node, "perm is not a permutation of the input's axes", to_string(Shape(order)));
    const std::vector<Index> own = input.strides();
    Strided result;
    for (const Index axis : order) {
      result.result.append(input[axis]);
      result.strides.push_back(own[static_cast<std::size_t>(axis)]);
    }
    return result;
  }
};

struct Slice {
  static constexpr std::string_view name = "Slice";

  static Strided map(const Node& node, const Shape& input) {
    const auto starts = node.attributes.integers("starts", {});
    const auto ends = node.attributes.integers("ends", {});
    std::vector<Index> first_axes(starts.size());
    std::iota(first_axes.begin(), first_axes.end(), 0);
    const auto axes = node.attributes.integers("axes", first_axes);
    const auto steps = node.attributes.integers("steps", std::vector<Index>(starts.size(), 1));
    if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
      refuse(node, "starts, ends, axes and steps differ in length");
    }
    Strided result{.result = input, .offset = 0, .strides = input.strides()};
    for (std::size_t k = 0; k < starts.size(); ++k) {
      const Index axis = resolved_axis(node, axes[k], input.rank());
      const Index step = steps[k];
      if (step == 0) refuse(node, "a step is 0");
      const Index length = input[axis];
      const auto resolve = [&](Index position) {
        if (position < 0) position = position < -length ? -1 - length : position + length;
        return step > 0 ? std::clamp<Index>(position, 0, length) : std::clamp<Index>(position, -1, length - 1);
      };
      const Index first = resolve(starts[k]);
      const Index last = resolve(ends[k]);
      Index& stride = result.strides[static_cast<std::size_t>(axis)];
      const Index count = step > 0 ? (last - first + step - 1) / step : (first - last - step - 1) / -step;
      result.result[axis] = std::max<Index>(0, count);
      if (count > 0) result.offset += first * stride;
      stride *= step;
    }
    return result;
  }
};

template <class F>
class IndexMap final : public OpOf<IndexMap<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    return {F::map(node, inputs[0]).result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_entry(call, 1, [&](Index sample, Index, Index from, Index to) { results[0][to] = call.inputs[0].at(sample)[from]; });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    const Index input_size = call.input_shapes[0].elements();
    each_entry(call, directions, [&](Index sample, Index r, Index from, Index to) {
      results[0][(sample * directions + r) * input_size + from] += cotangents[0][to];
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Index input_size = call.input_shapes[0].elements();
    each_entry(call, directions, [&](Index sample, Index r, Index from, Index to) {
      results[0][to] = tangents[0].at(sample)[r * input_size + from];
    });
  }

  bool passes_cotangent(const Node&, std::span<const Shape>, int) const override { return F::name == Reshape::name; }

  std::optional<View> view(const Node& node, std::span<const Shape> inputs,
                           std::span<const std::optional<double>>) const override {
    Strided map = F::map(node, inputs[0]);
    return View{.input = 0, .offset = map.offset, .strides = std::move(map.strides), .scale = 1};
  }

 private:
  /// Calls use(sample, direction, entry of the input, running entry of the result) for every entry.
  template <class T, class Use>
  void each_entry(const Call<T>& call, Index directions, const Use& use) const {
    const Strided map = F::map(call.node, call.input_shapes[0]);
    const Index size = map.result.elements();
    if (size == 0) return;
    for_samples(call, 2 * directions * size, [&](Index i) {
      for (Index r = 0; r < directions; ++r) {
        std::vector<Index> position(static_cast<std::size_t>(map.result.rank()), 0);
        Index from = map.offset;
        for (Index e = 0; e < size; ++e) {
          use(i, r, from, (i * directions + r) * size + e);
          for (std::size_t axis = position.size(); axis-- > 0;) {
            from += map.strides[axis];
            if (++position[axis] < map.result[static_cast<Index>(axis)]) break;
            from -= map.strides[axis] * position[axis];
            position[axis] = 0;
          }
        }
      }
    });
  }
};

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
      if (other.rank() != result.rank()) refuse(node, "the inputs differ in rank", to_string(other), to_string(result));
      result[axis] += other[axis];
      other[axis] = result[axis];
      if (other != result) refuse(node, "the inputs differ along another axis", to_string(inputs[k]), to_string(result));
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

}  // namespace

void add_index_map_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<IndexMap<Reshape>>());
  table.push_back(std::make_unique<IndexMap<Transpose>>());
  table.push_back(std::make_unique<IndexMap<Slice>>());
  table.push_back(std::make_unique<Concat>());
}

}  // namespace tangra::ops
