// Rows of the lowering table: operators that choose, repeat or join entries. None may do so along the axis of
// the samples.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/load/onnx/lowering.h"

namespace tangra::load::onnx {
namespace {

void concat(Lower& call) {
  const Index rank = call.in(0).shape.rank();
  const Index axis = call.axis(call.node.attributes.integer("axis", 0), rank);
  Place place;
  for (std::size_t k = 0; k < call.count(); ++k) {
    const Place own = call.place(k);
    if (own && own->axis == axis) call.refuse_mixing("it joins along the axis of the samples");
    if (own && place && own != place) call.refuse_mixing("its inputs hold the samples along different axes");
    if (own) place = own;
  }
  // One row beside N of them: there is no such joint but for one sample.
  for (std::size_t k = 0; place && !call.is_for_one() && k < call.count(); ++k) {
    if (!call.place(k))
      call.refuse_mixing("one input holds the samples, and " + call.node.inputs[k] + " does not");
  }
  Shape shape = call.in(0).shape;
  const Frame frame(shape, axis == 0);
  std::vector<ValueId> values;
  for (std::size_t k = 0; k < call.count(); ++k) {
    Fact& x = call.in(k);
    for (Index a = 0; a < std::max(rank, x.shape.rank()); ++a) {
      if (x.shape.rank() != rank || (a != axis && x.shape[a] != shape[a])) {
        call.refuse("the inputs do not fit together", to_string(x.shape), to_string(shape));
      }
    }
    if (k > 0) shape[axis] += x.shape[axis];
    values.push_back(call.value(x, frame.dropped ? tail(x.shape) : x.shape));
  }
  call.result(0, call.apply("Concat", values, {{"axis", frame.axis(axis)}}), shape, place);
}

void split(Lower& call) {
  Fact& x = call.in(0);
  const Index axis = call.axis(call.node.attributes.integer("axis", 0), x.shape.rank());
  const Place place = call.place(0);
  if (place && place->axis == axis) call.refuse_mixing("it divides the samples");
  const auto given = call.opset < 13 ? std::nullopt : call.integers_of("split", 1);
  const std::vector<Index> parts = split_lengths(call.node, x.shape[axis], given);
  const Frame frame(x.shape, axis == 0);
  const auto values =
      call.apply_many("Split", {call.value(x, frame.shape)}, {{"axis", frame.axis(axis)}, {"split", parts}});
  for (std::size_t k = 0; k < parts.size(); ++k) {
    Shape shape = x.shape;
    shape[axis] = parts[k];
    call.result(k, values[k], shape, place);
  }
}

/// The ends of the parts: of given lengths, or all of one length but perhaps the last.
std::vector<Index> ends_of_parts(Lower& call, Index length) {
  constexpr Index most = 1 << 12;
  const Array* given = call.constant(1);
  if (given != nullptr && given->size() > most) call.refuse("there are too many parts");
  if (given != nullptr && given->shape().rank() == 1) {
    std::vector<Index> ends;
    Index sum = 0;
    for (const Index part : integers_of(*given)) {
      if (part < 0 || part > length - sum)
        call.refuse("the lengths of the parts are wrong", std::to_string(part));
      ends.push_back(sum += part);
    }
    if (sum != length)
      call.refuse("the parts do not make up the axis", std::to_string(sum), std::to_string(length));
    return ends;
  }
  const Index part = given == nullptr ? 1 : given->size() == 1 ? integers_of(*given)[0] : 0;
  if (part < 1 || length / part >= most)
    call.refuse("the length of a part is out of range", std::to_string(part));
  std::vector<Index> ends;
  for (Index end = 0; end < length; ends.push_back(end)) end += std::min(part, length - end);
  return ends;
}

/// Nothing is made before a part is taken.
void split_to_sequence(Lower& call) {
  Fact& x = call.in(0);
  const Index axis = call.axis(call.node.attributes.integer("axis", 0), x.shape.rank());
  const Place place = call.place(0);
  if (place && place->axis == axis) call.refuse_mixing("it divides the samples");
  call.result(0, Parts{.whole = call.value(x),
                       .shape = x.shape,
                       .place = place,
                       .type = x.type,
                       .axis = axis,
                       .ends = ends_of_parts(call, x.shape[axis]),
                       .drops_axis = !call.has(1) && call.node.attributes.integer("keepdims", 1) == 0});
}

void sequence_at(Lower& call) {
  const Parts& parts = call.parts(0);
  const Array* position = call.constant(1);
  if (position == nullptr || position->size() != 1) call.refuse("the position is no single number");
  const Index axis = parts.axis;
  const auto k = static_cast<std::size_t>(call.axis(integers_of(*position)[0], std::ssize(parts.ends)));
  const Index first = k == 0 ? 0 : parts.ends[k - 1], last = parts.ends[k];
  const Frame frame(parts.shape, axis == 0);
  using List = std::vector<Index>;
  const ValueId part = call.apply(
      "Slice", {call.shaped(parts.whole, frame.shape)},
      {{"axes", List{frame.axis(axis)}}, {"starts", List{first}}, {"ends", List{last}}, {"steps", List{1}}});
  Place place = parts.place;
  Shape shape;
  for (Index a = 0; a < parts.shape.rank(); ++a) {
    if (a != axis) shape.append(parts.shape[a]);
    if (a == axis && !parts.drops_axis) shape.append(last - first);
  }
  if (place && place->axis > axis && parts.drops_axis) --place->axis;
  call.result(0, part, shape, place, parts.type);
}

/// Whether first .. last is the samples' whole axis, which has this length for one sample, for any number of
/// them; literal ends reach only as far as the file says that there are samples.
bool takes_all_samples(const Lower& call, Index length, const std::array<Index, 2>& first,
                       const std::array<Index, 2>& last) {
  constexpr Index endless = std::numeric_limits<std::int32_t>::max();
  const Index literal = call.samples_in_file() > 0 ? call.samples_in_file() * length : endless;
  const bool from_start = (first[0] == 0 || first[0] <= -literal) && (first[1] == 0 || first[1] <= -literal);
  const bool by_number = last[0] == length && last[1] == call.probe() * length;
  return from_start && (by_number || std::min(last[0], last[1]) >= literal);
}

/// starts, ends and axes are attributes before opset 10, inputs since.
void slice(Lower& call) {
  Fact& x = call.in(0);
  const bool by_inputs = call.opset >= 10;
  const auto starts = by_inputs ? call.integers(1) : std::optional<Lower::Pair>();
  const auto ends = by_inputs ? call.integers(2) : std::optional<Lower::Pair>();
  std::vector<Index> first = starts ? starts->one : call.node.attributes.integers("starts", {});
  std::vector<Index> last = ends ? ends->one : call.node.attributes.integers("ends", {});
  std::vector<Index> axes(first.size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = (by_inputs ? call.integers_of("axes", 3) : call.integers_of("axes", call.count())).value_or(axes);
  const auto steps =
      (by_inputs ? call.integers_of("steps", 4) : std::nullopt).value_or(std::vector<Index>(first.size(), 1));
  const bool changes =
      (starts && starts->many.size() != first.size()) || (ends && ends->many.size() != first.size());
  if (last.size() != first.size() || axes.size() != first.size() || steps.size() != first.size() || changes) {
    call.refuse("starts, ends, axes and steps differ in length");
  }
  const Place place = call.place(0);
  bool whole = true, on_first = false;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    axes[k] = call.axis(axes[k], x.shape.rank());
    const Index length = x.shape[axes[k]];
    if (place && place->axis == axes[k]) {
      const bool all =
          steps[k] == 1 && takes_all_samples(call, length, {first[k], starts ? starts->many[k] : first[k]},
                                             {last[k], ends ? ends->many[k] : last[k]});
      if (!all) call.refuse_mixing("it takes some of the samples");
      continue;
    }
    const bool all = steps[k] == 1 && (first[k] == 0 || first[k] <= -length) && (last[k] >= length);
    whole = whole && all;
    if ((starts && starts->one[k] != starts->many[k]) || (ends && ends->one[k] != ends->many[k])) {
      call.refuse_mixing("what it takes depends on the number of samples");
    }
    on_first = on_first || axes[k] == 0;
  }
  if (whole) return call.alias(0, x, x.shape, place);
  const Frame frame(x.shape, on_first);
  std::vector<Index> kept[4];
  for (std::size_t k = 0; k < axes.size(); ++k) {
    if (frame.dropped && axes[k] == 0) continue;
    kept[0].push_back(frame.axis(axes[k]));
    kept[1].push_back(first[k]);
    kept[2].push_back(last[k]);
    kept[3].push_back(steps[k]);
  }
  const ValueId y =
      call.apply("Slice", {call.value(x, frame.shape)},
                 {{"axes", kept[0]}, {"starts", kept[1]}, {"ends", kept[2]}, {"steps", kept[3]}});
  call.result(0, y, frame.back(call.graph_shape(y)), place);
}

/// x[0] along the samples, in a file for one sample: that sample.
bool takes_the_sample(const Lower& call, const Place& place, Index axis, const Fact& indices) {
  if (!call.is_for_one() || !place || place->axis != axis || !place->alone()) return false;
  if (!indices.is_parameter_free() || indices.shape.rank() != 0) return false;
  const Index entry = integers_of(indices.folded ? indices.folded->one : *call.constant(1))[0];
  return entry == 0 || entry == -1;
}

/// By constant indices a choice of entries; by indices that are data (tokens) a look-up.
void gather(Lower& call) {
  Fact &x = call.in(0), &indices = call.in(1);
  const Index axis = call.axis(call.node.attributes.integer("axis", 0), x.shape.rank());
  Shape shape;
  for (Index a = 0; a < axis; ++a) shape.append(x.shape[a]);
  for (const Index length : indices.shape) shape.append(length);
  for (Index a = axis + 1; a < x.shape.rank(); ++a) shape.append(x.shape[a]);
  Place place = call.place(0);
  if (takes_the_sample(call, place, axis, indices)) return call.alias(0, x, shape, std::nullopt);
  if (place && place->axis == axis) call.refuse_mixing("it takes some of the samples");
  if (place && place->axis > axis) place->axis += indices.shape.rank() - 1;
  if (indices.is_parameter_free()) {
    const Place of_indices = call.place(1);
    if (of_indices && place) call.refuse_mixing("the indices and the entries both hold the samples");
    if (of_indices) place = moved(of_indices, axis);
    const Array& entries = indices.folded ? indices.folded->one : *call.constant(1);
    const Frame frame(x.shape, axis == 0);
    const ValueId y = call.apply("Gather", {call.value(x, frame.shape)},
                                 {{"axis", frame.axis(axis)},
                                  {"indices", integers_of(entries)},
                                  {"indices_shape", indices.shape.lengths()}});
    return call.result(0, y, shape, place);
  }
  if (place) call.refuse_mixing("the indices and the entries both hold the samples");
  place = moved(call.place(1), axis);
  const bool drops = leads_with_one(indices.shape) && axis == 0;
  const ValueId at = call.value(indices, drops ? tail(indices.shape) : indices.shape);
  call.result(0, call.apply("GatherData", {call.value(x, x.shape), at}, {{"axis", axis}}), shape, place,
              x.type);
}

/// By constant indices: the last axis of them holds a place along the first axes of x.
void gather_nd(Lower& call) {
  Fact& x = call.in(0);
  const Array* indices = call.constant(1);
  if (indices == nullptr || indices->shape().rank() == 0) call.refuse("the indices have no axis");
  if (call.node.attributes.integer("batch_dims", 0) != 0) call.refuse_mode("batch_dims is not read");
  const Index depth = indices->shape().back(), rank = x.shape.rank();
  if (depth < 1 || depth > rank) call.refuse("the indices have more entries than x has axes");
  Place place = call.place(0);
  if (place && place->axis < depth) call.refuse_mixing("it takes some of the samples");
  Shape flat{x.shape.elements(0, depth)}, shape;
  const Entries<Index> entries(*indices);
  std::vector<Index> rows(static_cast<std::size_t>(indices->size() / depth), 0);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    for (Index a = 0; a < depth; ++a) {
      const Index at = entries[static_cast<Index>(k) * depth + a], length = x.shape[a];
      if (at < -length || at >= length) call.refuse("an index lies outside of the axis", std::to_string(at));
      rows[k] = rows[k] * length + (at < 0 ? at + length : at);
    }
  }
  std::vector<Index> lengths;
  for (Index a = 0; a + 1 < indices->shape().rank(); ++a) lengths.push_back(indices->shape()[a]);
  for (const Index length : lengths) shape.append(length);
  for (Index a = depth; a < rank; ++a) {
    flat.append(x.shape[a]);
    shape.append(x.shape[a]);
  }
  if (place) place->axis += std::ssize(lengths) - depth;
  const ValueId y =
      call.apply("Gather", {call.value(x, flat)},
                 {{"axis", Index{0}}, {"indices", std::move(rows)}, {"indices_shape", std::move(lengths)}});
  call.result(0, y, shape, place);
}

/// pads and value: attributes before opset 11, inputs since; axes since 18.
void pad(Lower& call) {
  Fact& x = call.in(0);
  const Index rank = x.shape.rank();
  const auto found = call.opset < 11 ? call.integers_of("pads", call.count()) : call.integers_of("pads", 1);
  if (!found) call.refuse("pads are missing");
  std::vector<Index> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (call.opset >= 18) axes = call.integers_of("axes", 3).value_or(axes);
  if (found->size() != 2 * axes.size())
    call.refuse("pads has another length than twice the axes", std::to_string(found->size()));
  std::vector<Index> pads(static_cast<std::size_t>(2 * rank), 0);
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const auto axis = static_cast<std::size_t>(call.axis(axes[k], rank));
    pads[axis] = (*found)[k];
    pads[axis + static_cast<std::size_t>(rank)] = (*found)[k + axes.size()];
  }
  const Place place = call.place(0);
  const auto touched = [&](Index axis) {
    return pads[static_cast<std::size_t>(axis)] != 0 || pads[static_cast<std::size_t>(axis + rank)] != 0;
  };
  if (place && touched(place->axis)) call.refuse_mixing("it adds samples");
  if (std::ranges::all_of(pads, [](Index length) { return length == 0; }))
    return call.alias(0, x, x.shape, place);
  const Frame frame(x.shape, touched(0));
  Attributes attributes = call.only({"mode"});
  if (call.opset < 11) {
    attributes.set("value", call.node.attributes.real("value", 0));
  } else if (const Array* value = call.constant(2); value != nullptr && value->size() == 1) {
    attributes.set("value", reals_of(*value)[0]);
  }
  std::vector<Index> kept;
  for (std::size_t k = 0; k < pads.size(); ++k) {
    if (!frame.dropped || k % static_cast<std::size_t>(rank) != 0) kept.push_back(pads[k]);
  }
  attributes.set("pads", kept);
  const ValueId y = call.apply("Pad", {call.value(x, frame.shape)}, attributes);
  call.result(0, y, frame.back(call.graph_shape(y)), place);
}

