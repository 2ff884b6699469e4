// What is planned is what is run.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "support/support.h"
#include "tangra/run/run.h"

namespace tangra {
namespace {

run::KernelSpec spec_of(const std::string& reduce) {
  run::KernelSpec spec;
  spec.model.text = "Chain(Dense(64 => 12, tanh), Dense(12 => 10), softmax)";
  spec.data.source = "digits";
  spec.data.n = 60;
  spec.reduce = reduce;
  return spec;
}

TEST(RunPlan, IsThePlanOfTheRun) {
  for (const std::string reduce : {"full", "trace", "diagonal", "output=3"}) {
    SCOPED_TRACE(reduce);
    const run::PlanResult planned = run::run_plan(spec_of(reduce));
    const run::KernelResult done = run::run_kernel(spec_of(reduce));
    EXPECT_EQ(planned.kernel.shape, done.shape);
    EXPECT_EQ(planned.kernel.axes, done.axes);
    EXPECT_EQ(planned.kernel.block_samples, done.block_samples);
    EXPECT_EQ(planned.kernel.groups, done.groups);
    EXPECT_EQ(planned.kernel.multiply_adds, done.multiply_adds);
    ASSERT_EQ(planned.kernel.plan.size(), done.plan.size());
    for (std::size_t k = 0; k < done.plan.size(); ++k) {
      EXPECT_EQ(planned.kernel.plan[k].parameter, done.plan[k].parameter);
      EXPECT_EQ(planned.kernel.plan[k].order, done.plan[k].order);
    }
    EXPECT_EQ(planned.predicted.kernel_bytes, static_cast<std::size_t>(done.shape.elements()) * sizeof(float));
    EXPECT_GT(planned.predicted.factor_bytes, 0U);
    EXPECT_GT(planned.predicted.contraction_seconds, 0);
    EXPECT_GT(planned.predicted.factor_seconds, 0);
    // Planning has measured the machine, so the run can be held against it.
    ASSERT_EQ(done.expected.size(), 4U);
    ASSERT_TRUE(done.expected.back().seconds.has_value());
    EXPECT_NEAR(*done.expected.back().seconds, planned.predicted.contraction_seconds, 1e-12);
    for (std::size_t k = 0; k < 4; ++k) EXPECT_EQ(done.expected[k].multiply_adds, planned.kernel.expected[k].multiply_adds);
    EXPECT_TRUE(planned.kernel.arrays.empty());
  }
}

TEST(RunPlan, OfATriangleOnTheDiskCountsWhatIsWrittenThere) {
  const test::TemporaryFolder folder;
  run::KernelSpec spec = spec_of("trace");
  spec.block_samples = 20;
  const run::Prediction in_memory = run::run_plan(spec).predicted;
  EXPECT_EQ(in_memory.stored_bytes, in_memory.kernel_bytes);
  EXPECT_EQ(in_memory.seconds(), in_memory.factor_seconds + in_memory.contraction_seconds + in_memory.write_seconds);
  spec.out = (folder / "K.zarr").string();
  const run::Prediction planned = run::run_plan(spec).predicted;
  run::run_kernel(spec);
  std::uintmax_t chunks = 0, bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "K.zarr" / "c")) {
    if (entry.is_regular_file()) chunks += 1, bytes += entry.file_size();
  }
  EXPECT_EQ(chunks, 6U);  // of 9
  EXPECT_EQ(planned.stored_bytes, bytes - 4 * chunks);  // checksums aside
  if (planned.written_to == "memory") GTEST_SKIP() << "the disk's rate cannot be measured here";
  EXPECT_EQ(planned.seconds(), planned.factor_seconds + std::max(planned.contraction_seconds, planned.write_seconds));
}

run::KernelSpec pictures(const std::string& reduce) {
  run::KernelSpec spec = spec_of(reduce);
  spec.model.text = "Chain(Conv((3, 3), 1 => 6, tanh, pad = 1), Conv((3, 3), 6 => 8, tanh, stride = 2), flatten, Dense(72 => 5))";
  return spec;
}

