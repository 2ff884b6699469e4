#include "tangra/analysis/spectrum.h"

#include <algorithm>

#include "operators.h"
#include "tangra/analysis/shift_invert.h"

namespace tangra::analysis {
namespace {

using tangra::test::error_of;
using tangra::test::TestContext;
using test::view;

std::vector<double> sorted(std::vector<double> values) {
  std::ranges::sort(values, std::greater<>());
  return values;
}

Spectrum all(const Tensor<double>& a, SpectrumOptions options, const Context& context) {
  Tensor<double> copy = a.clone();
  return spectrum(matrix(copy.data(), a.shape()[0], a.shape()[0]), options, context);
}

TEST(Spectrum, ListsResidualsAndVectorsOfEveryPair) {
  const TestContext test;
  const Index n = 600;  // more than two blocks of rows
  const Tensor<double> a = test::gram(n, 400, 3);
  const Spectrum result = all(a, {.residuals = true, .vectors = true}, test.context);
  ASSERT_EQ(result.residuals.size(), 600u);
  const double bound = 50 * static_cast<double>(n) * test::eps * result.eigenvalues.front();
  for (const Index r : {0, 1, 255, 256, 300, 599}) {
    const double* v = result.vectors.data() + r * n;
    double squares = 0;
    for (Index i = 0; i < n; ++i) {
      double sum = -result.eigenvalues[static_cast<std::size_t>(r)] * v[i];
      for (Index j = 0; j < n; ++j) sum += a[i * n + j] * v[j];
      squares += sum * sum;
    }
    EXPECT_LE(std::sqrt(squares), bound);
    EXPECT_NEAR(result.residuals[static_cast<std::size_t>(r)], std::sqrt(squares), bound / 50);
  }
  EXPECT_EQ(result.verdict, "semidefinite within rounding");
  EXPECT_EQ(result.within_rounding, 200);
  EXPECT_NEAR(result.condition_of_range, result.eigenvalues[0] / result.eigenvalues[399],
              1e-9 * result.condition_of_range);
}

TEST(Spectrum, SaysWhatItMeansInNumbers) {
  const TestContext test;
  const Spectrum definite = all(test::with_eigenvalues({4, 3, 2, 1}, 1), {}, test.context);
  EXPECT_EQ(definite.statement, "positive definite");
  EXPECT_NEAR(definite.condition, 4, 1e-13);
  EXPECT_NEAR(definite.trace, 10, 1e-13);
  EXPECT_NEAR(definite.frobenius, std::sqrt(30), 1e-13);
  EXPECT_NEAR(definite.effective_rank, 100.0 / 30, 1e-13);
  EXPECT_NEAR(definite.stable_rank, 30.0 / 16, 1e-13);
  const Spectrum equal = all(test::with_eigenvalues({2, 2, 2}, 1), {}, test.context);
  EXPECT_NEAR(equal.entropy_rank, 3, 1e-13);

  // An error of 1e-9 of |K|_F = sqrt(30): eigenvalues within 5.48e-9 of 0 are noise.
  const SpectrumOptions noisy{.errors = {.relative = 1e-9}};
  const Spectrum within = all(test::with_eigenvalues({5, 2, 1, 3e-9, -4e-9}, 1), noisy, test.context);
  EXPECT_EQ(within.statement, "semidefinite within rounding: 2 eigenvalues between -5.48e-09 and 5.48e-09");
  EXPECT_EQ(within.within_rounding, 2);
  const Spectrum negative = all(test::with_eigenvalues({5, 2, 1, 0, -0.24}, 1), noisy, test.context);
  EXPECT_EQ(negative.verdict, "not positive semidefinite");
  EXPECT_TRUE(negative.statement.starts_with("NOT positive semidefinite: -0.24, far beyond 5.4"))
      << negative.statement;
  EXPECT_NE(negative.advice.find("1 eigenvalue lies"), std::string::npos);
  EXPECT_EQ(negative.negative_beyond_rounding, 1);
}

TEST(Spectrum, NamesKnownNullSpaces) {
  const TestContext test;
  const NullSpace softmax{.dimension = 3, .reason = "a softmax's outputs add up to 1"};
  const SpectrumOptions options{.null_spaces = {{.dimension = 1, .reason = "N O - P"}, softmax}};
  const auto advice = [&](const std::vector<double>& values) {
    return all(test::with_eigenvalues(values, 1), options, test.context).advice;
  };
  EXPECT_TRUE(advice({5, 1, 0, 0, 0}).starts_with("3 are 0 in truth: a softmax's outputs add up to 1; "))
      << advice({5, 1, 0, 0, 0});
  EXPECT_NE(advice({5, 0, 0, 0, 0}).find("The other 1 cannot be told from 0"), std::string::npos);
  EXPECT_NE(advice({5, 1, 1, 0, 0}).find("exceeds the estimate"), std::string::npos);
  EXPECT_NE(advice({5, 1, 1, 1, 1}).find("exceeds the estimate"), std::string::npos);
}

TEST(Spectrum, FindsThePowerOfADecay) {
  std::vector<double> values;
  for (int r = 1; r <= 200; ++r) values.push_back(7 * std::pow(r, -1.5));
  values.push_back(1e-30);
  const Decay decay = decay_of(values, 1e-20);
  EXPECT_NEAR(decay.exponent, 1.5, 1e-12);
  EXPECT_NEAR(decay.fit, 1, 1e-12);
  EXPECT_EQ(decay_of(std::vector<double>{3, 2, 0}, 0).exponent, 0);
  // Five octaves of rank with power 2 and five with power 1: every octave counts the same.
  std::vector<double> bent;
  for (int r = 1; r <= 1024; ++r) bent.push_back(r <= 32 ? std::pow(r, -2) : 1.0 / 32 / r);
  EXPECT_NEAR(decay_of(bent, 0).exponent, 1.5, 0.1);
}

TEST(Spectrum, RefusesWhatHasNone) {
  const TestContext test;
  Tensor<double> a = test::with_eigenvalues({1, 2, 3}, 1);
  a[1] += 1e-3;
  EXPECT_EQ(error_of([&] { all(a, {}, test.context); }).kind(), ErrorKind::input);
  EXPECT_EQ(error_of([&] { top_spectrum(view(a), {}, test.context); }).kind(), ErrorKind::input);
  a[1] = a[3] = std::nan("");
  const Error error = error_of([&] { all(a, {}, test.context); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_EQ(error.complaint().where, "entry (0, 1)");
}

TEST(Spectrum, WhatIsNotQuiteSymmetricIsNoLongerSurelyDefinite) {
  const TestContext test;
  Tensor<double> a = test::with_eigenvalues({1e-7, 1, 2}, 1);
  EXPECT_EQ(all(a, {}, test.context).verdict, "positive definite");
  a[1] += 1e-6;  // which of both triangles is meant moves the smallest eigenvalue by as much
  EXPECT_EQ(all(a, {}, test.context).verdict, "semidefinite within rounding");
}

TEST(Spectrum, OfEntriesWhoseSquaresOverflowOrVanish) {
  const TestContext test;
  for (const double scale : {1e300, 1e-300}) {
    Tensor<double> a = test::with_eigenvalues({1, 1.5, 2}, 1);
    for (double& entry : a) entry *= scale;
    const Spectrum spectrum = all(a, {}, test.context);
    EXPECT_EQ(spectrum.verdict, "positive definite") << scale;
    EXPECT_TRUE(spectrum.rounding_bound > 0 && spectrum.rounding_bound < 1e-10 * scale) << spectrum.rounding_bound;
  }
}

TEST(Inertia, CountsEigenvaluesBelowANumber) {
  const TestContext test;
  const std::vector<double> truth = {-7, -7, -1, 0.5, 0.5, 0.5, 3, 10};
  const Tensor<double> a = test::with_eigenvalues(truth, 9);
  for (const double shift : {-8.0, -2.0, 0.0, 0.4, 0.6, 9.0, 11.0}) {
    const auto below = std::ranges::count_if(truth, [&](double value) { return value < shift; });
    EXPECT_EQ(eigenvalues_below(view(a), shift, test.context), below) << shift;
  }
}

TEST(SmallestEigenpairs, AreThoseOfTheMatrix) {
  const TestContext test;
  const std::vector<std::vector<double>> spectra = {{-5, -5, -5, 1, 2, 3, 4, 4, 50},
                                                    {0, 0, 0, 1e-9, 1e-3, 2, 3},
                                                    {1, 2, 3, 4, 5, 6, 1e6},
                                                    {-1e-14, 2e-13, 1, 1, 1},
                                                    {2},
                                                    {0, 0}};
  for (const std::vector<double>& truth : spectra) {
    const Tensor<double> a = test::with_eigenvalues(truth, 4);
    const double norm = std::max(std::abs(truth.front()), truth.back());
    for (const Index count : {1, 3, 5}) {
      const SmallestEigenpairs found =
          smallest_eigenpairs(view(a), 1e-14 * norm, {.count = count}, test.context);
      EXPECT_TRUE(found.pairs.converged) << found.pairs.message;
      ASSERT_EQ(found.pairs.values.size(),
                std::min<std::size_t>(static_cast<std::size_t>(count), truth.size()));
      EXPECT_TRUE(std::ranges::is_sorted(found.pairs.values));
      for (std::size_t i = 0; i < found.pairs.values.size(); ++i)
        EXPECT_NEAR(found.pairs.values[i], truth[i], 1e-11 * std::max(norm, 1e-300)) << count;
      EXPECT_EQ(eigenvalues_below(view(a), found.shift, test.context), 0);
    }
  }
}

/// Groups of equal eigenvalues, some of them negative; the zeros are a null space.
std::vector<double> spread(Index n, double smallest) {
  std::vector<double> values;
  for (Index r = 0; r < n - 5; ++r) values.push_back(100 / (1.0 + static_cast<double>(r / 3)));
  for (int zero = 0; zero < 4; ++zero) values.push_back(0);
  values.push_back(smallest);
  return values;
}

TEST(TopSpectrum, OfZerosIsZeros) {
  const TestContext test;
  const Tensor<double> zeros(Shape{40, 40});
  SpectrumOptions options;
  options.krylov.count = 3;
  const Spectrum spectrum = top_spectrum(view(zeros), options, test.context);
  EXPECT_TRUE(spectrum.converged) << spectrum.message;
  EXPECT_EQ(spectrum.eigenvalues, (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(spectrum.verdict, "semidefinite within rounding");
  EXPECT_EQ(spectrum.within_rounding, 40);
}

TEST(TopSpectrum, JudgesAStoredKernelAsAllEigenvaluesDo) {
  const TestContext test;
  for (const double smallest : {-300.0, -1e-3, 0.0, 1e-3}) {
    const std::vector<double> truth = sorted(spread(120, smallest));
    const Tensor<double> a = test::with_eigenvalues(truth, 21);
    const SpectrumOptions options{.errors = {.storage_epsilon = 0x1p-53}, .krylov = {.count = 10}};
    const Spectrum whole = all(a, options, test.context), top = top_spectrum(view(a), options, test.context);
    EXPECT_TRUE(top.converged) << top.message;
    EXPECT_FALSE(top.complete);
    for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(top.eigenvalues[i], truth[i], 1e-10 * 300);
    ASSERT_TRUE(top.inertia);
    EXPECT_EQ(top.inertia->counted, 9);  // the tenth is the first of three equal ones
    EXPECT_NEAR(top.smallest, whole.smallest, 1e-11 * 300);
    EXPECT_EQ(top.verdict, whole.verdict);
    EXPECT_EQ(top.within_rounding, whole.within_rounding);
    EXPECT_EQ(top.negative_beyond_rounding, whole.negative_beyond_rounding);
    EXPECT_NEAR(top.rounding_bound, whole.rounding_bound, 1e-9 * whole.rounding_bound);
    EXPECT_NEAR(top.effective_rank, whole.effective_rank, 1e-9);
    EXPECT_NEAR(top.stable_rank, whole.stable_rank, 1e-9);
  }
}

TEST(TopSpectrum, OfAnOperatorBoundsTheSmallestFromAbove) {
  const TestContext test;
  const Tensor<double> a = test::with_eigenvalues(spread(90, 1e-3), 2);
  const linalg::MatrixOperator k(view(a), true);
  const Spectrum top =
      top_spectrum(k, {.trace = 1, .frobenius = 200}, {.krylov = {.count = 5}}, test.context);
  EXPECT_TRUE(top.smallest_is_upper_bound);
  EXPECT_EQ(top.verdict, "undetermined");
  EXPECT_GE(top.smallest, -1e-9);
  EXPECT_TRUE(std::isnan(top.condition));
  EXPECT_FALSE(top.inertia);
  const Tensor<double> b = test::with_eigenvalues(spread(90, -50), 2);
  const Spectrum negative =
      top_spectrum(linalg::MatrixOperator(view(b), true), {.trace = 1, .frobenius = 200},
                   {.krylov = {.count = 5}}, test.context);
  EXPECT_EQ(negative.verdict, "not positive semidefinite");
  const Spectrum complete =
      top_spectrum(k, {.trace = 1, .frobenius = 200}, {.krylov = {.count = 90}}, test.context);
  EXPECT_TRUE(complete.complete);
  EXPECT_EQ(complete.verdict, "semidefinite within rounding");
  EXPECT_EQ(complete.within_rounding, 4);
}

}  // namespace
}  // namespace tangra::analysis
