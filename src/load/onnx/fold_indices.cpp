// Folding of operators that move entries: each states where every entry of its result comes from.
#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/load/onnx/fold.h"
#include "tangra/load/onnx/tensors.h"

namespace tangra::load::onnx {
namespace {

using Arrays = std::vector<Array>;
constexpr std::size_t no_input = 1000;

Index index_within(const FoldCall& call, Index index, Index length) {
  const Index resolved = index < 0 ? index + length : index;
  if (resolved < 0 || resolved >= length) {
    refuse_node(call.node, "an index is out of range", std::to_string(index),
                "less than " + std::to_string(length));
  }
  return resolved;
}

/// Axes given as an attribute, or as input `input`.
std::optional<std::vector<Index>> axes_of(const FoldCall& call, std::size_t input) {
  if (call.has(input)) return call.list(input);
  if (call.node.attributes.has("axes")) return call.node.attributes.integers("axes", {});
  return std::nullopt;
}

Arrays fold_identity(const FoldCall& call) {
  return {call[0]};
}

Arrays fold_size(const FoldCall& call) {
  return {integer_array({}, std::vector<Index>{call[0].size()})};
}

Arrays fold_constant_of_shape(const FoldCall& call) {
  const Shape shape(call.list(0));
  const auto value = call.node.tensors.find("value");
  const Array zero = real_array({1}, std::vector<double>{0});
  const Array& entry = value == call.node.tensors.end() ? zero : value->second;
  if (entry.size() != 1) refuse_node(call.node, "the value is no single number", to_string(entry.shape()));
  return {call.picked(entry, shape, [] { return [] { return Index{0}; }; })};
}

Arrays fold_reshape(const FoldCall& call) {
  const auto wanted = call.list(1);
  const auto shape = reshaped(call[0].shape(), wanted, call.node.attributes.integer("allowzero", 0) != 0);
  if (!shape)
    refuse_node(call.node, "the shapes do not fit", to_string(call[0].shape()), to_string(Shape(wanted)));
  return {call[0].reshaped(*shape)};
}

Arrays fold_flatten(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  Index axis = call.node.attributes.integer("axis", 1);
  if (axis < 0) axis += shape.rank();
  if (axis < 0 || axis > shape.rank()) refuse_node(call.node, "there is no such axis", std::to_string(axis));
  return {call[0].reshaped({shape.elements(0, axis), shape.elements(axis, shape.rank())})};
}

Arrays fold_squeeze(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  std::vector<bool> gone(static_cast<std::size_t>(shape.rank()), false);
  if (const auto axes = axes_of(call, 1)) {
    for (const Index axis : *axes)
      gone[static_cast<std::size_t>(axis_in(call.node, axis, shape.rank()))] = true;
  } else {
    for (Index axis = 0; axis < shape.rank(); ++axis) gone[static_cast<std::size_t>(axis)] = shape[axis] == 1;
  }
  Shape result;
  for (Index axis = 0; axis < shape.rank(); ++axis) {
    if (!gone[static_cast<std::size_t>(axis)])
      result.append(shape[axis]);
    else if (shape[axis] != 1)
      refuse_node(call.node, "an axis to squeeze is longer than 1", to_string(shape));
  }
  return {call[0].reshaped(result)};
}

Arrays fold_unsqueeze(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  const auto axes = axes_of(call, 1).value_or(std::vector<Index>{});
  const Index rank = shape.rank() + static_cast<Index>(axes.size());
  Shape result(std::vector<Index>(static_cast<std::size_t>(rank), 0));
  for (const Index axis : axes) {
    Index& length = result[axis_in(call.node, axis, rank)];
    if (length != 0) refuse_node(call.node, "an axis is inserted twice");
    length = 1;
  }
  std::vector<bool> added;
  for (const Index length : result) added.push_back(length == 1);
  for (Index axis = 0, from = 0; axis < rank; ++axis) {
    if (!added[static_cast<std::size_t>(axis)]) result[axis] = shape[from++];
  }
  return {call[0].reshaped(result)};
}

/// The entries of the first input where the walk leads.
Array picked(const FoldCall& call, const Walk& walk, const Shape& result) {
  return call.picked(call[0], result, [&] { return [copy = walk]() mutable { return copy.next(); }; });
}

Arrays fold_transpose(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  std::vector<Index> order(static_cast<std::size_t>(shape.rank()));
  std::iota(order.rbegin(), order.rend(), 0);
  order = call.node.attributes.integers("perm", order);
  std::vector<Index> sorted = order;
  std::ranges::sort(sorted);
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    if (sorted[k] != static_cast<Index>(k) || sorted.size() != static_cast<std::size_t>(shape.rank())) {
      refuse_node(call.node, "perm is not a permutation of the axes", to_string(Shape(order)));
    }
  }
  if (order.empty() && shape.rank() > 0) refuse_node(call.node, "perm is not a permutation of the axes");
  Shape result;
  const auto own = shape.strides();
  std::vector<Index> strides;
  for (const Index axis : order) {
    result.append(shape[axis]);
    strides.push_back(own[static_cast<std::size_t>(axis)]);
  }
  return {picked(call, Walk(result, strides), result)};
}

/// The inputs, all of one type, behind one another along the axis.
Array joined(const FoldCall& call, const Shape& result, Index axis) {
  const DType type = call[0].type();
  return call.make(type, result, [&](std::span<std::byte> target) {
    std::size_t at = 0;
    for (Index outer = 0; outer < result.elements(0, axis) && !target.empty(); ++outer) {
      for (const Array* part : call.inputs) {
        const auto entries = static_cast<std::size_t>(part->shape().elements(axis, result.rank()));
        const std::size_t bytes = entries * bytes_of(type);
        if (bytes > 0)
          std::memcpy(target.data() + at, part->data() + static_cast<std::size_t>(outer) * bytes, bytes);
        at += bytes;
      }
    }
  });
}

/// The same for inputs of several types.
Array joined_reals(const FoldCall& call, const Shape& result, Index axis) {
  std::vector<Entries<double>> parts;
  std::vector<Index> lengths;
  for (const Array* part : call.inputs) {
    parts.emplace_back(*part);
    lengths.push_back(part->shape().elements(axis, result.rank()));
  }
  return call.reals(result, [&] {
    return [&, outer = Index{0}, part = std::size_t{0}, at = Index{0}]() mutable {
      while (at == lengths[part]) {
        at = 0;
        if (++part == parts.size()) {
          part = 0;
          ++outer;
        }
      }
      return parts[part][outer * lengths[part] + at++];
    };
  });
}

Arrays fold_concat(const FoldCall& call) {
  const Index rank = call[0].shape().rank();
  const Index axis = axis_in(call.node, call.node.attributes.integer("axis", 0), rank);
  Shape result = call[0].shape();
  bool real = false;
  for (std::size_t k = 0; k < call.inputs.size(); ++k) {
    const Shape& shape = call[k].shape();
    real = real || is_floating(call[k].type());
    for (Index a = 0; a < rank; ++a) {
      if (shape.rank() != rank || (a != axis && shape[a] != result[a])) {
        refuse_node(call.node, "the inputs do not fit together", to_string(shape), to_string(result));
      }
    }
    if (k > 0 && __builtin_add_overflow(result[axis], shape[axis], &result[axis]))
      refuse_node(call.node, "no array can have the joined length");
  }
  bool alike = true;
  for (std::size_t k = 1; k < call.inputs.size(); ++k) alike = alike && call[k].type() == call[0].type();
  if (!alike && !real) refuse_node(call.node, "the inputs differ in type");
  return {alike ? joined(call, result, axis) : joined_reals(call, result, axis)};
}

Arrays fold_slice(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  const bool by_inputs = call.opset >= 10;
  const auto starts = by_inputs ? call.list(1) : call.node.attributes.integers("starts", {});
  const auto ends = by_inputs ? call.list(2) : call.node.attributes.integers("ends", {});
  std::vector<Index> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = axes_of(call, by_inputs ? 3 : no_input).value_or(axes);
  const auto steps = by_inputs && call.has(4) ? call.list(4) : std::vector<Index>(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    refuse_node(call.node, "starts, ends, axes and steps differ in length");
  }
  Shape result = shape;
  std::vector<Index> strides = shape.strides();
  Index offset = 0;
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const Index axis = axis_in(call.node, axes[k], shape.rank()), length = shape[axis], step = steps[k];
    if (step == 0) refuse_node(call.node, "a step is 0");
    const auto resolve = [&](Index place) {
      if (place < 0) place = place < -length ? -1 - length : place + length;
      return step > 0 ? std::clamp<Index>(place, 0, length) : std::clamp<Index>(place, -1, length - 1);
    };
    const Index first = resolve(starts[k]), last = resolve(ends[k]);
    const Index span = step > 0 ? last - first : first - last;
    const Index size = step > 0 ? step : -std::max(step, -std::numeric_limits<Index>::max());
    const Index count = span <= 0 ? 0 : (span - 1) / size + 1;
    result[axis] = count;
    auto& own = strides[static_cast<std::size_t>(axis)];
    if (count > 0) offset += first * own;
    own = count > 1 ? own * step : 0;
  }
  return {picked(call, Walk(result, strides, offset), result)};
}

