#include "tangra/kernel/zarr_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/kernel/kernel_file.h"

namespace tangra::kernel {
namespace {

using formats::ZarrArray;
using test::KernelOptions;

/// A kernel to be written, and the same kernel in memory.
template <class T>
struct Case {
  Case(const std::string& reduce, bool second, PartsBy by, Index block_samples = 7)
      : options{.reduce = reduce, .by = by, .block_samples = block_samples},
        graph(test::dense_network({13, 9, 3}, "Tanh", "Softmax", 5)),
        x(Array(test::random_tensor({31, 13}, 3)).converted<T>()),
        y(Array(test::random_tensor({18, 13}, 4)).converted<T>()),
        program(graph, context.context),
        lowered(lower(parse_reduction(reduce), graph->shape(graph->outputs.front()))),
        rows(program, x, graph->outputs.front(), basis(), context.context),
        columns(program, y, graph->outputs.front(), basis(), context.context) {
    assembly.rows = &rows;
    if (second) assembly.columns = &columns;
    assembly.layout = lowered.layout;
    assembly.parts = divide(*graph, by);
    for (const Parameter& own : graph->parameters) assembly.sizes.push_back(own.data.size());
    assembly.divisor = lowered.divisor;
    assembly.block_samples = block_samples;
    expected = test::kernel_of<T>(graph, x, second ? &y : nullptr, options, context.context);
  }
  differentiate::Basis basis() const { return differentiate::Basis::sums(3, lowered.members); }

  ZarrKernel kernel_at(const std::filesystem::path& path, bool lower = false) const {
    ZarrKernel kernel{.path = path,
                      .parts = {},
                      .shape = lowered.kernel_shape(31, assembly.columns == nullptr ? 31 : 18),
                      .axes = lowered.kernel_axes(),
                      .lower = lower,
                      .manifest = {{.name = "model", .value = "a"},
                                   {.name = "triangle", .value = lower ? "lower" : "full", .option = true}}};
    if (assembly.parts.with_total) kernel.parts = expected.names;
    return kernel;
  }
  AssemblyReport write(ZarrKernel kernel, bool resume = false) {
    kernel.resume = resume;
    ZarrStore<T> store(std::move(kernel));
    Assembly<T> own = assembly;
    if (store.resumed()) own.block_samples = store.block_samples();
    const AssemblyReport report = assemble(own, store, context.context);
    store.finish();
    return report;
  }

