#include "tangra/analysis/krylov.h"

#include <algorithm>
#include <array>

#include "operators.h"
#include "tangra/linalg/lapack.h"

namespace tangra::analysis {
namespace {

using tangra::test::TestContext;
using test::view;

/// What is promised of every answer: count, order, residuals as stated and as measured here, orthonormal
/// vectors.
void expect_sound(const Tensor<double>& a, const Eigenpairs& found, Index count, double tolerance) {
  const Index n = a.shape()[0];
  ASSERT_TRUE(found.converged) << found.message;
  ASSERT_EQ(static_cast<Index>(found.values.size()), std::min(count, n));
  EXPECT_TRUE(std::ranges::is_sorted(found.values, std::greater<>()));
  double norm = 0;
  for (Index i = 0; i < n; ++i) {
    double sum = 0;
    for (Index j = 0; j < n; ++j) sum += std::abs(a[i * n + j]);
    norm = std::max(norm, sum);
  }
  const double rounding = 10 * static_cast<double>(n) * test::eps;
  for (Index r = 0; r < static_cast<Index>(found.values.size()); ++r) {
    const double* v = found.vectors.data() + r * n;
    double squares = 0;
    for (Index i = 0; i < n; ++i) {
      double sum = -found.values[static_cast<std::size_t>(r)] * v[i];
      for (Index j = 0; j < n; ++j) sum += a[i * n + j] * v[j];
      squares += sum * sum;
    }
    const double stated = found.residuals[static_cast<std::size_t>(r)];
    ASSERT_NEAR(std::sqrt(squares), stated, rounding * norm);
    ASSERT_LE(stated, tolerance * found.norm);
    for (Index s = 0; s <= r; ++s) {
      double product = 0;
      for (Index i = 0; i < n; ++i) product += v[i] * found.vectors[s * n + i];
      ASSERT_NEAR(product, r == s ? 1 : 0, rounding);
    }
  }
}

/// The largest eigenvalues agree with `truth` (largest first) to 1e-10 of the largest.
void expect_values(const Eigenpairs& found, const std::vector<double>& truth) {
  const double norm = std::max(std::abs(truth.front()), std::abs(truth.back()));
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    ASSERT_NEAR(found.values[i], truth[i], 1e-10 * norm) << "eigenvalue " << i;
  }
}

std::vector<double> by_lapack(const Tensor<double>& a) {
  Tensor<double> copy = a.clone();
  const Index n = a.shape()[0];
  const auto eigen = linalg::symmetric_eigen(matrix(copy.data(), n, n), false, 1);
  std::vector<double> values(eigen.values.begin(), eigen.values.end());
  std::ranges::reverse(values);
  return values;
}

TEST(LargestEigenpairs, FindsEveryCopyInFiftyRandomOperators) {
  const TestContext test;
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned bound) { return static_cast<Index>(random() % bound); };
    const Index n = 60 + below(241);
    // Groups of 1 to 10 equal eigenvalues, largest first: evenly spread, decaying as a power, or geometric.
    std::vector<double> values;
    for (Index group = 0; static_cast<Index>(values.size()) < n; ++group) {
      const auto r = static_cast<double>(group + 1);
      const double value = seed % 3 == 0   ? 100 - 0.9 * r
                           : seed % 3 == 1 ? 50 * std::pow(r, -1.5)
                                           : std::pow(0.8, r);
      for (Index copies = 1 + below(10); copies > 0 && static_cast<Index>(values.size()) < n; --copies)
        values.push_back(value);
    }
    const Tensor<double> a = test::with_eigenvalues(values, seed);
    const Index count = 1 + below(40),
                block = std::array<Index, 4>{0, 1, 2, 5}[seed % 4];  // 0: as it chooses
    SCOPED_TRACE("seed " + std::to_string(seed) + ", n " + std::to_string(n) + ", count " +
                 std::to_string(count));
    const Eigenpairs found = largest_eigenpairs(linalg::MatrixOperator(view(a), true),
                                                {.count = count, .block = block}, test.context);
    expect_sound(a, found, count, 1e-11);
    expect_values(found, values);
  }
}

TEST(LargestEigenpairs, FindsTheCopiesOfAKernelOfManyEqualOutputs) {
  const TestContext test;
  for (const Index outputs : {3, 10, 17}) {
    const Tensor<double> k = test::gram(40, 60, 5), a = test::repeated(k, outputs);
    std::vector<double> truth;
    for (const double value : by_lapack(k))
      truth.insert(truth.end(), static_cast<std::size_t>(outputs), value);
    const Eigenpairs found =
        largest_eigenpairs(linalg::MatrixOperator(view(a), true), {.count = 45, .block = 2}, test.context);
    expect_sound(a, found, 45, 1e-11);
    expect_values(found, truth);
  }
}

