// The activations: elementwise functions that networks put between their layers.
#include <cmath>
#include <numbers>

#include "family.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

template <class T>
T sigmoid(T x) {
  // One branch for each sign: the exponential never overflows and no digit cancels.
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const T e = std::exp(x);
  return e / (1 + e);
}

/// What a flat side gives: 0, but what overflowed before must not vanish here.
template <class T>
T zero_unless_nan(T x) {
  return std::isnan(x) ? x : T(0);
}

struct Relu {
  static constexpr std::string_view name = "Relu";
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings&) {
    return side > 0 ? x : zero_unless_nan(x);
  }
  template <class T>
  static T slope(T, T side, const Settings&) {
    return side > 0 ? T(1) : T(0);
  }
};

struct LeakyRelu {
  static constexpr std::string_view name = "LeakyRelu";
  static Settings read(const Attributes& attributes) { return {attributes.real("alpha", 0.01), 0}; }
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings& s) {
    return side > 0 ? x : T(s.a) * x;
  }
  template <class T>
  static T slope(T, T side, const Settings& s) {
    return side > 0 ? T(1) : T(s.a);
  }
};

struct Elu {
  static constexpr std::string_view name = "Elu";
  static Settings read(const Attributes& attributes) { return {attributes.real("alpha", 1), 0}; }
  static std::vector<double> kinks(const Settings& s) {
    return s.a == 1 ? std::vector<double>{} : std::vector<double>{0};
  }
  template <class T>
  static T value(T x, T side, const Settings& s) {
    return side > 0 ? x : T(s.a) * std::expm1(x);
  }
  template <class T>
  static T slope(T x, T side, const Settings& s) {
    return side > 0 ? T(1) : T(s.a) * std::exp(x);
  }
};

struct Selu {
  static constexpr std::string_view name = "Selu";
  static Settings read(const Attributes& attributes) {
    return {attributes.real("alpha", 1.6732632423543772), attributes.real("gamma", 1.0507009873554805)};
  }
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings& s) {
    return T(s.b) * (side > 0 ? x : T(s.a) * std::expm1(x));
  }
  template <class T>
  static T slope(T x, T side, const Settings& s) {
    return T(s.b) * (side > 0 ? T(1) : T(s.a) * std::exp(x));
  }
};

struct Clip {
  static constexpr std::string_view name = "Clip";
  static Settings read(const Attributes& attributes) {
    return {attributes.real("min", -HUGE_VAL), attributes.real("max", HUGE_VAL)};
  }
  static std::vector<double> kinks(const Settings& s) { return {s.a, s.b}; }
  template <class T>
  static T value(T x, T side, const Settings& s) {
    if (std::isnan(x)) return x;
    return side > T(s.a) ? (side < T(s.b) ? x : T(s.b)) : T(s.a);
  }
  template <class T>
  static T slope(T, T side, const Settings& s) {
    return side > T(s.a) && side < T(s.b) ? T(1) : T(0);
  }
};

struct Gelu {
  static constexpr std::string_view name = "Gelu";
  static Settings read(const Attributes& attributes) {
    return {attributes.text("approximate", "none") == "tanh" ? 1. : 0., 0};
  }
  template <class T>
  static T inner(T x) {
    return T(std::numbers::sqrt2 * std::numbers::inv_sqrtpi) * (x + T(0.044715) * x * x * x);
  }
  template <class T>
  static T value(T x, T, const Settings& s) {
    // (1 + tanh u) / 2 = sigmoid(2 u), and Phi through erfc: neither cancels for negative x.
    if (s.a != 0) return x * sigmoid(2 * inner(x));
    return x * std::erfc(-x * T(std::numbers::sqrt2 / 2)) / 2;
  }
  template <class T>
  static T slope(T x, T, const Settings& s) {
    if (s.a != 0) {
      const T u = inner(x);
      const T du = T(std::numbers::sqrt2 * std::numbers::inv_sqrtpi) * (1 + T(3 * 0.044715) * x * x);
      const T bend = sigmoid(2 * u) * sigmoid(-2 * u);
      // Far out the bend is 0 while u and du overflow: it selects nothing there.
      return sigmoid(2 * u) + (bend == 0 ? T(0) : x * 2 * bend * du);
    }
    const T density = T(std::numbers::inv_sqrtpi / std::numbers::sqrt2) * std::exp(-x * x / 2);
    return std::erfc(-x * T(std::numbers::sqrt2 / 2)) / 2 + (density == 0 ? T(0) : x * density);
  }
};

struct Silu {
  static constexpr std::string_view name = "Silu";
  template <class T>
  static T value(T x, T, const Settings&) {
    return x * sigmoid(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return sigmoid(x) * (1 + x * sigmoid(-x));
  }
};

struct Softplus {
  static constexpr std::string_view name = "Softplus";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return sigmoid(x);
  }
};

struct Softsign {
  static constexpr std::string_view name = "Softsign";
  template <class T>
  static T value(T x, T, const Settings&) {
    return x / (1 + std::abs(x));
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 / ((1 + std::abs(x)) * (1 + std::abs(x)));
  }
};

