#pragma once
#include <span>
#include <string>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"

namespace tangra::analysis {

/// Kernel ridge regression, which is the mean of a Gaussian process with noise variance `ridge`:
///     alpha = M^-1 Y,  M = K + (ridge + jitter) 1,     f(x) = k(x) alpha.
/// K: [n, n], Y: [n, columns]. Two forms share this code:
///   shared kernel: K between samples, n = N, one column of Y for each output, block = 1;
///   full kernel:   K[(i,a),(j,b)], n = N O, Y the same memory as (N, O) in one column, block = O.
struct RidgeFit {
  bool solved = false;       ///< false: `message` says why, and nothing else is of use
  std::string message = {};  ///< of a fit that failed, or why there is jitter
  double ridge = 0;
  double jitter = 0;           ///< added to the ridge where Cholesky failed without
  Tensor<double> factor = {};  ///< [n, n]: the lower triangle is the L of M = L L^T
  Tensor<double> alpha = {};   ///< [n, columns]
  /// Sum over the columns of log N(Y; 0, M).
  double log_likelihood = 0;
};

/// k: [n, n], both triangles, becomes fit.factor. Where M is not numerically positive definite, jitter of n
/// eps times the largest diagonal entry is added, then ten times as much, and so on up to 1e-6 times it.
/// Throws Error(usage) where ridge is negative or not finite; Error(input) where k or y is not finite, k not
/// symmetric, or the sizes differ.
RidgeFit fit_ridge(Tensor<double> k, MatrixView<const double> y, double ridge, const Context& context);

/// Means at other samples. k: [m, n], the kernel between them and the training samples. Returns [m, columns].
Tensor<double> predict(const RidgeFit& fit, MatrixView<const double> k, const Context& context);

/// Covariances of the process at other samples, without noise: prior - k M^-1 k^T for each block of rows of
/// k: [m block, n]. prior: [m, block, block], the kernel of each sample with itself. Returns [m, block,
/// block].
Tensor<double> posterior_covariance(const RidgeFit& fit, MatrixView<const double> k,
                                    const Tensor<double>& prior, Index block, const Context& context);

/// Residuals y_i - f_(-i)(x_i), where f_(-i) was fitted without sample i, in closed form:
///     e_i = ([M^-1]_ii)^-1 alpha_i   with blocks of `block` rows
/// (Rasmussen and Williams, "Gaussian processes for machine learning", 2006, equation 5.12). Destroys
/// fit.factor. Returns [n, columns].
Tensor<double> leave_one_out(RidgeFit& fit, Index block, const Context& context);

/// The eigendecomposition of K, from which a fit for any ridge takes n^2 operations.
class RidgePath {
 public:
  /// k: [n, n], both triangles, destroyed. Throws as fit_ridge(), and Error(numerics) where LAPACK does not
  /// converge.
  RidgePath(MatrixView<double> k, MatrixView<const double> y, const Context& context);

  /// One ridge of the path.
  struct Point {
    double ridge = 0;
    bool solved = false;            ///< ridge + the smallest eigenvalue exceeds n eps |K|
    double degrees_of_freedom = 0;  ///< sum lambda / (lambda + ridge)
    Tensor<double> alpha = {};      ///< [n, columns]
    Tensor<double> fitted = {};     ///< [n, columns]: predictions at the training samples
    Tensor<double> left_out = {};   ///< [n, columns]: residuals as of leave_one_out()
  };
  Point at(double ridge, Index block, const Context& context) const;

  std::span<const double> eigenvalues() const { return values_.span(); }  ///< ascending

 private:
  Tensor<double> values_;
  Tensor<double> vectors_;    ///< [n, n], row r belongs to values_[r]
  Tensor<double> projected_;  ///< [n, columns]: vectors_ Y
  Reservation memory_;
};

/// Mean over samples of half the squared distance (the mse of docs/math.md). residuals: [samples, outputs].
double mean_squared_error(MatrixView<const double> residuals);

/// Share of rows whose largest entry (the first of equal ones) stands in the column of the label.
double accuracy(MatrixView<const double> predictions, std::span<const Index> labels);

}  // namespace tangra::analysis
