#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
#include "tangra/linalg/linear_operator.h"

namespace tangra::analysis {

struct KrylovOptions {
  Index count = 6;           ///< how many eigenpairs; all where there are fewer
  double tolerance = 1e-11;  ///< largest residual of a pair that counts as found, as a share of |A|
  Index block = 0;  ///< vectors to which the operator is applied at once; 0: 8, or fewer in small spaces
  Index basis = 0;  ///< vectors that are kept at once; 0: count + 8 blocks, or twice the count
  Index most_applications = 0;  ///< to vectors, after which the search gives up; 0: 200 bases full
  std::uint64_t seed = 0;       ///< of the random vectors to start with
};

/// Bytes that largest_eigenpairs() of an operator of size n takes, beside the operator's own.
std::size_t krylov_memory(Index n, const KrylovOptions& options);

/// Eigenpairs of a symmetric operator A of size n.
struct Eigenpairs {
  std::vector<double> values = {};  ///< largest first
  std::vector<double>
      residuals;  ///< |A v - lambda v|, measured at the end: an eigenvalue lies that near to lambda
  Tensor<double> vectors = {};  ///< [values, n], orthonormal rows
  bool converged =
      false;  ///< all residuals within the tolerance, and no further eigenvalue above the last one
  std::string message = {};  ///< what is missing where it did not converge
  double norm = 0;           ///< |A|, estimated from below
  double lowest = 0;         ///< the smallest value of v^T A v met: an upper bound of the smallest eigenvalue
  Index applications = 0;    ///< vectors that A was applied to
  Index restarts = 0;
  Index searches = 0;  ///< fresh random starts: the first, and those in the complement of what was found
};

/// The algebraically largest eigenpairs of a symmetric operator, with all copies of repeated eigenvalues.
///
/// Block Lanczos with full orthogonalisation and thick restarts (Wu and Simon, "Thick-restart Lanczos method
/// for large symmetric eigenvalue problems", SIAM J. Matrix Anal. Appl. 22, 2000). Krylov spaces see at most
/// as many copies of an eigenvalue as the block has vectors, so what was found is locked and the search
/// starts afresh from random vectors in the complement, until one finds nothing above the smallest value
/// wanted: either its largest Ritz value has converged, or it stayed so far below after so many steps that
/// the chance that a larger eigenvalue hid from random vectors is below 1e-9 (Kuczynski and Wozniakowski,
/// "Estimating the largest eigenvalue by the power and Lanczos algorithms with a random start", SIAM J.
/// Matrix Anal. Appl. 13, 1992, theorem 4.2; restarts are counted as steps).
///
/// The start is random but fixed by the seed; no result depends on the number of threads unless the operator
/// does. Memory: n (basis + 3 blocks + 3 count) numbers. Throws Error(numerics) where the operator gives a
/// number that is not finite, Error(memory), Error(interrupted).
Eigenpairs largest_eigenpairs(const linalg::LinearOperator& a, const KrylovOptions& options,
                              const Context& context);

}  // namespace tangra::analysis