const run::PlanRow& row_of(const run::KernelResult& result, const std::string& parameter) {
  return *std::ranges::find(result.plan, parameter, &run::PlanRow::parameter);
}

TEST(RunPlan, TellsWhatEveryOrderOfEveryUseWouldTake) {
  constexpr double n = 60, pairs = n * (n + 1) / 2;
  const run::KernelResult planned = run::run_plan(pictures("trace")).kernel;
  double total = 0;
  for (const run::PlanRow& row : planned.plan) {
    SCOPED_TRACE(row.parameter);
    ASSERT_TRUE(row.seconds.has_value());
    EXPECT_GT(*row.seconds, 0);
    const auto taken = std::ranges::find(row.orders, row.order, &run::OrderRow::order);
    ASSERT_NE(taken, row.orders.end());
    EXPECT_EQ(taken->multiply_adds, row.total_multiply_adds);
    EXPECT_EQ(taken->bytes, row.bytes);
    total += row.total_multiply_adds;
  }
  // Docs/math.md, section 5, with D = 9, K = 54, C = 8, O = 5, and 6 pixel channels of 64 pixels with 9 taps.
  const run::PlanRow& row = row_of(planned, "1.weight");
  ASSERT_EQ(row.orders.size(), 4U);
  EXPECT_EQ(row.orders[0].order, "explicit rows");
  EXPECT_EQ(row.orders[0].multiply_adds, n * 5 * 9 * 54 * 8 + pairs * 5 * 54 * 8);
  EXPECT_EQ(row.orders[0].bytes, n * 4 * 5 * 54 * 8);
  EXPECT_EQ(row.orders[1].order, "both Grams");
  EXPECT_EQ(row.orders[1].multiply_adds, pairs * 81 * (5 * 8 + 1 + 54));
  EXPECT_EQ(row.orders[1].bytes, n * 4 * 9 * (5 * 8 + 54));
  EXPECT_EQ(row.orders[2].order, "position Grams");
  EXPECT_EQ(row.orders[2].multiply_adds, pairs * (81 * 54 + 5 * 81 * 8 + 5 * 9 * 8));
  EXPECT_EQ(row.orders[3].order, "pixel Grams");
  EXPECT_EQ(row.orders[3].multiply_adds, pairs * (64 * 64 * 6 + 81 * 9 + 5 * 81 * 8 + 5 * 9 * 8));
  EXPECT_EQ(row.orders[3].bytes, n * 4 * (5 * 9 * 8 + 64 * 6));
  EXPECT_NEAR(total, planned.expected[2].multiply_adds + planned.expected[3].multiply_adds, 1e-9 * total) << "packing and contraction";
}

TEST(RunPlan, OfTwoSetsCountsAllOfTheirPairs) {
  run::KernelSpec spec = pictures("full");
  spec.data2 = spec.data;
  spec.data2->n = 7;
  const run::KernelResult planned = run::run_plan(spec).kernel;
  const run::PlanRow& row = row_of(planned, "1.weight");
  EXPECT_EQ(row.orders[0].multiply_adds, 67 * 5 * 9 * 54 * 8 + 60 * 7 * 25 * 54 * 8);
  EXPECT_EQ(row.orders[0].bytes, 67 * 4 * 5 * 54 * 8);
}

TEST(RunPlan, RefusesWhatHasNone) {
  run::KernelSpec self = spec_of("trace");
  self.pairs = run::Pairs::self;
  EXPECT_EQ(test::error_of([&] { run::run_plan(self); }).kind(), ErrorKind::usage);
  run::KernelSpec small = spec_of("full");
  small.resources.memory = 1000;
  EXPECT_EQ(test::error_of([&] { run::run_plan(small); }).kind(), ErrorKind::memory);
}

TEST(RunPlan, WritesNoKernel) {
  const test::TemporaryFolder folder;
  run::KernelSpec spec = spec_of("trace");
  spec.out = (folder / "K.npy").string();
  run::run_plan(spec);
  EXPECT_FALSE(std::filesystem::exists(folder / "K.npy"));
  EXPECT_FALSE(std::filesystem::exists(folder / "K.npy.json"));
}

}  // namespace
}  // namespace tangra
