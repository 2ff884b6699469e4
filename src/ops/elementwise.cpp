// Elementwise functions of one input: f with its derivative, everything else follows.
//
// At a kink the derivative is that of docs/math.md, section 6. `side` decides on which side an entry lies; it is x itself
// but for the check of float32 runs (ops::Call::sides).
#include <cmath>
#include <numbers>

#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// The numbers that an elementwise function takes from its node.
struct Settings {
  double a = 0;
  double b = 0;
};

template <class T>
T sigmoid(T x) {
  // One branch for each sign: the exponential never overflows and no digit cancels.
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const T e = std::exp(x);
  return e / (1 + e);
}

struct Identity {
  static constexpr std::string_view name = "Identity";
  template <class T>
  static T value(T x, T, const Settings&) { return x; }
  template <class T>
  static T slope(T, T, const Settings&) { return 1; }
};

struct Relu {
  static constexpr std::string_view name = "Relu";
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings&) { return side > 0 ? x : T(0); }
  template <class T>
  static T slope(T, T side, const Settings&) { return side > 0 ? T(1) : T(0); }
};

struct LeakyRelu {
  static constexpr std::string_view name = "LeakyRelu";
  static Settings read(const Attributes& attributes) { return {attributes.real("alpha", 0.01), 0}; }
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings& s) { return side > 0 ? x : T(s.a) * x; }
  template <class T>
  static T slope(T, T side, const Settings& s) { return side > 0 ? T(1) : T(s.a); }
};

struct Elu {
  static constexpr std::string_view name = "Elu";
  static Settings read(const Attributes& attributes) { return {attributes.real("alpha", 1), 0}; }
  static std::vector<double> kinks(const Settings& s) {
    return s.a == 1 ? std::vector<double>{} : std::vector<double>{0};
  }
  template <class T>
  static T value(T x, T side, const Settings& s) { return side > 0 ? x : T(s.a) * std::expm1(x); }
  template <class T>
  static T slope(T x, T side, const Settings& s) { return side > 0 ? T(1) : T(s.a) * std::exp(x); }
};

struct Selu {
  static constexpr std::string_view name = "Selu";
  static Settings read(const Attributes& attributes) {
    return {attributes.real("alpha", 1.6732632423543772), attributes.real("gamma", 1.0507009873554805)};
  }
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings& s) { return T(s.b) * (side > 0 ? x : T(s.a) * std::expm1(x)); }
  template <class T>
  static T slope(T x, T side, const Settings& s) { return T(s.b) * (side > 0 ? T(1) : T(s.a) * std::exp(x)); }
};

struct Clip {
  static constexpr std::string_view name = "Clip";
  static Settings read(const Attributes& attributes) {
    return {attributes.real("min", -HUGE_VAL), attributes.real("max", HUGE_VAL)};
  }
  static std::vector<double> kinks(const Settings& s) { return {s.a, s.b}; }
  template <class T>
  static T value(T x, T side, const Settings& s) { return side > T(s.a) ? (side < T(s.b) ? x : T(s.b)) : T(s.a); }
  template <class T>
  static T slope(T, T side, const Settings& s) { return side > T(s.a) && side < T(s.b) ? T(1) : T(0); }
};

struct Gelu {
  static constexpr std::string_view name = "Gelu";
  static Settings read(const Attributes& attributes) { return {attributes.text("approximate", "none") == "tanh" ? 1. : 0., 0}; }
  template <class T>
  static T inner(T x) { return T(std::numbers::sqrt2 * std::numbers::inv_sqrtpi) * (x + T(0.044715) * x * x * x); }
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
      return sigmoid(2 * u) + x * 2 * sigmoid(2 * u) * sigmoid(-2 * u) * du;
    }
    const T density = T(std::numbers::inv_sqrtpi / std::numbers::sqrt2) * std::exp(-x * x / 2);
    return std::erfc(-x * T(std::numbers::sqrt2 / 2)) / 2 + x * density;
  }
};

struct Silu {
  static constexpr std::string_view name = "Silu";
  template <class T>
  static T value(T x, T, const Settings&) { return x * sigmoid(x); }
  template <class T>
  static T slope(T x, T, const Settings&) { return sigmoid(x) * (1 + x * sigmoid(-x)); }
};

struct Softplus {
  static constexpr std::string_view name = "Softplus";
  template <class T>
  static T value(T x, T, const Settings&) { return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x))); }
  template <class T>
  static T slope(T x, T, const Settings&) { return sigmoid(x); }
};

struct Softsign {
  static constexpr std::string_view name = "Softsign";
  template <class T>
  static T value(T x, T, const Settings&) { return x / (1 + std::abs(x)); }
  template <class T>
  static T slope(T x, T, const Settings&) { return 1 / ((1 + std::abs(x)) * (1 + std::abs(x))); }
};