Arrays fold_gather(const FoldCall& call) {
  const Shape &shape = call[0].shape(), &places = call[1].shape();
  const Index axis = axis_in(call.node, call.node.attributes.integer("axis", 0), shape.rank());
  Shape result;
  for (Index a = 0; a < axis; ++a) result.append(shape[a]);
  for (const Index length : places) result.append(length);
  for (Index a = axis + 1; a < shape.rank(); ++a) result.append(shape[a]);
  const Index inner = shape.elements(axis + 1, shape.rank()), count = places.elements();
  const Entries<Index> indices(call[1]);
  return {call.picked(call[0], result, [&] {
    return [&, k = Index{0}]() mutable {
      const Index line = k / inner, index = index_within(call, indices[line % count], shape[axis]);
      return (line / count * shape[axis] + index) * inner + k++ % inner;
    };
  })};
}

Arrays fold_expand(const FoldCall& call) {
  Shape result;
  try {
    result = broadcast(call[0].shape(), Shape(call.list(1)));
  } catch (const Error& error) {
    refuse_node(call.node, error.complaint().what, error.complaint().got, error.complaint().expected);
  }
  if (result == call[0].shape()) return {call[0]};
  return {picked(call, broadcast_walk(call[0].shape(), result), result)};
}

Arrays fold_tile(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  const auto repeats = call.list(1);
  if (static_cast<Index>(repeats.size()) != shape.rank())
    refuse_node(call.node, "repeats has another length than the shape");
  const auto own = shape.strides();
  Shape result = shape, pairs;  // pairs: the repeats and the length of every axis
  std::vector<Index> strides;
  for (Index axis = 0; axis < shape.rank(); ++axis) {
    const Index times = repeats[static_cast<std::size_t>(axis)];
    if (times < 0 || __builtin_mul_overflow(result[axis], times, &result[axis]))
      refuse_node(call.node, "a repeat is wrong");
    pairs.append(times);
    pairs.append(shape[axis]);
    strides.insert(strides.end(), {0, own[static_cast<std::size_t>(axis)]});
  }
  return {picked(call, Walk(pairs, strides), result)};
}

