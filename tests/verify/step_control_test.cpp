#include "tangra/verify/step_control.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tangra::verify::test {
namespace {

/// Central differences of f at x with halved steps until the extrapolation has settled.
template <class F>
Extrapolation derivative(const F& f, double x, double h, int skipped = -1) {
  Extrapolation result(1);
  for (int step = 0; step < 20 && !result.settled(); ++step, h /= 2) {
    if (step == skipped) {
      result.skip();
      continue;
    }
    result.add({(f(x + h) - f(x - h)) / (2 * h)}, 4 * 0x1p-53 * std::abs(f(x)) / h);
  }
  return result;
}

TEST(StepControl, ReachesTenDigitsFromCoarseSteps) {
  for (const double x : {-2.0, 0.1, 3.0}) {
    const Extrapolation found = derivative([](double t) { return std::sin(3 * t); }, x, 0.25);
    EXPECT_TRUE(found.converged(1e-9)) << x;
    EXPECT_NEAR(found.best().front(), 3 * std::cos(3 * x), 1e-10) << x;
  }
}

TEST(StepControl, TheEstimatedErrorCoversTheTrueOne) {
  for (double h = 1; h > 1e-7; h /= 4) {
    const Extrapolation found = derivative([](double t) { return std::exp(t); }, 1, h);
    EXPECT_LE(std::abs(found.best().front() - std::exp(1.0)), found.error().front()) << h;
    EXPECT_LT(found.error().front(), 1e-6) << h;
  }
}

TEST(StepControl, ExtrapolatesInEvenPowersOfTheStep) {
  Extrapolation found(1);
  double h = 1;
  // x^5 + x^3 at 0: differences h^4 + h^2, of which three steps leave nothing.
  for (int step = 0; step < 3; ++step, h /= 2) found.add({h * h * h * h + h * h}, 0);
  EXPECT_NEAR(found.best().front(), 0, 1e-15);
}

TEST(StepControl, StepsApartAreNotExtrapolated) {
  Extrapolation found(1);
  found.add({1.0}, 0);
  found.skip();
  found.add({1.0 / 16}, 0);
  EXPECT_FALSE(found.any());
  found.add({1.0 / 64}, 0);
  EXPECT_NEAR(found.best().front(), 0, 1e-15);
}

TEST(StepControl, ASkippedStepRestartsTheTable) {
  const auto f = [](double t) { return std::tanh(t); };
  const Extrapolation found = derivative(f, 0.3, 0.125, 1);
  EXPECT_NEAR(found.best().front(), 1 - f(0.3) * f(0.3), 1e-10);
}

TEST(StepControl, NoiseAloneSettlesToNoise) {
  Extrapolation found(1);
  double h = 1;
  for (int step = 0; step < 4; ++step, h /= 2) found.add({(step % 2 == 0 ? 1e-16 : -1e-16) / h}, 4e-16 / h);
  EXPECT_TRUE(found.settled());
  EXPECT_LE(std::abs(found.best().front()), found.error().front());
}

TEST(StepControl, ASingleStepTellsNothing) {
  Extrapolation found(1);
  EXPECT_FALSE(found.any());
  found.add({1.0}, 0);
  EXPECT_FALSE(found.any());
  EXPECT_FALSE(found.converged(1));
}

}  // namespace
}  // namespace tangra::verify::test
