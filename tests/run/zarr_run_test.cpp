#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/formats/zarr/zarr.h"
#include "tangra/kernel/kernel_file.h"
#include "tangra/run/run.h"

namespace tangra::run {
namespace {

KernelSpec spec_of(const std::filesystem::path& out) {
  KernelSpec spec;
  spec.model.text = "Chain(Dense(64 => 7, tanh), Dense(7 => 3), softmax)";
  spec.data.source = "digits";
  spec.data.n = 40;
  spec.reduce = "trace";
  spec.block_samples = 16;
  spec.out = out.string();
  return spec;
}

KernelSpec resumed(KernelSpec spec) {
  spec.existing = ExistingFile::resume;
  return spec;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Tensor<double> read(const std::filesystem::path& path, Index n) {
  test::TestContext context;
  Tensor<double> k(Shape{n, n});
  kernel::KernelFile(path).read_all(matrix(k.data(), n, n), context.context);
  return k;
}

TEST(RunZarr, HasTheBitsOfNpy) {
  const test::TemporaryFolder folder;
  const KernelResult zarr = run_kernel(spec_of(folder / "K.zarr"));
  const KernelResult npy = run_kernel(spec_of(folder / "K.npy"));
  EXPECT_EQ(zarr.triangle, "lower");
  EXPECT_FALSE(zarr.resumed.has_value());
  EXPECT_EQ(npy.triangle, "");
  EXPECT_EQ(zarr.statistics.corner, npy.statistics.corner);
  EXPECT_EQ(zarr.statistics.largest_entry, npy.statistics.largest_entry);
  const Array k = formats::read_npy(folder / "K.npy");
  const Tensor<double> same = read(folder / "K.zarr", 40);
  for (Index e = 0; e < same.size(); ++e) ASSERT_EQ(same[e], static_cast<double>(k.as<float>()[static_cast<std::size_t>(e)]));
  KernelSpec full = spec_of(folder / "F.zarr");
  full.triangle = Triangle::full;
  EXPECT_EQ(run_kernel(full).triangle, "full");
  EXPECT_TRUE(std::filesystem::exists(folder / "F.zarr/c/0/2"));
  EXPECT_FALSE(std::filesystem::exists(folder / "K.zarr/c/0/2"));
  EXPECT_EQ(bytes_of(folder / "F.zarr/c/2/0"), bytes_of(folder / "K.zarr/c/2/0"));
}

TEST(RunZarr, OfTwoSetsAndInParts) {
  const test::TemporaryFolder folder;
  KernelSpec spec = spec_of(folder / "K.zarr");
  spec.data2 = spec.data;
  spec.data2->n = 20;
  spec.by = By::layer;
  const KernelResult result = run_kernel(spec);
  EXPECT_EQ(result.triangle, "full");
  EXPECT_EQ(result.parts, (std::vector<std::string>{"0", "1", "total"}));
  spec.out = (folder / "K.npz").string();
  run_kernel(spec);
  for (const std::string& part : result.parts) {
    const formats::ZarrArray array(folder / "K.zarr" / part);
    EXPECT_EQ(array.header().shape, (Shape{40, 20}));
    std::vector<std::byte> chunk;
    ASSERT_EQ(array.read(std::array<Index, 2>{1, 0}, chunk), formats::ZarrArray::Found::sound);
    const auto* entries = reinterpret_cast<const float*>(chunk.data());
    const Array k = formats::read_npz(folder / "K.npz", part);
    for (Index i = 0; i < 16; ++i) {
      for (Index j = 0; j < 16; ++j) EXPECT_EQ(entries[i * 16 + j], k.as<float>()[static_cast<std::size_t>((16 + i) * 20 + j)]);
    }
  }
}

TEST(RunZarr, AResumedRunTellsOfTheWholeKernel) {
  const test::TemporaryFolder folder;
  const KernelResult whole = run_kernel(spec_of(folder / "K.zarr"));
  const std::string chunk = bytes_of(folder / "K.zarr/c/1/0");
  std::filesystem::remove(folder / "K.zarr/c/1/0");
  const KernelResult rest = run_kernel(resumed(spec_of(folder / "K.zarr")));
  ASSERT_TRUE(rest.resumed.has_value());
  EXPECT_EQ(rest.resumed->tiles, 6);
  EXPECT_EQ(rest.resumed->found, 5);
  EXPECT_EQ(bytes_of(folder / "K.zarr/c/1/0"), chunk);
  EXPECT_EQ(rest.statistics.corner, whole.statistics.corner);
  EXPECT_EQ(rest.statistics.trace, whole.statistics.trace);
  EXPECT_EQ(rest.statistics.largest_entry, whole.statistics.largest_entry);
  EXPECT_EQ(rest.measured_error->rms, whole.measured_error->rms);
  EXPECT_EQ(run_kernel(resumed(spec_of(folder / "K.zarr"))).resumed->found, 6);
}

/// Explicit rows, both Grams and position Grams in one kernel: what goes on has the bits of what was there, whatever the
/// threads and the memory, of one set of samples and of two.
TEST(RunZarr, ARunThatGoesOnTakesTheSameOrders) {
  const test::TemporaryFolder folder;
  KernelSpec spec = spec_of(folder / "K.zarr");
  spec.model.text =
      "Chain(Conv((3, 3), 1 => 8, relu, pad = 1), Conv((3, 3), 8 => 16, relu), Conv((3, 3), 16 => 32, relu, stride = 2), "
      "flatten, Dense(128 => 10))";
  spec.reduce = "full";
  spec.data.n = 20;
  spec.block_samples = 8;
  int threads = 0;
  for (const bool two : {false, true}) {
    if (two) spec.data2 = spec.data;
    spec.existing = ExistingFile::replace;
    const KernelResult whole = run_kernel(spec);
    std::set<std::string> orders;
    for (const PlanRow& row : whole.plan) orders.insert(row.order);
    EXPECT_EQ(orders, (std::set<std::string>{"both Grams", "explicit rows", "position Grams"}));
    std::map<std::string, std::string> chunks;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "K.zarr/c")) {
      if (entry.is_regular_file()) chunks[entry.path()] = bytes_of(entry.path());
    }
    ASSERT_EQ(chunks.size(), two ? 9U : 6U);
    for (const auto& [path, bytes] : chunks) {
      std::filesystem::remove(path);
      KernelSpec rest = resumed(spec);
      rest.resources.threads = threads = threads % 3 + 1;
      const KernelResult again = run_kernel(rest);
      EXPECT_EQ(again.resumed->found, static_cast<Index>(chunks.size()) - 1);
      EXPECT_TRUE(bytes_of(path) == bytes) << path;
      for (std::size_t k = 0; k < whole.plan.size(); ++k) EXPECT_EQ(again.plan[k].order, whole.plan[k].order);
    }
  }
}

TEST(RunZarr, ARunThatGoesOnKeepsTheSizeOfItsChunks) {
  const test::TemporaryFolder folder;
  run_kernel(spec_of(folder / "K.zarr"));
  std::filesystem::remove(folder / "K.zarr/c/1/0");
  KernelSpec spec = resumed(spec_of(folder / "K.zarr"));
  spec.block_samples = 5;
  spec.resources.threads = 1;
  EXPECT_EQ(run_kernel(spec).resumed->found, 5);
}

TEST(RunZarr, NamesWhatDiffersAndChangesNothing) {
  const test::TemporaryFolder folder;
  run_kernel(spec_of(folder / "K.zarr"));
  std::filesystem::remove(folder / "K.zarr/c/1/0");
  const auto refused = [&](const auto& change) {
    KernelSpec spec = resumed(spec_of(folder / "K.zarr"));
    change(spec);
    const Error error = test::error_of([&] { run_kernel(spec); });
    EXPECT_FALSE(std::filesystem::exists(folder / "K.zarr/c/1/0"));
    EXPECT_EQ(error.complaint().where, folder / "K.zarr");
    EXPECT_NE(std::string(error.what()).find("--force"), std::string::npos);
    return error;
  };
  const auto expect = [&](ErrorKind kind, const std::string& names, const auto& change) {
    const Error error = refused(change);
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_EQ(error.complaint().what, "the kernel that is there was begun with another " + names);
  };
  expect(ErrorKind::input, "model", [](KernelSpec& spec) { spec.model.seed = 1; });
  expect(ErrorKind::input, "model", [](KernelSpec& spec) { spec.model.buffers = "bias"; });
  expect(ErrorKind::input, "data, samples", [](KernelSpec& spec) { spec.data.n = 41; });
  expect(ErrorKind::input, "data", [](KernelSpec& spec) { spec.data.scale = 0.5; });
  expect(ErrorKind::input, "data2, samples2, triangle", [](KernelSpec& spec) { spec.data2 = spec.data; });
  expect(ErrorKind::usage, "reduce", [](KernelSpec& spec) { spec.reduce = "sum"; });
  expect(ErrorKind::usage, "reduce", [](KernelSpec& spec) { spec.reduce = "mean"; });
  expect(ErrorKind::usage, "by", [](KernelSpec& spec) { spec.by = By::layer; });
  expect(ErrorKind::usage, "method", [](KernelSpec& spec) { spec.method = Method::jacobian; });
  expect(ErrorKind::usage, "precision", [](KernelSpec& spec) { spec.precision = Precision::float64; });
  expect(ErrorKind::usage, "triangle", [](KernelSpec& spec) { spec.triangle = Triangle::full; });
  Tensor<double> basis(Shape{1, 3});
  basis[1] = 1;
  formats::write_npy(folder / "C.npy", Array(basis));
  expect(ErrorKind::input, "basis", [&](KernelSpec& spec) { spec.basis = (folder / "C.npy").string(); });
  EXPECT_EQ(refused([](KernelSpec& spec) { spec.reduce = "sum"; }).complaint().got, "reduce sum");
  EXPECT_EQ(refused([](KernelSpec& spec) { spec.reduce = "sum"; }).complaint().expected, "reduce trace");
}

TEST(RunZarr, WhatIsNotFiniteLeavesNothing) {
  const test::TemporaryFolder folder;
  KernelSpec spec = spec_of(folder / "K.zarr");
  spec.model.text = "Chain(Dense(64 => 1))";
  spec.data.scale = 1e25;
  spec.reduce.clear();
  EXPECT_EQ(test::error_of([&] { run_kernel(spec); }).kind(), ErrorKind::numerics);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

/// Asks to stop when the first tile has been told of.
class StopAtOnce final : public Progress {
 public:
  explicit StopAtOnce(std::atomic<bool>& stop) : stop_(stop) {}
  void report(std::string_view what, double, double) override {
    if (what == "contracting") stop_ = true;
  }

 private:
  std::atomic<bool>& stop_;
};

TEST(RunZarr, AStoppedRunKeepsItsTilesAndSaysSo) {
  const test::TemporaryFolder folder;
  std::atomic<bool> stop{false};
  StopAtOnce progress(stop);
  KernelSpec spec = spec_of(folder / "K.zarr");
  spec.resources.threads = 1;  // others would go on while the first one is told
  const Error error = test::error_of([&] { run_kernel(spec, {.progress = &progress, .cancelled = &stop}); });
  EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  EXPECT_NE(std::string(error.what()).find("--resume goes on"), std::string::npos) << error.what();
  EXPECT_TRUE(formats::is_zarr(folder / "K.zarr"));
  EXPECT_EQ(test::error_of([&] { read(folder / "K.zarr", 40); }).kind(), ErrorKind::input) << "it is not complete";
  const KernelResult rest = run_kernel(resumed(spec_of(folder / "K.zarr")));
  EXPECT_GT(rest.resumed->found, 0);
  EXPECT_LT(rest.resumed->found, rest.resumed->tiles);
  run_kernel(spec_of(folder / "L.zarr"));
  const Tensor<double> k = read(folder / "K.zarr", 40);
  const Tensor<double> undisturbed = read(folder / "L.zarr", 40);
  for (Index e = 0; e < k.size(); ++e) ASSERT_EQ(k[e], undisturbed[e]);
}

TEST(RunZarr, OnlyWhatIsWrittenTileByTileGoesThere) {
  const test::TemporaryFolder folder;
  const auto kind = [&](const auto& change) {
    KernelSpec spec = spec_of(folder / "K.zarr");
    change(spec);
    return test::error_of([&] { run_kernel(spec); }).kind();
  };
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.pairs = Pairs::self; }), ErrorKind::usage);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.method = Method::product; }), ErrorKind::usage);
  EXPECT_EQ(kind([&](KernelSpec& spec) { spec.out = (folder / "K.npy").string(), spec.triangle = Triangle::lower; }), ErrorKind::usage);
  EXPECT_EQ(kind([&](KernelSpec& spec) { spec.out = (folder / "K.npz").string(), spec.existing = ExistingFile::resume; }), ErrorKind::usage);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace tangra::run
