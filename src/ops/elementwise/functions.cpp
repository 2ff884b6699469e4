// The elementary functions of one input.
#include <cmath>
#include <numbers>

#include "family.h"
#include "tangra/base/error.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

struct Identity {
  static constexpr std::string_view name = "Identity";
  static double factor(const Settings&) { return 1; }
  template <class T>
  static T value(T x, T, const Settings&) {
    return x;
  }
  template <class T>
  static T slope(T, T, const Settings&) {
    return 1;
  }
};

struct Erf {
  static constexpr std::string_view name = "Erf";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::erf(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return T(2 * std::numbers::inv_sqrtpi) * std::exp(-x * x);
  }
};

struct Exp {
  static constexpr std::string_view name = "Exp";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::exp(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return std::exp(x);
  }
};

struct Log {
  static constexpr std::string_view name = "Log";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::log(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 / x;
  }
};

struct Neg {
  static constexpr std::string_view name = "Neg";
  static double factor(const Settings&) { return -1; }
  template <class T>
  static T value(T x, T, const Settings&) {
    return -x;
  }
  template <class T>
  static T slope(T, T, const Settings&) {
    return -1;
  }
};

/// abs'(0) = 0.
struct Abs {
  static constexpr std::string_view name = "Abs";
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(T x, T side, const Settings&) {
    if (side == 0) return std::abs(x);
    return side > 0 ? x : -x;
  }
  template <class T>
  static T slope(T, T side, const Settings&) {
    return side > 0 ? T(1) : side < 0 ? T(-1) : T(0);
  }
};

struct Sqrt {
  static constexpr std::string_view name = "Sqrt";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::sqrt(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 / (2 * std::sqrt(x));
  }
};

struct Sin {
  static constexpr std::string_view name = "Sin";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::sin(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return std::cos(x);
  }
};

struct Cos {
  static constexpr std::string_view name = "Cos";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::cos(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return -std::sin(x);
  }
};

struct Tan {
  static constexpr std::string_view name = "Tan";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::tan(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 + std::tan(x) * std::tan(x);
  }
};

struct Reciprocal {
  static constexpr std::string_view name = "Reciprocal";
  template <class T>
  static T value(T x, T, const Settings&) {
    return 1 / x;
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return -1 / (x * x);
  }
};

/// A function of steps: the side alone decides its value, the derivative is 0 everywhere, at the jumps too.
template <class Step>
struct Steps {
  static constexpr std::string_view name = Step::name;
  template <class T>
  static T value(T, T side, const Settings&) {
    return Step::value(side);
  }
  template <class T>
  static T slope(T, T, const Settings&) {
    return 0;
  }
  /// The step itself is the choice. Halves and whole numbers are all the places where a step may end.
  template <class T>
  static Choice choice(T side) {
    const double twice = 2 * static_cast<double>(side);
    return {static_cast<Index>(Step::value(side)), std::abs(twice - std::nearbyint(twice)) / 2};
  }
};

struct FloorStep {
  static constexpr std::string_view name = "Floor";
  template <class T>
  static T value(T x) {
    return std::floor(x);
  }
};
using Floor = Steps<FloorStep>;

struct CeilStep {
  static constexpr std::string_view name = "Ceil";
  template <class T>
  static T value(T x) {
    return std::ceil(x);
  }
};
using Ceil = Steps<CeilStep>;

/// Halves go to the even neighbour.
struct RoundStep {
  static constexpr std::string_view name = "Round";
  template <class T>
  static T value(T x) {
    const T low = std::floor(x);
    const T above = x - low;
    if (above != T(0.5)) return above < T(0.5) ? low : std::ceil(x);
    return std::fmod(low, T(2)) == 0 ? low : low + 1;
  }
};
using Round = Steps<RoundStep>;

struct SignStep {
  static constexpr std::string_view name = "Sign";
  template <class T>
  static T value(T x) {
    return x > 0 ? T(1) : x < 0 ? T(-1) : x;
  }
};
using Sign = Steps<SignStep>;

/// 1 where the entry is 0, else 0.
struct NotStep {
  static constexpr std::string_view name = "Not";
  template <class T>
  static T value(T x) {
    return x == 0 ? T(1) : T(0);
  }
};
using Not = Steps<NotStep>;

/// 1 where the entry is not a number, else 0; the derivative is 0.
struct IsNaN {
  static constexpr std::string_view name = "IsNaN";
  template <class T>
  static T value(T, T side, const Settings&) {
    return std::isnan(side) ? T(1) : T(0);
  }
  template <class T>
  static T slope(T, T, const Settings&) {
    return 0;
  }
};

/// 1 where the entry is infinite, else 0; the derivative is 0. `detect_positive` and `detect_negative` say
/// which of the infinities count.
struct IsInf {
  static constexpr std::string_view name = "IsInf";
  static Settings read(const Attributes& attributes) {
    return {static_cast<double>(attributes.integer("detect_positive", 1)),
            static_cast<double>(attributes.integer("detect_negative", 1))};
  }
  template <class T>
  static T value(T, T side, const Settings& s) {
    return std::isinf(side) && (side > 0 ? s.a : s.b) != 0 ? T(1) : T(0);
  }
  template <class T>
  static T slope(T, T, const Settings&) {
    return 0;
  }
};

/// To another type of number, by the attribute `to`: "float" (any floating type; nothing happens, everything
/// is computed in one type), "int" (cut off towards 0) or "bool" (1 where the entry is not 0). The last two
/// are steps.
struct Cast {
  static constexpr std::string_view name = "Cast";
  static constexpr double floating = 0;
  static constexpr double integer = 1;
  static constexpr double boolean = 2;
  static Settings read(const Attributes& attributes) {
    const std::string to = attributes.text("to", "float");
    if (to == "float") return {floating, 0};
    if (to == "int") return {integer, 0};
    if (to == "bool") return {boolean, 0};
    throw Error(ErrorKind::input, {.what = "Cast has no such target",
                                   .where = "attribute to",
                                   .got = to,
                                   .expected = "float, int or bool",
                                   .cure = {}});
  }
  static std::optional<double> factor(const Settings& s) {
    return s.a == floating ? std::optional(1.0) : std::nullopt;
  }
  template <class T>
  static T value(T x, T side, const Settings& s) {
    if (s.a == floating) return x;
    if (s.a == integer) return std::trunc(side);
    return side == 0 ? T(0) : T(1);
  }
  template <class T>
  static T slope(T, T, const Settings& s) {
    return s.a == floating ? T(1) : T(0);
  }
};

}  // namespace

void add_function_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_elementwise<Identity, Erf, Exp, Log, Neg, Abs, Sqrt, Sin, Cos, Tan, Reciprocal, Floor, Ceil, Round,
                  Sign, Not, IsNaN, IsInf, Cast>(table);
}

}  // namespace tangra::ops
