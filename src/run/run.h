#pragma once
#include <memory>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
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
ArraysResult run_outputs(const OutputsSpec& spec, const Caller& caller = {});
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

/// A kernel that is not formed but applied to vectors (kernel::KernelOperator), kept with all that it needs. Symmetric
/// unless there is a second data set.
class Operator {
 public:
  virtual ~Operator() = default;
  virtual Index rows() const = 0;
  virtual Index columns() const = 0;
  virtual DType precision() const = 0;
  /// y = K x for b vectors. x: [columns, b], y: [rows, b]. Throws Error(interrupted) where the caller of make_operator()
  /// has cancelled. One call at a time.
  virtual void apply(MatrixView<const double> x, MatrixView<double> y) const = 0;
};

/// Loads, and prepares the factors, of the kernel that run_kernel() would compute. Throws Error(usage) for what has no
/// operator: a diagonal kernel, parts, pairs, parameter space, conjugate kernels, a file. What `caller` points to
/// outlives the operator.
std::unique_ptr<Operator> make_operator(const KernelSpec& spec, const Caller& caller = {});

}  // namespace tangra::run
