#include "tangra/base/shape.h"

#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/base/array.h"

namespace tangra {
namespace {

TEST(Shape, CountsItsElements) {
  EXPECT_EQ((Shape{3, 5, 7}).elements(), 105);
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ((Shape{3, 0, 7}).elements(), 0);
}

TEST(Shape, RefusesAProductThatOverflows) {
  const Shape huge{Index{1} << 40, Index{1} << 40};
  EXPECT_EQ(test::error_of([&] { huge.elements(); }).kind(), ErrorKind::input);
  EXPECT_EQ(test::error_of([] { Shape({3, -1}).elements(); }).kind(), ErrorKind::input);
}

TEST(Shape, BroadcastsAsNumPyDoes) {
  EXPECT_EQ(broadcast(Shape{3, 1, 5}, Shape{4, 1}), (Shape{3, 4, 5}));
  EXPECT_EQ(broadcast(Shape{}, Shape{2}), (Shape{2}));
  EXPECT_EQ(test::error_of([] { broadcast(Shape{3}, Shape{4}); }).kind(), ErrorKind::input);
}

TEST(Array, ConvertsHalfPrecisionExactly) {
  // 1.5, the smallest subnormal, -2, the largest finite half.
  const std::uint16_t halves[] = {0x3e00, 0x0001, 0xc000, 0x7bff};
  const Array array(DType::float16, Shape{4},
                    [&](std::span<std::byte> bytes) { std::memcpy(bytes.data(), halves, sizeof(halves)); });
  const Tensor<double> values = array.converted<double>();
  EXPECT_EQ(values[0], 1.5);
  EXPECT_EQ(values[1], 0x1p-24);
  EXPECT_EQ(values[2], -2.0);
  EXPECT_EQ(values[3], 65504.0);
}

TEST(Array, TakesRows) {
  Tensor<float> tensor(Shape{3, 2});
  for (Index i = 0; i < 6; ++i) tensor[i] = static_cast<float>(i);
  const Array rows = Array(tensor).rows(1, 3);
  EXPECT_EQ(rows.shape(), (Shape{2, 2}));
  EXPECT_EQ(rows.as<float>()[0], 2.0F);
  EXPECT_EQ(Array(tensor).rows(3, 3).size(), 0);
}

}  // namespace
}  // namespace tangra
