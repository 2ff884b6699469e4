// Folding of arithmetic: integers stay integers, real numbers are float64.
#include <algorithm>
#include <cmath>
#include <map>

#include "tangra/base/error.h"
#include "tangra/load/onnx/fold.h"
#include "tangra/load/onnx/tensors.h"

namespace tangra::load::onnx {
namespace {

using Arrays = std::vector<Array>;

Index wrapped(Index a, Index b, Index (*f)(std::uint64_t, std::uint64_t)) {
  return f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b));
}

// Integers wrap around, as two's complement does.
struct Add {
  static Index of(Index a, Index b) {
    return wrapped(a, b, [](std::uint64_t x, std::uint64_t y) { return static_cast<Index>(x + y); });
  }
  static double of(double a, double b) { return a + b; }
};
struct Sub {
  static Index of(Index a, Index b) {
    return wrapped(a, b, [](std::uint64_t x, std::uint64_t y) { return static_cast<Index>(x - y); });
  }
  static double of(double a, double b) { return a - b; }
};
struct Mul {
  static Index of(Index a, Index b) {
    return wrapped(a, b, [](std::uint64_t x, std::uint64_t y) { return static_cast<Index>(x * y); });
  }
  static double of(double a, double b) { return a * b; }
};
struct Div {
  static constexpr bool divides = true;
  static Index of(Index a, Index b) { return b == -1 ? Sub::of(0, a) : a / b; }
  static double of(double a, double b) { return a / b; }
};
/// The remainder with the sign of the divisor.
struct Mod {
  static constexpr bool divides = true;
  static Index of(Index a, Index b) {
    if (b == -1) return 0;
    const Index rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  static double of(double a, double b) { return a - b * std::floor(a / b); }
};
/// The remainder with the sign of the dividend.
struct Fmod {
  static constexpr bool divides = true;
  static Index of(Index a, Index b) { return b == -1 ? 0 : a % b; }
  static double of(double a, double b) { return std::fmod(a, b); }
};
struct Pow {
  static Index of(Index a, Index b) {
    const double power = std::pow(static_cast<double>(a), static_cast<double>(b));
    return std::abs(power) < 9e18 ? static_cast<Index>(power) : 0;
  }
  static double of(double a, double b) { return std::pow(a, b); }
};
struct Min {
  template <class T>
  static T of(T a, T b) {
    return std::min(a, b);
  }
};
struct Max {
  template <class T>
  static T of(T a, T b) {
    return std::max(a, b);
  }
};

template <class T, class Start>
Array made(const FoldCall& call, DType type, const Shape& shape, const Start& start) {
  if constexpr (std::is_same_v<T, double>)
    return call.reals(shape, start);
  else
    return call.integers(type, shape, start);
}

Shape common_shape(const FoldCall& call, const Shape& a, const Shape& b) {
  try {
    return broadcast(a, b);
  } catch (const Error& error) {
    refuse_node(call.node, error.complaint().what, error.complaint().got, error.complaint().expected);
  }
}

template <class T, class F>
Array combined(const FoldCall& call, const Array& a, const Array& b) {
  const Shape shape = common_shape(call, a.shape(), b.shape());
  return made<T>(call, a.type(), shape, [&] {
    return [&call, of_a = Walked<T>(a, shape), of_b = Walked<T>(b, shape)]() mutable {
      const T x = of_a.next(), y = of_b.next();
      if constexpr (requires { F::divides; } && std::is_same_v<T, Index>) {
        if (y == 0) refuse_node(call.node, "an integer is divided by 0");
      }
      return F::of(x, y);
    };
  });
}

template <class F>
Arrays fold_all(const FoldCall& call) {
  Array result = call[0];
  for (std::size_t k = 1; k < call.inputs.size(); ++k) {
    const bool real = is_floating(result.type()) || is_floating(call[k].type());
    result = real ? combined<double, F>(call, result, call[k]) : combined<Index, F>(call, result, call[k]);
  }
  return {result};
}

Arrays fold_mod(const FoldCall& call) {
  return call.node.attributes.integer("fmod", 0) != 0 ? fold_all<Fmod>(call) : fold_all<Mod>(call);
}

template <class F>
Arrays fold_compare(const FoldCall& call) {
  const Array &a = call[0], &b = call[1];
  const Shape shape = common_shape(call, a.shape(), b.shape());
  const auto compared = [&]<class T>(T) {
    return call.integers(DType::boolean, shape, [&] {
      return [of_a = Walked<T>(a, shape), of_b = Walked<T>(b, shape)]() mutable {
        const T x = of_a.next(), y = of_b.next();
        return F{}(x, y) ? 1 : 0;
      };
    });
  };
  return {is_floating(a.type()) || is_floating(b.type()) ? compared(double{}) : compared(Index{})};
}

using Real = double (*)(double);
using Whole = Index (*)(Index);

/// f of every entry.
template <class T, class F>
Array each(const FoldCall& call, DType type, const F& f) {
  const Array& x = call[0];
  return made<T>(call, type, x.shape(), [&] {
    return [&f, entries = Entries<T>(x), k = Index{0}]() mutable { return f(entries[k++]); };
  });
}

template <Real real, Whole whole>
Arrays fold_each(const FoldCall& call) {
  const DType type = call[0].type();
  return {is_floating(type) ? each<double>(call, type, real) : each<Index>(call, type, whole)};
}

Index same(Index x) {
  return x;
}
double negated(double x) {
  return -x;
}
Index negated_whole(Index x) {
  return Sub::of(0, x);
}
double magnitude(double x) {
  return std::abs(x);
}
Index magnitude_whole(Index x) {
  return x < 0 ? negated_whole(x) : x;
}
double inverted(double x) {
  return x == 0 ? 1 : 0;
}
Index inverted_whole(Index x) {
  return x == 0 ? 1 : 0;
}
double root(double x) {
  return std::sqrt(x);
}
double floored(double x) {
  return std::floor(x);
}
double ceiled(double x) {
  return std::ceil(x);
}
double rounded(double x) {
  return std::nearbyint(x);
}
double signum(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}
Index signum_whole(Index x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}
double exponential(double x) {
  return std::exp(x);
}
double logarithm(double x) {
  return std::log(x);
}
double reciprocal(double x) {
  return 1 / x;
}
double sine(double x) {
  return std::sin(x);
}
double cosine(double x) {
  return std::cos(x);
}

Array cast(const FoldCall& call, DType type) {
  const Array& x = call[0];
  if (is_floating(type) && is_floating(x.type())) return x;
  if (is_floating(type)) return each<double>(call, type, [](double entry) { return entry; });
  if (type != DType::boolean) return each<Index>(call, type, same);
  return call.integers(type, x.shape(), [&] {
    return [entries = Entries<double>(x), k = Index{0}]() mutable { return entries[k++] != 0 ? 1 : 0; };
  });
}

Arrays fold_cast(const FoldCall& call) {
  const auto type =
      type_of(static_cast<int>(std::clamp<Index>(call.node.attributes.integer("to", 0), 0, 1000)));
  if (!type) refuse_node(call.node, "a cast to a type that no network here computes with");
  return {cast(call, *type)};
}

Arrays fold_cast_like(const FoldCall& call) {
  return {cast(call, call[1].type())};
}

/// Which axes a reduction is over: an attribute, or a second input.
std::vector<bool> reduced_axes(const FoldCall& call, Index rank) {
  std::vector<Index> axes = call.node.attributes.integers("axes", {});
  if (call.has(1)) axes = call.list(1);
  const bool none = axes.empty() && call.node.attributes.integer("noop_with_empty_axes", 0) != 0;
  std::vector<bool> reduced(static_cast<std::size_t>(rank), axes.empty() && !none);
  for (const Index axis : axes) reduced[static_cast<std::size_t>(axis_in(call.node, axis, rank))] = true;
  return reduced;
}

template <class T, class F>
Array reduced(const FoldCall& call, bool mean) {
  const Array& x = call[0];
  const std::vector<bool> axes = reduced_axes(call, x.shape().rank());
  const std::vector<Index> strides = x.shape().strides();
  Shape result, kept, line;
  std::vector<Index> kept_strides, line_strides;
  for (Index axis = 0; axis < x.shape().rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    (axes[a] ? line : kept).append(x.shape()[axis]);
    (axes[a] ? line_strides : kept_strides).push_back(strides[a]);
    if (!axes[a] || call.node.attributes.integer("keepdims", 1) != 0)
      result.append(axes[a] ? 1 : x.shape()[axis]);
  }
  const Index count = line.elements();
  if (count == 0) refuse_node(call.node, "a reduction over no entries", to_string(x.shape()));
  call.memory.count(call.node, x.size());
  return made<T>(call, x.type(), result, [&] {
    return [=, entries = Entries<T>(x), firsts = Walk(kept, kept_strides),
            rest = Walk(line, line_strides)]() mutable {
      const Index first = firsts.next();
      T sum = entries[first + rest.next()];
      for (Index k = 1; k < count; ++k) sum = F::of(sum, entries[first + rest.next()]);
      return mean ? sum / static_cast<T>(count) : sum;
    };
  });
}

template <class F>
Arrays fold_reduce(const FoldCall& call) {
  const bool mean = call.node.op == "ReduceMean";
  if (is_floating(call[0].type())) return {reduced<double, F>(call, mean)};
  return {reduced<Index, F>(call, mean)};
}

}  // namespace

