#include "tangra/linalg/lapack.h"

#include <algorithm>
#include <numbers>

#include "matrices.h"
#include "support/support.h"

namespace tangra::linalg {
namespace {

using test::Matrix;
constexpr double eps = std::numeric_limits<double>::epsilon() / 2;

/// Q diag(values) Q^T with Q a product of two reflections: a matrix with known eigenvalues, full [n, n].
Tensor<double> with_eigenvalues(const std::vector<double>& values) {
  const Index n = static_cast<Index>(values.size());
  Tensor<double> a(Shape{n, n});
  for (Index i = 0; i < n; ++i) a[i * n + i] = values[static_cast<std::size_t>(i)];
  for (unsigned seed = 1; seed <= 2; ++seed) {
    const Matrix<double> w(n, 1, seed);
    double norm2 = 0;
    for (Index i = 0; i < n; ++i) norm2 += w.view()(i, 0) * w.view()(i, 0);
    const auto reflect = [&](MatrixView<double> m) {  // (1 - 2 w w^T / |w|^2) m
      for (Index j = 0; j < n; ++j) {
        double sum = 0;
        for (Index i = 0; i < n; ++i) sum += w.view()(i, 0) * m(i, j);
        for (Index i = 0; i < n; ++i) m(i, j) -= 2 * sum / norm2 * w.view()(i, 0);
      }
    };
    reflect(matrix(a.data(), n, n));
    reflect(matrix(a.data(), n, n).transposed());
  }
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < i; ++j) a[j * n + i] = a[i * n + j];
  }
  return a;
}

/// |A v - lambda v| and |V V^T - 1|, both within 50 n eps (of |A|): far above what these methods leave (a few
/// eps per entry), far below what a wrong vector would.
void expect_eigenpairs(const Tensor<double>& a, const SymmetricEigen& eigen, double norm) {
  const Index n = eigen.values.size();
  const double bound = 50 * static_cast<double>(n) * eps;
  for (Index r = 0; r < n; ++r) {
    const double* v = eigen.vectors.data() + r * n;
    for (Index i = 0; i < n; ++i) {
      double residual = -eigen.values[r] * v[i], product = 0;
      for (Index j = 0; j < n; ++j) {
        residual += a[i * n + j] * v[j];
        product += eigen.vectors[i * n + j] * v[j];
      }
      ASSERT_LE(std::abs(residual), bound * norm);
      ASSERT_LE(std::abs(product - (i == r ? 1 : 0)), bound);
    }
  }
}

/// The lower triangle of a full matrix inside NaN, with padded rows.
Matrix<double> lower_in_nan(const Tensor<double>& a) {
  const Index n = a.shape()[0];
  Matrix<double> lower(n, n, test::Layout::padded, 1);
  lower.fill(std::numeric_limits<double>::quiet_NaN());
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j <= i; ++j) lower.view()(i, j) = a[i * n + j];
  }
  return lower;
}

/// From 1,000 rows on values alone are found by way of a band matrix.
TEST(SymmetricEigen, FindsEigenvaluesAloneOfLargerMatrices) {
  for (const Index n : {999, 1000, 1037}) {
    std::vector<double> truth;
    for (Index i = 0; i < n; ++i) truth.push_back(std::pow(static_cast<double>(i / 3), 2) - 100);  // each three times
    const Tensor<double> a = with_eigenvalues(truth);
    const double bound = 50 * static_cast<double>(n) * eps * truth.back();
    for (const bool transposed : {false, true}) {
      const Matrix<double> lower = lower_in_nan(a);
      Tensor<double> upper = a.clone();  // as columns, so that the triangle that counts is the other one
      for (Index i = 0; i < n; ++i) {
        for (Index j = i + 1; j < n; ++j) upper[j * n + i] = std::numeric_limits<double>::quiet_NaN();
      }
      const SymmetricEigen eigen = symmetric_eigen(transposed ? matrix(upper.data(), n, n).transposed() : lower.view(), false, 2);
      ASSERT_TRUE(eigen.converged);
      EXPECT_STREQ(eigen.routine, n < 1000 ? "dsyevr" : "dsyevd_2stage");
      for (Index i = 0; i < n; ++i) ASSERT_NEAR(eigen.values[i], truth[static_cast<std::size_t>(i)], bound);
    }
  }
}

TEST(SymmetricEigen, ThatDidNotConvergeIsAnErrorThatNamesTheRoutine) {
  SymmetricEigen eigen;
  ensure_converged(eigen);
  eigen.converged = false;
  eigen.routine = "dsyevd";
  const Error error = tangra::test::error_of([&] { ensure_converged(eigen); });
  EXPECT_EQ(error.kind(), ErrorKind::numerics);
  EXPECT_NE(std::string(error.what()).find("dsyevd"), std::string::npos) << error.what();
}

