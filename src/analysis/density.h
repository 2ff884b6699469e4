#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
#include "tangra/linalg/linear_operator.h"

namespace tangra::analysis {

struct DensityOptions {
  Index probes = 16;       ///< random vectors; 2 or more
  Index steps = 50;        ///< of Lanczos for each; n where that is less
  std::uint64_t seed = 0;  ///< of the random vectors
  /// Eigenpairs that are known already, and counted exactly: values and [values, n] orthonormal rows.
  std::vector<double> known_values = {};
  MatrixView<const double> known_vectors = {};
};

/// A mean over random probes.
struct Estimate {
  double value = 0;
  double error = 0;  ///< standard error of the mean
};

/// Where the eigenvalues of a symmetric operator lie, as masses at nodes, probe by probe.
struct SpectralDensity {
  Index size = 0;    ///< n
  Index probes = 0;  ///< of random vectors
  Index applications = 0;
  std::vector<double> known = {};                 ///< eigenvalues of mass 1 each
  std::vector<std::vector<double>> nodes = {};    ///< [probes][steps], ascending
  std::vector<std::vector<double>> weights = {};  ///< [probes][steps]; a probe's add up to about n - known

  /// sum_i f(lambda_i): the trace (f = lambda), the squared Frobenius norm (lambda^2), a count, log det.
  Estimate sum(const std::function<double(double)>& f) const;
  /// exp of the entropy of lambda / sum lambda over the positive eigenvalues.
  double entropy_rank() const;
  /// Eigenvalues between neighbouring edges, ascending: one number fewer than edges.
  std::vector<double> counts(const std::vector<double>& edges) const;
};

/// Bytes that spectral_density() of an operator of size n takes, beside the operator's own.
std::size_t density_memory(Index n, const DensityOptions& options);

/// Stochastic Lanczos quadrature (Ubaru, Chen, Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos
/// quadrature", SIAM J. Matrix Anal. Appl. 38, 2017) with full orthogonalisation, from random signs in the
/// complement of the known eigenvectors. Takes probes x steps applications and n steps numbers for each of 8
/// probes at a time. Throws Error(numerics) where the operator gives a number that is not finite,
/// Error(memory).
SpectralDensity spectral_density(const linalg::LinearOperator& a, const DensityOptions& options,
                                 const Context& context);

}  // namespace tangra::analysis
