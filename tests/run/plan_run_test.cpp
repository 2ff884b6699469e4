// What is planned is what is run.
#include <gtest/gtest.h>

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
    ASSERT_TRUE(done.predicted_contraction.has_value());
    EXPECT_NEAR(*done.predicted_contraction, planned.predicted.contraction_seconds, 1e-12);
    EXPECT_TRUE(planned.kernel.arrays.empty());
  }
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
