#include "tangra/analysis/regression.h"

#include <numbers>

#include "operators.h"
#include "tangra/analysis/conjugate_gradients.h"

namespace tangra::analysis {
namespace {

using tangra::test::error_of;
using tangra::test::TestContext;
using test::view;

Tensor<double> random(Index rows, Index columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  Tensor<double> result(Shape{rows, columns});
  for (double& entry : result) entry = normal(generator);
  return result;
}

/// X of A X = B by Gauss and Jordan with the largest pivot: shares no code with LAPACK.
Tensor<double> solved(Tensor<double> a, Tensor<double> b) {
  const Index n = a.shape()[0], columns = b.shape()[1];
  for (Index k = 0; k < n; ++k) {
    Index pivot = k;
    for (Index i = k; i < n; ++i) {
      if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
    }
    for (Index j = 0; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
    for (Index j = 0; j < columns; ++j) std::swap(b[k * columns + j], b[pivot * columns + j]);
    for (Index i = 0; i < n; ++i) {
      if (i == k) continue;
      const double factor = a[i * n + k] / a[k * n + k];
      for (Index j = 0; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
      for (Index j = 0; j < columns; ++j) b[i * columns + j] -= factor * b[k * columns + j];
    }
  }
  for (Index k = 0; k < n; ++k) {
    for (Index j = 0; j < columns; ++j) b[k * columns + j] /= a[k * n + k];
  }
  return b;
}

Tensor<double> with_ridge(const Tensor<double>& k, double ridge) {
  Tensor<double> m = k.clone();
  for (Index i = 0; i < k.shape()[0]; ++i) m[i * k.shape()[0] + i] += ridge;
  return m;
}

Tensor<double> multiplied(const Tensor<double>& a, const Tensor<double>& b) {
  const Index rows = a.shape()[0], inner = a.shape()[1], columns = b.shape()[1];
  Tensor<double> result(Shape{rows, columns});
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) {
      for (Index k = 0; k < inner; ++k) result[i * columns + j] += a[i * inner + k] * b[k * columns + j];
    }
  }
  return result;
}

/// `a` without rows [first, first + count), and without these columns where `square`.
Tensor<double> without(const Tensor<double>& a, Index first, Index count, bool square) {
  const Index n = a.shape()[0], columns = a.shape()[1];
  std::vector<double> entries;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < columns; ++j) {
      const bool gone = (i >= first && i < first + count) || (square && j >= first && j < first + count);
      if (!gone) entries.push_back(a[i * columns + j]);
    }
  }
  Tensor<double> result(Shape{n - count, square ? columns - count : columns});
  std::ranges::copy(entries, result.begin());
  return result;
}

void expect_near(const Tensor<double>& found, const Tensor<double>& truth, double bound) {
  ASSERT_EQ(found.size(), truth.size());
  for (Index i = 0; i < truth.size(); ++i) ASSERT_NEAR(found[i], truth[i], bound) << "entry " << i;
}

TEST(RidgeFit, SolvesPredictsAndWeighs) {
  const TestContext test;
  for (const Index n : {1, 2, 17, 60}) {
    const Tensor<double> k = test::gram(n, 2 * n, 3), y = random(n, 3, 4), other = random(5, n, 5);
    const RidgeFit fit = fit_ridge(k.clone(), view(y), 0.1, test.context);
    ASSERT_TRUE(fit.solved);
    EXPECT_EQ(fit.jitter, 0);
    const Tensor<double> alpha = solved(with_ridge(k, 0.1), y.clone());
    expect_near(fit.alpha, alpha, 1e-12);  // the condition is some 60
    expect_near(predict(fit, view(other), test.context), multiplied(other, alpha), 1e-11);
    // log N(y; 0, M) from the eigenvalues of M.
    Tensor<double> copy = k.clone();
    const RidgePath path(matrix(copy.data(), n, n), view(y), test.context);
    double expected = 0;
    for (const double value : path.eigenvalues())
      expected -= 1.5 * std::log(2 * std::numbers::pi * (value + 0.1));
    for (Index i = 0; i < y.size(); ++i) expected -= 0.5 * y[i] * alpha[i];
    EXPECT_NEAR(fit.log_likelihood, expected, 1e-10 * std::abs(expected));
  }
}