void tile(Lower& call) {
  Fact& x = call.in(0);
  const auto repeats = call.integers(1);
  if (!repeats || std::ssize(repeats->one) != x.shape.rank())
    call.refuse("repeats do not fit the input", to_string(x.shape));
  if (repeats->many.size() != repeats->one.size())
    call.refuse_mixing("how many axes it repeats depends on the number of samples");
  Place place = call.place(0);
  Shape shape = x.shape;
  for (Index axis = 0; axis < shape.rank(); ++axis) {
    const auto k = static_cast<std::size_t>(axis);
    const Index times = repeats->one[k];
    if (times < 0 || __builtin_mul_overflow(shape[axis], times, &shape[axis]))
      call.refuse("a repeat is out of range");
    if (place && place->axis == axis && times != 1) call.refuse_mixing("it repeats the samples");
    if (repeats->many[k] == times) continue;
    if (place || repeats->many[k] != call.probe() * times)
      call.refuse_mixing("how often it repeats depends on the number of samples");
    place = BatchPlace{axis, 1, shape[axis]};
  }
  if (shape == x.shape) return call.alias(0, x, shape, place);
  const Frame frame(x.shape, repeats->one[0] != 1);
  std::vector<Index> kept(repeats->one.begin() + (frame.dropped ? 1 : 0), repeats->one.end());
  call.result(0, call.apply("Tile", {call.value(x, frame.shape)}, {{"repeats", kept}}), shape, place);
}