struct Sigmoid {
  static constexpr std::string_view name = "Sigmoid";
  template <class T>
  static T value(T x, T, const Settings&) {
    return sigmoid(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    // sigma(x) sigma(-x) from one exponential; 1 - sigma would cancel where the unit saturates.
    const T e = std::exp(-std::abs(x));
    return e / ((1 + e) * (1 + e));
  }
};

struct Tanh {
  static constexpr std::string_view name = "Tanh";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::tanh(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    const T e = std::exp(-2 * std::abs(x));  // sech^2 x = 4 sigma(2x) sigma(-2x)
    return 4 * e / ((1 + e) * (1 + e));
  }
};

/// sqrt(2 pi / (pi - 1)) (relu(x) - 1 / sqrt(2 pi)): mean 0 and variance 1 under a standard normal x.
struct NormalizedRelu {
  static constexpr std::string_view name = "NormalizedRelu";
  static constexpr double factor = 1.7128585504496627;  // sqrt(2 pi / (pi - 1))
  static constexpr double mean = 0.3989422804014327;    // 1 / sqrt(2 pi)
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings&) {
    return T(factor) * ((side > 0 ? x : zero_unless_nan(x)) - T(mean));
  }
  template <class T>
  static T slope(T, T side, const Settings&) {
    return side > 0 ? T(factor) : T(0);
  }
};

/// Smooth at 0: both derivatives are 1 there.
struct Celu {
  static constexpr std::string_view name = "Celu";
  static Settings read(const Attributes& attributes) { return {attributes.real("alpha", 1), 0}; }
  template <class T>
  static T value(T x, T side, const Settings& s) {
    return side > 0 ? x : T(s.a) * std::expm1(x / T(s.a));
  }
  template <class T>
  static T slope(T x, T side, const Settings& s) {
    return side > 0 ? T(1) : std::exp(x / T(s.a));
  }
};

/// max(0, min(1, a x + b)). At a corner the derivative is the limit from the left.
struct HardSigmoid {
  static constexpr std::string_view name = "HardSigmoid";
  static Settings read(const Attributes& attributes) {
    return {attributes.real("alpha", 0.2), attributes.real("beta", 0.5)};
  }
  static std::vector<double> kinks(const Settings& s) {
    return s.a == 0 ? std::vector<double>{} : std::vector<double>{-s.b / s.a, (1 - s.b) / s.a};
  }
  template <class T>
  static bool is_inside(T side, const Settings& s) {
    const T line = T(s.a) * side + T(s.b);
    return s.a > 0 ? line > 0 && line <= 1 : line >= 0 && line < 1;
  }
  template <class T>
  static T value(T x, T side, const Settings& s) {
    if (std::isnan(x) || is_inside(side, s)) return T(s.a) * x + T(s.b);
    return T(s.a) * side + T(s.b) > T(0.5) ? T(1) : T(0);
  }
  template <class T>
  static T slope(T, T side, const Settings& s) {
    return is_inside(side, s) ? T(s.a) : T(0);
  }
};

/// x max(0, min(1, x / 6 + 1 / 2)). At a corner the derivative is the limit from the left: 0 at -3, 3/2 at 3.
struct HardSwish {
  static constexpr std::string_view name = "HardSwish";
  static std::vector<double> kinks(const Settings&) { return {-3, 3}; }
  template <class T>
  static T value(T x, T side, const Settings&) {
    if (side <= -3) return 0;
    return side <= 3 ? x * (x + 3) / 6 : x;
  }
  template <class T>
  static T slope(T x, T side, const Settings&) {
    if (side <= -3) return 0;
    return side <= 3 ? (2 * x + 3) / 6 : T(1);
  }
};

/// x tanh(softplus(x)), softplus(x) = log(1 + e^x).
struct Mish {
  static constexpr std::string_view name = "Mish";
  /// w = tanh(softplus(x)) and 1 - w, by polynomials of the exponential that is below 1: no digit cancels.
  template <class T>
  static std::pair<T, T> weight(T x) {
    const T e = std::exp(-std::abs(x));
    if (x >= 0) {
      const T bottom = 1 + 2 * e * (1 + e);
      return {(1 + 2 * e) / bottom, 2 * e * e / bottom};
    }
    const T bottom = e * (e + 2) + 2;
    return {e * (e + 2) / bottom, 2 / bottom};
  }
  template <class T>
  static T value(T x, T, const Settings&) {
    return x * weight(x).first;
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    const auto [w, rest] = weight(x);
    return w + x * rest * (1 + w) * sigmoid(x);
  }
};

/// x where it exceeds alpha, else 0: at alpha itself 0, with derivative 0.
struct ThresholdedRelu {
  static constexpr std::string_view name = "ThresholdedRelu";
  static Settings read(const Attributes& attributes) { return {attributes.real("alpha", 1), 0}; }
  static std::vector<double> kinks(const Settings& s) { return {s.a}; }
  template <class T>
  static T value(T x, T side, const Settings& s) {
    return side > T(s.a) ? x : zero_unless_nan(x);
  }
  template <class T>
  static T slope(T, T side, const Settings& s) {
    return side > T(s.a) ? T(1) : T(0);
  }
};

}  // namespace

void add_activation_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_elementwise<Relu, LeakyRelu, Elu, Selu, Clip, Gelu, Silu, Softplus, Softsign, Sigmoid, Tanh,
                  NormalizedRelu, Celu, HardSigmoid, HardSwish, Mish, ThresholdedRelu>(table);
}

}  // namespace tangra::ops