TEST(RidgeFit, LeavesOutOneSampleInClosedForm) {
  const TestContext test;
  for (const Index block : {1, 2, 5}) {
    const Index samples = 12, n = samples * block;
    const Tensor<double> k = test::gram(n, n + 3, 7), y = random(n, block == 1 ? 4 : 1, 8);
    const Index columns = y.shape()[1];
    RidgeFit fit = fit_ridge(k.clone(), view(y), 0.05, test.context);
    const Tensor<double> closed = leave_one_out(fit, block, test.context);
    Tensor<double> copy = k.clone();
    const RidgePath path(matrix(copy.data(), n, n), view(y), test.context);
    expect_near(path.at(0.05, block, test.context).left_out, closed, 1e-10);
    for (Index sample = 0; sample < samples; ++sample) {
      const Index first = sample * block;
      const Tensor<double> rest =
          solved(without(with_ridge(k, 0.05), first, block, true), without(y, first, block, false));
      for (Index a = 0; a < block; ++a) {
        for (Index c = 0; c < columns; ++c) {
          double prediction = 0;
          for (Index j = 0, at = 0; j < n; ++j) {
            if (j >= first && j < first + block) continue;
            prediction += k[(first + a) * n + j] * rest[at++ * columns + c];
          }
          ASSERT_NEAR(closed[(first + a) * columns + c], y[(first + a) * columns + c] - prediction, 1e-10);
        }
      }
    }
  }
}

TEST(RidgeFit, HasTheVarianceOfTheProcess) {
  const TestContext test;
  const Index n = 20, samples = 1500, block = 2;  // more rows than are solved at once
  const Tensor<double> k = test::gram(n, 30, 9), other = random(samples * block, n, 10);
  Tensor<double> prior(Shape{samples, block, block});
  for (Index i = 0; i < samples; ++i)
    prior[i * 4] = 3, prior[i * 4 + 3] = 4, prior[i * 4 + 1] = prior[i * 4 + 2] = 1;
  const RidgeFit fit = fit_ridge(k.clone(), view(random(n, 1, 2)), 0.3, test.context);
  const Tensor<double> covariance = posterior_covariance(fit, view(other), prior, block, test.context);
  Tensor<double> unit(Shape{n, n});
  for (Index i = 0; i < n; ++i) unit[i * n + i] = 1;
  const Tensor<double> inverse = solved(with_ridge(k, 0.3), std::move(unit));
  for (const Index sample : {0, 1, 511, 512, 1499}) {
    for (Index a = 0; a < block; ++a) {
      for (Index b = 0; b < block; ++b) {
        double expected = prior[sample * 4 + a * 2 + b];
        for (Index i = 0; i < n; ++i) {
          for (Index j = 0; j < n; ++j)
            expected -=
                other[(sample * 2 + a) * n + i] * inverse[i * n + j] * other[(sample * 2 + b) * n + j];
        }
        EXPECT_NEAR(covariance[sample * 4 + a * 2 + b], expected, 1e-11);
      }
    }
  }
}

TEST(RidgeFit, RecordsJitterWhereTheKernelIsSingular) {
  const TestContext test;
  const Tensor<double> k = test::gram(30, 10, 1), y = random(30, 2, 1);  // rank 10
  const RidgeFit fit = fit_ridge(k.clone(), view(y), 0, test.context);
  ASSERT_TRUE(fit.solved);
  EXPECT_GT(fit.jitter, 0);
  EXPECT_LT(fit.jitter, 1e-10);
  EXPECT_NE(fit.message.find("was added"), std::string::npos);
  // It solved the system that it says: M alpha = y up to rounding times |M| |alpha|.
  const Tensor<double> back = multiplied(with_ridge(k, fit.jitter), fit.alpha);
  double largest = 0;
  for (const double entry : fit.alpha) largest = std::max(largest, std::abs(entry));
  expect_near(back, y, 30 * 30 * test::eps * 5 * largest);

  const Tensor<double> indefinite = test::with_eigenvalues({3, 1, -0.5}, 2);
  const RidgeFit none = fit_ridge(indefinite.clone(), view(random(3, 1, 1)), 0.1, test.context);
  EXPECT_FALSE(none.solved);
  EXPECT_NE(none.message.find("not positive definite"), std::string::npos);
}

TEST(RidgeFit, RefusesWhatCannotBeFitted) {
  const TestContext test;
  const Tensor<double> k = test::gram(4, 6, 1), y = random(4, 1, 1);
  const auto kind = [&](const Tensor<double>& kernel, const Tensor<double>& targets, double ridge) {
    return error_of([&] { fit_ridge(kernel.clone(), view(targets), ridge, test.context); }).kind();
  };
  EXPECT_EQ(kind(k, y, -1e-9), ErrorKind::usage);
  EXPECT_EQ(kind(k, y, std::nan("")), ErrorKind::usage);
  EXPECT_EQ(kind(k, random(3, 1, 1), 1), ErrorKind::input);
  Tensor<double> bad = y.clone();
  bad[2] = std::nan("");
  EXPECT_EQ(kind(k, bad, 1), ErrorKind::input);
  Tensor<double> skew = k.clone();
  skew[1] += 1;
  EXPECT_EQ(kind(skew, y, 1), ErrorKind::input);
}

