// Operators whose result is a strided view of their input: each entry of the result is one entry of the
// input, and no entry is used twice. A member of the family states its map; forward copies along it,
// pull-back adds back along it.
#include <algorithm>
#include <numeric>

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

/// The same entries in the same order under another shape.
Strided reshaped(Shape result) {
  std::vector<Index> strides = result.strides();
  return {.result = std::move(result), .offset = 0, .strides = std::move(strides)};
}

struct Reshape {
  static constexpr std::string_view name = "Reshape";

  static Strided map(const Node& node, const Shape& input) {
    Shape result(node.attributes.integers("shape", {}));
    Index known = 1;
    Index open_axis = -1;
    for (Index axis = 0; axis < result.rank(); ++axis) {
      if (result[axis] == -1 && open_axis < 0)
        open_axis = axis;
      else
        known *= result[axis];
    }
    if (open_axis >= 0 && known > 0) result[open_axis] = input.elements() / known;
    for (const Index length : result) {
      if (length < 0) refuse(node, "the shape has a negative length", to_string(result));
    }
    if (result.elements() != input.elements()) {
      refuse(node, "the shapes differ in their number of elements",
             to_string(input) + " to " + to_string(result));
    }
    return reshaped(result);
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
    if (sorted != reversed)
      refuse(node, "perm is not a permutation of the input's axes", to_string(Shape(order)));
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
        return step > 0 ? std::clamp<Index>(position, 0, length)
                        : std::clamp<Index>(position, -1, length - 1);
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

struct Squeeze {
  static constexpr std::string_view name = "Squeeze";

  static Strided map(const Node& node, const Shape& input) {
    const bool all = !node.attributes.has("axes");
    std::vector<bool> goes(static_cast<std::size_t>(input.rank()), false);
    for (const Index given : node.attributes.integers("axes", {})) {
      const Index axis = resolved_axis(node, given, input.rank());
      if (input[axis] != 1) {
        refuse(node, "an axis that is to be left out has more than one entry",
               "axis " + std::to_string(given) + " of " + to_string(input));
      }
      goes[static_cast<std::size_t>(axis)] = true;
    }
    Shape result;
    for (Index axis = 0; axis < input.rank(); ++axis) {
      const bool left_out = all ? input[axis] == 1 : goes[static_cast<std::size_t>(axis)];
      if (!left_out) result.append(input[axis]);
    }
    return reshaped(result);
  }
};

struct Unsqueeze {
  static constexpr std::string_view name = "Unsqueeze";

  static Strided map(const Node& node, const Shape& input) {
    const std::vector<Index> axes = node.attributes.integers("axes", {});
    const Index rank = input.rank() + std::ssize(axes);
    std::vector<bool> is_new(static_cast<std::size_t>(rank), false);
    for (const Index given : axes) {
      const auto axis = static_cast<std::size_t>(resolved_axis(node, given, rank));
      if (is_new[axis]) refuse(node, "an axis is named twice", to_string(Shape(axes)));
      is_new[axis] = true;
    }
    Shape result;
    Index next = 0;
    for (const bool one : is_new) result.append(one ? 1 : input[next++]);
    return reshaped(result);
  }
};

/// Two axes: what lies before `axis`, and the rest. `axis` may be the rank.
struct Flatten {
  static constexpr std::string_view name = "Flatten";

  static Strided map(const Node& node, const Shape& input) {
    const Index axis = resolved_axis(node, node.attributes.integer("axis", 1), input.rank() + 1);
    return reshaped({input.elements(0, axis), input.elements(axis, input.rank())});
  }
};

template <class F>
class StridedMap final : public OpOf<StridedMap<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    return {F::map(node, inputs[0]).result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_entry(call, 1, [&](Index sample, Index, Index from, Index to) {
      results[0][to] = call.inputs[0].at(sample)[from];
    });
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

  bool passes_cotangent(const Node&, std::span<const Shape>, int) const override {
    return F::name != Transpose::name && F::name != Slice::name;
  }

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

}  // namespace

void add_strided_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<StridedMap<Reshape>>());
  table.push_back(std::make_unique<StridedMap<Transpose>>());
  table.push_back(std::make_unique<StridedMap<Slice>>());
  table.push_back(std::make_unique<StridedMap<Squeeze>>());
  table.push_back(std::make_unique<StridedMap<Unsqueeze>>());
  table.push_back(std::make_unique<StridedMap<Flatten>>());
}

}  // namespace tangra::ops
