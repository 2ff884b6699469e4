#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/support.h"
#include "tangra/formats/csv.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/run/run.h"

namespace tangra::run {
namespace {

const char* const network = "Chain(Dense(64 => 12, tanh), Dense(12 => 10))";

PredictSpec on_digits(const std::string& reduce, double ridge) {
  PredictSpec spec;
  spec.model.text = network;
  spec.train.source = spec.test.source = "digits";
  spec.train.n = 60;
  spec.test.samples = {100, 130};
  spec.reduce = reduce;
  spec.ridges = {ridge};
  spec.precision = Precision::float64;
  return spec;
}

/// The kernel of `rows` (and `columns`) as `tangra kernel` computes it.
Tensor<double> kernel_of(const PredictSpec& spec, const data::DataSpec& rows, const data::DataSpec* columns) {
  KernelSpec kernel;
  kernel.model = spec.model;
  kernel.data = rows;
  if (columns != nullptr) kernel.data2 = *columns;
  kernel.reduce = spec.reduce;
  kernel.precision = Precision::float64;
  return run_kernel(kernel).arrays.front().array.converted<double>();
}

/// a^-1 b by elimination: a: [n, n], b: [n, columns].
Tensor<double> solved(Tensor<double> a, Tensor<double> b, Index n) {
  const Index columns = b.size() / n;
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
      for (Index j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
      for (Index j = 0; j < columns; ++j) b[i * columns + j] -= factor * b[k * columns + j];
    }
  }
  for (Index i = 0; i < b.size(); ++i) b[i] /= a[i / columns * n + i / columns];
  return b;
}

Tensor<double> targets_of(const data::DataSpec& spec, Index classes) {
  const std::vector<Index> labels = *data::load(spec).labels;
  Tensor<double> y(Shape{static_cast<Index>(labels.size()), classes});
  for (std::size_t i = 0; i < labels.size(); ++i) y[static_cast<Index>(i) * classes + labels[i]] = 1;
  return y;
}

Tensor<double> mean_of(const PredictResult& result) {
  return result.arrays.at(0).array.converted<double>();
}

TEST(RunPredict, IsKernelRidgeRegression) {
  for (const char* reduce : {"mean", "trace", "output=3", "sum", "full"}) {
    const PredictSpec spec = on_digits(reduce, 0.3);
    const PredictResult result = run_predict(spec);
    ASSERT_TRUE(result.converged) << result.message;
    EXPECT_EQ(result.jitter, 0);
    const Index n = result.size, block = n / 60;
    EXPECT_EQ(block, std::string(reduce) == "full" ? 10 : 1);
    Tensor<double> k = kernel_of(spec, spec.train, nullptr);
    for (Index i = 0; i < n; ++i) k[i * n + i] += 0.3;
    const Tensor<double> y = targets_of(spec.train, 10), alpha = solved(k.clone(), y.clone(), n);
    const Tensor<double> cross = kernel_of(spec, spec.test, &spec.train);
    const Tensor<double> found = mean_of(result);
    ASSERT_EQ(found.shape(), (Shape{30, 10}));
    const Index columns = 10 / block;
    Index right = 0;
    const std::vector<Index> labels = *data::load(spec.test).labels;
    for (Index i = 0; i < 30; ++i) {
      Index best = 0;
      for (Index c = 0; c < 10; ++c) {
        const Index row = block == 1 ? i : i * 10 + c, column = block == 1 ? c : 0;
        double sum = 0;
        for (Index j = 0; j < n; ++j) sum += cross[row * n + j] * alpha[j * columns + column];
        EXPECT_NEAR(found[i * 10 + c], sum, 1e-8);
        if (found[i * 10 + c] > found[i * 10 + best]) best = c;
      }
      right += best == labels[static_cast<std::size_t>(i)];
    }
    EXPECT_EQ(result.accuracy, static_cast<double>(right) / 30);
    // Training residuals are ridge alpha.
    double squares = 0;
    for (const double entry : alpha) squares += 0.09 * entry * entry;
    EXPECT_NEAR(result.training_error, squares / 60 / 2, 1e-8);
  }
}

/// By KernelRidge(alpha=0.3, kernel="precomputed") of scikit-learn 1.2.1, from this network's kernel in float64 and one-hot
/// targets; scripts/predict_check.py does the same for MNIST.
constexpr double of_scikit_learn[3][10] = {
    {0.16160530954749547, 0.21217471465040996, -0.087769421932377023, -0.023667130299316788, 0.87689308733078164,
     0.075567706403053436, 0.097491169101916464, -0.091084477327413885, -0.11829243919193989, -0.13308625686761771},
    {0.81789734632824562, 0.036487090837332606, 0.032415631164051009, -0.22736581962193703, 0.18065620659925136,
     -0.25712639490247891, 0.11829034219876197, -0.13129537172354347, 0.094369677985916015, 0.39734664609735665},
    {-0.079649410318671343, -0.083936818898894039, 0.0036892945489785944, 0.30220378631288636, -0.075705919336111371,
     0.56891110777175857, 0.20813843691152911, 0.034692783993023113, 0.14267246895892408, 0.0007246348697302552}};

TEST(RunPredict, PredictsAsScikitLearnDoes) {
  PredictSpec spec;
  spec.model.text = "Chain(Dense(64 => 12, tanh), Dense(12 => 10))";
  spec.train.source = spec.test.source = "digits";
  spec.train.n = 50;
  spec.test.samples = {100, 103};
  spec.reduce = "mean";
  spec.ridges = {0.3};
  spec.precision = Precision::float64;
  const Tensor<double> found = mean_of(run_predict(spec));
  ASSERT_EQ(found.shape(), (Shape{3, 10}));
  for (Index i = 0; i < 3; ++i) {
    for (Index c = 0; c < 10; ++c) EXPECT_NEAR(found[i * 10 + c], of_scikit_learn[i][c], 1e-8);
  }
}

/// The error of the prediction for sample `left` from all others.
double error_without(const PredictSpec& spec, Index left) {
  const Index n = 59;
  Tensor<double> whole = kernel_of(spec, spec.train, nullptr), y = targets_of(spec.train, 10);
  Tensor<double> k(Shape{n, n}), rest(Shape{n, 10});
  for (Index i = 0, at = 0; i < 60; ++i) {
    if (i == left) continue;
    for (Index j = 0, to = 0; j < 60; ++j) {
      if (j != left) k[at * n + to++] = whole[i * 60 + j] + (i == j ? spec.ridges[0] : 0);
    }
    for (Index c = 0; c < 10; ++c) rest[at * 10 + c] = y[i * 10 + c];
    ++at;
  }
  const Tensor<double> alpha = solved(std::move(k), std::move(rest), n);
  double error = 0;
  for (Index c = 0; c < 10; ++c) {
    double prediction = 0;
    for (Index j = 0, at = 0; j < 60; ++j) {
      if (j != left) prediction += whole[left * 60 + j] * alpha[at++ * 10 + c];
    }
    error += std::pow(y[left * 10 + c] - prediction, 2) / 2;
  }
  return error;
}

TEST(RunPredict, LeavesOutEachSample) {
  const PredictSpec spec = on_digits("mean", 0.3);
  double error = 0;
  for (Index left = 0; left < 60; ++left) error += error_without(spec, left) / 60;
  EXPECT_NEAR(*run_predict(spec).leave_one_out, error, 1e-8);
}

TEST(RunPredict, TakesTheRidgeWithTheLeastLeaveOneOutError) {
  PredictSpec spec = on_digits("mean", 0);
  spec.ridges = {1e-4, 1e-2, 1, 100, 1e6};
  const PredictResult path = run_predict(spec);
  ASSERT_EQ(path.path.size(), 5u);
  double least = 1e300;
  for (const RidgeRow& row : path.path) {
    spec.ridges = {row.ridge};
    const PredictResult alone = run_predict(spec);
    EXPECT_NEAR(row.leave_one_out, *alone.leave_one_out, 1e-8);
    EXPECT_NEAR(row.training_error, alone.training_error, 1e-8);
    EXPECT_EQ(row.accuracy, alone.accuracy);
    EXPECT_EQ(row.leave_one_out_accuracy, alone.leave_one_out_accuracy);
    least = std::min(least, row.leave_one_out);
    if (row.ridge != path.ridge) continue;
    EXPECT_EQ(path.accuracy, alone.accuracy);
    EXPECT_EQ(path.test_error, alone.test_error);
  }
  EXPECT_NEAR(*path.leave_one_out, least, 1e-8);
  EXPECT_GT(path.path[0].degrees_of_freedom, path.path[4].degrees_of_freedom);
}

TEST(RunPredict, ConjugateGradientsNeedNoMatrix) {
  for (const char* reduce : {"mean", "full"}) {
    PredictSpec spec = on_digits(reduce, 0.3);
    const PredictResult stored = run_predict(spec);
    spec.solver = Solver::conjugate_gradients;
    const PredictResult applied = run_predict(spec);
    ASSERT_TRUE(applied.converged) << applied.message;
    EXPECT_GT(applied.iterations, 0);
    EXPECT_FALSE(applied.leave_one_out);
    const Tensor<double> a = mean_of(stored), b = mean_of(applied);
    for (Index i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-7);
    EXPECT_NEAR(stored.training_error, applied.training_error, 1e-7);
    EXPECT_EQ(stored.accuracy, applied.accuracy);
    EXPECT_EQ(stored.training_accuracy, applied.training_accuracy);
  }
}

TEST(RunPredict, CorrectsTheNetworksOwnOutputs) {
  for (const char* reduce : {"mean", "full"}) {
    PredictSpec spec = on_digits(reduce, 1e12);
    spec.prior = PriorMean::network;
    const PredictResult result = run_predict(spec);
    EXPECT_EQ(result.accuracy, result.network_accuracy);  // so large a ridge changes nothing
    JacobianSpec jacobian;
    jacobian.model = spec.model;
    jacobian.data = spec.test;
    jacobian.precision = Precision::float64;
    const Tensor<double> outputs = run_jacobian(jacobian).arrays.front().array.converted<double>();
    const Tensor<double> found = mean_of(result);
    for (Index i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], outputs[i], 1e-6);
    // Without noise the training targets are met whatever the prior is.
    spec.ridges = {1e-7};
    EXPECT_LT(run_predict(spec).training_error, 1e-9);
    EXPECT_EQ(run_predict(spec).training_accuracy, 1);
  }
}

