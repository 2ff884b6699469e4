#pragma once
#include "tangra/base/context.h"
#include "tangra/run/result.h"
#include "tangra/run/spec.h"

namespace tangra::run {

/// What a caller hears of a run, and how it stops one.
struct Caller {
  Progress* progress = nullptr;
  const std::atomic<bool>* cancelled = nullptr;
};

/// Each validates its specification, does the work and, where asked for, writes its file (complete or not at all).
/// All throw tangra::Error.
SummaryResult run_summary(const SummarySpec& spec);
ArraysResult run_jacobian(const JacobianSpec& spec, const Caller& caller = {});
ArraysResult run_product(const ProductSpec& spec, const Caller& caller = {});
KernelResult run_kernel(const KernelSpec& spec, const Caller& caller = {});
/// What run_kernel would do. Throws Error(usage) for kernels that have no plan: conjugate ones, those in the space of
/// parameters, of each sample with itself, and by products.
PlanResult run_plan(const KernelSpec& spec, const Caller& caller = {});
VerifyRunResult run_verify(const VerifySpec& spec, const Caller& caller = {});
SpectrumResult run_spectrum(const SpectrumSpec& spec, const Caller& caller = {});
PredictResult run_predict(const PredictSpec& spec, const Caller& caller = {});
InfiniteResult run_infinite(const InfiniteSpec& spec, const Caller& caller = {});

}  // namespace tangra::run
