#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "tangra/base/index.h"

namespace tangra {

/// The lengths of an array's axes, outermost first. A scalar has no axes and one element.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Index> lengths) : lengths_(lengths) {}
  explicit Shape(std::vector<Index> lengths) : lengths_(std::move(lengths)) {}

  Index rank() const { return static_cast<Index>(lengths_.size()); }
  Index operator[](Index axis) const { return lengths_[static_cast<std::size_t>(axis)]; }
  Index& operator[](Index axis) { return lengths_[static_cast<std::size_t>(axis)]; }
  Index back() const { return lengths_.back(); }
  bool empty() const { return lengths_.empty(); }
  auto begin() const { return lengths_.begin(); }
  auto end() const { return lengths_.end(); }
  const std::vector<Index>& lengths() const { return lengths_; }

  /// Product of the lengths. Throws Error(input) where it does not fit into an Index or a length is negative.
  Index elements() const;
  /// Product of the lengths of the axes [first, last).
  Index elements(Index first, Index last) const;
  /// Distances between neighbours along each axis of a row-major array of this shape.
  std::vector<Index> strides() const;
  /// This shape with `length` put in front.
  Shape with_leading(Index length) const;
  void append(Index length) { lengths_.push_back(length); }

  bool operator==(const Shape&) const = default;

 private:
  std::vector<Index> lengths_;
};

/// As NumPy writes it: "(3, 4)", "(5,)", "()".
std::string to_string(const Shape& shape);

/// The common shape under NumPy's broadcasting rules. Throws Error(input) where there is none.
Shape broadcast(const Shape& a, const Shape& b);

}  // namespace tangra
