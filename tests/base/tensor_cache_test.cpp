#include "tangra/base/tensor_cache.h"

#include <gtest/gtest.h>

#include <vector>

namespace tangra {
namespace {

/// The limit belongs to the process.
class TensorCache : public testing::Test {
 protected:
  ~TensorCache() override { limit_kept_tensors(before_); }
  const std::size_t before_ = kept_tensor_bytes();
};

constexpr Index entries = 8192;  // 32 KiB of floats

TEST_F(TensorCache, GivesAgainWhatWasGivenBack) {
  Tensor<float> tensor = take_tensor<float>(Shape{entries});
  const float* memory = tensor.data();
  give_back(std::move(tensor));
  const Tensor<float> again = take_tensor<float>(Shape{2, entries / 2});
  EXPECT_EQ(again.data(), memory);
  EXPECT_EQ(again.shape(), (Shape{2, entries / 2}));
}

TEST_F(TensorCache, KeepsNoMoreThanItsLimit) {
  limit_kept_tensors(0);
  give_back(take_tensor<float>(Shape{entries}));
  ASSERT_EQ(kept_on_this_thread(), 0U);
  limit_kept_tensors(3 * 32768);
  std::vector<Tensor<float>> tensors;
  for (int k = 0; k < 5; ++k) tensors.push_back(Tensor<float>::uninitialized(Shape{entries}));
  for (std::size_t k = 0; k < 3; ++k) {
    give_back(std::move(tensors[k]));
    EXPECT_EQ(kept_on_this_thread(), (k + 1) * 32768);
  }
  give_back(std::move(tensors[3]));
  EXPECT_EQ(kept_on_this_thread(), 32768U) << "the others go: sizes that no longer occur must not hold the place";
  limit_kept_tensors(0);
  give_back(Tensor<double>::uninitialized(Shape{entries}));
  EXPECT_EQ(kept_on_this_thread(), 0U) << "what was kept before goes as well, of either type";
}

}  // namespace
}  // namespace tangra
