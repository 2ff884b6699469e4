// Elementwise functions of two inputs with NumPy's broadcasting. Either input may depend on no sample; the pull-back
// then sums over the broadcast axes and gives the explicit row of the Jacobian (a bias, a gain).
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

struct Add {
  static constexpr std::string_view name = "Add";
  template <class T>
  static T value(T a, T b) { return a + b; }
  template <class T>
  static T slope_a(T, T) { return 1; }
  template <class T>
  static T slope_b(T, T) { return 1; }
};

struct Sub {
  static constexpr std::string_view name = "Sub";
  template <class T>
  static T value(T a, T b) { return a - b; }
  template <class T>
  static T slope_a(T, T) { return 1; }
  template <class T>
  static T slope_b(T, T) { return -1; }
};

struct Mul {
  static constexpr std::string_view name = "Mul";
  template <class T>
  static T value(T a, T b) { return a * b; }
  template <class T>
  static T slope_a(T, T b) { return b; }
  template <class T>
  static T slope_b(T a, T) { return a; }
};

struct Div {
  static constexpr std::string_view name = "Div";
  template <class T>
  static T value(T a, T b) { return a / b; }
  template <class T>
  static T slope_a(T, T b) { return 1 / b; }
  template <class T>
  static T slope_b(T a, T b) { return -a / (b * b); }
};

/// For each entry of the result, the entry of an input that it comes from.
std::vector<Index> broadcast_map(const Shape& input, const Shape& result) {
  const std::vector<Index> own = input.strides();
  std::vector<Index> strides(static_cast<std::size_t>(result.rank()), 0);
  const Index skipped = result.rank() - input.rank();
  for (Index axis = 0; axis < input.rank(); ++axis) {
    if (input[axis] != 1) strides[static_cast<std::size_t>(axis + skipped)] = own[static_cast<std::size_t>(axis)];
  }
  std::vector<Index> map(static_cast<std::size_t>(result.elements()));
  std::vector<Index> position(static_cast<std::size_t>(result.rank()), 0);
  Index from = 0;
  for (Index& entry : map) {
    entry = from;
    for (std::size_t axis = position.size(); axis-- > 0;) {
      from += strides[axis];
      if (++position[axis] < result[static_cast<Index>(axis)]) break;
      from -= strides[axis] * position[axis];
      position[axis] = 0;
    }
  }
  return map;
}

template <class F>
class Binary final : public OpOf<Binary<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 2, 2);
    try {
      return {broadcast(inputs[0], inputs[1])};
    } catch (const Error& error) {
      refuse(node, error.complaint().what, error.complaint().got, error.complaint().expected);
    }
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Maps maps(call.input_shapes, call.output_shapes[0]);
    const Index size = call.output_shapes[0].elements();
    for_samples(call, 4 * size, [&](Index i) {
      const T* a = call.inputs[0].at(i);
      const T* b = call.inputs[1].at(i);
      T* y = results[0] + i * size;
      for (Index e = 0; e < size; ++e) y[e] = F::value(a[maps.a(e)], b[maps.b(e)]);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    const Maps maps(call.input_shapes, call.output_shapes[0]);
    const Index size = call.output_shapes[0].elements();
    for_samples(call, 4 * directions * size, [&](Index i) {
      const T* a = call.inputs[0].at(i);
      const T* b = call.inputs[1].at(i);
      for (Index r = 0; r < directions; ++r) {
        const Index row = i * directions + r;
        const T* from = cotangents[0] + row * size;
        if (results[0] != nullptr) {
          T* to = results[0] + row * call.input_shapes[0].elements();
          for (Index e = 0; e < size; ++e) to[maps.a(e)] += F::slope_a(a[maps.a(e)], b[maps.b(e)]) * from[e];
        }
        if (results[1] != nullptr) {
          T* to = results[1] + row * call.input_shapes[1].elements();
          for (Index e = 0; e < size; ++e) to[maps.b(e)] += F::slope_b(a[maps.a(e)], b[maps.b(e)]) * from[e];
        }
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Maps maps(call.input_shapes, call.output_shapes[0]);
    const Index size = call.output_shapes[0].elements();
    const Index size_a = call.input_shapes[0].elements();
    const Index size_b = call.input_shapes[1].elements();
    for_samples(call, 4 * directions * size, [&](Index i) {
      const T* a = call.inputs[0].at(i);
      const T* b = call.inputs[1].at(i);
      for (Index r = 0; r < directions; ++r) {
        T* to = results[0] + (i * directions + r) * size;
        fill_zero(to, size);
        if (tangents[0]) {
          const T* from = tangents[0].at(i) + r * size_a;
          for (Index e = 0; e < size; ++e) to[e] += F::slope_a(a[maps.a(e)], b[maps.b(e)]) * from[maps.a(e)];
        }
        if (tangents[1]) {
          const T* from = tangents[1].at(i) + r * size_b;
          for (Index e = 0; e < size; ++e) to[e] += F::slope_b(a[maps.a(e)], b[maps.b(e)]) * from[maps.b(e)];
        }
      }
    });
  }

  bool passes_cotangent(const Node&, std::span<const Shape> inputs, int input) const override {
    if (F::name != Add::name && (F::name != Sub::name || input != 0)) return false;
    return inputs[static_cast<std::size_t>(input)] == broadcast(inputs[0], inputs[1]);
  }

  std::optional<View> view(const Node&, std::span<const Shape> inputs,
                           std::span<const std::optional<double>> constants) const override {
    const bool product = F::name == Mul::name;
    if (!product && F::name != Div::name) return std::nullopt;
    const Shape result = broadcast(inputs[0], inputs[1]);
    if (constants[1] && inputs[0] == result) {
      return View{.input = 0, .offset = 0, .strides = result.strides(),
                  .scale = product ? *constants[1] : 1 / *constants[1]};
    }
    if (product && constants[0] && inputs[1] == result) {
      return View{.input = 1, .offset = 0, .strides = result.strides(), .scale = *constants[0]};
    }
    return std::nullopt;
  }

 private:
  /// Where each entry of the result comes from; no table is made for an input of the result's own shape.
  class Maps {
   public:
    Maps(std::span<const Shape> inputs, const Shape& result) {
      if (inputs[0] != result) a_ = broadcast_map(inputs[0], result);
      if (inputs[1] != result) b_ = broadcast_map(inputs[1], result);
    }
    Index a(Index entry) const { return a_.empty() ? entry : a_[static_cast<std::size_t>(entry)]; }
    Index b(Index entry) const { return b_.empty() ? entry : b_[static_cast<std::size_t>(entry)]; }

   private:
    std::vector<Index> a_;
    std::vector<Index> b_;
  };
};

template <class... Functions>
void add_all(std::vector<std::unique_ptr<Op>>& table) {
  (table.push_back(std::make_unique<Binary<Functions>>()), ...);
}

}  // namespace

void add_binary_ops(std::vector<std::unique_ptr<Op>>& table) { add_all<Add, Sub, Mul, Div>(table); }

}  // namespace tangra::ops
