#pragma once
#include <memory>
#include <vector>

#include "tangra/differentiate/sweeps.h"
#include "tangra/verify/problem.h"
#include "tangra/verify/step_control.h"

namespace tangra::verify {

/// The network where no step has been taken.
struct Base {
  Base(const Problem& where, const Context& with)
      : problem(where),
        context(with),
        program(where.graph, with, linalg::Engine::reference),
        activations(differentiate::forward(program, one_input(where.inputs.clone()), with)) {}

  const Problem& problem;
  const Context& context;
  differentiate::Program<double> program;
  differentiate::Activations<double> activations;
};

/// Counted by sample: a step is one direction at one step size.
struct Steps {
  Index taken = 0;
  Index skipped = 0;
};

/// Finite differences of the forward pass. One for each thread.
class Stepper {
 public:
  explicit Stepper(const Base& base) : base_(base), graph_(std::make_shared<Graph>(base.program.graph())) {}

  /// For each sample the derivatives of its outputs (all O) along a direction in one parameter's space.
  std::vector<Extrapolation> derivative(ParameterId parameter, const std::vector<double>& direction,
                                        Steps& steps);

 private:
  struct Point;
  Point evaluate(ParameterId parameter, const std::vector<double>& direction, double h);
  /// Unsets the samples for which a node that chooses among entries does not choose the same ones everywhere.
  void compare_choices(NodeId node, const Point& minus, const Point& plus, std::vector<bool>& same) const;
  /// Whether the samples' values are finite and no unit changes its side of a kink or another one wins.
  std::vector<bool> usable(const Point& minus, const Point& plus) const;

  const Base& base_;
  std::shared_ptr<Graph> graph_;  ///< whose parameter is stepped
};

}  // namespace tangra::verify
