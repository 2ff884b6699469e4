#include "tangra/run/kernel/measure.h"

#include <malloc.h>

#include "tangra/base/error.h"
#include "tangra/verify/measured_error.h"

namespace tangra::run {
namespace {

using differentiate::Program;

/// Bytes of the values of a float64 program that depend on no sample.
std::size_t program_bytes(const Graph& graph) {
  Index entries = 0;
  for (const Value& value : graph.values) {
    if (value.dependence != Dependence::samples) entries += value.shape.elements();
  }
  return static_cast<std::size_t>(entries) * sizeof(double);
}

verify::MeasuredError measured(const KernelJob& job, const Program<float>& program, const Tensor<float>& rows,
                               const Tensor<float>* columns, const Context& context, Index count) {
  const Reservation memory(context.memory, program_bytes(program.graph()), "the parameters in float64");
  const Program<double> exact(job.rows.graph, context);
  const KernelSpec& spec = job.spec;
  if (!spec.conjugate.empty()) return verify::measure_conjugate_error(program, exact, rows, job.of, context, columns, count);
  const differentiate::Basis seeds = job.seeds();
  if (spec.space == Space::parameters) {
    return verify::measure_parameter_space_error(program, exact, rows, job.of, job.lowered, seeds, context, count);
  }
  std::optional<verify::SecondSet> second;
  if (columns != nullptr) second.emplace(verify::SecondSet{.inputs = *columns, .basis = seeds});
  const auto measure = spec.method == Method::product && spec.pairs != Pairs::self ? verify::measure_product_error
                                                                                  : verify::measure_error;
  return measure(program, exact, rows, job.of, job.lowered, seeds, context, second ? &*second : nullptr, count);
}

}  // namespace

void measure_error(const KernelJob& job, const Program<float>& program, const Tensor<float>& rows,
                   const Tensor<float>* columns, Session& session, KernelResult& result) {
  Context context = session.context();
  context.progress = nullptr;  // it is a moment's work
  ThreadPool alone(1);
  const Context one_thread{.pool = alone, .memory = context.memory, .progress = nullptr, .cancelled = context.cancelled};
  // Each thread works in memory of its own: the last attempt has one sample and one thread.
  const std::pair<Index, const Context*> attempts[] = {{4, &context}, {2, &context}, {1, &context}, {1, &one_thread}};
  for (const auto& [count, own] : attempts) {
    try {
      result.measured_error = measured(job, program, rows, columns, *own, count);
      result.not_measured.clear();
      break;
    } catch (const Error& error) {
      // What keeps a sample from having derivatives is told better by the run itself, which knows the sample's number.
      if (error.kind() != ErrorKind::memory && error.kind() != ErrorKind::numerics) throw;
      const bool memory = error.kind() == ErrorKind::memory;
      result.not_measured = memory ? "needs a memory budget of " + error.complaint().expected : error.complaint().what;
      if (!memory) break;
    }
  }
  ::malloc_trim(0);  // the run itself may need what was given back
  session.step("measured error");
}

}  // namespace tangra::run
