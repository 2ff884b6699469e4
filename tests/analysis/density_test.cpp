#include "tangra/analysis/density.h"

#include <algorithm>

#include "operators.h"
#include "tangra/analysis/krylov.h"
#include "tangra/analysis/verdict.h"

namespace tangra::analysis {
namespace {

using tangra::test::TestContext;
using test::view;

std::vector<double> power_law(Index n) {
  std::vector<double> values;
  for (Index r = 1; r <= n; ++r) values.push_back(10 / static_cast<double>(r));
  return values;
}

double sum_of(const std::vector<double>& values, double (*f)(double)) {
  double sum = 0;
  for (const double value : values) sum += f(value);
  return sum;
}

/// Four standard errors: exceeded by chance once in 16,000 cases; the seed is fixed.
void expect_within_error(const Estimate& estimate, double truth) {
  EXPECT_GT(estimate.error, 0);
  EXPECT_LE(estimate.error, 0.2 * std::abs(truth));  // an estimate that says nothing would pass otherwise
  EXPECT_NEAR(estimate.value, truth, 4 * estimate.error);
}

TEST(SpectralDensity, EstimatesSumsOverEigenvalues) {
  const TestContext test;
  const std::vector<double> truth = power_law(300);
  const Tensor<double> a = test::with_eigenvalues(truth, 5);
  const auto density =
      spectral_density(linalg::MatrixOperator(view(a), true), {.probes = 20, .steps = 60}, test.context);
  EXPECT_EQ(density.applications, 20 * 60);
  const auto value = [](double x) { return x; };
  const auto square = [](double x) { return x * x; };
  const auto logarithm = [](double x) { return std::log(x); };
  expect_within_error(density.sum(value), sum_of(truth, value));
  expect_within_error(density.sum(square), sum_of(truth, square));
  expect_within_error(density.sum(logarithm), sum_of(truth, logarithm));
  EXPECT_NEAR(density.sum([](double) { return 1.0; }).value, 300, 1e-9);
  EXPECT_NEAR(density.entropy_rank(), entropy_rank_of(truth), 0.2 * entropy_rank_of(truth));
}

TEST(SpectralDensity, CountsKnownEigenvaluesExactly) {
  const TestContext test;
  const std::vector<double> truth = power_law(200);
  const Tensor<double> a = test::with_eigenvalues(truth, 6);
  const linalg::MatrixOperator k(view(a), true);
  const Eigenpairs top = largest_eigenpairs(k, {.count = 20}, test.context);
  const DensityOptions options{.probes = 10,
                               .steps = 40,
                               .known_values = top.values,
                               .known_vectors = matrix<const double>(top.vectors.data(), 20, 200)};
  const auto density = spectral_density(k, options, test.context);
  const auto plain = spectral_density(k, {.probes = 10, .steps = 40}, test.context);
  const auto square = [](double x) { return x * x; };
  expect_within_error(density.sum(square), sum_of(truth, square));
  // Rounding would bring the known ones back, as they are the largest, and they would use up nodes.
  for (const auto& nodes : density.nodes) EXPECT_LT(nodes.back(), 0.48);
  EXPECT_LT(density.sum(square).error, plain.sum(square).error / 10);
  // The twenty largest lie above 0.49, 6 of them above 1.5; nothing lies between 0.499 and 0.477 = 10 / 21.
  const auto counts = density.counts({-1, 0.48, 1.5, 11});
  EXPECT_NEAR(counts[1], 14, 1e-6);
  EXPECT_NEAR(counts[2], 6, 1e-6);
  // The probes' lengths in the complement vary by their overlap with the known vectors.
  EXPECT_NEAR(counts[0], 180, 20);
}

TEST(SpectralDensity, EndsWhereTheSpaceOfAProbeCloses) {
  const TestContext test;
  const std::vector<double> truth = {3, 3, 3, 3, 0, 0, 0, -1};
  Tensor<double> a(Shape{8, 8});
  for (Index i = 0; i < 8; ++i) a[i * 9] = truth[static_cast<std::size_t>(i)];
  const auto density =
      spectral_density(linalg::MatrixOperator(view(a), true), {.probes = 9, .steps = 8}, test.context);
  // Signs weigh the entries of a diagonal matrix equally: every probe has the whole truth.
  for (std::size_t probe = 0; probe < 9; ++probe) {
    ASSERT_EQ(density.nodes[probe].size(), 3u);  // one for each distinct eigenvalue
    const double nodes[] = {-1, 0, 3}, weights[] = {1, 3, 4};
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(density.nodes[probe][i], nodes[i], 1e-13);
      EXPECT_NEAR(density.weights[probe][i], weights[i], 1e-13);
    }
  }
}

TEST(SpectralDensity, DoesNotDependOnTheNumberOfThreads) {
  const Tensor<double> a = test::gram(70, 90, 1);
  const TestContext one(1), two(2);
  const linalg::MatrixOperator k(view(a), true);
  EXPECT_EQ(spectral_density(k, {.steps = 12}, one.context).nodes,
            spectral_density(k, {.steps = 12}, two.context).nodes);
}

}  // namespace
}  // namespace tangra::analysis
