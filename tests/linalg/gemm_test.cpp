#include "tangra/linalg/gemm.h"

#include <string>

#include "matrices.h"
#include "support/support.h"
#include "tangra/linalg/linear_operator.h"
#include "tangra/linalg/simd.h"

namespace tangra::linalg {
namespace {

using test::fused_product;
using test::Layout;
using test::layouts;
using test::Matrix;
using test::same_bits;

template <class T>
class Gemm : public ::testing::Test {
 protected:
  tangra::test::TestContext one{1};
  const Context& context = one.context;

  /// Compares with the scalar loop, also the memory around C, which has NaN in it before where it must not be
  /// read.
  void expect_bits_of_scalar_loop(const Matrix<T>& a, const Matrix<T>& b, bool accumulate, Layout c_layout) {
    Matrix<T> c(a.view().rows, b.view().columns, c_layout, 3);
    if (!accumulate) c.fill(std::numeric_limits<T>::quiet_NaN());
    Matrix<T> expected = c;
    gemm<T>(context, Engine::fast, a.constant(), b.constant(), accumulate, c.view());
    fused_product<T>(a.constant(), b.constant(), accumulate, expected.view());
    EXPECT_TRUE(same_bits<T>(c.constant(), expected.constant()));
    EXPECT_TRUE(same_bits(c.memory(), expected.memory())) << "memory around C was written";
  }
};

using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Scalars);

TYPED_TEST(Gemm, HasTheBitsOfAScalarLoopOnEveryTarget) {
  using T = TypeParam;
  for (const std::string& target : simd_targets()) {
    const ScopedSimdTarget scoped(target);
    unsigned turn = 0;
    for (const Index m : {0, 1, 2, 5, 13, 14, 15, 29, 57}) {
      for (const Index n : {0, 1, 3, 16, 17, 31, 32, 33, 79}) {
        for (const Index k : {0, 1, 2, 7, 61}) {
          const Layout of_a = layouts[turn % 6], of_b = layouts[turn / 6 % 6];
          SCOPED_TRACE(target + " " + std::to_string(m) + " " + std::to_string(n) + " " + std::to_string(k));
          this->expect_bits_of_scalar_loop(Matrix<T>(m, k, of_a, 1), Matrix<T>(k, n, of_b, 2), turn % 2 == 0,
                                           turn % 3 == 0 ? Layout::dense : Layout::padded);
          if (this->HasFailure()) return;
          ++turn;
        }
      }
    }
  }
}

TYPED_TEST(Gemm, HasTheBitsOfAScalarLoopForEveryLayoutAcrossBlocks) {
  using T = TypeParam;
  for (const std::string& target : simd_targets()) {
    const ScopedSimdTarget scoped(target);
    for (const Layout of_a : layouts) {
      for (const Layout of_b : layouts) {
        for (const bool accumulate : {false, true}) {
          this->expect_bits_of_scalar_loop(Matrix<T>(30, 521, of_a, 1), Matrix<T>(521, 34, of_b, 2),
                                           accumulate, Layout::padded);
          this->expect_bits_of_scalar_loop(Matrix<T>(34, 513, of_a, 1), Matrix<T>(513, 1, of_b, 2),
                                           accumulate, Layout::padded);
        }
      }
    }
  }
}

TYPED_TEST(Gemm, HasTheBitsOfAScalarLoopBeyondTheLargestBlocks) {
  using T = TypeParam;
  this->expect_bits_of_scalar_loop(Matrix<T>(3, 2, 1), Matrix<T>(2, 4133, 2), false, Layout::dense);
  this->expect_bits_of_scalar_loop(Matrix<T>(31, 2, 1), Matrix<T>(2, 8230, 2), true, Layout::dense);
  this->expect_bits_of_scalar_loop(Matrix<T>(4133, 2, 1), Matrix<T>(2, 3, 2), true, Layout::dense);
  this->expect_bits_of_scalar_loop(Matrix<T>(2, 3301, 1), Matrix<T>(3301, 601, 2), false, Layout::dense);
  this->expect_bits_of_scalar_loop(Matrix<T>(43, 3301, 1), Matrix<T>(3301, 35, 2), false, Layout::dense);
  this->expect_bits_of_scalar_loop(Matrix<T>(3, 5003, 1), Matrix<T>(5003, 5, 2), true, Layout::dense);
}

TYPED_TEST(Gemm, HasTheBitsOfAScalarLoopForFewRowsAndManyColumns) {  // computed as C^T
  using T = TypeParam;
  for (const Layout of_b : layouts) {
    for (const bool accumulate : {false, true}) {
      this->expect_bits_of_scalar_loop(Matrix<T>(37, 3301, 1), Matrix<T>(3301, 131, of_b, 2), accumulate, Layout::padded);
      this->expect_bits_of_scalar_loop(Matrix<T>(1, 1030, 1), Matrix<T>(1030, 301, of_b, 2), accumulate, Layout::dense);
    }
  }
}

TYPED_TEST(Gemm, HasTheSameBitsOnAnyNumberOfThreads) {
  using T = TypeParam;
  const Index shapes[][3] = {{230, 450, 300}, {1, 5000, 600}, {5000, 1, 600}, {2500, 40, 40}, {40, 2500, 40}, {300, 1100, 700}};
  for (const auto& [m, n, k] : shapes) {
    const Matrix<T> a(m, k, 1), b(k, n, 2);
    Matrix<T> expected(m, n, 3);
    fused_product<T>(a.constant(), b.constant(), false, expected.view());
    for (const int threads : {1, 2, 5}) {
      const tangra::test::TestContext pool(threads);
      Matrix<T> c(m, n, 4);
      gemm<T>(pool.context, Engine::fast, a.constant(), b.constant(), false, c.view());
      EXPECT_TRUE(same_bits<T>(c.constant(), expected.constant())) << threads << " threads, " << m << " rows";
    }
  }
}

TYPED_TEST(Gemm, RunsInsideTasksOfThePool) {
  using T = TypeParam;
  const Index count = 7, n = 150;
  const Matrix<T> a(count * n, n, 1), b(n, n, 2);
  Matrix<T> together(count * n, n, 3), apart(count * n, n, 4);
  tangra::test::TestContext pool(3);
  gemm<T>(pool.context, Engine::fast, a.constant(), b.constant(), false, together.view());
  pool.pool.parallel_for(count, [&](Index item, int) {
    gemm<T>(pool.context, Engine::fast, a.constant().block(item * n, 0, n, n), b.constant(), false,
            apart.view().block(item * n, 0, n, n));
  });
  EXPECT_TRUE(same_bits<T>(together.constant(), apart.constant()));
}

TYPED_TEST(Gemm, GivesARowAloneTheBitsItHasInABatch) {
  using T = TypeParam;
  const Index m = 61, n = 83, k = 801;
  const Matrix<T> a(m, k, 1), b(k, n, Layout::transposed, 2);
  Matrix<T> batch(m, n, 3), alone(m, n, 4);
  gemm<T>(this->context, Engine::fast, a.constant(), b.constant(), false, batch.view());
  for (Index i = 0; i < m; ++i) {
    gemm<T>(this->context, Engine::fast, a.constant().block(i, 0, 1, k), b.constant(), false,
            alone.view().block(i, 0, 1, n));
  }
  EXPECT_TRUE(same_bits<T>(batch.constant(), alone.constant()));
}

TYPED_TEST(Gemm, ReferenceAgreesWithinItsRounding) {
  using T = TypeParam;
  const T eps = std::numeric_limits<T>::epsilon() / 2;
  for (const Layout layout : layouts) {
    const Matrix<T> a(19, 211, layout, 1), b(211, 23, layout, 2);
    for (const bool accumulate : {false, true}) {
      Matrix<T> fast(19, 23, 3), reference(19, 23, 3);
      const Matrix<T> before = fast;
      gemm<T>(this->context, Engine::fast, a.constant(), b.constant(), accumulate, fast.view());
      gemm<T>(this->context, Engine::reference, a.constant(), b.constant(), accumulate, reference.view());
      for (Index i = 0; i < 19; ++i) {
        for (Index j = 0; j < 23; ++j) {
          T sum = accumulate ? std::abs(before.view()(i, j)) : T{0};
          for (Index k = 0; k < 211; ++k) sum += std::abs(a.view()(i, k) * b.view()(k, j));
          // k + 1 roundings of partial sums on each side, one more of each product in the reference.
          EXPECT_LE(std::abs(fast.view()(i, j) - reference.view()(i, j)), 2 * 213 * eps * sum);
        }
      }
    }
  }
}

TYPED_TEST(Gemm, CarriesInfinitiesAndNotANumber) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  Matrix<T> a(3, 2, 1), b(2, 3, 2), c(3, 3, 3);
  a.fill(0);
  b.fill(1);
  a.view()(0, 1) = infinity;
  b.view()(0, 2) = infinity;
  gemm<T>(this->context, Engine::fast, a.constant(), b.constant(), false, c.view());
  EXPECT_EQ(c.view()(0, 0), infinity);
  EXPECT_TRUE(std::isnan(c.view()(1, 2)));  // 0 * infinity
  EXPECT_EQ(c.view()(1, 1), T{0});
}

