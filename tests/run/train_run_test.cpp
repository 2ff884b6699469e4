#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/safetensors.h"
#include "tangra/run/training.h"

namespace tangra::run {
namespace {

constexpr const char* network = "Chain(Dense(64 => 24, relu), Dense(24 => 10), softmax)";

TrainSpec digits(Index n = 300, Index epochs = 6) {
  TrainSpec spec;
  spec.model.text = network;
  spec.data.source = "digits";
  spec.data.n = n;
  spec.loss = train::LossKind::cross_entropy;
  spec.optimizer = {.method = train::Method::adam, .rate = 0.01};
  spec.epochs = epochs;
  spec.batch_size = 32;
  spec.bound_samples = 0;
  return spec;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

KernelSpec kernel_spec(const TrainSpec& spec, const std::string& weights, Index n) {
  KernelSpec kernel;
  kernel.model = spec.model;
  // The loss sees the logits.
  kernel.model.text = "Chain(Dense(64 => 24, relu), Dense(24 => 10))";
  kernel.model.weights = weights;
  kernel.data = spec.data;
  kernel.data.n = n;
  kernel.reduce = "trace";
  kernel.precision = Precision::float64;
  return kernel;
}

Tensor<double> kernel_of(const KernelSpec& spec) { return run_kernel(spec).arrays.front().array.converted<double>(); }

TEST(RunTrain, LearnsTheDigits) {
  TrainSpec spec = digits(1500, 15);
  spec.test = spec.data;
  spec.data.samples = {0, 1500};
  spec.test->n.reset();
  spec.test->samples = {1500, 1797};
  const TrainResult adam = run_train(spec);
  ASSERT_EQ(adam.scores.size(), 16U);
  EXPECT_EQ(adam.scores.back().steps, 15 * 47);
  EXPECT_GT(adam.scores.back().train.accuracy(), 0.97);
  EXPECT_GT(adam.scores.back().test->accuracy(), 0.85);
  EXPECT_EQ(adam.scores.back().test->samples, 297);
  spec.loss = train::LossKind::mse;
  spec.optimizer = {.method = train::Method::gd, .rate = 0.3, .momentum = 0.9};
  const TrainResult descent = run_train(spec);
  EXPECT_GT(descent.scores.back().train.accuracy(), 0.95);
  EXPECT_FALSE(descent.divergence);
}

TEST(RunTrain, LearnsMnist) {
  const auto folder = test::shared_data();
  if (!folder || !std::filesystem::exists(*folder / "mnist/train-images-idx3-ubyte.gz")) {
    GTEST_SKIP() << "no folder with mnist: set TANGRA_TEST_DATA";
  }
  TrainSpec spec = digits(6000, 6);
  spec.model.text = "Chain(Dense(784 => 40, relu), Dense(40 => 10), softmax)";
  spec.data.source = "mnist";
  spec.data.data_dir = folder->string();
  spec.test = spec.data;
  spec.test->source = "mnist:test";
  spec.test->n = 1000;
  const TrainResult result = run_train(spec);
  EXPECT_GT(result.scores.back().train.accuracy(), 0.95);
  EXPECT_GT(result.scores.back().test->accuracy(), 0.88);
}

TEST(RunTrain, WeightsAreReadBackAndGoOn) {
  const test::TemporaryFolder folder;
  TrainSpec spec = digits();
  spec.out = (folder / "W.safetensors").string();
  const TrainResult first = run_train(spec);
  EXPECT_EQ(first.out, spec.out);
  TrainSpec again = digits(300, 1);
  again.model.weights = spec.out;
  const TrainResult second = run_train(again);
  EXPECT_EQ(second.scores.front().train.loss_sum, first.scores.back().train.loss_sum);
  EXPECT_EQ(second.scores.front().train.correct, first.scores.back().train.correct);
  // A checkpoint can be read as weights too.
  spec.checkpoint_every = 6;
  spec.existing = ExistingFile::replace;
  run_train(spec);
  again.model.weights = spec.checkpoint_path();
  EXPECT_EQ(run_train(again).scores.front().train.loss_sum, first.scores.back().train.loss_sum);
}

TEST(RunTrain, AResumedRunEndsWithTheSameBits) {
  for (const bool momentum : {false, true}) {
    const test::TemporaryFolder folder;
    TrainSpec spec = digits();
    if (momentum) spec.optimizer = {.method = train::Method::gd, .rate = 0.1, .momentum = 0.8};
    spec.test = spec.data;
    spec.test->n = 50;
    spec.evaluate_every = 4;
    spec.kernel_every = 2;
    spec.kernel_samples = 20;
    spec.out = (folder / "whole.safetensors").string();
    const TrainResult whole = run_train(spec);
    spec.out = (folder / "parts.safetensors").string();
    spec.checkpoint_every = 2;
    spec.resume = true;  // starts afresh where there is nothing yet
    spec.epochs = 3;
    EXPECT_EQ(run_train(spec).resumed_from, 0);
    spec.epochs = 6;
    const TrainResult parts = run_train(spec);
    EXPECT_EQ(parts.resumed_from, 3);
    EXPECT_EQ(bytes_of(folder / "whole.safetensors"), bytes_of(folder / "parts.safetensors"));
    ASSERT_EQ(parts.scores.size(), whole.scores.size());
    for (std::size_t k = 0; k < whole.scores.size(); ++k) {
      EXPECT_EQ(parts.scores[k].epoch, whole.scores[k].epoch);
      EXPECT_EQ(parts.scores[k].steps, whole.scores[k].steps);
      EXPECT_EQ(parts.scores[k].train.loss_sum, whole.scores[k].train.loss_sum);
      EXPECT_EQ(parts.scores[k].test->loss_sum, whole.scores[k].test->loss_sum);
    }
    ASSERT_EQ(parts.moments.size(), 4U);
    for (std::size_t k = 0; k < whole.moments.size(); ++k) {
      EXPECT_EQ(parts.moments[k].epoch, whole.moments[k].epoch);
      EXPECT_EQ(parts.moments[k].distance, whole.moments[k].distance);
      EXPECT_EQ(parts.moments[k].labels_centred, whole.moments[k].labels_centred);
      EXPECT_EQ(parts.moments[k].eigenvalues.size(), 5U);
    }
    // Nothing is left to do: the same answer again.
    const TrainResult again = run_train(spec);
    EXPECT_EQ(again.resumed_from, 6);
    EXPECT_EQ(again.scores.size(), whole.scores.size());
    EXPECT_EQ(bytes_of(folder / "whole.safetensors"), bytes_of(folder / "parts.safetensors"));
  }
}

TEST(RunTrain, BitsDoNotDependOnThreads) {
  const test::TemporaryFolder folder;
  TrainSpec spec = digits(200, 2);
  spec.model.text = "Chain(Dense(64 => 300, tanh), Dense(300 => 10))";
  std::vector<std::string> bytes;
  for (const int threads : {1, 3}) {
    spec.resources.threads = threads;
    spec.out = (folder / ("W" + std::to_string(threads) + ".safetensors")).string();
    run_train(spec);
    bytes.push_back(bytes_of(spec.out));
  }
  EXPECT_EQ(bytes[0], bytes[1]);
}

TEST(RunTrain, DivergenceIsToldAndReplacesNothing) {
  const test::TemporaryFolder folder;
  TrainSpec spec = digits(100, 3);
  spec.model.text = "Chain(Dense(64 => 10), Dense(10 => 10))";
  spec.loss = train::LossKind::mse;
  spec.optimizer = {.method = train::Method::gd, .rate = 0.01};
  spec.out = (folder / "W.safetensors").string();
  spec.checkpoint_every = 1;
  run_train(spec);
  const std::string weights = bytes_of(spec.out);
  const std::string checkpoint = bytes_of(spec.checkpoint_path());
  spec.existing = ExistingFile::replace;
  spec.optimizer.rate = 1e3;
  spec.batch_size = 0;
  spec.epochs = 500;
  spec.checkpoint_every = 100;
  const TrainResult result = run_train(spec);
  ASSERT_TRUE(result.divergence);
  EXPECT_LT(result.divergence->epoch, 100);
  EXPECT_TRUE(result.out.empty());
  EXPECT_EQ(bytes_of(spec.out), weights);
  EXPECT_EQ(bytes_of(spec.checkpoint_path()), checkpoint);
}

TEST(RunTrain, RateBoundIsThatOfTheKernel) {
  TrainSpec spec = digits(60, 1);
  spec.loss = train::LossKind::mse;
  spec.optimizer = {.method = train::Method::gd, .rate = 0.01, .momentum = 0.5};
  spec.precision = Precision::float64;
  spec.bound_samples = 1000;
  std::optional<RateBound> before;
  const TrainResult result = run_train(spec, {}, [&](const RateBound& bound) { before = bound; });
  SpectrumSpec spectrum;
  spectrum.from_model.emplace();
  spectrum.from_model->model.text = network;
  spectrum.from_model->data = spec.data;
  spectrum.from_model->reduce = "full";
  spectrum.from_model->precision = Precision::float64;
  const double largest = run_spectrum(spectrum).spectrum.eigenvalues.front() / 60;
  ASSERT_TRUE(before);
  EXPECT_EQ(before->bound, result.bound->bound);
  EXPECT_EQ(result.bound->samples, 60);
  EXPECT_TRUE(result.bound->converged);
  EXPECT_NEAR(result.bound->largest_eigenvalue / largest, 1, 1e-4);
  EXPECT_NEAR(result.bound->bound, 3 / result.bound->largest_eigenvalue, 1e-12 * result.bound->bound);
}

TEST(RunTrain, RateBoundOfCrossEntropyIsThatOfTheGaussNewtonMatrix) {
  const test::TemporaryFolder folder;
  const std::string layers = "Dense(64 => 6, tanh), Dense(6 => 3)";
  TrainSpec spec = digits(20, 1);
  std::ofstream labels(folder / "labels.csv");
  for (int i = 0; i < 20; ++i) labels << i % 3 << "\n";
  labels.close();
  spec.data.labels_file = (folder / "labels.csv").string();
  spec.precision = Precision::float64;
  spec.bound_samples = 1000;
  // Another root of diag(p) - p p^T: a row sqrt(p_a p_b) (e_a - e_b) for each pair of outputs.
  JacobianSpec jacobian;
  jacobian.model.text = "Chain(" + layers + ", softmax)";
  jacobian.data = spec.data;
  jacobian.precision = Precision::float64;
  const Tensor<double> p = run_jacobian(jacobian).arrays.front().array.converted<double>();
  ASSERT_EQ(p.shape(), (Shape{20, 3}));
  Tensor<double> basis({20, 3, 3});
  for (Index i = 0; i < 20; ++i) {
    for (Index r = 0; r < 3; ++r) {
      const Index a = r, b = (r + 1) % 3;
      const double root = std::sqrt(p[i * 3 + a] * p[i * 3 + b]);
      basis[(i * 3 + r) * 3 + a] = root;
      basis[(i * 3 + r) * 3 + b] = -root;
    }
  }
  formats::write_npy(folder / "C.npy", Array(basis));
  SpectrumSpec spectrum;
  spectrum.from_model.emplace();
  spectrum.from_model->model.text = "Chain(" + layers + ")";
  spectrum.from_model->data = spec.data;
  spectrum.from_model->basis = (folder / "C.npy").string();
  spectrum.from_model->reduce = "full";
  spectrum.from_model->precision = Precision::float64;
  const double largest = run_spectrum(spectrum).spectrum.eigenvalues.front() / 20;
  for (const char* head : {"", ", softmax", ", logsoftmax"}) {
    spec.model.text = "Chain(" + layers + head + ")";
    const RateBound bound = *run_train(spec).bound;
    EXPECT_NEAR(bound.largest_eigenvalue / largest, 1, 1e-4) << head;
  }
}

TEST(RunTrain, RateBoundDividesWhatConvergesFromWhatDoesNot) {
  // A network that is linear in its parameters: the bound is sharp.
  TrainSpec spec = digits(50, 400);
  spec.model.text = "Chain(Dense(64 => 10))";
  spec.loss = train::LossKind::mse;
  spec.batch_size = 0;
  spec.precision = Precision::float64;
  spec.bound_samples = 1000;
  spec.optimizer = {.method = train::Method::gd, .rate = 1e-9};
  spec.epochs = 1;
  const double bound = run_train(spec).bound->bound;
  spec.epochs = 400;
  spec.optimizer.rate = 0.99 * bound;
  const TrainResult below = run_train(spec);
  EXPECT_LT(below.scores.back().train.loss(), below.scores.front().train.loss() / 5);
  spec.optimizer.rate = 1.01 * bound;
  const TrainResult above = run_train(spec);
  EXPECT_GT(above.scores.back().train.loss(), 10 * above.scores.front().train.loss());
}

TEST(RunTrain, KernelMomentsAreThoseOfTheKernels) {
  const test::TemporaryFolder folder;
  TrainSpec spec = digits(25, 4);
  spec.precision = Precision::float64;
  spec.kernel_every = 4;
  spec.kernel_samples = 25;
  spec.top = 3;
  spec.out = (folder / "W.safetensors").string();
  const TrainResult result = run_train(spec);
  ASSERT_EQ(result.moments.size(), 2U);
  EXPECT_EQ(result.moments[0].distance, 0);
  EXPECT_NEAR(result.moments[0].alignment, 1, 1e-14);
  EXPECT_NEAR(result.moments[0].alignment_centred, 1, 1e-14);
  const Tensor<double> first = kernel_of(kernel_spec(spec, {}, 25));
  const Tensor<double> last = kernel_of(kernel_spec(spec, spec.out, 25));
  double difference = 0, norm = 0, trace = 0;
  for (Index e = 0; e < first.size(); ++e) {
    difference += (last[e] - first[e]) * (last[e] - first[e]);
    norm += first[e] * first[e];
    trace += e % 26 == 0 ? last[e] : 0;
  }
  const KernelMoment& moment = result.moments[1];
  EXPECT_EQ(moment.epoch, 4);
  EXPECT_NEAR(moment.distance, std::sqrt(difference / norm), 1e-12);
  EXPECT_NEAR(moment.trace, trace, 1e-12 * trace);
  SpectrumSpec spectrum;
  spectrum.from_model = kernel_spec(spec, spec.out, 25);
  const auto eigenvalues = run_spectrum(spectrum).spectrum.eigenvalues;
  ASSERT_EQ(moment.eigenvalues.size(), 3U);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(moment.eigenvalues[k], eigenvalues[k], 1e-12 * eigenvalues[0]);
  // Centred: by H K H, with H as a matrix.
  const auto product = [](const Tensor<double>& a, const Tensor<double>& b) {
    Tensor<double> c({25, 25});
    for (Index i = 0; i < 25; ++i)
      for (Index j = 0; j < 25; ++j)
        for (Index k = 0; k < 25; ++k) c[i * 25 + j] += a[i * 25 + k] * b[k * 25 + j];
    return c;
  };
  const auto inner = [](const Tensor<double>& a, const Tensor<double>& b) {
    double sum = 0;
    for (Index e = 0; e < a.size(); ++e) sum += a[e] * b[e];
    return sum;
  };
  Tensor<double> h({25, 25}), y({25, 25});
  const auto labels = *data::load(spec.data).labels;
  for (Index i = 0; i < 25; ++i) {
    for (Index j = 0; j < 25; ++j) {
      h[i * 25 + j] = (i == j ? 1.0 : 0.0) - 1.0 / 25;
      y[i * 25 + j] = labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)] ? 1 : 0;
    }
  }
  const auto cosine = [&](const Tensor<double>& a, const Tensor<double>& b) {
    return inner(a, b) / std::sqrt(inner(a, a) * inner(b, b));
  };
  const auto centred = [&](const Tensor<double>& k) { return product(product(h, k), h); };
  EXPECT_NEAR(moment.alignment, cosine(first, last), 1e-12);
  EXPECT_NEAR(moment.alignment_centred, cosine(centred(first), centred(last)), 1e-12);
  EXPECT_NEAR(moment.labels, cosine(last, y), 1e-12);
  EXPECT_NEAR(moment.labels_centred, cosine(centred(last), centred(y)), 1e-12);
}

TEST(RunTrain, RefusesBadLabels) {
  const test::TemporaryFolder folder;
  const auto error = [](const TrainSpec& spec) { return test::error_of([&] { run_train(spec); }); };
  TrainSpec spec = digits(10, 1);
  formats::write_npy(folder / "X.npy", Array(test::random_tensor({10, 64}, 1)));
  spec.data.source = (folder / "X.npy").string();
  EXPECT_EQ(error(spec).kind(), ErrorKind::input);
  EXPECT_NE(error(spec).complaint().cure.find("--labels"), std::string::npos);
  Tensor<std::int64_t> labels({9});
  formats::write_npy(folder / "y.npy", Array(labels));
  spec.data.labels_file = (folder / "y.npy").string();
  EXPECT_EQ(error(spec).kind(), ErrorKind::input);
  labels = Tensor<std::int64_t>({10});
  labels[7] = 10;
  formats::write_npy(folder / "y.npy", Array(labels));
  EXPECT_EQ(error(spec).kind(), ErrorKind::input);
  EXPECT_NE(error(spec).complaint().where.find("sample 7"), std::string::npos);
  labels[7] = 9;
  formats::write_npy(folder / "y.npy", Array(labels));
  EXPECT_NO_THROW(run_train(spec));
  spec = digits(10, 1);
  spec.test = spec.data;
  spec.test->source = (folder / "X.npy").string();
  EXPECT_EQ(error(spec).kind(), ErrorKind::input);
}

TEST(RunTrain, RefusesWhatContradictsItself) {
  const test::TemporaryFolder folder;
  const auto kind = [](const auto& change) {
    TrainSpec spec = digits(10, 1);
    change(spec);
    return test::error_of([&] { run_train(spec); }).kind();
  };
  EXPECT_EQ(kind([](TrainSpec& spec) { spec.epochs = 0; }), ErrorKind::usage);
  EXPECT_EQ(kind([](TrainSpec& spec) { spec.batch_size = -1; }), ErrorKind::usage);
  EXPECT_EQ(kind([](TrainSpec& spec) { spec.optimizer.rate = 0; }), ErrorKind::usage);
  EXPECT_EQ(kind([](TrainSpec& spec) { spec.evaluate_every = 0; }), ErrorKind::usage);
  EXPECT_EQ(kind([](TrainSpec& spec) { spec.checkpoint_every = 1; }), ErrorKind::usage);
  EXPECT_EQ(kind([](TrainSpec& spec) { spec.resume = true; }), ErrorKind::usage);
  EXPECT_EQ(kind([](TrainSpec& spec) { spec.kernel_every = 1, spec.reduce = "full"; }), ErrorKind::usage);
  EXPECT_EQ(kind([](TrainSpec& spec) { spec.kernel_every = 1, spec.kernel_samples = 1; }), ErrorKind::usage);
  EXPECT_EQ(kind([&](TrainSpec& spec) { spec.out = (folder / "W.npy").string(); }), ErrorKind::usage);
  TrainSpec spec = digits(10, 2);
  spec.out = (folder / "W.safetensors").string();
  spec.checkpoint_every = 1;
  run_train(spec);
  EXPECT_EQ(test::error_of([&] { run_train(spec); }).kind(), ErrorKind::usage);  // the file exists
  std::filesystem::remove(spec.out);
  EXPECT_EQ(test::error_of([&] { run_train(spec); }).kind(), ErrorKind::usage);  // the checkpoint exists
  spec.resume = true;
  spec.optimizer.rate = 0.02;
  EXPECT_NE(std::string(test::error_of([&] { run_train(spec); }).what()).find("lr 0.01"), std::string::npos);
  spec.optimizer.rate = 0.01;
  spec.epochs = 1;
  EXPECT_EQ(test::error_of([&] { run_train(spec); }).kind(), ErrorKind::usage);  // it is further
}

}  // namespace
}  // namespace tangra::run