Arrays fold_where(const FoldCall& call) {
  Shape shape;
  try {
    shape = broadcast(broadcast(call[0].shape(), call[1].shape()), call[2].shape());
  } catch (const Error& error) {
    refuse_node(call.node, error.complaint().what, error.complaint().got, error.complaint().expected);
  }
  const Array &yes = call[1], &no = call[2];
  const auto chosen = [&]<class T>(T) {
    return [&] {
      return [choice = Walked<Index>(call[0], shape), of_yes = Walked<T>(yes, shape),
              of_no = Walked<T>(no, shape)]() mutable {
        const T entry = of_yes.next(), other = of_no.next();
        return choice.next() != 0 ? entry : other;
      };
    };
  };
  if (is_floating(yes.type()) || is_floating(no.type())) return {call.reals(shape, chosen(double{}))};
  if (yes.type() != no.type()) refuse_node(call.node, "the two choices differ in type");
  return {call.integers(yes.type(), shape, chosen(Index{}))};
}

Arrays fold_range(const FoldCall& call) {
  for (std::size_t k = 0; k < 3; ++k) {
    if (call[k].size() != 1)
      refuse_node(call.node, "start, limit and delta must be single numbers", to_string(call[k].shape()));
  }
  const double start = reals_of(call[0])[0], limit = reals_of(call[1])[0], delta = reals_of(call[2])[0];
  const double count = std::ceil((limit - start) / delta);
  if (!(std::abs(count) < 1e15)) refuse_node(call.node, "the range has no end");
  const Shape shape{std::max<Index>(0, static_cast<Index>(count))};
  if (is_floating(call[0].type())) {
    return {call.reals(shape, [&] { return [&, k = 0.0]() mutable { return start + k++ * delta; }; })};
  }
  const Index step = integers_of(call[2])[0];
  return {call.integers(call[0].type(), shape, [&] {
    return [step, entry = static_cast<std::uint64_t>(integers_of(call[0])[0])]() mutable {
      const std::uint64_t now = entry;
      entry += static_cast<std::uint64_t>(step);  // may wrap around behind the last one
      return static_cast<Index>(now);
    };
  })};
}

