// Networks, samples and directions in memory give the bits that they give from files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/base/error.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/run/run.h"
#include "tangra/run/training.h"

namespace tangra::run {
namespace {

constexpr const char* text = "Chain(Dense(4 => 7, tanh), Dense(7 => 3))";

Array random_array(const Shape& shape, unsigned seed) { return Array(test::random_tensor(shape, seed)); }

struct Sources {
  load::ModelSpec file_model{.text = text};
  load::ModelSpec model{.text = "a network", .graph = std::make_shared<const Graph>(load::load_model({.text = text}))};
  Array x = random_array({5, 4}, 1);
  test::TemporaryFolder folder;
  std::string file = (folder.path() / "x.npy").string();
  data::DataSpec file_data{.source = file};
  data::DataSpec data{.source = "x", .array = x};

  Sources() { formats::write_npy(file, x); }
};

void expect_same_bits(const std::vector<NamedArray>& a, const std::vector<NamedArray>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    EXPECT_EQ(a[k].name, b[k].name);
    ASSERT_EQ(a[k].array.type(), b[k].array.type());
    ASSERT_EQ(a[k].array.shape(), b[k].array.shape());
    EXPECT_EQ(std::memcmp(a[k].array.data(), b[k].array.data(), a[k].array.bytes()), 0) << a[k].name;
  }
}

TEST(RunInMemory, KernelsWithABasis) {
  const Sources from;
  const std::string basis = (from.folder.path() / "C.npy").string();
  KernelSpec file, memory;
  file.model = from.file_model;
  memory.model = from.model;
  file.data = from.file_data;
  memory.data = from.data;
  file.reduce = memory.reduce = "full";
  file.basis = basis;
  memory.basis_array = random_array({2, 3}, 2);
  formats::write_npy(basis, *memory.basis_array);
  expect_same_bits(run_kernel(memory).arrays, run_kernel(file).arrays);
  EXPECT_EQ(run_kernel(memory).provenance.model_fingerprint, run_kernel(file).provenance.model_fingerprint);
  EXPECT_EQ(run_kernel(memory).provenance.data_fingerprints, run_kernel(file).provenance.data_fingerprints);
}

TEST(RunInMemory, Products) {
  const Sources from;
  for (const bool forward : {true, false}) {
    ProductSpec file, memory;
    file.model = from.file_model;
    memory.model = from.model;
    file.data = from.file_data;
    memory.data = from.data;
    file.forward = memory.forward = forward;
    const Array direction = random_array(forward ? Shape{7, 4} : Shape{5, 3}, 3);
    memory.direction_arrays = {{"0.weight", direction}};
    file.directions = (from.folder.path() / (forward ? "T.npz" : "C.npy")).string();
    if (forward) formats::write_npz(file.directions, {{"0.weight", direction}});
    else formats::write_npy(file.directions, direction);
    expect_same_bits(run_product(memory).arrays, run_product(file).arrays);
  }
}

TEST(RunInMemory, OutputsAreThoseOfTheJacobian) {
  const Sources from;
  OutputsSpec outputs;
  outputs.model = from.model;
  outputs.data = from.data;
  JacobianSpec jacobian;
  jacobian.model = from.model;
  jacobian.data = from.data;
  for (const char* of : {"output", "0"}) {
    outputs.of = jacobian.of = of;
    expect_same_bits(run_outputs(outputs).arrays, {run_jacobian(jacobian).arrays.front()});
  }
}

TEST(RunInMemory, SpectraOfAnArray) {
  const Sources from;
  KernelSpec kernel;
  kernel.model = from.model;
  kernel.data = from.data;
  kernel.reduce = "trace";
  SpectrumSpec whole;
  whole.from_model = kernel;
  const KernelResult computed = run_kernel(kernel);
  SpectrumSpec array;
  array.kernel = "K";
  array.kernel_array = computed.arrays.front().array;
  array.relative_error = computed.measured_error->rms;
  const SpectrumResult one = run_spectrum(whole);
  const SpectrumResult other = run_spectrum(array);
  EXPECT_EQ(one.spectrum.eigenvalues, other.spectrum.eigenvalues);
  EXPECT_EQ(one.spectrum.rounding_bound, other.spectrum.rounding_bound);
  EXPECT_GT(array.relative_error, 0);
}

TEST(RunInMemory, PredictionsOfTargets) {
  const Sources from;
  const std::string targets = (from.folder.path() / "T.npy").string();
  PredictSpec file, memory;
  file.model = from.file_model;
  memory.model = from.model;
  file.train = file.test = from.file_data;
  memory.train = memory.test = from.data;
  file.reduce = memory.reduce = "mean";
  file.ridges = memory.ridges = {0.5};
  memory.targets = "targets";
  memory.targets_array = random_array({5, 2}, 4);
  file.targets = targets;
  formats::write_npy(targets, *memory.targets_array);
  expect_same_bits(run_predict(memory).arrays, run_predict(file).arrays);
  memory.targets_array = random_array({4, 2}, 4);
  const Error error = test::error_of([&] { run_predict(memory); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_EQ(error.complaint().where, "targets");
}

Array labels_of(std::initializer_list<std::int64_t> entries) {
  Tensor<std::int64_t> labels(Shape{static_cast<Index>(entries.size())});
  std::ranges::copy(entries, labels.begin());
  return Array(std::move(labels));
}

TEST(RunInMemory, TrainingGivesWeightsAndOutputs) {
  const Sources from;
  const Array labels = labels_of({0, 1, 2, 1, 0});
  const std::string weights = (from.folder.path() / "W.npz").string();
  TrainSpec train;
  train.model = from.model;
  train.data = from.data;
  train.data.labels_file = "labels";
  train.data.labels_array = labels;
  train.optimizer.rate = 0.1;
  train.epochs = 3;
  const TrainResult in_memory = run_train(train);
  train.out = weights;
  EXPECT_TRUE(run_train(train).weights.empty());
  const formats::NamedArrays written = formats::read_npz(weights);
  ASSERT_EQ(in_memory.weights.size(), 4U);
  for (const NamedArray& one : in_memory.weights) {
    const auto found = std::ranges::find(written, one.name, &std::pair<std::string, Array>::first);
    ASSERT_NE(found, written.end()) << one.name;
    expect_same_bits({one}, {{found->first, found->second}});
  }
  LineariseSpec linearise;
  linearise.model = from.model;
  linearise.data = linearise.test = train.data;
  linearise.steps = 4;
  const LineariseResult result = run_linearise(linearise);
  ASSERT_EQ(result.arrays.size(), 5U);
  EXPECT_EQ(result.arrays[1].array.shape(), (Shape{static_cast<Index>(result.moments.size()), 5, 3}));
  linearise.out = (from.folder.path() / "L.npz").string();
  EXPECT_TRUE(run_linearise(linearise).arrays.empty());
}

TEST(RunInMemory, SpectraKeepTheirVectors) {
  SpectrumSpec spec;
  spec.kernel = "a kernel";
  Tensor<double> kernel(Shape{3, 3});
  for (const Index i : {0, 1, 2}) kernel[4 * i] = static_cast<double>(i + 1);
  spec.kernel_array = Array(std::move(kernel));
  EXPECT_EQ(run_spectrum(spec).spectrum.vectors.size(), 0);
  spec.vectors = true;
  spec.labels_file = "labels";
  spec.labels_array = labels_of({0, 1, 1});
  const SpectrumResult result = run_spectrum(spec);
  ASSERT_EQ(result.spectrum.vectors.shape(), (Shape{3, 3}));
  EXPECT_EQ(std::abs(result.spectrum.vectors[2]), 1);  // of the largest eigenvalue, 3
  ASSERT_TRUE(result.labels.has_value());
  EXPECT_EQ(result.labels->classes, 2);
  spec.labels_array = labels_of({0, 1});
  EXPECT_EQ(test::error_of([&] { run_spectrum(spec); }).complaint().where, "labels");
}

TEST(RunInMemory, BytesAreTakenAsTheyAre) {
  const Sources from;
  const Array bytes(DType::uint8, Shape{1, 4}, [](std::span<std::byte> entries) { std::ranges::fill(entries, std::byte{200}); });
  const data::DataSet set = data::load({.source = "x", .array = bytes});
  EXPECT_EQ(set.inputs.converted<double>()[0], 200);
  EXPECT_TRUE(set.files.empty());
}

TEST(RunInMemory, OperatorsAreTheirKernels) {
  const Sources from;
  for (const char* reduce : {"full", "trace", "mean", "sum", "output=1"}) {
    for (const bool two_sets : {false, true}) {
      SCOPED_TRACE(std::string(reduce) + (two_sets ? ", two sets" : ""));
      KernelSpec spec;
      spec.model = from.model;
      spec.data = from.data;
      spec.reduce = reduce;
      spec.precision = Precision::float64;
      if (two_sets) spec.data2 = data::DataSpec{.source = "y", .array = random_array({3, 4}, 4)};
      const Tensor<double> kernel = run_kernel(spec).arrays.front().array.converted<double>();
      const std::unique_ptr<Operator> applied = make_operator(spec);
      Tensor<double> identity(Shape{applied->columns(), applied->columns()});
      for (Index k = 0; k < applied->columns(); ++k) identity[k * (applied->columns() + 1)] = 1;
      Tensor<double> product(Shape{applied->rows(), applied->columns()});
      applied->apply(matrix<const double>(identity.data(), applied->columns(), applied->columns()),
                     matrix(product.data(), applied->rows(), applied->columns()));
      ASSERT_EQ(product.size(), kernel.size());
      double largest = 0;
      for (const double entry : kernel) largest = std::max(largest, std::abs(entry));
      for (Index e = 0; e < kernel.size(); ++e) ASSERT_NEAR(product[e], kernel[e], 1e-13 * largest);
    }
  }
}

TEST(RunInMemory, WhatHasNoOperator) {
  const Sources from;
  KernelSpec spec;
  spec.model = from.model;
  spec.data = from.data;
  spec.reduce = "diagonal";
  EXPECT_THROW(make_operator(spec), Error);
  spec.reduce = "trace";
  spec.by = By::layer;
  EXPECT_THROW(make_operator(spec), Error);
}

}  // namespace
}  // namespace tangra::run
