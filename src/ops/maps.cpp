#include "tangra/ops/maps.h"

#include <algorithm>

#include "tangra/base/error.h"

namespace tangra::ops {

Shape broadcast_inputs(const Node& node, std::span<const Shape> inputs) {
  try {
    Shape result = inputs[0];
    for (const Shape& input : inputs.subspan(1)) result = broadcast(result, input);
    return result;
  } catch (const Error& error) {
    refuse(node, error.complaint().what, error.complaint().got, error.complaint().expected);
  }
}

void check_attributes(const Node& node, const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    const Complaint& complaint = error.complaint();
    refuse(node, complaint.what + " (" + complaint.where + ")", complaint.got, complaint.expected);
  }
}

void require_broadcasts_to(const Node& node, const Shape& small, const Shape& large,
                           const std::string& what) {
  bool fits = small.rank() <= large.rank();
  for (Index axis = 1; fits && axis <= small.rank(); ++axis) {
    const Index length = small[small.rank() - axis];
    fits = length == 1 || length == large[large.rank() - axis];
  }
  if (!fits)
    refuse(node, what + " does not broadcast to the shape it is for", to_string(small), to_string(large));
}

void require_size(const Node& node, const Shape& result, Index most) {
  Index count = 1;
  for (const Index length : result) {
    if (length == 0) return;
    if (length > most / count) {
      refuse(node, "the result is too large", to_string(result), std::to_string(most) + " entries at most");
    }
    count *= length;
  }
}

std::optional<View> view_of(const EntryMap& map) {
  View view{
      .input = 0, .offset = 0, .strides = std::vector<Index>(map.result.lengths().size(), 0), .scale = 1};
  if (map.from.empty()) return view;
  view.offset = map.from.front();
  const std::vector<Index> steps = map.result.strides();
  for (std::size_t axis = 0; axis < steps.size(); ++axis) {
    if (map.result[static_cast<Index>(axis)] == 1) continue;
    view.strides[axis] = map.from[static_cast<std::size_t>(steps[axis])] - view.offset;
  }
  if (strided_entries(map.result, view.strides, view.offset) != map.from) return std::nullopt;
  std::vector<Index> sorted = map.from;
  std::ranges::sort(sorted);
  const bool injective =
      sorted.front() != EntryMap::none && std::ranges::adjacent_find(sorted) == sorted.end();
  return injective ? std::optional(view) : std::nullopt;
}

}  // namespace tangra::ops
