#include "tangra/base/shape.h"

#include <algorithm>

#include "tangra/base/error.h"

namespace tangra {

Index Shape::elements() const { return elements(0, rank()); }

Index Shape::elements(Index first, Index last) const {
  Index product = 1;
  for (Index axis = first; axis < last; ++axis) {
    const Index length = (*this)[axis];
    if (length < 0 || __builtin_mul_overflow(product, length, &product)) {
      throw Error(ErrorKind::input, {.what = "no array can have this shape", .where = {}, .got = to_string(*this),
                                     .expected = "lengths of 0 or more with a product below 2^63", .cure = {}});
    }
  }
  return product;
}

std::vector<Index> Shape::strides() const {
  std::vector<Index> result(lengths_.size(), 1);
  for (std::size_t axis = lengths_.size(); axis-- > 1;) result[axis - 1] = result[axis] * lengths_[axis];
  return result;
}

Shape Shape::with_leading(Index length) const {
  std::vector<Index> lengths{length};
  lengths.insert(lengths.end(), lengths_.begin(), lengths_.end());
  return Shape(std::move(lengths));
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (Index axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + (shape.rank() == 1 ? ",)" : ")");
}

Shape broadcast(const Shape& a, const Shape& b) {
  const Index rank = std::max(a.rank(), b.rank());
  std::vector<Index> lengths(static_cast<std::size_t>(rank), 1);
  for (Index axis = 0; axis < rank; ++axis) {
    const Index from_a = axis - (rank - a.rank());
    const Index from_b = axis - (rank - b.rank());
    const Index la = from_a < 0 ? 1 : a[from_a];
    const Index lb = from_b < 0 ? 1 : b[from_b];
    if (la != lb && la != 1 && lb != 1) {
      throw Error(ErrorKind::input, {.what = "the shapes do not broadcast", .where = {},
                                     .got = to_string(a) + " and " + to_string(b),
                                     .expected = "lengths that are equal or 1, aligned at the last axis", .cure = {}});
    }
    lengths[static_cast<std::size_t>(axis)] = la == 1 ? lb : la;
  }
  return Shape(std::move(lengths));
}

}  // namespace tangra