  test::TestContext context;
  KernelOptions options;
  std::shared_ptr<const Graph> graph;
  Tensor<T> x;
  Tensor<T> y;
  differentiate::Program<T> program;
  LoweredReduction lowered;
  differentiate::NetworkFactors<T> rows;
  differentiate::NetworkFactors<T> columns;
  Assembly<T> assembly;
  test::Kernel<T> expected;
};

/// Every entry of a Zarr array, by the chunks' own places; absent chunks are NaN.
template <class T>
Tensor<T> all_entries(const std::filesystem::path& folder) {
  const ZarrArray array(folder);
  const Shape& shape = array.header().shape;
  const Shape& chunk = array.header().chunk;
  Tensor<T> all(shape);
  std::fill(all.begin(), all.end(), std::numeric_limits<T>::quiet_NaN());
  const std::vector<Index> strides = shape.strides();
  std::vector<Index> place(strides.size(), 0);
  std::vector<std::byte> bytes;
  for (bool more = true; more;) {
    if (array.read(place, bytes) == ZarrArray::Found::sound) {
      const auto* entries = reinterpret_cast<const T*>(bytes.data());
      for (Index e = 0; e < chunk.elements(); ++e) {
        Index rest = e;
        Index target = 0;
        bool inside = true;
        for (Index axis = shape.rank(); axis-- > 0; rest /= chunk[axis]) {
          const Index at = place[static_cast<std::size_t>(axis)] * chunk[axis] + rest % chunk[axis];
          inside = inside && at < shape[axis];
          target += at * strides[static_cast<std::size_t>(axis)];
        }
        if (inside) all[target] = entries[e];
      }
    }
    more = false;
    for (std::size_t axis = place.size(); axis-- > 0 && !more;) {
      more = ++place[axis] < array.header().chunks(static_cast<Index>(axis));
      if (!more) place[axis] = 0;
    }
  }
  return all;
}

template <class T>
void expect_same_bits(const Tensor<T>& a, const Tensor<T>& b) {
  ASSERT_EQ(a.shape().elements(), b.shape().elements());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0);
}

TEST(ZarrStore, HoldsEveryKindOfKernel) {
  for (const char* reduce : {"full", "trace", "diagonal", "sum"}) {
    for (const bool second : {false, true}) {
      for (const Index block : {6, 100}) {
        SCOPED_TRACE(reduce + std::string(second ? ", two sets" : "") + ", block " + std::to_string(block));
        const test::TemporaryFolder folder;
        Case<float> one(reduce, second, PartsBy::total, block);
        const AssemblyReport report = one.write(one.kernel_at(folder / "K.zarr"));
        EXPECT_EQ(report.tiles_found, 0);
        const ZarrArray array(folder / "K.zarr");
        EXPECT_EQ(array.header().shape, one.expected.parts[0].shape());
        EXPECT_EQ(array.header().dimension_names, one.lowered.kernel_axes());
        expect_same_bits(all_entries<float>(folder / "K.zarr"), one.expected.parts[0]);
      }
    }
  }
}

TEST(ZarrStore, WhatReachesOverTheEdgeIsNaN) {
  const test::TemporaryFolder folder;
  Case<float> one("trace", false, PartsBy::total, 20);
  one.write(one.kernel_at(folder / "K.zarr"));
  std::vector<std::byte> chunk;
  ASSERT_EQ(ZarrArray(folder / "K.zarr").read(std::array<Index, 2>{1, 0}, chunk), ZarrArray::Found::sound);
  const auto* entries = reinterpret_cast<const float*>(chunk.data());
  for (Index e = 0; e < 400; ++e) EXPECT_EQ(std::isnan(entries[e]), e / 20 >= 11);
}

TEST(ZarrStore, OfALowerTriangleHasNoChunkAboveIt) {
  const test::TemporaryFolder folder;
  for (const char* reduce : {"full", "trace", "diagonal"}) {
    Case<float> one(reduce, false, PartsBy::total);
    one.write(one.kernel_at(folder / "K.zarr", true));
    const Tensor<float> all = all_entries<float>(folder / "K.zarr");
    const Tensor<float>& expected = one.expected.parts[0];
    const Index full = one.lowered.layout.full;
    const Index side = 31 * full;
    Index absent = 0;
    for (Index e = 0; e < all.size(); ++e) {
      const Index row = e / side % side;
      const Index column = e % side;
      const bool above = row / full / 7 < column / full / 7;
      EXPECT_EQ(std::isnan(all[e]), above);
      if (!above) {
        EXPECT_EQ(all[e], expected[e]);
      }
      absent += above;
    }
    EXPECT_GT(absent, 0);
  }
}

TEST(ZarrStore, HoldsPartsAsAGroup) {
  const test::TemporaryFolder folder;
  Case<double> one("trace", false, PartsBy::parameter);
  one.write(one.kernel_at(folder / "K.zarr"));
  EXPECT_TRUE(formats::read_zarr_node(folder / "K.zarr").group);
  for (std::size_t part = 0; part < one.expected.names.size(); ++part) {
    expect_same_bits(all_entries<double>(folder / "K.zarr" / one.expected.names[part]), one.expected.parts[part]);
  }
}

/// Files below a folder, each with a number that changes when it is written anew.
std::map<std::string, ino_t> files_below(const std::filesystem::path& folder) {
  std::map<std::string, ino_t> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    struct stat status {};
    if (entry.is_regular_file() && stat(entry.path().c_str(), &status) == 0) {
      files[std::filesystem::relative(entry.path(), folder)] = status.st_ino;
    }
  }
  return files;
}