/// What a Resize is asked for, by axis.
struct Resizing {
  std::vector<Index> sizes;
  std::vector<Index> sizes_of_many;
  std::vector<double> scales;
};

Resizing resizing_of(Lower& call, Index rank) {
  Resizing asked;
  const bool upsample = call.node.op == "Upsample";
  const std::size_t at = upsample || call.opset < 11 ? 1 : 2;
  // Upsample had scales as an attribute before opset 9.
  if (upsample && call.opset < 9)
    asked.scales = call.node.attributes.reals("scales", {});
  else if (const Array* scales = call.constant(at); scales != nullptr && scales->size() <= rank)
    asked.scales = reals_of(*scales);
  else if (scales != nullptr)
    call.refuse("there are more scales than axes", std::to_string(scales->size()), std::to_string(rank));
  std::vector<Index> lengths;
  const auto sizes = asked.scales.empty() && !upsample ? call.integers(3) : std::nullopt;
  if (sizes) {
    asked.sizes = sizes->one;
    asked.sizes_of_many = sizes->many;
  }
  if (asked.sizes_of_many.size() != asked.sizes.size())
    call.refuse_mixing("how many axes it resizes depends on the number of samples");
  if (call.node.attributes.text("keep_aspect_ratio_policy", "stretch") != "stretch") {
    call.refuse_mode("keep_aspect_ratio_policy is not read", {}, "stretch");
  }
  if (call.node.attributes.has("axes")) {
    Resizing all;
    const auto axes = call.node.attributes.integers("axes", {});
    for (Index axis = 0; axis < rank; ++axis) {
      if (asked.scales.empty()) {
        all.sizes.push_back(call.in(0).shape[axis]);
        all.sizes_of_many.push_back(call.shape_for_many(call.in(0))[axis]);
      } else {
        all.scales.push_back(1);
      }
    }
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const auto axis = static_cast<std::size_t>(call.axis(axes[k], rank));
      if (asked.scales.empty() ? k >= asked.sizes.size() : k >= asked.scales.size())
        call.refuse("axes and sizes do not fit");
      if (asked.scales.empty()) {
        all.sizes[axis] = asked.sizes[k];
        all.sizes_of_many[axis] = asked.sizes_of_many[k];
      } else {
        all.scales[axis] = asked.scales[k];
      }
    }
    return all;
  }
  return asked;
}

