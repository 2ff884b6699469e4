#include "tangra/analysis/runge_kutta.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tangra/base/error.h"

namespace tangra::analysis {
namespace {

constexpr std::size_t stages = 7;
// The tableau of Dormand and Prince. The last row of `a` is also the formula of order 5.
constexpr std::array<double, stages> c = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1};
constexpr std::array<std::array<double, stages - 1>, stages> a = {{
    {},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
}};
/// Order 5 less order 4.
constexpr std::array<double, stages> e = {71.0 / 57600,      0,          -71.0 / 16695, 71.0 / 1920,
                                          -17253.0 / 339200, 22.0 / 525, -1.0 / 40};

class Integration {
 public:
  Integration(const Slope& f, std::vector<double>& y, const RungeKuttaOptions& options,
              const Context& context)
      : f_(f), y_(y), options_(options), context_(context), next_(y.size()) {
    for (std::vector<double>& slope : slopes_) slope.resize(y.size());
  }

  RungeKuttaReport run(std::span<const double> times, const Observer& observer) {
    double t = times.front();
    observer(0, t, y_);
    if (times.size() > 1) start(t, times.back());
    for (std::size_t i = 1; i < times.size(); ++i) {
      TANGRA_ENSURE(times[i] >= times[i - 1]);
      if (!advance(t, times[i])) return report_;
      t = times[i];
      observer(i, t, y_);
      context_.report("time", t - times.front(), times.back() - times.front());
    }
    report_.finished = true;
    return report_;
  }

 private:
  double scale(double before, double after) const {
    return options_.absolute + options_.relative * std::max(std::abs(before), std::abs(after));
  }

  /// The first step: so long that a straight line moves y by a hundredth of itself (Hairer, Norsett, Wanner,
  /// "Solving ordinary differential equations I", II.4).
  void start(double t, double end) {
    f_(t, y_, slopes_[0]);
    double size = 0, speed = 0;
    for (std::size_t i = 0; i < y_.size(); ++i) {
      size = std::max(size, std::abs(y_[i]) / scale(y_[i], y_[i]));
      speed = std::max(speed, std::abs(slopes_[0][i]) / scale(y_[i], y_[i]));
    }
    step_ = speed > 0 ? 0.01 * std::max(size, 1.0) / speed : end - t;
  }

  bool advance(double t, double end) {
    while (t < end) {
      context_.check_cancelled();
      if (report_.steps + report_.rejected >= options_.most_steps) {
        report_.message = "the integration stopped at time " + std::to_string(t) + " of " +
                          std::to_string(end) + " after " + std::to_string(options_.most_steps) +
                          " steps; a larger tolerance takes fewer";
        return false;
      }
      const bool last = t + step_ >= end;
      const double h = last ? end - t : step_;
      const double error = attempt(t, h);
      if (!std::isfinite(error)) {
        step_ = h / 10;
        ++report_.rejected;
        if (t + step_ > t) continue;
        report_.message = "the solution is not finite behind time " + std::to_string(t);
        return false;
      }
      const double factor = std::clamp(0.9 * std::pow(std::max(error, 1e-12), -0.2), 0.2, 5.0);
      if (error <= 1) {
        ++report_.steps;
        t = last ? end : t + h;
        y_.swap(next_);
        slopes_[0].swap(slopes_[stages - 1]);  // the last slope is the first of the next step
        if (!last || factor < 1) step_ = h * factor;
      } else {
        ++report_.rejected;
        step_ = h * factor;
      }
    }
    return true;
  }

  /// A step of length h from y to next_; its error, where 1 is allowed.
  double attempt(double t, double h) {
    for (std::size_t stage = 1; stage < stages; ++stage) {
      for (std::size_t i = 0; i < y_.size(); ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < stage; ++j) sum += a[stage][j] * slopes_[j][i];
        next_[i] = y_[i] + h * sum;
      }
      f_(t + c[stage] * h, next_, slopes_[stage]);
    }
    double worst = 0;
    for (std::size_t i = 0; i < y_.size(); ++i) {
      double error = 0;
      for (std::size_t j = 0; j < stages; ++j) error += e[j] * slopes_[j][i];
      const double share = std::abs(h * error) / scale(y_[i], next_[i]);
      if (!std::isfinite(share)) return share;
      worst = std::max(worst, share);
    }
    return worst;
  }

  const Slope& f_;
  std::vector<double>& y_;
  const RungeKuttaOptions& options_;
  const Context& context_;
  std::vector<double> next_;
  std::array<std::vector<double>, stages> slopes_;
  double step_ = 0;
  RungeKuttaReport report_;
};

}  // namespace

RungeKuttaReport integrate(const Slope& f, std::vector<double>& y, std::span<const double> times,
                           const Observer& observer, const RungeKuttaOptions& options,
                           const Context& context) {
  TANGRA_ENSURE(!times.empty() && options.relative >= 0 && options.absolute > 0);
  return Integration(f, y, options, context).run(times, observer);
}

}  // namespace tangra::analysis
