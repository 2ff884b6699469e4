#pragma once
#include <span>
#include <string>
#include <vector>

#include "tangra/analysis/runge_kutta.h"
#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
#include "tangra/linalg/linear_operator.h"

namespace tangra::analysis {

// Training of the linearised network f(x; theta) = f_0(x) + J(x) (theta - theta_0), whose kernel K does not
// move (Lee et al., "Wide neural networks of any depth evolve as linear models under gradient descent",
// NeurIPS 2019). The outputs at the training samples, f: [n, columns], move by df/dt = -K dL/df; with weights
// a: [n, columns],
//     f = f_0 + K a,     f at other samples = f_0 + k a,  k their kernel with the training samples: [m, n].
// Forms, as in regression.h: shared kernel, n = N samples and a column for each output; full kernel, n = N O,
// one column. Losses are means over the N samples.

/// The linearised network at one moment.
struct LinearisedState {
  double time = 0;              ///< of gradient flow; for descent the number of steps times the rate
  Tensor<double> outputs = {};  ///< [n, columns]: f
  Tensor<double> weights = {};  ///< [n, columns]: a
  double loss = 0;
  double distance = 0;  ///< |theta - theta_0| = sqrt(a^T K a), summed over the columns
};

/// Squared loss L = sum |f - y|^2 / (2 N), in closed form from one eigendecomposition of K.
class LinearisedSquares {
 public:
  /// k: [n, n], both triangles, destroyed. start: f_0. Throws Error(input) where sizes differ, k is not
  /// symmetric or anything is not finite; Error(numerics) where LAPACK does not converge; Error(memory).
  LinearisedSquares(MatrixView<double> k, MatrixView<const double> start, MatrixView<const double> targets,
                    Index samples, const Context& context);

  /// Gradient flow: a = phi(K) (y - f_0), phi(l) = (1 - exp(-l t / N)) / l.
  LinearisedState flow(double time, const Context& context) const;
  /// Gradient descent: phi(l) = (1 - (1 - rate l / N)^steps) / l. Beyond largest_rate() it grows, as training
  /// does.
  LinearisedState descent(double rate, Index steps, const Context& context) const;
  /// 2 N / lambda_max: above it gradient descent diverges. Infinite where K is 0.
  double largest_rate() const;

 private:
  template <class Phi>
  LinearisedState state(const Phi& phi, const Context& context) const;

  Index samples_;
  Tensor<double> values_;     ///< [n], ascending
  Tensor<double> vectors_;    ///< [n, n], row r belongs to values_[r]
  Tensor<double> start_;      ///< [n, columns]
  Tensor<double> targets_;    ///< [n, columns]
  Tensor<double> projected_;  ///< [n, columns]: vectors_ (y - f_0)
  Reservation memory_;
};

/// States at the times or steps that were asked for.
struct LinearisedPath {
  std::vector<LinearisedState> states = {};
  RungeKuttaReport integration = {};  ///< of gradient flow
};

/// Cross-entropy of softmax(f), L = -sum_i sum_c y_ic log softmax(f_i)_c / N: gradient flow, by integrating
/// da/dt = (y - softmax(f)) / N. k: of size N or N O. start, targets: [N, O], logits and one-hot (or any
/// distributions). times: ascending, 0 or above. Throws Error(input) where sizes differ or times descend.
LinearisedPath cross_entropy_flow(const linalg::LinearOperator& k, MatrixView<const double> start,
                                  MatrixView<const double> targets, std::span<const double> times,
                                  const RungeKuttaOptions& options, const Context& context);

/// The same by gradient descent: a += rate (y - softmax(f)) / N. steps: ascending.
LinearisedPath cross_entropy_descent(const linalg::LinearOperator& k, MatrixView<const double> start,
                                     MatrixView<const double> targets, double rate,
                                     std::span<const Index> steps, const Context& context);

/// Mean over the rows of -sum_c y_c log softmax(f)_c, by log-sum-exp.
double cross_entropy(MatrixView<const double> logits, MatrixView<const double> targets);

}  // namespace tangra::analysis