Arrays fold_split(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  const Index axis = axis_in(call.node, call.node.attributes.integer("axis", 0), shape.rank());
  if (call.has(1) && call[1].size() > std::ssize(call.node.outputs))
    refuse_node(call.node, "there are more parts than outputs", std::to_string(call[1].size()));
  const auto parts =
      split_lengths(call.node, shape[axis], call.has(1) ? std::optional(integers_of(call[1])) : std::nullopt);
  const auto strides = shape.strides();
  Arrays results;
  Index first = 0;
  for (const Index length : parts) {
    Shape result = shape;
    result[axis] = length;
    results.push_back(
        picked(call, Walk(result, strides, first * strides[static_cast<std::size_t>(axis)]), result));
    first += length;
  }
  return results;
}

/// Keeps one triangle of each matrix.
Arrays fold_trilu(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  if (shape.rank() < 2) refuse_node(call.node, "the input is no matrix", to_string(shape));
  const Index shift = call.has(1) && call[1].size() == 1 ? integers_of(call[1])[0] : 0;
  const bool upper = call.node.attributes.integer("upper", 1) != 0;
  const Index columns = shape.back(), rows = shape[shape.rank() - 2];
  return {call.picked(call[0], shape, [&] {
    return [&, k = Index{-1}]() mutable {
      ++k;
      const Index distance = k % columns - k / columns % rows;
      return (upper ? distance >= shift : distance <= shift) ? k : -1;
    };
  })};
}

Arrays fold_nonzero(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  const Entries<double> entries(call[0]);
  const auto strides = shape.strides();
  Index count = 0;
  for (Index k = 0; k < call[0].size() && shape.rank() > 0; ++k) count += entries[k] != 0 ? 1 : 0;
  call.memory.count(call.node, call[0].size() * (shape.rank() + 1));
  return {call.integers(DType::int64, {shape.rank(), count}, [&] {
    return [&, axis = std::size_t{0}, k = Index{-1}]() mutable {
      do {
        if (++k == call[0].size()) {
          k = 0;
          ++axis;
        }
      } while (entries[k] == 0);
      return k / strides[axis] % shape[static_cast<Index>(axis)];
    };
  })};
}

/// A matrix of the input's shape with ones on one diagonal.
Arrays fold_eye_like(const FoldCall& call) {
  const Shape& shape = call[0].shape();
  if (shape.rank() != 2) refuse_node(call.node, "the input is no matrix", to_string(shape));
  const auto type = call.node.attributes.has("dtype")
                        ? type_of(static_cast<int>(call.node.attributes.integer("dtype", 0) & 0xff))
                        : std::optional(call[0].type());
  if (!type) refuse_node(call.node, "the result's type is not read");
  const Index diagonal = call.node.attributes.integer("k", 0);
  const auto ones = [&]<class T>(T) {
    return [&] {
      return [&, k = Index{-1}]() mutable {
        ++k;
        return static_cast<T>(k % shape[1] - k / shape[1] == diagonal ? 1 : 0);
      };
    };
  };
  return {is_floating(*type) ? call.reals(shape, ones(double{}))
                             : call.integers(*type, shape, ones(Index{}))};
}

