#include <algorithm>
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/formats/npy.h"
#include "tangra/kernel/assembly.h"
#include "tangra/run/kernel/job.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

[[noreturn]] void contradiction(const char* what, const char* where, const char* cure) {
  throw Error(ErrorKind::usage, {.what = what, .where = where, .got = {}, .expected = {}, .cure = cure});
}

/// The reduction that was asked for; outputs of one entry need no choice.
kernel::Reduction chosen_reduction(const KernelSpec& spec, const Shape& outputs) {
  if (!spec.reduce.empty()) return kernel::parse_reduction(spec.reduce);
  if (outputs.elements() == 1) return kernel::parse_reduction("output=0");
  throw Error(ErrorKind::usage,
              {.what = "the network has several outputs: say what becomes of them", .where = "--reduce",
               .got = "no reduction, outputs of shape " + to_string(outputs),
               .expected = "full, trace, mean, diagonal, sum or output=K", .cure = {}});
}

std::string convention(const KernelSpec& spec, const kernel::Reduction& reduction) {
  if (!spec.conjugate.empty()) return "K[i,j] = sum_e h_e(x_i) h_e(x_j), h the activations of " + spec.conjugate;
  if (spec.space == Space::parameters) return "K[p,q] = sum of dr/dtheta_p dr/dtheta_q over the rows r of the reduced Jacobian";
  const std::string head = "K = sum_p df/dtheta_p df'/dtheta_p, nothing divided by N or P; ";
  if (reduction.mean) return head + "K[i,j] = mean over a of K[i,a,j,a]";
  switch (reduction.axes.front()) {
    case kernel::AxisReduction::full: return head + "K[i,a,j,b]";
    case kernel::AxisReduction::trace: return head + "K[i,j] = sum over a of K[i,a,j,a]";
    case kernel::AxisReduction::diagonal: return head + "K[a,i,j] = K[i,a,j,a]";
    case kernel::AxisReduction::sum: return head + "K[i,j] = sum over a and b of K[i,a,j,b]";
    case kernel::AxisReduction::output: break;
  }
  return head + "K[i,j] of " + kernel::to_string(reduction) + " alone";
}

std::optional<differentiate::Basis> read_basis(const KernelSpec& spec, const Shape& outputs, Index samples) {
  if (!spec.has_basis()) return std::nullopt;
  const Array array = spec.basis_array ? *spec.basis_array : formats::read_npy(spec.basis);
  if (spec.data2 && array.shape().rank() == 3) {
    contradiction("a basis for each sample does not say which set of samples it belongs to", "--basis",
                  "Give one (R, O) basis for a train x test kernel");
  }
  if (array.shape().rank() == 3 && array.shape()[0] != samples) {
    throw Error(ErrorKind::input, {.what = "the basis and the data differ in their number of samples", .where = spec.basis,
                                   .got = std::to_string(array.shape()[0]) + " matrices", .expected = std::to_string(samples),
                                   .cure = {}});
  }
  return differentiate::Basis::matrix(finite(array, spec.basis), outputs.elements());
}

/// What --triangle, --resume and a .zarr ask for.
void validate_file(const KernelSpec& spec) {
  const std::string extension = extension_of(spec.out);
  const bool zarr = extension == ".zarr";
  if (spec.existing == ExistingFile::resume && !zarr) {
    contradiction("only a kernel in a .zarr can be resumed: its chunks are there or not, each with a checksum", "--resume",
                  "Write to a .zarr, as in -o K.zarr");
  }
  if (spec.triangle == Triangle::lower && !zarr) {
    contradiction("only a .zarr holds a triangle; other files hold the whole matrix", "--triangle", "Write to a .zarr, or leave it out");
  }
  if (spec.triangle == Triangle::lower && spec.data2) {
    contradiction("a train x test kernel is not symmetric and has no triangle", "--triangle", "Leave it out");
  }
  if (zarr && (spec.pairs == Pairs::self || spec.space == Space::parameters || spec.method == Method::product)) {
    contradiction("a .zarr is for kernels of all pairs of samples, which are written tile by tile", "-o",
                  "Write a .npy file (with --by a .npz)");
  }
  if (spec.by != By::total && extension == ".npy") {
    contradiction("several parts do not go into one .npy file", "-o", "Write a .npz or a .zarr");
  }
  check_out(spec.out, spec.existing, {".npy", ".npz", ".zarr"});
}

}  // namespace