/// Sizes along the samples must be their number: 1 here, and for several that many, or the number for which
/// the file is made. All other sizes must be the same for any number.
void check_sizes(const Lower& call, Resizing& asked, const Place& place) {
  for (std::size_t k = 0; k < asked.sizes.size(); ++k) {
    Index& size = asked.sizes[k];
    const Index many = asked.sizes_of_many[k];
    if (!place || place->axis != static_cast<Index>(k)) {
      if (size != many) call.refuse_mixing("a size depends on the number of samples");
      continue;
    }
    const Index length = call.in(0).shape[place->axis], made_for = call.samples_in_file();
    const bool literal = size == many && made_for > 0 && size == made_for * length;
    if (!literal && (size != length || many != call.probe() * length))
      call.refuse_mixing("it resizes the axis of the samples");
    size = length;
  }
}

void resize(Lower& call) {
  Fact& x = call.in(0);
  const Index rank = x.shape.rank();
  Resizing asked = resizing_of(call, rank);
  if (std::max(std::ssize(asked.sizes), std::ssize(asked.scales)) != rank)
    call.refuse("sizes or scales do not fit the input", to_string(x.shape));
  if (rank == 0) return call.alias(0, x, x.shape, std::nullopt);
  const auto touched = [&](Index axis) {
    const auto k = static_cast<std::size_t>(axis);
    return asked.scales.empty() ? asked.sizes[k] != x.shape[axis] : asked.scales[k] != 1;
  };
  const Place place = call.place(0);
  check_sizes(call, asked, place);
  if (place && touched(place->axis)) call.refuse_mixing("it resizes the axis of the samples");
  Attributes attributes = call.only({"coordinate_transformation_mode", "mode", "nearest_mode"});
  // Before opset 11 there was one rule: places are scaled, and cut off.
  if (call.node.op == "Upsample" || call.opset < 11) {
    attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
    attributes.set("nearest_mode", std::string("floor"));
  }
  if (call.node.attributes.integer("antialias", 0) != 0) call.refuse_mode("antialias is not read");
  const Frame frame(x.shape, touched(0));
  const Index from = frame.dropped ? 1 : 0;
  if (asked.scales.empty())
    attributes.set("sizes", std::vector<Index>(asked.sizes.begin() + from, asked.sizes.end()));
  else
    attributes.set("scales", std::vector<double>(asked.scales.begin() + from, asked.scales.end()));
  const ValueId y = call.apply("Resize", {call.value(x, frame.shape)}, attributes);
  call.result(0, y, frame.back(call.graph_shape(y)), place);
}

