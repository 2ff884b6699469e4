// Operators of which each entry of the result is one entry of the input or a fixed number: a member of the
// family states the result's shape and the map, forward, pull-back and push-forward follow. The shape costs
// nothing and refuses what does not fit: a damaged file may ask for results that no table should be made of.
#include <algorithm>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/ops/loops.h"
#include "tangra/ops/maps.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// A map that takes each axis by itself: sources[axis][position in the result] is the position in the input,
/// or none.
EntryMap separable(const Shape& input, const std::vector<std::vector<Index>>& sources) {
  EntryMap map;
  for (const auto& axis : sources) map.result.append(std::ssize(axis));
  const std::vector<Index> strides = input.strides();
  map.from.assign(static_cast<std::size_t>(map.result.elements()), 0);
  const std::vector<Index> steps = map.result.strides();
  for (std::size_t e = 0; e < map.from.size(); ++e) {
    Index rest = static_cast<Index>(e);
    Index entry = 0;
    for (std::size_t axis = 0; axis < sources.size() && entry != EntryMap::none; ++axis) {
      const Index source = sources[axis][static_cast<std::size_t>(rest / steps[axis])];
      rest %= steps[axis];
      entry = source == EntryMap::none ? EntryMap::none : entry + source * strides[axis];
    }
    map.from[e] = entry;
  }
  return map;
}

/// To the common shape of the input and the attribute `shape` under broadcasting.
struct Expand {
  static constexpr std::string_view name = "Expand";

  static Shape shape(const Node& node, const Shape& input) {
    const std::vector<Shape> shapes{input, Shape(node.attributes.integers("shape", {}))};
    return broadcast_inputs(node, shapes);
  }
  static EntryMap map(const Node& node, const Shape& input) {
    const Shape result = shape(node, input);
    return {result, broadcast_entries(input, result)};
  }
};

/// `repeats` copies behind one another along each axis.
struct Tile {
  static constexpr std::string_view name = "Tile";

  static Shape shape(const Node& node, const Shape& input) {
    const std::vector<Index> repeats = node.attributes.integers("repeats", {});
    if (std::ssize(repeats) != input.rank() ||
        std::ranges::any_of(repeats, [](Index count) { return count < 0; })) {
      refuse(node, "repeats is not a count for each axis", to_string(Shape(repeats)), to_string(input));
    }
    Shape result = input;
    for (Index axis = 0; axis < input.rank(); ++axis) {
      const Index count = repeats[static_cast<std::size_t>(axis)];
      if (__builtin_mul_overflow(result[axis], count, &result[axis])) refuse(node, "the result is too large");
    }
    return result;
  }
  static EntryMap map(const Node& node, const Shape& input) {
    const std::vector<Index> repeats = node.attributes.integers("repeats", {});
    std::vector<std::vector<Index>> sources;
    for (Index axis = 0; axis < input.rank(); ++axis) {
      auto& source = sources.emplace_back();
      for (Index k = 0; k < repeats[static_cast<std::size_t>(axis)]; ++k) {
        for (Index position = 0; position < input[axis]; ++position) source.push_back(position);
      }
    }
    return separable(input, sources);
  }
};

/// `pads`: entries to put before each axis, then behind each axis; negative ones cut off. `mode`: constant
/// (`value`), edge, reflect (the edge itself not repeated) or wrap.
struct Pad {
  static constexpr std::string_view name = "Pad";
  static double fill(const Node& node) { return node.attributes.real("value", 0); }

  static Shape shape(const Node& node, const Shape& input) {
    const std::vector<Index> pads = node.attributes.integers("pads", {});
    const std::string mode = node.attributes.text("mode", "constant");
    if (std::ssize(pads) != 2 * input.rank()) {
      refuse(node, "pads has not two numbers for each axis", to_string(Shape(pads)), to_string(input));
    }
    Shape result;
    for (Index axis = 0; axis < input.rank(); ++axis) {
      const Index before = pads[static_cast<std::size_t>(axis)];
      const Index behind = pads[static_cast<std::size_t>(axis + input.rank())];
      if (std::max(before, behind) > most_entries || std::min(before, behind) < -most_entries) {
        refuse(node, "a pad is too large", to_string(Shape(pads)));
      }
      result.append(input[axis] + before + behind);
      if (result[axis] < 0)
        refuse(node, "more is cut off than there is", to_string(Shape(pads)), to_string(input));
      if (input[axis] == 0 && result[axis] > 0 && mode != "constant")
        refuse(node, "there is no entry to repeat");
      if (result[axis] > 0)
        position(node, mode, 0, std::max<Index>(1, input[axis]));  // refuses an unknown mode
    }
    return result;
  }
  static EntryMap map(const Node& node, const Shape& input) {
    const std::vector<Index> pads = node.attributes.integers("pads", {});
    const std::string mode = node.attributes.text("mode", "constant");
    const Shape result = shape(node, input);
    std::vector<std::vector<Index>> sources;
    for (Index axis = 0; axis < input.rank(); ++axis) {
      auto& source = sources.emplace_back();
      const Index before = pads[static_cast<std::size_t>(axis)];
      for (Index k = 0; k < result[axis]; ++k)
        source.push_back(position(node, mode, k - before, input[axis]));
    }
    return separable(input, sources);
  }

