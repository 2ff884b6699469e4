#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/run/run.h"

namespace tangra::run {
namespace {

InfiniteSpec on_digits(const std::string& chain) {
  InfiniteSpec spec;
  spec.model.text = chain;
  spec.model.parameterization = "ntk(1.2, 0.3)";
  spec.data.source = "digits";
  spec.data.n = 12;
  return spec;
}

TEST(RunInfinite, IsTheClosedFormAtTheSamples) {
  const test::TemporaryFolder folder;
  InfiniteSpec spec = on_digits("Chain(Dense(64 => 32, relu), Dense(32 => 10))");
  spec.data2 = spec.data;
  spec.data2->samples = {20, 25};
  spec.data2->n.reset();
  spec.out = (folder / "K.npy").string();
  for (const InfiniteKind kind : {InfiniteKind::ntk, InfiniteKind::nngp}) {
    spec.kind = kind;
    spec.existing = ExistingFile::replace;
    const InfiniteResult result = run_infinite(spec);
    const Tensor<double> k = formats::read_npy(spec.out).converted<double>();
    ASSERT_EQ(k.shape(), (Shape{12, 5}));
    const Tensor<double> x = data::load(spec.data).inputs.converted<double>();
    const Tensor<double> y = data::load(*spec.data2).inputs.converted<double>();
    const auto covariance = [&](const Tensor<double>& a, Index i, const Tensor<double>& b, Index j) {
      double sum = 0;
      for (Index c = 0; c < 64; ++c) sum += a[i * 64 + c] * b[j * 64 + c];
      return 1.44 * sum / 64 + 0.09;
    };
    for (Index i = 0; i < 12; ++i) {
      for (Index j = 0; j < 5; ++j) {
        const double s = covariance(x, i, y, j),
                     p = std::sqrt(covariance(x, i, x, i) * covariance(y, j, y, j));
        const double angle = std::acos(s / p);
        const double values =
            p / (2 * std::numbers::pi) * (std::sin(angle) + (std::numbers::pi - angle) * std::cos(angle));
        const double nngp = 1.44 * values + 0.09;
        const double ntk = nngp + 1.44 * s * (std::numbers::pi - angle) / (2 * std::numbers::pi);
        EXPECT_NEAR(k[i * 5 + j], kind == InfiniteKind::ntk ? ntk : nngp, 1e-12);
      }
    }
    EXPECT_EQ(result.layers.at(0).activation, "Relu");
    EXPECT_NEAR(result.layers[1].sigma_w, 1.2, 1e-15);
    EXPECT_NEAR(result.layers[1].sigma_b, 0.3, 1e-15);
  }
}

TEST(RunInfinite, ComparesWithTheFiniteNetwork) {
  // Relative distances of some 1 / sqrt(width), with a factor of order 1.
  InfiniteSpec narrow = on_digits("Chain(Dense(64 => 40, erf), Dense(40 => 1))");
  InfiniteSpec wide = on_digits("Chain(Dense(64 => 16000, erf), Dense(16000 => 1))");
  narrow.compare = wide.compare = true;
  const double far = run_infinite(narrow).comparison->distance,
               near = run_infinite(wide).comparison->distance;
  EXPECT_LT(near, 0.03);
  EXPECT_GT(far, 0.02);
  EXPECT_GT(far, 4 * near);
}

TEST(RunInfinite, KnowsTheInitialisersOfEachLayer) {
  InfiniteSpec spec = on_digits(
      "Chain(Dense(64 => 32, relu; init = he), Dense(32 => 32, erf; bias = false), Dense(32 => 3))");
  spec.model.parameterization = "standard";
  spec.model.init = "lecun";
  const InfiniteResult result = run_infinite(spec);
  EXPECT_NEAR(result.layers.at(0).sigma_w, std::sqrt(2.0), 1e-15);
  EXPECT_NEAR(result.layers.at(1).sigma_w, 1, 1e-15);
  EXPECT_EQ(result.layers.at(0).sigma_b, 0);
}

TEST(RunInfinite, LeavesOutWhatIsFrozen) {
  // Only the last layer's weights: the conjugate kernel, which is the nngp less its bias.
  InfiniteSpec spec = on_digits("Chain(Dense(64 => 32, relu), Dense(32 => 1; bias = false))");
  spec.model.params = "1.weight";
  const Tensor<double> last = run_infinite(spec).arrays.at(0).array.converted<double>();
  spec.model.params.clear();
  spec.kind = InfiniteKind::nngp;
  const Tensor<double> nngp = run_infinite(spec).arrays.at(0).array.converted<double>();
  for (Index i = 0; i < last.size(); ++i) EXPECT_NEAR(last[i], nngp[i], 1e-13);
}

TEST(RunInfinite, RefusesWhatHasNoClosedForm) {
  const auto kind = [](const std::string& chain, const std::string& init = "",
                       const std::string& parameterization = "ntk") {
    InfiniteSpec spec = on_digits(chain);
    spec.model.init = init;
    spec.model.parameterization = parameterization;
    return test::error_of([&] { run_infinite(spec); }).kind();
  };
  EXPECT_EQ(kind("Chain(Dense(64 => 3, tanh), Dense(3 => 1))"), ErrorKind::unsupported);
  EXPECT_EQ(kind("Chain(Dense(64 => 3, relu), Dense(3 => 2), softmax)"), ErrorKind::unsupported);
  EXPECT_EQ(kind("Chain(Dense(64 => 3, relu))"), ErrorKind::unsupported);
  EXPECT_EQ(kind("Chain(Dense(64 => 3), relu, erf, Dense(3 => 1))"), ErrorKind::unsupported);
  EXPECT_EQ(kind("Chain(relu, Dense(64 => 1))"), ErrorKind::unsupported);
  EXPECT_EQ(kind("Chain(SkipConnection(Dense(64 => 64), +), Dense(64 => 1))"), ErrorKind::unsupported);
  EXPECT_EQ(kind("Chain(Dense(64 => 1))", "glorot_uniform", "standard"), ErrorKind::unsupported);
  EXPECT_EQ(kind("Chain(Dense(64 => 1))", "pytorch"), ErrorKind::unsupported);
  EXPECT_EQ(kind("Chain(Dense(64 => 1))", "ones"), ErrorKind::unsupported);
}

}  // namespace
}  // namespace tangra::run
