// Hyperbolic functions and the inverses of those of the circle. Slopes are products of (1 - x) and (1 + x),
// which lose nothing near the ends of a domain.
#include <cmath>

#include "family.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

struct Sinh {
  static constexpr std::string_view name = "Sinh";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::sinh(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return std::cosh(x);
  }
};

struct Cosh {
  static constexpr std::string_view name = "Cosh";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::cosh(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return std::sinh(x);
  }
};

struct Asin {
  static constexpr std::string_view name = "Asin";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::asin(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 / std::sqrt((1 - x) * (1 + x));
  }
};

struct Acos {
  static constexpr std::string_view name = "Acos";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::acos(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return -1 / std::sqrt((1 - x) * (1 + x));
  }
};

struct Atan {
  static constexpr std::string_view name = "Atan";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::atan(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 / (1 + x * x);
  }
};

struct Asinh {
  static constexpr std::string_view name = "Asinh";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::asinh(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 / std::hypot(T(1), x);
  }
};

struct Acosh {
  static constexpr std::string_view name = "Acosh";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::acosh(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 / (std::sqrt(x - 1) * std::sqrt(x + 1));
  }
};

struct Atanh {
  static constexpr std::string_view name = "Atanh";
  template <class T>
  static T value(T x, T, const Settings&) {
    return std::atanh(x);
  }
  template <class T>
  static T slope(T x, T, const Settings&) {
    return 1 / ((1 - x) * (1 + x));
  }
};

}  // namespace

void add_hyperbolic_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_elementwise<Sinh, Cosh, Asin, Acos, Atan, Asinh, Acosh, Atanh>(table);
}

}  // namespace tangra::ops