  /// Where position k of an axis, which may lie outside of it, comes from.
  static Index position(const Node& node, const std::string& mode, Index k, Index length) {
    const auto wrapped = [](Index place, Index period) { return (place % period + period) % period; };
    if (mode == "constant") return k >= 0 && k < length ? k : EntryMap::none;
    if (mode == "edge") return std::clamp<Index>(k, 0, length - 1);
    if (mode == "wrap") return wrapped(k, length);
    if (mode != "reflect") refuse(node, "there is no such mode", mode, "constant, edge, reflect or wrap");
    if (length == 1) return 0;
    const Index place = wrapped(k, 2 * (length - 1));
    return std::min(place, 2 * (length - 1) - place);
  }
};

/// Whole slices along `axis` by constant indices: `indices` with the shape `indices_shape` (one axis where it
/// is not given). Negative ones count from the end.
struct Gather {
  static constexpr std::string_view name = "Gather";

  static Shape shape(const Node& node, const Shape& input) {
    const std::vector<Index> indices = node.attributes.integers("indices", {});
    const Shape own(node.attributes.integers("indices_shape", {std::ssize(indices)}));
    if (own.elements() != std::ssize(indices)) {
      refuse(node, "indices_shape does not fit the indices", to_string(own),
             std::to_string(indices.size()) + " indices");
    }
    const Index axis = resolved_axis(node, node.attributes.integer("axis", 0), input.rank());
    for (const Index index : indices) resolved(node, index, input[axis]);
    Shape result;
    for (Index k = 0; k < input.rank(); ++k) {
      if (k != axis)
        result.append(input[k]);
      else
        for (const Index length : own) result.append(length);
    }
    return result;
  }
  static EntryMap map(const Node& node, const Shape& input) {
    const Index axis = resolved_axis(node, node.attributes.integer("axis", 0), input.rank());
    std::vector<std::vector<Index>> sources;
    for (Index k = 0; k < input.rank(); ++k) {
      auto& source = sources.emplace_back(static_cast<std::size_t>(k == axis ? 0 : input[k]));
      std::iota(source.begin(), source.end(), 0);
      if (k != axis) continue;
      source = node.attributes.integers("indices", {});
      for (Index& index : source) index = resolved(node, index, input[axis]);
    }
    EntryMap map = separable(input, sources);
    map.result = shape(node, input);
    return map;
  }

  static Index resolved(const Node& node, Index index, Index length) {
    const Index from_front = index < 0 ? index + length : index;
    if (from_front < 0 || from_front >= length) {
      refuse(node, "an index lies outside of the axis", std::to_string(index),
             std::to_string(length) + " entries");
    }
    return from_front;
  }
};

/// The entries of a result that is a permutation of the input under finer axes.
EntryMap regrouped(const Shape& fine, const std::vector<std::size_t>& order, Shape result) {
  Shape permuted;
  std::vector<Index> strides;
  for (const std::size_t axis : order) {
    permuted.append(fine[static_cast<Index>(axis)]);
    strides.push_back(fine.strides()[axis]);
  }
  return {std::move(result), strided_entries(permuted, strides)};
}

/// The attribute `blocksize`, where it divides what it has to.
Index block_of(const Node& node, const Shape& input) {
  const Index block = node.attributes.integer("blocksize", 0);
  if (input.rank() != 3)
    refuse(node, "the input is no picture", to_string(input), "channels, rows and columns");
  if (block < 1 || block > 2048)
    refuse(node, "blocksize is out of range", std::to_string(block), "1 to 2048");
  return block;
}

/// (C b b, H, W) to (C, H b, W b); `mode` says whether the blocks are the outer (DCR) or the inner (CRD) part
/// of the channels.
struct DepthToSpace {
  static constexpr std::string_view name = "DepthToSpace";

  static Shape shape(const Node& node, const Shape& input) {
    const Index b = block_of(node, input);
    const std::string mode = node.attributes.text("mode", "DCR");
    if (mode != "DCR" && mode != "CRD") refuse(node, "there is no such mode", mode, "DCR or CRD");
    if (input[0] / b % b != 0 || input[0] % b != 0) {
      refuse(node, "the channels do not divide into blocks", to_string(input),
             "a multiple of blocksize squared");
    }
    return {input[0] / b / b, input[1] * b, input[2] * b};
  }
  static EntryMap map(const Node& node, const Shape& input) {
    const Index b = block_of(node, input);
    const Shape result = shape(node, input);
    if (node.attributes.text("mode", "DCR") == "DCR")
      return regrouped({b, b, result[0], input[1], input[2]}, {2, 3, 0, 4, 1}, result);
    return regrouped({result[0], b, b, input[1], input[2]}, {0, 3, 1, 4, 2}, result);
  }
};

