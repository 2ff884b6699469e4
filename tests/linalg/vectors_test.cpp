#include "tangra/linalg/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tangra/linalg/gemm_shifted.h"

namespace tangra::linalg {
namespace {

constexpr Index sizes[] = {0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257};

template <class T>
std::vector<T> drawn(Index count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> entries;
  for (Index e = 0; e < count; ++e) entries.push_back(static_cast<T>(static_cast<double>(random()) / 2147483648.0 - 1));
  return entries;
}

template <class T>
class Vectors : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Vectors, Scalars);

TYPED_TEST(Vectors, AreAsWritten) {
  using T = TypeParam;
  for (const Index size : sizes) {
    const std::vector<T> a = drawn<T>(size, 1);
    const std::vector<T> b = drawn<T>(size, 2);
    std::vector<T> added = b;
    add(a.data(), size, added.data());
    std::vector<T> scaled = b;
    scale(T(0.3), a.data(), size, true, scaled.data());
    std::vector<T> each = b;
    scale_each(a.data(), b.data(), size, true, each.data());
    std::vector<T> in_place = b;
    scale_each(a.data(), in_place.data(), size, false, in_place.data());
    for (std::size_t e = 0; e < a.size(); ++e) {
      const T product = T(0.3) * a[e];
      const T own = a[e] * b[e];
      EXPECT_EQ(added[e], b[e] + a[e]);
      EXPECT_EQ(scaled[e], b[e] + product);
      EXPECT_EQ(each[e], b[e] + own);
      EXPECT_EQ(in_place[e], own);
    }
  }
}

TYPED_TEST(Vectors, ASlopeOfZeroSelects) {
  using T = TypeParam;
  const T infinite = std::numeric_limits<T>::infinity();
  for (const Index size : sizes) {
    const std::vector<T> slope(static_cast<std::size_t>(size), T(0));
    std::vector<T> from(static_cast<std::size_t>(size), infinite);
    for (std::size_t e = 0; e < from.size(); e += 2) from[e] = std::numeric_limits<T>::quiet_NaN();
    std::vector<T> to(from.size(), T(4));
    scale_each(slope.data(), from.data(), size, true, to.data());
    for (const T entry : to) EXPECT_EQ(entry, T(4));
    scale_each(slope.data(), from.data(), size, false, from.data());
    for (const T entry : from) EXPECT_EQ(entry, T(0));
  }
}

TYPED_TEST(Vectors, SumsRoundLikeTheirLanes) {
  using T = TypeParam;
  for (const Index size : sizes) {
    const std::vector<T> a = drawn<T>(size, 3);
    const std::vector<T> b = drawn<T>(size, 4);
    double exact_sum = 0, exact_dot = 0, absolute = 0;
    for (std::size_t e = 0; e < a.size(); ++e) {
      exact_sum += static_cast<double>(a[e]);
      exact_dot += static_cast<double>(a[e]) * static_cast<double>(b[e]);
      absolute += std::abs(static_cast<double>(a[e]));
    }
    // Every summand passes at most size / 32 + 32 additions.
    const double bound = static_cast<double>(size / 32 + 33) * static_cast<double>(std::numeric_limits<T>::epsilon()) * absolute;
    EXPECT_NEAR(static_cast<double>(sum(a.data(), size)), exact_sum, bound);
    EXPECT_NEAR(static_cast<double>(dot(a.data(), b.data(), size)), exact_dot, bound);
  }
}

TYPED_TEST(Vectors, ShiftedProductsAreChainsOverWhatLiesThere) {
  using T = TypeParam;
  const std::vector<Index> offsets{0, 5, 1, 40, 40, 13, 2};
  for (const Index rows : {1, 13, 14, 15, 16, 29, 33}) {
    for (const Index columns : {1, 31, 32, 33, 70}) {
      const auto k = static_cast<Index>(offsets.size());
      const Index width = shifted_columns<T>(columns);
      ASSERT_GE(width, columns);
      const std::vector<T> a = drawn<T>(rows * k, 5);
      const std::vector<T> x = drawn<T>(40 + width, 6);
      std::vector<T> c(static_cast<std::size_t>(rows * width), std::numeric_limits<T>::quiet_NaN());
      gemm_shifted<T>(matrix(a.data(), rows, k), x.data(), offsets, columns, matrix(c.data(), rows, width));
      for (Index r = 0; r < rows; ++r) {
        for (Index j = 0; j < columns; ++j) {
          T entry = 0;
          for (Index s = 0; s < k; ++s) {
            entry = std::fma(a[static_cast<std::size_t>(r * k + s)], x[static_cast<std::size_t>(offsets[static_cast<std::size_t>(s)] + j)], entry);
          }
          ASSERT_EQ(c[static_cast<std::size_t>(r * width + j)], entry) << rows << ' ' << columns;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tangra::linalg
