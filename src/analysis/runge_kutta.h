#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tangra/base/context.h"

namespace tangra::analysis {

struct RungeKuttaOptions {
  double relative = 1e-10;  ///< error of one step that is allowed, as a share of the entry ...
  double absolute = 1e-10;  ///< ... and beside it
  Index most_steps = 100000;
};

struct RungeKuttaReport {
  bool finished = false;
  std::string message = {};  ///< where it did not come to the last time
  Index steps = 0;
  Index rejected = 0;
};

/// dy = f(t, y), all of the same length.
using Slope = std::function<void(double t, std::span<const double> y, std::span<double> dy)>;
/// Told y at each of the times that were asked for.
using Observer = std::function<void(std::size_t index, double t, std::span<const double> y)>;

/// Integrates dy/dt = f(t, y) from times.front() to times.back() (ascending) by the pair of orders 5 and 4 of
/// Dormand and Prince ("A family of embedded Runge-Kutta formulae", J. Comput. Appl. Math. 6, 1980), with
/// steps chosen so that the estimated error of each is within the tolerance, and that end at every one of
/// `times`. y: the start, becomes the end. The observer is called for the first time too.
RungeKuttaReport integrate(const Slope& f, std::vector<double>& y, std::span<const double> times,
                           const Observer& observer, const RungeKuttaOptions& options,
                           const Context& context);

}  // namespace tangra::analysis
