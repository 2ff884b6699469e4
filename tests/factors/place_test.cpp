#include <gtest/gtest.h>

#include "tangra/factors/term.h"

namespace tangra::factors {
namespace {

Place place(Shape shape, std::vector<Index> strides) {
  return {.parameter = 0, .offset = 5, .shape = std::move(shape), .strides = std::move(strides), .scale = 2};
}

/// The matrix, checked to speak of the same entries in the same order.
Place matrix_of(const Place& from) {
  const auto matrix = from.as_matrix();
  EXPECT_TRUE(matrix.has_value()) << to_string(from.shape);
  if (!matrix) return from;
  EXPECT_EQ(matrix->shape.rank(), 2);
  EXPECT_EQ(matrix->entries(), from.entries()) << to_string(from.shape);
  EXPECT_EQ(matrix->offset, 5);
  EXPECT_EQ(matrix->scale, 2);
  return *matrix;
}

TEST(Place, IsAMatrixWhereOneStrideServes) {
  EXPECT_EQ(matrix_of(place({3, 2, 2, 3}, {12, 6, 3, 1})).strides, (std::vector<Index>{12, 1}));
  EXPECT_EQ(matrix_of(place({3, 2, 2, 3}, {-36, 12, 6, 2})).strides, (std::vector<Index>{-36, 2}));
  EXPECT_EQ(matrix_of(place({3, 2, 5}, {1, 15, 3})).strides, (std::vector<Index>{1, 3}));
  EXPECT_EQ(matrix_of(place({3, 4}, {1, 3})).strides, (std::vector<Index>{1, 3})) << "as it is";
}

TEST(Place, IsAMatrixWhereAxesOfOneEntryHaveAnyStride) {
  EXPECT_EQ(matrix_of(place({3, 2, 1, 3}, {6, 3, 0, 1})).strides, (std::vector<Index>{6, 1}));
  EXPECT_EQ(matrix_of(place({3, 2, 1}, {4, 2, 77})).strides, (std::vector<Index>{4, 2}));
  EXPECT_EQ(matrix_of(place({3, 1, 1, 1}, {1, 9, 9, 9})).shape, (Shape{3, 1}));
}

TEST(Place, IsNoMatrixWhereStridesDoNotFollow) {
  EXPECT_FALSE(place({3, 2, 2, 3}, {1, 3, 18, 6}).as_matrix()) << "channels last";
  EXPECT_FALSE(place({3, 2, 2, 3}, {20, 10, 5, 1}).as_matrix()) << "a part of each kernel";
  EXPECT_FALSE(place({3}, {1}).as_matrix());
  EXPECT_FALSE(place({}, {}).as_matrix());
}

}  // namespace
}  // namespace tangra::factors