TEST(ZarrStore, AResumedRunWritesOnlyWhatIsMissingOrDamaged) {
  for (const bool lower : {false, true}) {
    for (const auto by : {PartsBy::total, PartsBy::layer}) {
      SCOPED_TRACE(std::string(lower ? "lower" : "full") + (by == PartsBy::layer ? " by layer" : ""));
      const test::TemporaryFolder folder;
      Case<float> one("trace", false, by);
      one.write(one.kernel_at(folder / "K.zarr", lower));
      const std::filesystem::path array = by == PartsBy::total ? folder / "K.zarr" : folder / "K.zarr/0";
      const Tensor<float> all = all_entries<float>(array);
      std::filesystem::remove(array / "c/2/1");
      std::filesystem::resize_file(array / "c/4/0", 10);
      { std::fstream(array / "c/3/3", std::ios::in | std::ios::out | std::ios::binary).write("x", 1); }
      if (!lower) std::filesystem::remove(array / "c/1/4");  // its mirror image is sound
      const auto before = files_below(array);
      const AssemblyReport report = one.write(one.kernel_at(folder / "K.zarr", lower), true);
      EXPECT_EQ(report.tiles, 15);
      EXPECT_EQ(report.tiles_found, lower ? 12 : 11);
      const Tensor<float> again = all_entries<float>(array);
      EXPECT_EQ(std::memcmp(all.data(), again.data(), all.bytes()), 0);
      const auto after = files_below(array);
      for (const auto& [file, inode] : before) {
        const bool anew = file == "c/4/0" || file == "c/3/3" || (!lower && (file == "c/0/4" || file == "c/1/2" || file == "c/4/1"));
        EXPECT_EQ(after.at(file) != inode, anew) << file;
      }
      EXPECT_TRUE(after.contains("c/2/1"));
      EXPECT_EQ(one.write(one.kernel_at(folder / "K.zarr", lower), true).tiles_found, 15) << "now all is there";
    }
  }
}

/// Makes factors as another source does and counts what it was asked for.
template <class T>
class Counted final : public factors::FactorSource<T> {
 public:
  explicit Counted(const factors::FactorSource<T>& inner) : inner_(inner) {}
  Index samples() const override { return inner_.samples(); }
  Index directions() const override { return inner_.directions(); }
  factors::FactorBlock<T> make(Index begin, Index end) const override {
    if (end - begin > 1) made_ += end - begin;  // one sample alone is for the plan
    return inner_.make(begin, end);
  }
  std::size_t bytes_per_sample() const override { return inner_.bytes_per_sample(); }
  Index made() const { return made_; }

 private:
  const factors::FactorSource<T>& inner_;
  mutable std::atomic<Index> made_{0};
};

TEST(ZarrStore, AResumedRunSweepsOnlyTheBlocksThatItNeeds) {
  const test::TemporaryFolder folder;
  Case<float> one("trace", false, PartsBy::total);
  const auto factors_made = [&](bool resume) {
    const Counted<float> source(one.rows);
    one.assembly.rows = &source;
    one.write(one.kernel_at(folder / "K.zarr"), resume);
    one.assembly.rows = &one.rows;
    return source.made();
  };
  EXPECT_EQ(factors_made(false), 31);
  EXPECT_EQ(factors_made(true), 0);
  std::filesystem::remove(folder / "K.zarr/c/3/1");
  EXPECT_EQ(factors_made(true), 14);
}

TEST(ZarrStore, AnotherKernelCannotGoOn) {
  const test::TemporaryFolder folder;
  Case<float> one("trace", false, PartsBy::total);
  one.write(one.kernel_at(folder / "K.zarr"));
  const auto refused = [&](ZarrKernel kernel) {
    kernel.resume = true;
    const auto before = files_below(folder / "K.zarr");
    const Error error = test::error_of([&] { ZarrStore<float>{kernel}; });
    EXPECT_EQ(files_below(folder / "K.zarr"), before);
    return error;
  };
  ZarrKernel other = one.kernel_at(folder / "K.zarr");
  other.manifest[0].value = "b";
  EXPECT_EQ(refused(other).kind(), ErrorKind::input);
  EXPECT_EQ(refused(other).complaint().got, "model b");
  EXPECT_EQ(refused(other).complaint().expected, "model a");
  const ZarrKernel lower = one.kernel_at(folder / "K.zarr", true);
  EXPECT_EQ(refused(lower).kind(), ErrorKind::usage) << "an option alone differs";
  other.manifest[1].value = "lower";
  EXPECT_EQ(refused(other).kind(), ErrorKind::input);
  EXPECT_NE(std::string(refused(other).what()).find("another model, triangle"), std::string::npos);
  // Another plan is known when it has been made: the same network by explicit rows.
  one.assembly.order = factors::Order::explicit_rows;
  const Error plan = test::error_of([&] { one.write(one.kernel_at(folder / "K.zarr"), true); });
  EXPECT_NE(std::string(plan.what()).find("another plan"), std::string::npos) << plan.what();
}