TEST(RunPredict, TellsVariancesAndWritesFiles) {
  const test::TemporaryFolder folder;
  PredictSpec spec = on_digits("full", 0.5);
  spec.variance = true;
  spec.out = (folder / "P.npz").string();
  const PredictResult full = run_predict(spec);
  EXPECT_TRUE(full.arrays.empty());
  const Tensor<double> covariance = formats::read_npz(spec.out, "variance").converted<double>();
  EXPECT_EQ(covariance.shape(), (Shape{30, 10, 10}));
  double mean = 0;
  for (Index i = 0; i < 30; ++i) {
    for (Index a = 0; a < 10; ++a) {
      EXPECT_GT(covariance[(i * 10 + a) * 10 + a], 0);
      mean += covariance[(i * 10 + a) * 10 + a] / 300;
    }
  }
  EXPECT_NEAR(*full.mean_variance, mean, 1e-12 * mean);
  // The variance by definition, for one entry.
  const Tensor<double> cross = kernel_of(spec, spec.test, &spec.train);
  Tensor<double> k = kernel_of(spec, spec.train, nullptr), row(Shape{600, 1});
  for (Index i = 0; i < 600; ++i) k[i * 601] += 0.5, row[i] = cross[47 * 600 + i];
  const Tensor<double> weights = solved(std::move(k), row.clone(), 600);
  double variance = kernel_of(spec, spec.test, nullptr)[47 * 300 + 47];
  for (Index i = 0; i < 600; ++i) variance -= row[i] * weights[i];
  EXPECT_NEAR(covariance[(4 * 10 + 7) * 10 + 7], variance, 1e-8);

  PredictSpec shared = on_digits("mean", 0.5);
  shared.variance = true;
  EXPECT_EQ(run_predict(shared).arrays.at(1).array.shape(), (Shape{30, 10}));
  shared.variance = false;
  const Tensor<double> means = mean_of(run_predict(shared));
  shared.out = (folder / "P.csv").string();
  run_predict(shared);
  const Tensor<double> read = formats::read_csv(shared.out).converted<double>();
  ASSERT_EQ(read.shape(), means.shape());
  EXPECT_TRUE(std::ranges::equal(read, means));
  shared.out = (folder / "P.npy").string();
  run_predict(shared);
  EXPECT_TRUE(std::ranges::equal(formats::read_npy(shared.out).converted<double>(), means));
}