TEST(Simd, TellsItsTargets) {
  const auto targets = simd_targets();
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(simd_target(), targets.front());
  {
    const ScopedSimdTarget scoped(targets.back());
    EXPECT_EQ(simd_target(), targets.back());
  }
  EXPECT_EQ(simd_target(), targets.front());
  EXPECT_EQ(tangra::test::error_of([] { const ScopedSimdTarget none("MMX"); }).kind(), ErrorKind::usage);
}

TEST(MatrixOperator, MultipliesByItsMatrix) {
  const Matrix<double> a(17, 9, Layout::padded, 1), x(9, 4, Layout::transposed, 2);
  Matrix<double> y(17, 4, 3), expected(17, 4, 4);
  const MatrixOperator op(a.constant(), false);
  EXPECT_EQ(op.rows(), 17);
  EXPECT_EQ(op.columns(), 9);
  EXPECT_FALSE(op.symmetric());
  tangra::test::TestContext two(2);
  op.apply(x.constant(), y.view(), two.context);
  fused_product<double>(a.constant(), x.constant(), false, expected.view());
  EXPECT_TRUE(same_bits<double>(y.constant(), expected.constant()));

  const std::atomic<bool> stop{true};
  two.context.cancelled = &stop;
  EXPECT_EQ(tangra::test::error_of([&] { op.apply(x.constant(), y.view(), two.context); }).kind(),
            ErrorKind::interrupted);
}

}  // namespace
}  // namespace tangra::linalg