TEST(RidgePath, IsThatOfSeparateFits) {
  const TestContext test;
  const Index n = 40;
  const Tensor<double> k = test::gram(n, 50, 2), y = random(n, 3, 3);
  Tensor<double> copy = k.clone();
  const RidgePath path(matrix(copy.data(), n, n), view(y), test.context);
  for (const double ridge : {0.0, 1e-3, 1.0, 100.0}) {
    RidgeFit fit = fit_ridge(k.clone(), view(y), ridge, test.context);
    const RidgePath::Point point = path.at(ridge, 1, test.context);
    ASSERT_TRUE(point.solved);
    double largest = 0;
    for (const double entry : fit.alpha) largest = std::max(largest, std::abs(entry));
    expect_near(point.alpha, fit.alpha, 1e-10 * largest);
    expect_near(point.fitted, multiplied(k, fit.alpha), 1e-10 * largest);
    double trace = 0;  // of K M^-1
    Tensor<double> unit = solved(with_ridge(k, ridge), k.clone());
    for (Index i = 0; i < n; ++i) trace += unit[i * n + i];
    EXPECT_NEAR(point.degrees_of_freedom, trace, 1e-9);
    expect_near(point.left_out, leave_one_out(fit, 1, test.context), 1e-9 * largest);
  }
  Tensor<double> singular = test::gram(10, 3, 2);
  const RidgePath low(matrix(singular.data(), 10, 10), view(random(10, 1, 1)), test.context);
  EXPECT_FALSE(low.at(0, 1, test.context).solved);
  EXPECT_TRUE(low.at(1e-6, 1, test.context).solved);
}

TEST(Regression, CountsRightAnswersAndHalvesSquares) {
  const Tensor<double> scores = [] {
    Tensor<double> result(Shape{4, 3});
    const double entries[] = {0, 2, 1, 5, 1, 0, 1, 1, 0, -3, -2, -1};
    std::ranges::copy(entries, result.begin());
    return result;
  }();
  EXPECT_EQ(accuracy(view(scores), std::vector<Index>{1, 0, 0, 0}), 0.75);
  EXPECT_EQ(accuracy(view(scores), std::vector<Index>{1, 0, 1, 2}), 0.75);  // the first of equal ones counts
  EXPECT_EQ(mean_squared_error(view(scores)), 0.5 * (5 + 26 + 2 + 14) / 4);
}

TEST(ConjugateGradients, SolvesAsCholeskyDoes) {
  const TestContext test;
  std::vector<double> values;
  for (Index r = 1; r <= 300; ++r) values.push_back(1e4 * std::pow(static_cast<double>(r), -2.0));
  const Tensor<double> k = test::with_eigenvalues(values, 3), y = random(300, 3, 4);
  const RidgeFit fit = fit_ridge(k.clone(), view(y), 1e-2, test.context);
  Index plain = 0;
  for (const Index rank : {0, 50, 300}) {
    const ConjugateGradients found = conjugate_gradients(linalg::MatrixOperator(view(k), true), 1e-2, view(y),
                                                         {.tolerance = 1e-10, .rank = rank}, test.context);
    EXPECT_TRUE(found.converged) << found.message;
    for (const double residual : found.residuals) EXPECT_LE(residual, 1e-10);
    // |x - x'| <= |M^-1| |r|, with |M^-1| = 1 / (0.01 + 0.11) and |r| = 1e-10 |y|, some 17.
    expect_near(found.x, fit.alpha, 1e-10 * 20 / 0.12);
    if (rank == 0) plain = found.iterations;
    EXPECT_LT(found.iterations, rank == 50 ? plain / 3 : rank == 300 ? 4 : 1000);  // 300: K itself
  }
}

TEST(ConjugateGradients, SaysWhereItDidNotConvergeAndTakesZeros) {
  const TestContext test;
  std::vector<double> values;
  for (Index r = 1; r <= 200; ++r) values.push_back(std::pow(10.0, 6 - 0.05 * static_cast<double>(r)));
  const Tensor<double> k = test::with_eigenvalues(values, 3);
  Tensor<double> y = random(200, 2, 4);
  for (Index i = 0; i < 200; ++i) y[i * 2] = 0;
  const linalg::MatrixOperator a(view(k), true);
  const ConjugateGradients found =
      conjugate_gradients(a, 1e-6, view(y), {.most_iterations = 5, .rank = 0}, test.context);
  EXPECT_FALSE(found.converged);
  EXPECT_EQ(found.iterations, 5);
  EXPECT_EQ(found.residuals[0], 0);
  EXPECT_GT(found.residuals[1], 1e-10);
  EXPECT_NE(found.message.find("1 of 2"), std::string::npos);
  EXPECT_EQ(error_of([&] { conjugate_gradients(a, 0, view(y), {}, test.context); }).kind(), ErrorKind::usage);
}

}  // namespace
}  // namespace tangra::analysis
