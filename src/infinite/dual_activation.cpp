#include "tangra/infinite/dual_activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tangra::infinite {
namespace {

constexpr double pi = std::numbers::pi;

Dual dual_relu(const Covariance& c) {
  if (c.uu <= 0 || c.vv <= 0) return {};  // relu(0) = relu'(0) = 0
  // |u| |v| sin(angle) and cos(angle): no arc cosine of a number near 1.
  const double sine = std::sqrt(std::max(0.0, c.uu * c.vv - c.uv * c.uv));
  const double angle = std::atan2(sine, c.uv);
  return {.values = (sine + (pi - angle) * c.uv) / (2 * pi), .derivatives = (pi - angle) / (2 * pi)};
}

Dual dual_erf(const Covariance& c) {
  const double square = (1 + 2 * c.uu) * (1 + 2 * c.vv);
  const double sine = 2 * c.uv / std::sqrt(square);
  return {.values = 2 / pi * std::asin(std::clamp(sine, -1.0, 1.0)),
          .derivatives = 4 / pi / std::sqrt(square - 4 * c.uv * c.uv)};
}

}  // namespace

Dual dual(Activation activation, const Covariance& covariance) {
  switch (activation) {
    case Activation::relu:
      return dual_relu(covariance);
    case Activation::erf:
      return dual_erf(covariance);
    case Activation::identity:
      break;
  }
  return {.values = covariance.uv, .derivatives = 1};
}

}  // namespace tangra::infinite
