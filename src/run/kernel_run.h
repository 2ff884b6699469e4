#pragma once
// Not for other rooms: one kernel, worked out for its network and data, in one scalar type.
#include "tangra/differentiate/basis.h"
#include "tangra/kernel/reduction.h"
#include "tangra/kernel/zarr_store.h"
#include "tangra/run/session.h"

namespace tangra::run {

struct KernelJob {
  const KernelSpec& spec;
  Loaded& rows;               ///< loses its inputs when they have become the compute type's
  Loaded* columns = nullptr;  ///< null: the rows
  ValueId of = no_id;
  kernel::Reduction reduction = {};
  std::optional<differentiate::Basis> basis = {};
  kernel::LoweredReduction lowered = {};

  /// The cotangents to pull back: the reduction's, over the outputs or over the user's basis.
  differentiate::Basis seeds() const {
    const Index outputs = rows.graph->shape(of).elements();
    return basis ? basis->combined(lowered.members) : differentiate::Basis::sums(outputs, lowered.members);
  }
};

/// What the specification means for this network: the value, the reduction, the basis. Throws Error(usage) and Error(input)
/// where it does not fit. The arguments outlive the job.
KernelJob prepared_job(const KernelSpec& spec, Loaded& rows, Loaded* columns);

/// All that a kernel's bits and its file depend on, but for the plan of contractions.
std::vector<kernel::ManifestEntry> manifest_of(const KernelJob& job, const KernelResult& result);

/// Computes the kernel; it is written to the file of the specification or stands in result.arrays.
template <class T>
void compute_kernel(const KernelJob& job, Session& session, KernelResult& result);

extern template void compute_kernel<float>(const KernelJob&, Session&, KernelResult&);
extern template void compute_kernel<double>(const KernelJob&, Session&, KernelResult&);

}  // namespace tangra::run