TEST(SymmetricEigen, FindsConstructedEigenvaluesWithMultiplicities) {
  std::vector<double> truth = {-3, -3, -1e-9, 0, 0, 0, 1e-12, 0.5, 7, 7, 7, 7, 1000};
  const Tensor<double> a = with_eigenvalues(truth);
  const double bound = 50 * 13 * eps * 1000;  // as above; |A| = 1000
  for (const int threads : {1, 2}) {
    for (const bool vectors : {false, true}) {
      const Matrix<double> lower = lower_in_nan(a);
      const SymmetricEigen eigen = symmetric_eigen(lower.view(), vectors, threads);
      ASSERT_TRUE(eigen.converged);
      for (std::size_t i = 0; i < truth.size(); ++i)
        EXPECT_NEAR(eigen.values[static_cast<Index>(i)], truth[i], bound);
      EXPECT_EQ(eigen.vectors.size(), vectors ? 169 : 0);
      if (vectors) expect_eigenpairs(a, eigen, 1000);
    }
  }
  const SymmetricEigen reference = symmetric_eigen_reference(matrix(a.data(), 13, 13), true);
  ASSERT_TRUE(reference.converged);
  for (std::size_t i = 0; i < truth.size(); ++i)
    EXPECT_NEAR(reference.values[static_cast<Index>(i)], truth[i], bound);
  expect_eigenpairs(a, reference, 1000);
}

TEST(SymmetricEigen, AgreesWithJacobiForUglySizes) {
  for (const Index n : {0, 1, 2, 3, 17, 64, 101}) {
    std::vector<double> values(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = std::sin(static_cast<double>(i * i));
    const Tensor<double> a = with_eigenvalues(values);
    const SymmetricEigen reference = symmetric_eigen_reference(matrix(a.data(), n, n), true);
    ASSERT_TRUE(reference.converged);
    expect_eigenpairs(a, reference, 1);
    const Matrix<double> lower = lower_in_nan(a);
    for (const SymmetricEigen& eigen :
         {symmetric_eigen_orthonormal(lower.view(), 2), symmetric_eigen(lower.view(), true, 2)}) {
      ASSERT_TRUE(eigen.converged);
      expect_eigenpairs(a, eigen, 1);
      for (Index i = 0; i < n; ++i)
        EXPECT_NEAR(eigen.values[i], reference.values[i], 50 * static_cast<double>(n) * eps);
    }
  }
}

TEST(SymmetricEigen, FindsTheSpectrumOfAPath) {
  // The second difference matrix: 2 - 2 cos(pi r / (n + 1)).
  const Index n = 50;
  Tensor<double> a(Shape{n, n});
  for (Index i = 0; i < n; ++i) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
  }
  const SymmetricEigen eigen = symmetric_eigen(matrix(a.data(), n, n).transposed(), false, 1);
  for (Index r = 0; r < n; ++r) {
    EXPECT_NEAR(eigen.values[r], 2 - 2 * std::cos(std::numbers::pi * static_cast<double>(r + 1) / 51),
                50 * 50 * eps * 4);
  }
}

TEST(SymmetricEigen, RefusesWhatIsNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Tensor<double> a(Shape{3, 3});
    a[2 * 3 + 1] = bad;
    EXPECT_EQ(tangra::test::error_of([&] { symmetric_eigen(matrix(a.data(), 3, 3), false, 1); }).kind(),
              ErrorKind::numerics);
    EXPECT_EQ(tangra::test::error_of([&] { cholesky(matrix(a.data(), 3, 3), 1); }).kind(),
              ErrorKind::numerics);
  }
}

