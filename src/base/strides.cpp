#include "tangra/base/strides.h"

namespace tangra {

std::vector<Index> strided_entries(const Shape& shape, const std::vector<Index>& strides, Index offset) {
  std::vector<Index> entries(static_cast<std::size_t>(shape.elements()));
  std::vector<Index> position(strides.size(), 0);
  Index entry = offset;
  for (Index& slot : entries) {
    slot = entry;
    for (std::size_t axis = position.size(); axis-- > 0;) {
      entry += strides[axis];
      if (++position[axis] < shape[static_cast<Index>(axis)]) break;
      entry -= strides[axis] * position[axis];
      position[axis] = 0;
    }
  }
  return entries;
}

std::vector<Index> broadcast_entries(const Shape& input, const Shape& result) {
  const std::vector<Index> own = input.strides();
  std::vector<Index> strides(static_cast<std::size_t>(result.rank()), 0);
  const Index skipped = result.rank() - input.rank();
  for (Index axis = 0; axis < input.rank(); ++axis) {
    if (input[axis] != 1) strides[static_cast<std::size_t>(axis + skipped)] = own[static_cast<std::size_t>(axis)];
  }
  return strided_entries(result, strides);
}

}  // namespace tangra