TEST(RunPredict, PredictsNumbersOfAFile) {
  const test::TemporaryFolder folder;
  Tensor<double> y(Shape{60});
  for (Index i = 0; i < 60; ++i) y[i] = std::sin(static_cast<double>(i));
  formats::write_npy(folder / "y.npy", Array(y));
  PredictSpec spec = on_digits("output=0", 1e-8);
  spec.targets = (folder / "y.npy").string();
  spec.test.samples = {0, 30};
  const PredictResult result = run_predict(spec);
  EXPECT_FALSE(result.accuracy);
  const Tensor<double> found = mean_of(result);
  ASSERT_EQ(found.shape(), (Shape{30, 1}));
  for (Index i = 0; i < 30; ++i) EXPECT_NEAR(found[i], y[i], 1e-4);  // training samples, all but interpolated
}

TEST(RunPredict, RefusesWhatDoesNotFit) {
  const auto kind = [](auto change) {
    PredictSpec spec = on_digits("mean", 1);
    change(spec);
    return test::error_of([&] { run_predict(spec); }).kind();
  };
  EXPECT_EQ(kind([](PredictSpec& spec) { spec.ridges = {-1}; }), ErrorKind::usage);
  EXPECT_EQ(kind([](PredictSpec& spec) { spec.ridges = {}; }), ErrorKind::usage);
  EXPECT_EQ(kind([](PredictSpec& spec) { spec.ridges = {std::nan("")}; }), ErrorKind::usage);
  EXPECT_EQ(kind([](PredictSpec& spec) { spec.reduce = "diagonal"; }), ErrorKind::usage);
  EXPECT_EQ(kind([](PredictSpec& spec) { spec.ridges = {0}, spec.solver = Solver::conjugate_gradients; }),
            ErrorKind::usage);
  EXPECT_EQ(kind([](PredictSpec& spec) { spec.train.n = 5; }), ErrorKind::input);  // five of ten classes
  EXPECT_EQ(kind([](PredictSpec& spec) { spec.out = "P.txt"; }), ErrorKind::usage);
  const test::TemporaryFolder folder;
  formats::write_npy(folder / "y.npy", Array(Tensor<double>(Shape{59, 10})));
  EXPECT_EQ(kind([&](PredictSpec& spec) { spec.targets = (folder / "y.npy").string(); }), ErrorKind::input);
  formats::write_npy(folder / "y.npy", Array(Tensor<double>(Shape{60, 3})));
  EXPECT_EQ(kind([&](PredictSpec& spec) {
              spec.targets = (folder / "y.npy").string();
              spec.reduce = "full";
            }),
            ErrorKind::input);
  formats::write_npy(folder / "x.npy", Array(Tensor<double>(Shape{60, 64})));
  EXPECT_EQ(kind([&](PredictSpec& spec) { spec.train.source = (folder / "x.npy").string(); }),
            ErrorKind::input);  // no labels
}

TEST(RunPredict, RecordsJitterAndSaysWhatCannotBeSolved) {
  PredictSpec spec = on_digits("mean", 0);
  spec.model.text = "Chain(Dense(64 => 10))";  // K = x.x' + 1 has rank 65
  spec.train.n = 200;
  const PredictResult result = run_predict(spec);
  EXPECT_TRUE(result.converged);
  EXPECT_GT(result.jitter, 0);
  EXPECT_FALSE(result.message.empty());
}

}  // namespace
}  // namespace tangra::run