void trilu(Lower& call) {
  Fact& x = call.in(0);
  if (x.shape.rank() < 2) call.refuse("the input is no matrix", to_string(x.shape));
  const Place place = call.place(0);
  if (place && place->axis >= x.shape.rank() - 2) call.refuse_mixing("it cuts along the axis of the samples");
  const Array* shift = call.constant(1);
  const Frame frame(x.shape, x.shape.rank() == 2);
  const Index k = shift != nullptr && shift->size() == 1 ? integers_of(*shift)[0] : 0;
  call.result(0,
              call.apply("Trilu", {call.value(x, frame.shape)},
                         {{"k", k}, {"upper", call.node.attributes.integer("upper", 1)}}),
              x.shape, place);
}

}  // namespace

void add_index_rows(Rows& rows) {
  rows["Concat"] = {.lower = concat};
  rows["Split"] = {.lower = split, .fixed = {1}};
  rows["SplitToSequence"] = {.lower = split_to_sequence, .fixed = {1}};
  rows["SequenceAt"] = {.lower = sequence_at, .fixed = {1}};
  rows["GatherND"] = {.lower = gather_nd, .fixed = {1}};
  rows["Slice"] = {.lower = slice, .fixed = {1, 2, 3, 4}};
  rows["Gather"] = {.lower = gather};
  rows["Pad"] = {.lower = pad, .fixed = {1, 2, 3}};
  rows["Tile"] = {.lower = tile, .fixed = {1}};
  rows["Resize"] = {.lower = resize, .fixed = {1, 2, 3}};
  rows["Upsample"] = {.lower = resize, .fixed = {1}};
  rows["Trilu"] = {.lower = trilu, .fixed = {1}};
}

}  // namespace tangra::load::onnx