/// (C, H b, W b) to (b b C, H, W): the inverse of DepthToSpace with mode DCR.
struct SpaceToDepth {
  static constexpr std::string_view name = "SpaceToDepth";

  static Shape shape(const Node& node, const Shape& input) {
    const Index b = block_of(node, input);
    if (input[1] % b != 0 || input[2] % b != 0) {
      refuse(node, "the picture does not divide into blocks", to_string(input),
             std::to_string(b) + " to a block");
    }
    return {b * b * input[0], input[1] / b, input[2] / b};
  }
  static EntryMap map(const Node& node, const Shape& input) {
    const Index b = block_of(node, input);
    const Shape result = shape(node, input);
    return regrouped({input[0], result[1], b, result[2], b}, {2, 4, 0, 1, 3}, result);
  }
};

/// The upper (`upper` = 1) or lower triangle of the last two axes, from diagonal `k` on; 0 elsewhere.
struct Trilu {
  static constexpr std::string_view name = "Trilu";
  static double fill(const Node&) { return 0; }

  static Shape shape(const Node& node, const Shape& input) {
    if (input.rank() < 2) refuse(node, "the input is no matrix", to_string(input), "two axes or more");
    return input;
  }
  static EntryMap map(const Node& node, const Shape& input) {
    const bool upper = node.attributes.integer("upper", 1) != 0;
    const Index k = node.attributes.integer("k", 0);
    const Index columns = input.back();
    const Index rows = input[input.rank() - 2];
    EntryMap map{input, std::vector<Index>(static_cast<std::size_t>(input.elements()))};
    for (std::size_t e = 0; e < map.from.size(); ++e) {
      const auto entry = static_cast<Index>(e);
      const Index diagonal = entry % columns - entry / columns % rows;
      map.from[e] = (upper ? diagonal >= k : diagonal <= k) ? entry : EntryMap::none;
    }
    return map;
  }
};

template <class F>
class EntryMapped final : public OpOf<EntryMapped<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    Shape result = F::shape(node, inputs[0]);
    require_size(node, result);
    return {std::move(result)};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    T fill = 0;
    if constexpr (requires { F::fill(call.node); }) fill = static_cast<T>(F::fill(call.node));
    each_row(call, 1, [&](Index i, Index, std::span<const Index> from, Index first) {
      const T* x = call.inputs[0].at(i);
      T* to = results[0] + first;
      for (std::size_t e = 0; e < from.size(); ++e) to[e] = from[e] == EntryMap::none ? fill : x[from[e]];
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    const Index input_size = call.input_shapes[0].elements();
    each_row(call, directions, [&](Index i, Index r, std::span<const Index> from, Index first) {
      T* to = results[0] + (i * directions + r) * input_size;
      for (std::size_t e = 0; e < from.size(); ++e) {
        if (from[e] != EntryMap::none) to[from[e]] += cotangents[0][first + Index(e)];
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Index input_size = call.input_shapes[0].elements();
    each_row(call, directions, [&](Index i, Index r, std::span<const Index> from, Index first) {
      const T* x = tangents[0].at(i) + r * input_size;
      T* to = results[0] + first;
      for (std::size_t e = 0; e < from.size(); ++e) to[e] = from[e] == EntryMap::none ? T(0) : x[from[e]];
    });
  }

  std::optional<View> view(const Node& node, std::span<const Shape> inputs,
                           std::span<const std::optional<double>>) const override {
    return view_of(F::map(node, inputs[0]));
  }

 private:
  /// Calls use(sample, direction, the map, first entry of the result) for every sample and direction.
  template <class T, class Use>
  static void each_row(const Call<T>& call, Index directions, const Use& use) {
    const EntryMap map = F::map(call.node, call.input_shapes[0]);
    const Index size = map.result.elements();
    for_samples(call, 2 * directions * size, [&](Index i) {
      for (Index r = 0; r < directions; ++r) {
        use(i, r, std::span<const Index>(map.from), (i * directions + r) * size);
      }
    });
  }
};

template <class... Functions>
void add_all(std::vector<std::unique_ptr<Op>>& table) {
  (table.push_back(std::make_unique<EntryMapped<Functions>>()), ...);
}

}  // namespace

void add_entry_map_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_all<Expand, Tile, Pad, Gather, DepthToSpace, SpaceToDepth, Trilu>(table);
}

}  // namespace tangra::ops