TEST(LargestEigenpairs, AgreesWithLapack) {
  const TestContext test;
  for (const Index n : {1, 2, 7, 9, 63, 250, 700}) {
    const Tensor<double> a = test::gram(n, n / 2 + 1, 11);
    const Eigenpairs found =
        largest_eigenpairs(linalg::MatrixOperator(view(a), true), {.count = 20}, test.context);
    expect_sound(a, found, 20, 1e-11);
    expect_values(found, by_lapack(a));
  }
}

TEST(LargestEigenpairs, AgreesWithLapackForTwoThousandWithRepeatedEigenvalues) {
  const TestContext test;
  std::vector<double> values;
  for (Index r = 0; r < 2000; ++r) values.push_back(1000 / (1 + static_cast<double>(r / 10)));
  const Tensor<double> a = test::with_eigenvalues(values, 7);
  const Eigenpairs found =
      largest_eigenpairs(linalg::MatrixOperator(view(a), true), {.count = 35}, test.context);
  expect_sound(a, found, 35, 1e-11);
  expect_values(found, by_lapack(a));
}

TEST(LargestEigenpairs, TakesSignsZerosAndWholeSpectra) {
  const TestContext test;
  const std::vector<double> truth = {5, 5, 1, 0, 0, 0, 0, -3, -3, -20};
  const Tensor<double> a = test::with_eigenvalues(truth, 3);
  for (const Index block : {1, 2, 3, 10, 64}) {
    for (const Index count : {1, 2, 7, 10, 30}) {
      const Eigenpairs found = largest_eigenpairs(linalg::MatrixOperator(view(a), true),
                                                  {.count = count, .block = block}, test.context);
      expect_sound(a, found, count, 1e-11);
      expect_values(found, truth);
      EXPECT_GE(found.lowest, -20 - 1e-9);
    }
  }
  const Tensor<double> zero(Shape{30, 30});
  const Eigenpairs none =
      largest_eigenpairs(linalg::MatrixOperator(view(zero), true), {.count = 4}, test.context);
  EXPECT_TRUE(none.converged);
  EXPECT_EQ(none.values, std::vector<double>(4, 0.0));
}

TEST(LargestEigenpairs, DoesNotDependOnTheNumberOfThreads) {
  const Tensor<double> a = test::gram(150, 100, 2);
  const TestContext one(1), two(2);
  const auto run = [&](const Context& context) {
    return largest_eigenpairs(linalg::MatrixOperator(view(a), true), {.count = 12}, context);
  };
  const Eigenpairs first = run(one.context), second = run(two.context);
  EXPECT_EQ(first.values, second.values);
  EXPECT_TRUE(std::ranges::equal(first.vectors, second.vectors));
}

TEST(LargestEigenpairs, SaysWhatItHasWhereItGivesUp) {
  const TestContext test;
  const Tensor<double> a = test::gram(400, 800, 4);
  const Eigenpairs found = largest_eigenpairs(linalg::MatrixOperator(view(a), true),
                                              {.count = 10, .most_applications = 40}, test.context);
  EXPECT_FALSE(found.converged);
  EXPECT_FALSE(found.message.empty());
  EXPECT_EQ(found.values.size(), 10u);
  EXPECT_LE(found.values[0], by_lapack(a)[0] * (1 + 1e-12));  // Ritz values lie below
}

/// Gives NaN.
class Broken final : public linalg::LinearOperator {
 public:
  Index rows() const override { return 10; }
  Index columns() const override { return 10; }
  bool symmetric() const override { return true; }
  void apply(MatrixView<const double>, MatrixView<double> y, const Context&) const override {
    for (Index i = 0; i < y.rows; ++i)
      for (Index j = 0; j < y.columns; ++j) y(i, j) = std::nan("");
  }
};

TEST(LargestEigenpairs, RefusesWhatIsNotFiniteAndStopsWhenAsked) {
  TestContext test;
  EXPECT_EQ(tangra::test::error_of([&] { largest_eigenpairs(Broken(), {}, test.context); }).kind(),
            ErrorKind::numerics);
  const std::atomic<bool> cancelled = true;
  test.context.cancelled = &cancelled;
  const Tensor<double> a = test::gram(20, 20, 4);
  EXPECT_EQ(tangra::test::error_of([&] {
              largest_eigenpairs(linalg::MatrixOperator(view(a), true), {}, test.context);
            }).kind(),
            ErrorKind::interrupted);
}

}  // namespace
}  // namespace tangra::analysis
