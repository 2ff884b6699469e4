#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
#include "tangra/linalg/linear_operator.h"

namespace tangra::analysis {

struct ConjugateGradientOptions {
  double tolerance = 1e-10;  ///< |b - M x| / |b| of each column
  Index most_iterations = 1000;
  Index rank = 100;        ///< of the preconditioner; 0: none
  std::uint64_t seed = 0;  ///< of the preconditioner's random vectors
};

/// Bytes that conjugate_gradients() of an operator of size n and so many right-hand sides takes, beside the operator's own.
std::size_t conjugate_gradients_memory(Index n, Index columns, const ConjugateGradientOptions& options);

struct ConjugateGradients {
  Tensor<double> x = {};               ///< [n, columns]
  std::vector<double> residuals = {};  ///< |b - M x| / |b| of each column, measured at the end
  bool converged = false;              ///< all within the tolerance
  std::string message = {};            ///< where they are not
  Index iterations = 0;
  Index applications = 0;  ///< vectors that K was applied to
};

/// Solves (K + ridge 1) X = B for a positive semidefinite operator K of size n, ridge > 0, b: [n, columns]:
/// what fit_ridge() does where K is not stored. Conjugate gradients (Hestenes and Stiefel 1952), each column
/// with steps of its own and one application of K for all; preconditioned by a randomised Nystroem
/// approximation of K (Frangella, Tropp, Udell, "Randomized Nystroem preconditioning", SIAM J. Matrix Anal.
/// Appl. 44, 2023, algorithms 2.1 and 5.1). Throws Error(usage) where ridge is not above 0, Error(numerics)
/// where K gives a number that is not finite.
ConjugateGradients conjugate_gradients(const linalg::LinearOperator& k, double ridge,
                                       MatrixView<const double> b, const ConjugateGradientOptions& options,
                                       const Context& context);

}  // namespace tangra::analysis
