#pragma once
// Not for other rooms: the error of a float32 kernel, measured before it is computed.
#include "tangra/run/kernel/job.h"

namespace tangra::run {

/// Sets result.measured_error, by the way in which the kernel will be computed; where memory is short on fewer samples, and
/// where not even one fits, or a sample has no derivatives, result.not_measured. columns: null for the rows.
void measure_error(const KernelJob& job, const differentiate::Program<float>& program, const Tensor<float>& rows,
                   const Tensor<float>* columns, Session& session, KernelResult& result);

}  // namespace tangra::run
