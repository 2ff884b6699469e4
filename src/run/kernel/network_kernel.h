#pragma once
// Not for other rooms: a network's kernel as an operator or as a matrix in float64, and the network's outputs.
#include <memory>

#include "tangra/analysis/verdict.h"
#include "tangra/linalg/linear_operator.h"
#include "tangra/run/kernel/job.h"

namespace tangra::run {

/// The kernel of a job as a linear operator, with all that it needs: no K is formed. The job has to outlive it.
class NetworkOperator {
 public:
  virtual ~NetworkOperator() = default;
  virtual const linalg::LinearOperator& get() const = 0;
};
/// type: of the arithmetic. Throws Error(usage) for a diagonal kernel, which is O operators.
std::unique_ptr<NetworkOperator> network_operator(const KernelJob& job, DType type, const Context& context);

/// A kernel in memory, as a matrix of float64: [rows, columns].
struct NetworkMatrix {
  Tensor<double> entries;
  Reservation memory;            ///< of the entries
  analysis::EntryErrors errors;  ///< of the arithmetic it was computed in
  KernelResult result;           ///< what else is known of it; without the array
};
/// Computes it as `tangra kernel` does and converts it. type: of the arithmetic.
NetworkMatrix network_matrix(const KernelJob& job, DType type, Session& session);

/// The trace of a kernel, from each sample with itself alone, and what is known of its entries' errors. job: as for the
/// operator.
double network_trace(const KernelJob& job, DType type, Session& session, analysis::EntryErrors& errors);

/// The kernel of each sample with itself, in float64: job.spec.pairs must be self.
Tensor<double> network_self(const KernelJob& job, DType type, Session& session);

/// Samples whose outputs are computed at a time.
inline constexpr Index outputs_block = 256;
/// The outputs of a network: [N, O] in float64, computed in `type`.
Tensor<double> network_outputs(const Loaded& loaded, ValueId of, DType type, const Context& context);

/// Directions in which the kernel of a job is 0 whatever the parameters, with reasons: behind a softmax, and where
/// there are more rows than parameters.
std::vector<analysis::NullSpace> known_null_spaces(const KernelJob& job);

/// Rows of the matrix that the kernel is: N, or N O.
Index kernel_size(const KernelJob& job);

}  // namespace tangra::run
