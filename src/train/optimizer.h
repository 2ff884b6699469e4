#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tangra/factors/apply.h"

namespace tangra::train {

enum class Method { gd, adam };

struct OptimizerSpec {
  Method method = Method::gd;
  double rate = 0;        ///< the learning rate, positive
  double momentum = 0;    ///< of gd: in [0, 1)
  double beta1 = 0.9;     ///< of adam, as the two below
  double beta2 = 0.999;
  double epsilon = 1e-8;
  /// Throws Error(usage) where a number is out of its range.
  void validate() const;
};

std::string name_of(Method method);

/// Moves parameters against a gradient g.
///
/// gd:   v = momentum v + g, theta -= rate v (heavy ball, without damping; v = g for momentum 0).
/// adam: m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
///       theta -= rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) at step t = 1, 2, ..
///       (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1).
template <class T>
class Optimizer {
 public:
  using Vectors = factors::ParameterVectors<T>;
  /// like: zeros in the shape of the parameters.
  Optimizer(const OptimizerSpec& spec, const Vectors& like);

  void step(Vectors& parameters, const Vectors& gradient, const Context& context);
  /// Steps done.
  Index steps() const { return steps_; }
  void set_steps(Index steps) { steps_ = steps; }
  /// What is carried from step to step, by name: nothing, `momentum`, or `first` and `second` moments.
  std::vector<std::pair<std::string, Vectors>>& state() { return state_; }
  const std::vector<std::pair<std::string, Vectors>>& state() const { return state_; }

 private:
  OptimizerSpec spec_;
  Index steps_ = 0;
  std::vector<std::pair<std::string, Vectors>> state_;
};

extern template class Optimizer<float>;
extern template class Optimizer<double>;

}  // namespace tangra::train
