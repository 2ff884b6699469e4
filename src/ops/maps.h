#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "tangra/base/strides.h"
#include "tangra/ops/op.h"

namespace tangra::ops {

/// broadcast_entries() without a table for an input that has the result's own shape.
class BroadcastMap {
 public:
  BroadcastMap(const Shape& input, const Shape& result) {
    if (input != result) map_ = broadcast_entries(input, result);
  }
  Index operator()(Index entry) const { return map_.empty() ? entry : map_[static_cast<std::size_t>(entry)]; }

 private:
  std::vector<Index> map_;
};

/// The common shape of a node's inputs under broadcasting; refuses the node where there is none.
Shape broadcast_inputs(const Node& node, std::span<const Shape> inputs);
/// Runs `read`, which takes what it needs from the node's attributes; its error then names the node.
void check_attributes(const Node& node, const std::function<void()>& read);
/// Refuses the node unless `small` broadcasts to `large` without changing it.
void require_broadcasts_to(const Node& node, const Shape& small, const Shape& large, const std::string& what);

/// No result of one sample has more entries; more is a damaged file, not a network.
inline constexpr Index most_entries = Index{1} << 28;
/// Nor has any value, a parameter under another shape for instance: no computer holds it.
inline constexpr Index most_entries_anywhere = Index{1} << 40;
/// Refuses the node where its result has more than `most` entries.
void require_size(const Node& node, const Shape& result, Index most = most_entries);

/// Each entry of a result is one entry of the input, or none.
struct EntryMap {
  static constexpr Index none = -1;
  Shape result;
  std::vector<Index> from;
};

/// The map as a view of input 0, where strides describe it and no entry is used twice.
std::optional<View> view_of(const EntryMap& map);

/// A slope of zero selects nothing: an infinite or undefined partner must not turn it into NaN.
template <class T>
T scaled(T slope, T direction) {
  return slope == 0 ? T(0) : slope * direction;
}

}  // namespace tangra::ops
