#include <gtest/gtest.h>

#include <cmath>

#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/run/run.h"

namespace tangra::run {
namespace {

SpectrumSpec stored(const std::filesystem::path& path) {
  SpectrumSpec spec;
  spec.kernel = path.string();
  return spec;
}

TEST(RunSpectrum, OfAKnownMatrix) {
  const test::TemporaryFolder folder;
  // Eigenvalues 3 and 1 of [[2, 1], [1, 2]], and -1, 1 of [[0, 1], [1, 0]].
  Tensor<double> k(Shape{2, 2});
  k[0] = k[3] = 2;
  k[1] = k[2] = 1;
  formats::write_npy(folder / "K.npy", Array(k));
  const auto definite = run_spectrum(stored(folder / "K.npy")).spectrum;
  EXPECT_NEAR(definite.eigenvalues[0], 3, 1e-15);
  EXPECT_NEAR(definite.eigenvalues[1], 1, 1e-15);
  EXPECT_EQ(definite.verdict, "positive definite");
  EXPECT_NEAR(definite.condition, 3, 1e-14);
  EXPECT_NEAR(definite.effective_rank, 16.0 / 10, 1e-14);
  k[0] = k[3] = 0;
  formats::write_npy(folder / "K.npy", Array(k));
  const auto indefinite = run_spectrum(stored(folder / "K.npy")).spectrum;
  EXPECT_EQ(indefinite.verdict, "not positive semidefinite");
  EXPECT_EQ(indefinite.negative_beyond_rounding, 1);
  k[0] = k[1] = k[2] = k[3] = 1;
  formats::write_npy(folder / "K.npy", Array(k));
  EXPECT_EQ(run_spectrum(stored(folder / "K.npy")).spectrum.verdict, "semidefinite within rounding");
}

TEST(RunSpectrum, OfANetworkHasNoNegativeEigenvalueBeyondRounding) {
  SpectrumSpec spec;
  spec.from_model.emplace();
  spec.from_model->model.text = "Chain(Dense(64 => 20, sigmoid), Dense(20 => 10), softmax)";
  spec.from_model->data.source = "digits";
  spec.from_model->data.n = 30;
  spec.from_model->reduce = "full";
  const auto spectrum = run_spectrum(spec).spectrum;
  EXPECT_EQ(spectrum.size, 300);
  EXPECT_EQ(spectrum.negative_beyond_rounding, 0);
  EXPECT_GE(spectrum.within_rounding, 30);  // a softmax makes N zeros
}

SpectrumSpec of_network(const std::string& chain, Index n, const std::string& reduce) {
  SpectrumSpec spec;
  spec.from_model.emplace();
  spec.from_model->model.text = chain;
  spec.from_model->data.source = "digits";
  spec.from_model->data.n = n;
  spec.from_model->reduce = reduce;
  spec.from_model->precision = Precision::float64;
  return spec;
}

TEST(RunSpectrum, NamesTheNullSpacesThatFollowFromTheNetwork) {
  const auto softmax =
      run_spectrum(of_network("Chain(Dense(64 => 20, sigmoid), Dense(20 => 10), softmax)", 30, "full"));
  ASSERT_EQ(softmax.spectrum.null_spaces.size(), 1u);
  EXPECT_EQ(softmax.spectrum.null_spaces[0].dimension, 30);
  EXPECT_EQ(softmax.spectrum.within_rounding, 30);
  EXPECT_TRUE(softmax.spectrum.advice.starts_with("30 are 0 in truth: a softmax's outputs add up to 1"))
      << softmax.spectrum.advice;
  const auto logarithm =
      run_spectrum(of_network("Chain(Dense(64 => 20, sigmoid), Dense(20 => 10), logsoftmax)", 30, "full"));
  EXPECT_EQ(logarithm.spectrum.within_rounding, 30);
  const auto sum = run_spectrum(of_network("Chain(Dense(64 => 9), softmax)", 8, "sum"));
  EXPECT_EQ(sum.spectrum.null_spaces.at(0).dimension, 8);
  const auto trace =
      run_spectrum(of_network("Chain(Dense(64 => 20, sigmoid), Dense(20 => 10), softmax)", 30, "trace"));
  EXPECT_TRUE(trace.spectrum.null_spaces.empty());
  EXPECT_EQ(trace.spectrum.verdict, "positive definite");
}

TEST(RunSpectrum, TakesTheSpaceOfParametersWhereItIsSmaller) {
  const SpectrumSpec small =
      of_network("Chain(Dense(64 => 1, tanh), Dense(1 => 2))", 60, "full");  // 69 parameters, 120 rows
  const SpectrumResult twin = run_spectrum(small);
  EXPECT_EQ(twin.space, "parameters");
  EXPECT_EQ(twin.spectrum.size, 120);
  ASSERT_EQ(twin.spectrum.eigenvalues.size(), 120u);
  EXPECT_EQ(twin.spectrum.residuals.size(), 120u);
  EXPECT_EQ(twin.spectrum.null_spaces.at(0).dimension, 120 - 69);
  EXPECT_GE(twin.spectrum.within_rounding, 120 - 69);
  // The same as by a file of K, which knows nothing of parameters.
  const test::TemporaryFolder folder;
  KernelSpec kernel = *small.from_model;
  kernel.out = (folder / "K.npy").string();
  run_kernel(kernel);
  const SpectrumResult whole = run_spectrum(stored(folder / "K.npy"));
  EXPECT_EQ(whole.space, "samples");
  for (std::size_t i = 0; i < 120; ++i)
    EXPECT_NEAR(twin.spectrum.eigenvalues[i], whole.spectrum.eigenvalues[i],
                1e-13 * whole.spectrum.eigenvalues[0]);
  EXPECT_NEAR(twin.spectrum.trace, whole.spectrum.trace, 1e-12 * whole.spectrum.trace);
  EXPECT_NEAR(twin.spectrum.effective_rank, whole.spectrum.effective_rank, 1e-11);
  EXPECT_EQ(twin.spectrum.verdict, whole.spectrum.verdict);
}

TEST(RunSpectrum, WithoutTheMatrixFindsTheSameLargestEigenvalues) {
  for (const char* reduce : {"full", "mean", "output=3"}) {
    SpectrumSpec spec = of_network("Chain(Dense(64 => 20, relu), Dense(20 => 10))", 90, reduce);
    const SpectrumResult whole = run_spectrum(spec);
    EXPECT_TRUE(whole.stored);
    spec.top = 12;
    spec.without_matrix = true;
    const SpectrumResult top = run_spectrum(spec);
    EXPECT_FALSE(top.stored);
    EXPECT_TRUE(top.spectrum.converged);
    ASSERT_EQ(top.spectrum.eigenvalues.size(), 12u);
    const double largest = whole.spectrum.eigenvalues[0];
    for (std::size_t i = 0; i < 12; ++i) {
      EXPECT_NEAR(top.spectrum.eigenvalues[i], whole.spectrum.eigenvalues[i], 1e-10 * largest);
      EXPECT_LE(top.spectrum.residuals[i], 1e-11 * largest);
    }
    EXPECT_NEAR(top.spectrum.trace, whole.spectrum.trace, 1e-12 * whole.spectrum.trace);
    EXPECT_NEAR(top.spectrum.frobenius, whole.spectrum.frobenius, 4 * top.frobenius_error);
    EXPECT_TRUE(top.spectrum.smallest_is_upper_bound);
    EXPECT_GE(top.spectrum.smallest, whole.spectrum.smallest - 1e-10 * largest);
    ASSERT_TRUE(top.labels && whole.labels) << top.labels_note << whole.labels_note;
    EXPECT_NEAR(top.labels->alignment.plain, whole.labels->alignment.plain, 1e-3);
    EXPECT_NEAR(top.labels->shares.cumulated[11], whole.labels->shares.cumulated[11], 1e-7);
  }
}

TEST(RunSpectrum, WithTopOfAStoredMatrixCountsByInertia) {
  const test::TemporaryFolder folder;
  const Index n = 1600;  // above the size up to which all are computed
  Tensor<double> k(Shape{n, n});
  for (Index i = 0; i < n; ++i) k[i * n + i] = std::pow(1 + static_cast<double>(i % 400), 4);
  formats::write_npy(folder / "K.npy", Array(k));
  SpectrumSpec spec = stored(folder / "K.npy");
  spec.top = 10;
  spec.density = true;
  spec.out = (folder / "V.npz").string();
  const SpectrumResult result = run_spectrum(spec);
  EXPECT_TRUE(result.spectrum.converged) << result.spectrum.message;
  EXPECT_FALSE(result.spectrum.complete);
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_NEAR(result.spectrum.eigenvalues[i], std::pow(400 - static_cast<double>(i / 4), 4), 1e-10 * 256e8);
  EXPECT_EQ(result.spectrum.inertia->counted, 8);  // the ninth and tenth are two of four copies
  EXPECT_NEAR(result.spectrum.smallest, 1, 1e-10 * 256e8);
  EXPECT_EQ(result.spectrum.verdict, "positive definite");
  ASSERT_TRUE(result.density);
  EXPECT_TRUE(result.density->estimated);
  double all = result.density->below;
  for (const double count : result.density->counts) all += count;
  EXPECT_NEAR(all, 1600, 100);
  EXPECT_EQ(formats::read_npz(spec.out, "eigenvectors").shape(), (Shape{10, 1600}));
  EXPECT_EQ(formats::read_npz(spec.out, "residuals").shape(), (Shape{10}));
}

TEST(RunSpectrum, ReadsAFileInPiecesWhereItDoesNotFit) {
  const test::TemporaryFolder folder;
  SpectrumSpec spec = of_network("Chain(Dense(64 => 20, relu), Dense(20 => 10))", 1000, "mean");
  spec.top = 6;
  const SpectrumResult whole = run_spectrum(spec);
  KernelSpec kernel = *spec.from_model;
  for (const char* name : {"K.npy", "K.zarr"}) {
    kernel.out = (folder / name).string();
    run_kernel(kernel);
    SpectrumSpec own = stored(folder / name);
    own.top = 6;
    own.resources.memory = 14'000'000;  // K and its factor take 16 MB, a piece at most 8
    const SpectrumResult pieces = run_spectrum(own);
    EXPECT_FALSE(pieces.stored) << name;
    EXPECT_TRUE(pieces.spectrum.converged) << pieces.spectrum.message;
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_NEAR(pieces.spectrum.eigenvalues[i], whole.spectrum.eigenvalues[i],
                  1e-10 * whole.spectrum.eigenvalues[0]);
    EXPECT_NEAR(pieces.spectrum.trace, whole.spectrum.trace, 1e-12 * whole.spectrum.trace);
    EXPECT_NEAR(pieces.spectrum.frobenius, whole.spectrum.frobenius, 1e-12 * whole.spectrum.frobenius);
  }
}

TEST(RunSpectrum, SaysWhenItDidNotConverge) {
  SpectrumSpec spec = of_network("Chain(Dense(64 => 20, relu), Dense(20 => 10))", 90, "full");
  spec.top = 5;
  spec.without_matrix = true;
  spec.from_model->precision = Precision::float32;
  spec.tolerance = 1e-15;  // no float32 product gives that
  const SpectrumResult result = run_spectrum(spec);
  EXPECT_FALSE(result.spectrum.converged);
  EXPECT_FALSE(result.spectrum.message.empty());
  EXPECT_EQ(result.spectrum.eigenvalues.size(), 5u);
  EXPECT_GT(result.spectrum.residuals[0], 0);
}

TEST(RunSpectrum, CountsEigenvaluesBySize) {
  SpectrumSpec spec = of_network("Chain(Dense(64 => 20, relu), Dense(20 => 10), softmax)", 40, "full");
  spec.density = true;
  const SpectrumResult result = run_spectrum(spec);
  ASSERT_TRUE(result.density);
  EXPECT_FALSE(result.density->estimated);
  double above = 0;
  for (const double count : result.density->counts) above += count;
  EXPECT_EQ(result.density->below, 40);  // the softmax
  EXPECT_EQ(above + result.density->below, 400);
}

TEST(RunSpectrum, LabelsOfAFileHaveToFit) {
  const test::TemporaryFolder folder;
  Tensor<double> k(Shape{4, 4}), labels(Shape{4});
  for (Index i = 0; i < 4; ++i) k[i * 5] = static_cast<double>(i + 1), labels[i] = static_cast<double>(i % 2);
  formats::write_npy(folder / "K.npy", Array(k));
  SpectrumSpec spec = stored(folder / "K.npy");
  spec.labels_file = (folder / "y.npy").string();
  formats::write_npy(folder / "y.npy", Array(labels));
  const SpectrumResult result = run_spectrum(spec);
  ASSERT_TRUE(result.labels);
  // Y Y^T has ones where i + j is even; <K, Y Y^T> = tr K.
  EXPECT_NEAR(result.labels->alignment.plain, 10 / (std::sqrt(30.0) * std::sqrt(8.0)), 1e-14);
  EXPECT_NEAR(result.labels->shares.by_column[1][0], 0.5, 1e-14);
  EXPECT_NEAR(result.labels->shares.by_column[0][0], 0, 1e-14);
  labels[3] = 2, labels[1] = 0;  // no sample of class 1
  formats::write_npy(folder / "y.npy", Array(labels));
  EXPECT_EQ(test::error_of([&] { run_spectrum(spec); }).kind(), ErrorKind::input);
  formats::write_npy(folder / "y.npy", Array(Tensor<double>(Shape{3})));
  EXPECT_EQ(test::error_of([&] { run_spectrum(spec); }).kind(), ErrorKind::input);
  spec.labels_file.clear();
  spec.without_matrix = true;
  EXPECT_EQ(test::error_of([&] { run_spectrum(spec); }).kind(), ErrorKind::usage);
}

TEST(RunSpectrum, RefusesWhatHasNoEigenvalues) {
  const test::TemporaryFolder folder;
  const auto kind = [&](const Tensor<double>& k) {
    formats::write_npy(folder / "K.npy", Array(k));
    return test::error_of([&] { run_spectrum(stored(folder / "K.npy")); }).kind();
  };
  EXPECT_EQ(kind(Tensor<double>(Shape{2, 3})), ErrorKind::input);
  EXPECT_EQ(kind(Tensor<double>(Shape{2, 2, 2})), ErrorKind::input);
  EXPECT_EQ(kind(Tensor<double>(Shape{0, 0})), ErrorKind::input);
  Tensor<double> skew(Shape{2, 2});
  skew[1] = 1;
  EXPECT_EQ(kind(skew), ErrorKind::input);
  Tensor<double> nan(Shape{2, 2});
  nan[0] = std::nan("");
  EXPECT_EQ(kind(nan), ErrorKind::input);
  EXPECT_EQ(test::error_of([] { run_spectrum({}); }).kind(), ErrorKind::usage);
}

TEST(RunSpectrum, OfRealDigitsOfMnist) {
  const auto folder = test::shared_data();
  if (!folder) GTEST_SKIP() << "MNIST is not on this machine";
  SpectrumSpec spec;
  spec.from_model.emplace();
  spec.from_model->model.text =
      "Chain(Dense(784 => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)";
  spec.from_model->data.source = "mnist";
  spec.from_model->data.data_dir = folder->string();
  spec.from_model->data.n = 200;
  spec.from_model->reduce = "output=0";
  const auto spectrum = run_spectrum(spec).spectrum;
  EXPECT_EQ(spectrum.size, 200);
  EXPECT_EQ(spectrum.negative_beyond_rounding, 0);
}

}  // namespace
}  // namespace tangra::run