struct Sigmoid {
  static constexpr std::string_view name = "Sigmoid";
  template <class T>
  static T value(T x, T, const Settings&) { return sigmoid(x); }
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
  static T value(T x, T, const Settings&) { return std::tanh(x); }
  template <class T>
  static T slope(T x, T, const Settings&) {
    const T e = std::exp(-2 * std::abs(x));  // sech^2 x = 4 sigma(2x) sigma(-2x)
    return 4 * e / ((1 + e) * (1 + e));
  }
};

struct Erf {
  static constexpr std::string_view name = "Erf";
  template <class T>
  static T value(T x, T, const Settings&) { return std::erf(x); }
  template <class T>
  static T slope(T x, T, const Settings&) { return T(2 * std::numbers::inv_sqrtpi) * std::exp(-x * x); }
};

struct Exp {
  static constexpr std::string_view name = "Exp";
  template <class T>
  static T value(T x, T, const Settings&) { return std::exp(x); }
  template <class T>
  static T slope(T x, T, const Settings&) { return std::exp(x); }
};

struct Log {
  static constexpr std::string_view name = "Log";
  template <class T>
  static T value(T x, T, const Settings&) { return std::log(x); }
  template <class T>
  static T slope(T x, T, const Settings&) { return 1 / x; }
};

/// sqrt(2 pi / (pi - 1)) (relu(x) - 1 / sqrt(2 pi)): mean 0 and variance 1 under a standard normal x.
struct NormalizedRelu {
  static constexpr std::string_view name = "NormalizedRelu";
  static constexpr double factor = 1.7128585504496627;  // sqrt(2 pi / (pi - 1))
  static constexpr double mean = 0.3989422804014327;    // 1 / sqrt(2 pi)
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings&) { return T(factor) * ((side > 0 ? x : T(0)) - T(mean)); }
  template <class T>
  static T slope(T, T side, const Settings&) { return side > 0 ? T(factor) : T(0); }
};

template <class F>
Settings settings_of(const Node& node) {
  if constexpr (requires { F::read(node.attributes); }) return F::read(node.attributes);
  else return {};
}

template <class F>
class Elementwise final : public OpOf<Elementwise<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    settings_of<F>(node);
    return {inputs[0]};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Settings settings = settings_of<F>(call.node);
    const Index size = call.output_shapes[0].elements();
    for_samples(call, 16 * size, [&](Index i) {
      const T* x = call.inputs[0].at(i);
      const T* side = call.sides[0].at(i);
      T* y = results[0] + i * size;
      for (Index e = 0; e < size; ++e) y[e] = F::value(x[e], side[e], settings);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    each_slope(call, directions, [&](Index row, Index size, const T* slope) {
      const T* from = cotangents[0] + row * size;
      T* to = results[0] + row * size;
      for (Index e = 0; e < size; ++e) to[e] += scaled(slope[e], from[e]);
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Index n = call.samples;
    each_slope(call, directions, [&](Index row, Index size, const T* slope) {
      const Index i = n == 0 ? 0 : row / directions;
      const T* from = tangents[0].at(i) + (row % directions) * size;
      T* to = results[0] + row * size;
      for (Index e = 0; e < size; ++e) to[e] = scaled(slope[e], from[e]);
    });
  }

  bool passes_cotangent(const Node&, std::span<const Shape>, int) const override {
    return F::name == Identity::name;
  }
  std::optional<View> view(const Node&, std::span<const Shape> inputs,
                           std::span<const std::optional<double>>) const override {
    if (F::name != Identity::name) return std::nullopt;
    return View{.input = 0, .offset = 0, .strides = inputs[0].strides(), .scale = 1};
  }
  std::vector<double> kinks(const Node& node) const override {
    if constexpr (requires { F::kinks(Settings{}); }) return F::kinks(settings_of<F>(node));
    else return {};
  }

 private:
  /// A slope of zero selects nothing: an infinite or undefined partner must not turn it into NaN.
  template <class T>
  static T scaled(T slope, T direction) { return slope == 0 ? T(0) : slope * direction; }

  /// Calls use(row, size, slope) for every sample and direction; the slope is found once for a sample.
  template <class T, class Use>
  void each_slope(const Call<T>& call, Index directions, const Use& use) const {
    const Settings settings = settings_of<F>(call.node);
    const Index size = call.output_shapes[0].elements();
    for_samples(call, (16 + directions) * size, [&](Index i) {
      const T* x = call.inputs[0].at(i);
      const T* side = call.sides[0].at(i);
      std::vector<T> slope(static_cast<std::size_t>(size));
      for (Index e = 0; e < size; ++e) slope[static_cast<std::size_t>(e)] = F::slope(x[e], side[e], settings);
      for (Index r = 0; r < directions; ++r) use(i * directions + r, size, slope.data());
    });
  }
};

template <class... Functions>
void add_all(std::vector<std::unique_ptr<Op>>& table) {
  (table.push_back(std::make_unique<Elementwise<Functions>>()), ...);
}

}  // namespace

void add_elementwise_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_all<Identity, Relu, LeakyRelu, Elu, Selu, Clip, Gelu, Silu, Softplus, Softsign, Sigmoid, Tanh, Erf, Exp, Log,
          NormalizedRelu>(table);
}

}  // namespace tangra::ops