TEST(ZarrStore, AFolderOfSomethingElseIsLeftAlone) {
  const test::TemporaryFolder folder;
  Case<float> one("trace", false, PartsBy::total);
  const auto refused = [&](bool resume) {
    ZarrKernel kernel = one.kernel_at(folder / "K.zarr");
    kernel.resume = resume;
    const Error error = test::error_of([&] { ZarrStore<float>{kernel}; });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.complaint().where, folder / "K.zarr");
    return std::string(error.what());
  };
  std::filesystem::create_directory(folder / "K.zarr");
  std::ofstream(folder / "K.zarr/precious") << "data";
  for (const bool resume : {false, true}) EXPECT_NE(refused(resume).find("without zarr.json"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "K.zarr/precious"));
  std::filesystem::remove_all(folder / "K.zarr");
  std::ofstream(folder / "K.zarr") << "data";
  for (const bool resume : {false, true}) EXPECT_NE(refused(resume).find("a file"), std::string::npos);
  std::filesystem::remove(folder / "K.zarr");
  formats::NewFolder foreign(folder / "K.zarr");
  formats::write_zarr_array(foreign.path(), {.shape = {31, 31}, .chunk = {7, 7}, .dimension_names = {}, .attributes = {}});
  foreign.commit();
  ZarrKernel kernel = one.kernel_at(folder / "K.zarr");
  kernel.resume = true;
  EXPECT_NE(std::string(test::error_of([&] { ZarrStore<float>{kernel}; }).what()).find("which kernel it holds"), std::string::npos);
}

TEST(ZarrStore, AnEmptyFolderAndNoFolderAreNothingToGoOnWith) {
  const test::TemporaryFolder folder;
  Case<float> one("trace", false, PartsBy::total);
  std::filesystem::create_directory(folder / "K.zarr");
  EXPECT_EQ(one.write(one.kernel_at(folder / "K.zarr"), true).tiles_found, 0);
  EXPECT_EQ(one.write(one.kernel_at(folder / "L.zarr"), true).tiles_found, 0);
  expect_same_bits(all_entries<float>(folder / "K.zarr"), one.expected.parts[0]);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2) << "nothing temporary is left";
}

TEST(ZarrStore, OneRunAtATimeWrites) {
  const test::TemporaryFolder folder;
  Case<float> one("trace", false, PartsBy::total);
  ZarrStore<float> store(one.kernel_at(folder / "K.zarr"));
  assemble(one.assembly, store, one.context.context);
  for (const bool resume : {false, true}) {
    ZarrKernel kernel = one.kernel_at(folder / "K.zarr");
    kernel.resume = resume;
    EXPECT_NE(std::string(test::error_of([&] { ZarrStore<float>{kernel}; }).what()).find("another run"), std::string::npos);
  }
}

TEST(ZarrStore, WhatCannotBeFinishedCanBeAbandoned) {
  const test::TemporaryFolder folder;
  Case<float> one("trace", false, PartsBy::total);
  {
    ZarrStore<float> store(one.kernel_at(folder / "K.zarr"));
    assemble(one.assembly, store, one.context.context);
    store.abandon();
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  one.write(one.kernel_at(folder / "K.zarr"));
  ZarrKernel kernel = one.kernel_at(folder / "K.zarr");
  kernel.resume = true;
  ZarrStore<float> resumed(kernel);
  assemble(one.assembly, resumed, one.context.context);
  resumed.abandon();
  EXPECT_TRUE(formats::is_zarr(folder / "K.zarr")) << "an earlier run made it";
}

TEST(ZarrStore, ARunThatGoesOnKeepsItsBlocks) {
  const test::TemporaryFolder folder;
  Case<float> one("trace", false, PartsBy::total, 31);
  one.write(one.kernel_at(folder / "K.zarr"));
  std::filesystem::remove(folder / "K.zarr/c/0/0");
  ZarrKernel kernel = one.kernel_at(folder / "K.zarr");
  kernel.resume = true;
  ZarrStore<float> store(kernel);
  Assembly<float> own = one.assembly;
  own.block_samples = store.block_samples();
  own.fixed_block = true;
  ThreadPool pool(1);
  MemoryLedger ledger(20 * 1024);  // enough for blocks of a few samples, not of 31
  EXPECT_EQ(test::error_of([&] { assemble(own, store, {.pool = pool, .memory = ledger}); }).kind(), ErrorKind::memory);
  own.fixed_block = false;
  kernel.path = folder / "L.zarr";
  kernel.resume = false;
  ZarrStore<float> afresh(kernel);
  EXPECT_LT(assemble(own, afresh, {.pool = pool, .memory = ledger}).block_samples, 31);
}

}  // namespace
}  // namespace tangra::kernel