void KernelSpec::validate() const {
  model.validate();
  if (!reduce.empty()) {
    const kernel::Reduction reduction = kernel::parse_reduction(reduce);
    const bool no_twin = reduction.is(kernel::AxisReduction::trace) || reduction.is(kernel::AxisReduction::diagonal);
    if (space == Space::parameters && no_twin) {
      contradiction("trace, mean and diagonal kernels have no twin in parameter space", "--space", "Take full, sum or output=K");
    }
  }
  if (space == Space::parameters && data2) {
    contradiction("a train x test kernel has no twin in parameter space", "--space", "Leave the second data set out");
  }
  if (space == Space::parameters && by != By::total) {
    contradiction("a kernel in parameter space has no parts", "--by", "Leave --by out; the blocks of K are the parts");
  }
  if (pairs == Pairs::self && data2) {
    contradiction("--pairs self pairs each sample with itself", "--pairs", "Leave the second data set out");
  }
  if (pairs == Pairs::self && space == Space::parameters) {
    contradiction("--pairs self belongs to the space of samples", "--pairs", "Leave --space out");
  }
  if (!conjugate.empty() && !reduce.empty()) {
    contradiction("a conjugate kernel has no outputs to reduce", "--reduce", "Leave it out");
  }
  if (!conjugate.empty() && (by != By::total || space != Space::samples || pairs != Pairs::all || has_basis())) {
    contradiction("a conjugate kernel has no parameters, parts or basis", "--conjugate", "Leave the other option out");
  }
  if (method != Method::automatic && (!conjugate.empty() || space == Space::parameters || pairs == Pairs::self)) {
    contradiction("--method chooses among ways to a kernel of all pairs of samples", "--method", "Leave it out");
  }
  validate_file(*this);
}

KernelJob kernel_job(const KernelSpec& spec, Loaded& rows, Loaded* columns) {
  const Graph& graph = *rows.graph;
  KernelJob job{.spec = spec, .rows = rows, .columns = columns};
  job.of = spec.conjugate.empty() ? find_value(graph, "output", "MODEL") : find_value(graph, spec.conjugate, "--conjugate");
  const Shape& outputs = graph.shape(job.of);
  if (spec.conjugate.empty()) {
    if (graph.parameter_count() == 0) {
      throw Error(ErrorKind::input, {.what = "the network has no parameters to differentiate by", .where = spec.model.text,
                                     .got = {}, .expected = {}, .cure = {}});
    }
    job.reduction = chosen_reduction(spec, outputs);
    job.basis = read_basis(spec, outputs, rows.summary.samples);
    job.lowered = kernel::lower(job.reduction, job.basis ? Shape{job.basis->rows()} : outputs);
  }
  return job;
}

namespace {

KernelResult described(const KernelJob& job) {
  KernelResult result;
  result.requested = job.spec;
  result.model = job.rows.model;
  result.data = job.rows.summary;
  if (job.columns != nullptr) result.data2 = job.columns->summary;
  result.reduce = job.spec.conjugate.empty() ? kernel::to_string(job.reduction) : "conjugate";
  result.conventions = convention(job.spec, job.reduction);
  result.out = job.spec.out;
  result.precision = name_of(compute_type(job.spec.precision, *job.rows.graph));
  return result;
}

}  // namespace

KernelResult run_kernel(const KernelSpec& spec, const Caller& caller) {
  spec.validate();
  Session session(spec.resources, caller);
  Loaded rows = load(spec.model, spec.data);
  std::optional<Loaded> columns;
  if (spec.data2) columns = load_second(rows, *spec.data2);
  session.step("load");
  session.count_loaded();

  const Graph& graph = *rows.graph;
  const KernelJob job = kernel_job(spec, rows, columns ? &*columns : nullptr);

  KernelResult result = described(job);
  if (compute_type(spec.precision, graph) == DType::float64) {
    compute_kernel<double>(job, session, result);
  } else {
    compute_kernel<float>(job, session, result);
  }
  session.context().check_cancelled();
  if (!result.arrays.empty()) remove_companion(spec.out);
  write_arrays(result.arrays.empty() ? std::string() : spec.out, result.arrays);
  if (!spec.out.empty()) result.arrays.clear();
  session.step("write");
  std::vector<std::uint64_t> data{rows.data.fingerprint};
  if (columns) data.push_back(columns->data.fingerprint);
  result.provenance = session.provenance(fingerprint(graph), std::move(data));
  return result;
}

PlanResult run_plan(const KernelSpec& spec, const Caller& caller) {
  spec.validate();
  if (!spec.conjugate.empty() || spec.space == Space::parameters || spec.pairs == Pairs::self || spec.method == Method::product) {
    contradiction("only a kernel of all pairs of samples, by factors or explicit Jacobians, has a plan", "plan",
                  "Leave --conjugate, --space, --pairs and --method product out");
  }
  Session session(spec.resources, caller);
  Loaded rows = load(spec.model, spec.data);
  std::optional<Loaded> columns;
  if (spec.data2) columns = load_second(rows, *spec.data2);
  session.step("load");
  session.count_loaded();
  const KernelJob job = kernel_job(spec, rows, columns ? &*columns : nullptr);
  PlanResult result{.kernel = described(job), .predicted = {}};
  const bool wide = compute_type(spec.precision, *rows.graph) == DType::float64;
  result.predicted = wide ? plan_kernel<double>(job, session, result.kernel) : plan_kernel<float>(job, session, result.kernel);
  session.step("plan");
  std::vector<std::uint64_t> data{rows.data.fingerprint};
  if (columns) data.push_back(columns->data.fingerprint);
  result.kernel.provenance = session.provenance(fingerprint(*rows.graph), std::move(data));
  return result;
}

}  // namespace tangra::run
