#pragma once
#include "family.h"

namespace tangra::ops {

/// One entry of each input, and the same entries of the run that decides on which side of a kink they lie.
template <class T>
struct Pair {
  T a;
  T b;
  T side_a;
  T side_b;
};

/// An elementwise function of two inputs with NumPy's broadcasting, made of
///     value(pair, settings), slope_a(pair, settings), slope_b(pair, settings);
///     read(attributes) and kinks(settings) as in Elementwise;
///     choice(pair), where it chooses: what it chose, and by how much that is ahead.
/// Either input may depend on no sample; the pull-back then sums over the broadcast axes and gives the
/// explicit row of the Jacobian (a bias, a gain).
template <class F>
class Binary : public OpOf<Binary<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 2, 2);
    check_attributes(node, [&] { settings_of<F>(node); });
    return {broadcast_inputs(node, inputs)};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Settings settings = settings_of<F>(call.node);
    const Index size = call.output_shapes[0].elements();
    each_sample(call, 1, [&](Index i, const auto& pair, const BroadcastMap&, const BroadcastMap&) {
      T* y = results[0] + i * size;
      for (Index e = 0; e < size; ++e) y[e] = F::value(pair(e), settings);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    const Settings settings = settings_of<F>(call.node);
    const Index size = call.output_shapes[0].elements();
    each_sample(call, directions,
                [&](Index i, const auto& pair, const BroadcastMap& a, const BroadcastMap& b) {
                  for (Index row = i * directions; row < (i + 1) * directions; ++row) {
                    const T* from = cotangents[0] + row * size;
                    if (results[0] != nullptr) {
                      T* to = results[0] + row * call.input_shapes[0].elements();
                      for (Index e = 0; e < size; ++e)
                        to[a(e)] += scaled(F::slope_a(pair(e), settings), from[e]);
                    }
                    if (results[1] != nullptr) {
                      T* to = results[1] + row * call.input_shapes[1].elements();
                      for (Index e = 0; e < size; ++e)
                        to[b(e)] += scaled(F::slope_b(pair(e), settings), from[e]);
                    }
                  }
                });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Settings settings = settings_of<F>(call.node);
    const Index size = call.output_shapes[0].elements();
    each_sample(call, directions,
                [&](Index i, const auto& pair, const BroadcastMap& a, const BroadcastMap& b) {
                  for (Index r = 0; r < directions; ++r) {
                    T* to = results[0] + (i * directions + r) * size;
                    fill_zero(to, size);
                    if (tangents[0]) {
                      const T* from = tangents[0].at(i) + r * call.input_shapes[0].elements();
                      for (Index e = 0; e < size; ++e)
                        to[e] += scaled(F::slope_a(pair(e), settings), from[a(e)]);
                    }
                    if (tangents[1]) {
                      const T* from = tangents[1].at(i) + r * call.input_shapes[1].elements();
                      for (Index e = 0; e < size; ++e)
                        to[e] += scaled(F::slope_b(pair(e), settings), from[b(e)]);
                    }
                  }
                });
  }

  bool passes_cotangent(const Node&, std::span<const Shape> inputs, int input) const override {
    if constexpr (requires { F::passes(input); }) {
      return F::passes(input) && inputs[static_cast<std::size_t>(input)] == broadcast(inputs[0], inputs[1]);
    }
    return false;
  }

  /// F::factor(input, other) is the c of c * input, `other` the number that the other input holds.
  std::optional<View> view(const Node&, std::span<const Shape> inputs,
                           std::span<const std::optional<double>> constants) const override {
    if constexpr (requires { F::factor(0, 1.0); }) {
      const Shape result = broadcast(inputs[0], inputs[1]);
      for (const int input : {0, 1}) {
        const std::optional<double>& other = constants[static_cast<std::size_t>(1 - input)];
        if (!other || inputs[static_cast<std::size_t>(input)] != result) continue;
        const std::optional<double> scale = F::factor(input, *other);
        if (scale) return View{.input = input, .offset = 0, .strides = result.strides(), .scale = *scale};
      }
    }
    return std::nullopt;
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
    if constexpr (requires { F::choice(Pair<T>{}); }) {
      const BroadcastMap a(call.input_shapes[0], call.output_shapes[0]);
      const BroadcastMap b(call.input_shapes[1], call.output_shapes[0]);
      for (Index i = 0; i < call.samples; ++i) {
        for (Index e = 0; e < call.output_shapes[0].elements(); ++e) {
          const T side_a = call.sides[0].at(i)[a(e)];
          const T side_b = call.sides[1].at(i)[b(e)];
          result.push_back(F::choice(Pair<T>{side_a, side_b, side_a, side_b}));
        }
      }
    }
    return result;
  }

 private:
  /// Calls use(sample, pair, a, b) for every sample: pair(e) is what entry e of the result is made of, a(e)
  /// and b(e) are the inputs' entries that it comes from.
  template <class T, class Use>
  static void each_sample(const Call<T>& call, Index directions, const Use& use) {
    const BroadcastMap a(call.input_shapes[0], call.output_shapes[0]);
    const BroadcastMap b(call.input_shapes[1], call.output_shapes[0]);
    for_samples(call, 4 * directions * call.output_shapes[0].elements(), [&](Index i) {
      const T* data_a = call.inputs[0].at(i);
      const T* data_b = call.inputs[1].at(i);
      const T* side_a = call.sides[0].at(i);
      const T* side_b = call.sides[1].at(i);
      const auto pair = [&](Index e) {
        return Pair<T>{data_a[a(e)], data_b[b(e)], side_a[a(e)], side_b[b(e)]};
      };
      use(i, pair, a, b);
    });
  }
};

template <class... Functions>
void add_binary(std::vector<std::unique_ptr<Op>>& table) {
  (table.push_back(std::make_unique<Binary<Functions>>()), ...);
}

}  // namespace tangra::ops
