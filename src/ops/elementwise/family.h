#pragma once
#include "tangra/linalg/vectors.h"
#include "tangra/ops/loops.h"
#include "tangra/ops/maps.h"
#include "tangra/ops/op.h"

namespace tangra::ops {

/// The numbers that an elementwise function takes from its node.
struct Settings {
  double a = 0;
  double b = 0;
};

template <class F>
Settings settings_of(const Node& node) {
  if constexpr (requires { F::read(node.attributes); })
    return F::read(node.attributes);
  else
    return {};
}

/// An elementwise function of one input, made of
///     value(x, side, settings), slope(x, side, settings);
///     read(attributes), where it has settings; kinks(settings), where it has kinks;
///     choice(side), where it jumps: what it chose, and how far away the nearest jump is;
///     factor(settings), the c of f(x) = c x where it is such a function.
/// At a kink the derivative is that of docs/math.md, section 6. `side` decides on which side an entry lies;
/// it is x itself but for the check of float32 runs (ops::Call::sides).
template <class F>
class Elementwise final : public OpOf<Elementwise<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    check_attributes(node, [&] { settings_of<F>(node); });
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
      linalg::scale_each(slope, cotangents[0] + row * size, size, results[0] != cotangents[0], results[0] + row * size);
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

  bool pulls_in_place(const Node&) const override { return true; }
  bool passes_cotangent(const Node& node, std::span<const Shape>, int) const override {
    return factor(node) == 1.0;
  }

  std::optional<View> view(const Node& node, std::span<const Shape> inputs,
                           std::span<const std::optional<double>>) const override {
    const std::optional<double> scale = factor(node);
    if (!scale) return std::nullopt;
    return View{.input = 0, .offset = 0, .strides = inputs[0].strides(), .scale = *scale};
  }

  std::vector<double> kinks(const Node& node) const override {
    if constexpr (requires { F::kinks(Settings{}); })
      return F::kinks(settings_of<F>(node));
    else
      return {};
  }

  template <class T>
  std::vector<Choice> run_choices(const Call<T>& call) const {
    std::vector<Choice> result;
    if constexpr (requires { F::choice(T(0)); }) {
      for (Index i = 0; i < call.samples; ++i) {
        const T* side = call.sides[0].at(i);
        for (Index e = 0; e < call.output_shapes[0].elements(); ++e) result.push_back(F::choice(side[e]));
      }
    }
    return result;
  }

 private:
  static std::optional<double> factor(const Node& node) {
    if constexpr (requires { F::factor(Settings{}); })
      return F::factor(settings_of<F>(node));
    else
      return std::nullopt;
  }

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
void add_elementwise(std::vector<std::unique_ptr<Op>>& table) {
  (table.push_back(std::make_unique<Elementwise<Functions>>()), ...);
}

}  // namespace tangra::ops
