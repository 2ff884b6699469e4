#include "tangra/factors/term.h"

#include "tangra/base/strides.h"

namespace tangra::factors {

std::vector<Index> Place::entries() const { return strided_entries(shape, strides, offset); }

std::optional<Place> Place::as_matrix() const {
  if (shape.rank() == 2) return *this;
  if (shape.rank() < 2) return std::nullopt;
  Index merged = 1;
  Index stride = 1;
  for (Index axis = shape.rank() - 1; axis > 0; --axis) {
    if (shape[axis] == 1) continue;
    const Index own = strides[static_cast<std::size_t>(axis)];
    if (merged == 1) stride = own;
    else if (own != stride * merged) return std::nullopt;
    merged *= shape[axis];
  }
  Place matrix = *this;
  matrix.shape = {shape[0], merged};
  matrix.strides = {strides[0], stride};
  return matrix;
}

}  // namespace tangra::factors
