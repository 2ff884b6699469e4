// Arithmetic of two inputs, and the functions of two inputs that choose.
#include <cmath>

#include "binary.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// By how much the sides differ.
template <class T>
double distance(const Pair<T>& p) {
  return std::abs(static_cast<double>(p.side_a) - static_cast<double>(p.side_b));
}

struct Add {
  static constexpr std::string_view name = "Add";
  static bool passes(int) { return true; }
  template <class T>
  static T value(const Pair<T>& p, const Settings&) {
    return p.a + p.b;
  }
  template <class T>
  static T slope_a(const Pair<T>&, const Settings&) {
    return 1;
  }
  template <class T>
  static T slope_b(const Pair<T>&, const Settings&) {
    return 1;
  }
};

struct Sub {
  static constexpr std::string_view name = "Sub";
  static bool passes(int input) { return input == 0; }
  template <class T>
  static T value(const Pair<T>& p, const Settings&) {
    return p.a - p.b;
  }
  template <class T>
  static T slope_a(const Pair<T>&, const Settings&) {
    return 1;
  }
  template <class T>
  static T slope_b(const Pair<T>&, const Settings&) {
    return -1;
  }
};

struct Mul {
  static constexpr std::string_view name = "Mul";
  static std::optional<double> factor(int, double other) { return other; }
  template <class T>
  static T value(const Pair<T>& p, const Settings&) {
    return p.a * p.b;
  }
  template <class T>
  static T slope_a(const Pair<T>& p, const Settings&) {
    return p.b;
  }
  template <class T>
  static T slope_b(const Pair<T>& p, const Settings&) {
    return p.a;
  }
};

struct Div {
  static constexpr std::string_view name = "Div";
  static std::optional<double> factor(int input, double other) {
    return input == 0 ? std::optional(1 / other) : std::nullopt;
  }
  template <class T>
  static T value(const Pair<T>& p, const Settings&) {
    return p.a / p.b;
  }
  template <class T>
  static T slope_a(const Pair<T>& p, const Settings&) {
    return 1 / p.b;
  }
  template <class T>
  static T slope_b(const Pair<T>& p, const Settings&) {
    return -p.a / (p.b * p.b);
  }
};

/// a^b. For a < 0 the exponent has to be an integer, and the derivative by it does not exist (NaN). For a = 0
/// the derivative by the exponent is 0; by the base it is 0 for b = 0, 1 for b = 1, 0 above.
struct Pow {
  static constexpr std::string_view name = "Pow";
  template <class T>
  static T value(const Pair<T>& p, const Settings&) {
    return std::pow(p.a, p.b);
  }
  template <class T>
  static T slope_a(const Pair<T>& p, const Settings&) {
    return p.b == 0 ? T(0) : p.b * std::pow(p.a, p.b - 1);
  }
  template <class T>
  static T slope_b(const Pair<T>& p, const Settings&) {
    return p.a == 0 ? T(0) : std::pow(p.a, p.b) * std::log(p.a);
  }
};

/// The first of both where F takes it, which then has the whole derivative; else the second. NaN wins.
template <class F>
struct Extremum {
  template <class T>
  static bool takes_first(const Pair<T>& p) {
    return F::first_wins(p.side_a, p.side_b) || std::isnan(p.side_a);
  }
  template <class T>
  static Choice choice(const Pair<T>& p) {
    return {takes_first(p) ? 0 : 1, distance(p)};
  }
  template <class T>
  static T value(const Pair<T>& p, const Settings&) {
    return takes_first(p) ? p.a : p.b;
  }
  template <class T>
  static T slope_a(const Pair<T>& p, const Settings&) {
    return takes_first(p) ? T(1) : T(0);
  }
  template <class T>
  static T slope_b(const Pair<T>& p, const Settings&) {
    return takes_first(p) ? T(0) : T(1);
  }
};

/// The larger of both; the first where they are equal.
struct Max : Extremum<Max> {
  static constexpr std::string_view name = "Max";
  template <class T>
  static bool first_wins(T a, T b) {
    return a >= b;
  }
};

/// The smaller of both; the first where they are equal.
struct Min : Extremum<Min> {
  static constexpr std::string_view name = "Min";
  template <class T>
  static bool first_wins(T a, T b) {
    return a <= b;
  }
};

/// x where it is positive, else slope * x: at 0 the negative side.
struct PRelu {
  static constexpr std::string_view name = "PRelu";
  static std::vector<double> kinks(const Settings&) { return {0}; }
  template <class T>
  static T value(const Pair<T>& p, const Settings&) {
    return p.side_a > 0 ? p.a : p.b * p.a;
  }
  template <class T>
  static T slope_a(const Pair<T>& p, const Settings&) {
    return p.side_a > 0 ? T(1) : p.b;
  }
  template <class T>
  static T slope_b(const Pair<T>& p, const Settings&) {
    return p.side_a > 0 ? T(0) : p.a;
  }
};

/// a - b q with the whole quotient q, which the side decides: rounded down (the result has the sign of b), or
/// with the attribute `fmod` cut off towards 0 (the sign of a). At a jump q is that of the side it jumps to.
struct Mod {
  static constexpr std::string_view name = "Mod";
  static Settings read(const Attributes& attributes) {
    return {static_cast<double>(attributes.integer("fmod", 0)), 0};
  }
  template <class T>
  static T quotient(const Pair<T>& p, const Settings& s) {
    const T rest = std::fmod(p.side_a, p.side_b);
    const T cut = std::round((p.side_a - rest) / p.side_b);
    const bool is_below = s.a == 0 && rest != 0 && (rest < 0) != (p.side_b < 0);
    return is_below ? cut - 1 : cut;
  }
  template <class T>
  static T value(const Pair<T>& p, const Settings& s) {
    if (p.a == p.side_a && p.b == p.side_b) {
      // On its own side the remainder is exact; a - b q rounds.
      const T rest = std::fmod(p.a, p.b);
      return s.a == 0 && rest != 0 && (rest < 0) != (p.b < 0) ? rest + p.b : rest;
    }
    return p.a - p.b * quotient(p, s);
  }
  template <class T>
  static T slope_a(const Pair<T>&, const Settings&) {
    return 1;
  }
  template <class T>
  static T slope_b(const Pair<T>& p, const Settings& s) {
    return -quotient(p, s);
  }
  template <class T>
  static Choice choice(const Pair<T>& p) {
    const auto ratio = static_cast<double>(p.side_a) / static_cast<double>(p.side_b);
    // Where both move by a distance, their ratio moves by that times (1 + ratio) / b.
    const double reach = std::abs(static_cast<double>(p.side_b)) / (1 + std::abs(ratio));
    return {static_cast<Index>(std::floor(ratio)), std::abs(ratio - std::round(ratio)) * reach};
  }
};

}  // namespace

void add_arithmetic_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_binary<Add, Sub, Mul, Div, Pow, Max, Min, PRelu, Mod>(table);
}

}  // namespace tangra::ops