TEST(SymmetricEigen, RefusesSizesWhoseWorkThirtyTwoBitsCannotCount) {
  // 2 n^2 + 6 n + 1 exceeds 2^31 - 1 from n = 32,767 on; nothing may be read before that is known.
  const MatrixView<double> large{nullptr, 32767, 32767, 32767, 1};
  const Error error = tangra::test::error_of([&] { symmetric_eigen_orthonormal(large, 1); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
}

TEST(Cholesky, SolvesWhatItFactored) {
  for (const Index n : {0, 1, 2, 31, 70}) {
    std::vector<double> values(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = 1 + static_cast<double>(i % 7);
    const Tensor<double> a = with_eigenvalues(values);
    const Matrix<double> l = lower_in_nan(a), x(n, 3, 5);
    ASSERT_TRUE(cholesky(l.view(), 2).definite());
    Matrix<double> b(n, 3, test::Layout::padded, 6);
    test::fused_product<double>(matrix(a.data(), n, n), x.constant(), false, b.view());
    solve_cholesky(l.constant(), b.view(), 1);
    // Backward stable: relative error at most a modest multiple of n eps times the condition number, which is
    // 7 here.
    double scale = 0;
    for (Index i = 0; i < n * 3; ++i) scale = std::max(scale, std::abs(x.view().data[i]));
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < 3; ++j) {
        EXPECT_NEAR(b.view()(i, j), x.view()(i, j), 50 * static_cast<double>(n) * eps * 7 * scale);
      }
    }
  }
}

TEST(Cholesky, NamesTheFailingPivot) {
  Tensor<double> a(Shape{4, 4});
  for (Index i = 0; i < 4; ++i) a[i * 4 + i] = 1;
  a[2 * 4 + 2] = -1;
  const CholeskyOutcome outcome = cholesky(matrix(a.data(), 4, 4), 1);
  EXPECT_FALSE(outcome.definite());
  EXPECT_EQ(outcome.failing_pivot, 2);
}

TEST(Cholesky, InvertsAndSolvesWithTheFactorAlone) {
  for (const Index n : {0, 1, 2, 31, 70}) {
    std::vector<double> values(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = 1 + static_cast<double>(i % 7);
    const Tensor<double> a = with_eigenvalues(values);
    const Matrix<double> l = lower_in_nan(a);
    ASSERT_TRUE(cholesky(l.view(), 2).definite());
    // |L^-1 b|^2 = b^T A^-1 b, and b = A x for a known x.
    const Matrix<double> x(n, 2, 7);
    Matrix<double> b(n, 2, test::Layout::padded, 8);
    test::fused_product<double>(matrix(a.data(), n, n), x.constant(), false, b.view());
    std::vector<double> energy(2);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < 2; ++j) energy[static_cast<std::size_t>(j)] += x.view()(i, j) * b.view()(i, j);
    }
    solve_lower(l.constant(), b.view(), 1);
    for (Index j = 0; j < 2; ++j) {
      double squares = 0;
      for (Index i = 0; i < n; ++i) squares += b.view()(i, j) * b.view()(i, j);
      EXPECT_NEAR(squares, energy[static_cast<std::size_t>(j)],
                  50 * static_cast<double>(n) * eps * 7 * energy[static_cast<std::size_t>(j)]);
    }
    invert_cholesky(l.view(), 2);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        double product = 0;
        for (Index k = 0; k < n; ++k) product += a[i * n + k] * l.view()(k, j);
        ASSERT_NEAR(product, i == j ? 1 : 0, 50 * static_cast<double>(n) * eps * 7);  // 7: the condition
        ASSERT_EQ(l.view()(i, j), l.view()(j, i));
      }
    }
  }
}

TEST(IndefiniteFactor, CountsTheSignsOfEigenvaluesAndSolves) {
  for (const Index n : {0, 1, 2, 3, 40, 129}) {
    for (const Index negative : {Index{0}, n / 3, n}) {
      std::vector<double> values(static_cast<std::size_t>(n));
      for (Index i = 0; i < n; ++i)
        values[static_cast<std::size_t>(i)] = static_cast<double>(1 + i % 5) * (i < negative ? -1 : 1);
      const Tensor<double> a = with_eigenvalues(values);
      const Matrix<double> lower = lower_in_nan(a);
      const IndefiniteFactor factor = factor_indefinite(lower.view(), 2);
      EXPECT_EQ(factor.negative, negative);
      EXPECT_EQ(factor.zero, 0);
      const Matrix<double> x(3, n, 5);
      Matrix<double> b(3, n, test::Layout::padded, 6);
      test::fused_product<double>(x.constant(), matrix(a.data(), n, n), false, b.view());
      solve_indefinite(factor, b.view(), 1);
      double scale = 0;
      for (Index i = 0; i < n * 3; ++i) scale = std::max(scale, std::abs(x.view().data[i]));
      for (Index i = 0; i < 3; ++i) {
        for (Index j = 0; j < n; ++j)  // as for Cholesky; the condition is 5
          ASSERT_NEAR(b.view()(i, j), x.view()(i, j), 50 * static_cast<double>(n) * eps * 5 * scale);
      }
    }
  }
  // Zeros on the diagonal ask for blocks of two rows; [[0, 1], [1, 0]] has the eigenvalues -1 and 1.
  Tensor<double> swaps(Shape{5, 5});
  swaps[0 * 5 + 1] = swaps[1 * 5 + 0] = swaps[2 * 5 + 3] = swaps[3 * 5 + 2] = 1;
  const IndefiniteFactor factor = factor_indefinite(matrix(swaps.data(), 5, 5), 1);
  EXPECT_EQ(factor.negative, 2);
  EXPECT_EQ(factor.zero, 1);
}

}  // namespace
}  // namespace tangra::linalg