Fold find_arithmetic_fold(std::string_view op) {
  static const std::map<std::string_view, Fold> table = {
      {"Add", fold_all<Add>},
      {"Sub", fold_all<Sub>},
      {"Mul", fold_all<Mul>},
      {"Div", fold_all<Div>},
      {"Mod", fold_mod},
      {"Pow", fold_all<Pow>},
      {"Min", fold_all<Min>},
      {"Max", fold_all<Max>},
      {"Sum", fold_all<Add>},
      {"Equal", fold_compare<std::equal_to<>>},
      {"Less", fold_compare<std::less<>>},
      {"LessOrEqual", fold_compare<std::less_equal<>>},
      {"Greater", fold_compare<std::greater<>>},
      {"GreaterOrEqual", fold_compare<std::greater_equal<>>},
      {"And", fold_compare<std::logical_and<>>},
      {"Or", fold_compare<std::logical_or<>>},
      {"Xor", fold_compare<std::not_equal_to<>>},
      {"Neg", fold_each<negated, negated_whole>},
      {"Abs", fold_each<magnitude, magnitude_whole>},
      {"Not", fold_each<inverted, inverted_whole>},
      {"Sqrt", fold_each<root, same>},
      {"Floor", fold_each<floored, same>},
      {"Ceil", fold_each<ceiled, same>},
      {"Round", fold_each<rounded, same>},
      {"Sign", fold_each<signum, signum_whole>},
      {"Exp", fold_each<exponential, same>},
      {"Log", fold_each<logarithm, same>},
      {"Reciprocal", fold_each<reciprocal, same>},
      {"Sin", fold_each<sine, same>},
      {"Cos", fold_each<cosine, same>},
      {"Cast", fold_cast},
      {"CastLike", fold_cast_like},
      {"ReduceSum", fold_reduce<Add>},
      {"ReduceMean", fold_reduce<Add>},
      {"ReduceProd", fold_reduce<Mul>},
      {"ReduceMax", fold_reduce<Max>},
      {"ReduceMin", fold_reduce<Min>},
  };
  const auto found = table.find(op);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace tangra::load::onnx
