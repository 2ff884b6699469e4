#include <gtest/gtest.h>

#include <cmath>

#include "support/support.h"
#include "tangra/formats/npy.h"
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