double added(double a, double b) {
  return a + b;
}
/// Wraps around, as two's complement does.
template <std::integral T>
T added(T a, T b) {
  return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// Running sums of the lines along an axis, in place.
template <class T>
void sum_up(T* entries, const Shape& shape, Index axis, bool reversed, bool exclusive) {
  const Index length = shape[axis], inner = shape.elements(axis + 1, shape.rank());
  for (Index line = 0; line < shape.elements(0, axis) * inner; ++line) {
    T sum{};
    for (Index k = 0; k < length; ++k) {
      const Index place = reversed ? length - 1 - k : k;
      T& entry = entries[(line / inner * length + place) * inner + line % inner];
      const T own = entry;
      if (exclusive) entry = sum;
      sum = added(sum, own);
      if (!exclusive) entry = sum;
    }
  }
}

/// Running sums along one axis, from its end where it is reversed, and without the entry itself where it is
/// exclusive.
Arrays fold_cumsum(const FoldCall& call) {
  const Array& x = call[0];
  const Shape& shape = x.shape();
  if (call[1].size() != 1) refuse_node(call.node, "the axis must be a single number");
  const Index axis = axis_in(call.node, integers_of(call[1])[0], shape.rank());
  const bool reversed = call.node.attributes.integer("reverse", 0) != 0;
  const bool exclusive = call.node.attributes.integer("exclusive", 0) != 0;
  const auto summed = [&]<class T, class Sum>(T, Sum) {
    return call.make(dtype_of<T>(), shape, [&](std::span<std::byte> target) {
      auto* entries = reinterpret_cast<T*>(target.data());
      const Entries<Sum> from(x);
      for (Index k = 0; k < x.size(); ++k) entries[k] = static_cast<T>(from[k]);
      sum_up(entries, shape, axis, reversed, exclusive);
    });
  };
  if (is_floating(x.type())) return {summed(double{}, double{})};
  Array result;
  with_integer_type(x.type(), [&]<class T>(T) { result = summed(T{}, Index{}); });
  return {result};
}

}  // namespace

std::vector<Index> split_lengths(const FileNode& node, Index length,
                                 std::optional<std::vector<Index>> given) {
  if (!given && node.attributes.has("split")) given = node.attributes.integers("split", {});
  const auto count = static_cast<Index>(node.outputs.size());
  if (count == 0) refuse_node(node, "there are no outputs");
  if (!given) {
    // Equal parts, the last one perhaps shorter.
    given.emplace();
    const Index part = (length + count - 1) / count;
    for (Index k = 0; k < count; ++k) given->push_back(std::clamp<Index>(length - k * part, 0, part));
  }
  Index sum = 0;
  for (const Index part : *given) {
    if (part < 0 || part > length)
      refuse_node(node, "the lengths of the parts are wrong", to_string(Shape(*given)));
    sum += part;
  }
  if (sum != length || given->size() != node.outputs.size()) {
    refuse_node(node, "the parts do not make up the axis", to_string(Shape(*given)), std::to_string(length));
  }
  return *given;
}

Fold find_index_fold(std::string_view op) {
  static const std::map<std::string_view, Fold> table = {
      {"Identity", fold_identity},
      {"Size", fold_size},
      {"ConstantOfShape", fold_constant_of_shape},
      {"Reshape", fold_reshape},
      {"Flatten", fold_flatten},
      {"Squeeze", fold_squeeze},
      {"Unsqueeze", fold_unsqueeze},
      {"Transpose", fold_transpose},
      {"Concat", fold_concat},
      {"Slice", fold_slice},
      {"Gather", fold_gather},
      {"Expand", fold_expand},
      {"Tile", fold_tile},
      {"Where", fold_where},
      {"Range", fold_range},
      {"Split", fold_split},
      {"Trilu", fold_trilu},
      {"NonZero", fold_nonzero},
      {"CumSum", fold_cumsum},
      {"EyeLike", fold_eye_like},
  };
  const auto found = table.find(op);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace tangra::load::onnx
