#pragma once
#include <vector>

#include "tangra/base/index.h"

namespace tangra::verify {

/// Derivatives of several outputs by one step h -> 0, from central differences at steps that are halved each
/// time: Richardson extrapolation with the choice of the entry of the table that has the smallest estimated
/// error (Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Adv. Eng. Software 4, 1982). A step that
/// was skipped restarts the table, so every table stands on consecutive steps.
class Extrapolation {
 public:
  explicit Extrapolation(Index outputs)
      : best_(static_cast<std::size_t>(outputs)),
        error_(static_cast<std::size_t>(outputs), infinite),
        noise_(static_cast<std::size_t>(outputs), 0) {}

  /// The central differences at the next step; `noise` is what rounding alone does to them.
  void add(const std::vector<double>& differences, double noise);
  void skip() { table_.clear(); }

  /// Whether every output has an estimate that more steps will hardly better: relative to the largest output.
  bool settled() const;
  /// Whether every output's error is within `tolerance` of the largest output, or is rounding noise.
  bool converged(double tolerance) const;
  bool any() const { return !error_.empty() && error_.front() < infinite; }

  const std::vector<double>& best() const { return best_; }
  /// Estimated, rounding noise included.
  const std::vector<double>& error() const { return error_; }
  double largest() const;

 private:
  static constexpr double infinite = 1e300;
  std::vector<std::vector<double>> table_;  ///< the last row: by order of extrapolation, then by output
  std::vector<double> best_;
  std::vector<double> error_;
  std::vector<double> noise_;  ///< that the best estimate holds
  int without_gain_ = 0;       ///< steps in a row that bettered no output
};

}  // namespace tangra::verify
