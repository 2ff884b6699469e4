#include "tangra/base/array.h"

#include <gtest/gtest.h>

#include <array>

namespace tangra {
namespace {

TEST(Array, LendsItsMemoryToATensorOfItsType) {
  Tensor<double> entries(Shape{2, 3});
  entries[5] = 7;
  const double* place = entries.data();
  std::shared_ptr<const Tensor<double>> lent;
  {
    const Array array(std::move(entries));
    lent = array.tensor<double>();
  }
  // The array is gone, its memory is not.
  EXPECT_EQ(lent->data(), place);
  EXPECT_EQ(lent->shape(), (Shape{2, 3}));
  EXPECT_EQ((*lent)[5], 7);
  const Tensor<double> copy = lent->clone();
  EXPECT_NE(copy.data(), place);
  EXPECT_EQ(copy[5], 7);
}

TEST(Array, ATensorOfAnotherTypeIsACopy) {
  Tensor<float> entries(Shape{2});
  entries[1] = 0.5F;
  const Array array(std::move(entries));
  const auto wide = array.tensor<double>();
  EXPECT_EQ((*wide)[1], 0.5);
  EXPECT_NE(static_cast<const void*>(wide->data()), static_cast<const void*>(array.data()));
}

TEST(Array, KeepsTheOwnerOfLentMemoryAlive) {
  auto memory = std::make_shared<std::array<float, 4>>(std::array<float, 4>{1, 2, 3, 4});
  const std::weak_ptr<std::array<float, 4>> watched = memory;
  const auto* place = reinterpret_cast<const std::byte*>(memory->data());
  {
    const Array array(DType::float32, Shape{4, 1}, place, std::move(memory));
    const Array again = array.reshaped(Shape{2, 2});
    const auto tensor = again.tensor<float>();
    EXPECT_EQ(again.data(), place);
    EXPECT_EQ((*tensor)[3], 4);
    EXPECT_FALSE(watched.expired());
    const Array rows = again.rows(1, 2);  // a copy
    EXPECT_NE(rows.data(), place);
    EXPECT_EQ(rows.as<float>()[0], 3);
  }
  EXPECT_TRUE(watched.expired());
}

TEST(Array, WithoutEntries) {
  const Array array;
  EXPECT_EQ(array.tensor<float>()->size(), 0);
  EXPECT_EQ(array.tensor<double>()->size(), 0);
}

}  // namespace
}  // namespace tangra
