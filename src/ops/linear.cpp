// Linear: y[d, c] = sum_k A[c, k] x[d, k] + bias[c], on the last axis of x; the axes before it are positions d.
// Inputs x [.., K], A (C, K) or, with the attribute `transposed`, (K, C), and optionally bias (C).
#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

using linalg::gemm;

/// The lengths of one call.
struct Extent {
  Index positions;  ///< D
  Index channels;   ///< C
  Index fan_in;     ///< K

  static Extent of(std::span<const Shape> inputs, const Shape& output) {
    const Index rank = inputs[0].rank();
    return {inputs[0].elements(0, rank - 1), output.back(), inputs[0].back()};
  }
};

bool is_transposed(const Node& node) { return node.attributes.integer("transposed", 0) != 0; }

/// A as the matrix [C, K], whichever way it is stored.
template <class T>
MatrixView<const T> weight_matrix(const T* data, const Extent& extent, bool transposed) {
  if (!transposed) return matrix(data, extent.channels, extent.fan_in);
  return matrix(data, extent.fan_in, extent.channels).transposed();
}

class Linear final : public OpOf<Linear> {
 public:
  std::string_view name() const override { return "Linear"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 2, 3);
    const Shape& x = inputs[0];
    const Shape& weight = inputs[1];
    if (weight.rank() != 2) refuse(node, "the weight is not a matrix", to_string(weight), "two axes");
    if (x.rank() < 1) refuse(node, "the input has no axis of features", to_string(x), "one axis or more");
    const Index channel_axis = is_transposed(node) ? 1 : 0;
    const Index fan_in = weight[1 - channel_axis];
    if (x.back() != fan_in) {
      refuse(node, "the input's last axis does not fit the weight", std::to_string(x.back()) + " features",
             std::to_string(fan_in));
    }
    if (inputs.size() == 3 && inputs[2] != Shape{weight[channel_axis]}) {
      refuse(node, "the bias does not fit the weight", to_string(inputs[2]), to_string(Shape{weight[channel_axis]}));
    }
    Shape result = x;
    result[result.rank() - 1] = weight[channel_axis];
    return {result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Extent extent = Extent::of(call.input_shapes, call.output_shapes[0]);
    const auto [D, C, K] = extent;
    const bool has_bias = call.inputs.size() == 3;
    if (has_bias) {
      for (Index i = 0; i < call.samples; ++i) {
        for (Index d = 0; d < D; ++d) std::copy_n(call.inputs[2].at(i), C, results[0] + (i * D + d) * C);
      }
    }
    const auto multiply = [&](Index sample, Index rows) {
      gemm<T>(call.context, call.engine, matrix(call.inputs[0].at(sample), rows, K),
              weight_matrix(call.inputs[1].at(sample), extent, is_transposed(call.node)).transposed(), has_bias,
              matrix(results[0] + sample * D * C, rows, C));
    };
    if (call.inputs[1].stride == 0 && call.inputs[0].stride == D * K) return multiply(0, call.samples * D);
    for (Index i = 0; i < call.samples; ++i) multiply(i, D);
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    const Extent extent = Extent::of(call.input_shapes, call.output_shapes[0]);
    const auto [D, C, K] = extent;
    const Index rows = directions * D;
    const T* g = cotangents[0];
    if (results[0] != nullptr) {
      const auto multiply = [&](Index sample, Index count) {
        gemm<T>(call.context, call.engine, matrix(g + sample * rows * C, count, C),
                weight_matrix(call.inputs[1].at(sample), extent, is_transposed(call.node)), true,
                matrix(results[0] + sample * rows * K, count, K));
      };
      if (call.inputs[1].stride == 0) multiply(0, call.samples * rows);
      else for (Index i = 0; i < call.samples; ++i) multiply(i, rows);
    }
    if (results[1] != nullptr) pull_to_weight(call, directions, extent, g, results[1]);
    if (results.size() == 3 && results[2] != nullptr) {
      for (Index row = 0; row < call.samples * directions; ++row) {
        for (Index d = 0; d < D; ++d) {
          for (Index c = 0; c < C; ++c) results[2][row * C + c] += g[(row * D + d) * C + c];
        }
      }
    }
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Extent extent = Extent::of(call.input_shapes, call.output_shapes[0]);
    const auto [D, C, K] = extent;
    fill_zero(results[0], call.samples * directions * D * C);
    if (tangents[0]) push_input(call, directions, extent, tangents[0], results[0]);
    if (tangents[1]) push_weight(call, directions, extent, tangents[1], results[0]);
    if (tangents.size() < 3 || !tangents[2]) return;
    for (Index row = 0; row < call.samples * directions * D; ++row) {
      const Index r = row / D % directions;
      const T* bias = tangents[2].at(row / (D * directions)) + r * C;
      for (Index c = 0; c < C; ++c) results[0][row * C + c] += bias[c];
    }
  }

  double multiply_adds(const Node&, std::span<const Shape> inputs, const Shape& output) const override {
    return static_cast<double>(output.elements() * inputs[0].back());
  }
  bool has_outer_form(const Node&, std::span<const Shape>, int input) const override { return input == 1; }
  OuterUse<float> outer_use(const Call<float>& call, Index, const float*, int) const override { return use(call); }
  OuterUse<double> outer_use(const Call<double>& call, Index, const double*, int) const override { return use(call); }

  bool passes_cotangent(const Node&, std::span<const Shape> inputs, int input) const override {
    return input == 2 && inputs[0].elements(0, inputs[0].rank() - 1) == 1;
  }

 private:
  /// Adds t W^T for tangents t of the input: all at once where the weight is one for all samples.
  template <class T>
  static void push_input(const Call<T>& call, Index directions, const Extent& extent, const Operand<T>& tangent, T* result) {
    const auto [D, C, K] = extent;
    const bool transposed = is_transposed(call.node);
    const auto multiply = [&](Index sample, Index rows) {
      gemm<T>(call.context, call.engine, matrix(tangent.at(sample), rows, K),
              weight_matrix(call.inputs[1].at(sample), extent, transposed).transposed(), true,
              matrix(result + sample * directions * D * C, rows, C));
    };
    const bool together = call.inputs[1].stride == 0 && tangent.stride == directions * D * K;
    if (together) return multiply(0, call.samples * directions * D);
    for (Index i = 0; i < call.samples; ++i) multiply(i, directions * D);
  }

  /// Adds x T^T for tangents T of the weight: all samples at once where they share the tangent and have one position.
  template <class T>
  static void push_weight(const Call<T>& call, Index directions, const Extent& extent, const Operand<T>& tangent, T* result) {
    const auto [D, C, K] = extent;
    const bool transposed = is_transposed(call.node);
    const bool together = D == 1 && tangent.stride == 0 && call.inputs[0].stride == K;
    for (Index r = 0; r < directions; ++r) {
      for (Index i = 0; i < (together ? 1 : call.samples); ++i) {
        const Index rows = together ? call.samples : D;
        gemm<T>(call.context, call.engine, matrix(call.inputs[0].at(i), rows, K),
                weight_matrix(tangent.at(i) + r * C * K, extent, transposed).transposed(), true,
                {result + (i * directions + r) * D * C, rows, C, together ? directions * C : C, 1});
      }
    }
  }

  template <class T>
  static void pull_to_weight(const Call<T>& call, Index directions, const Extent& extent, const T* g, T* result) {
    const auto [D, C, K] = extent;
    for (Index i = 0; i < call.samples; ++i) {
      const MatrixView<const T> x = matrix(call.inputs[0].at(i), D, K);
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        const MatrixView<const T> cotangent = matrix(g + row * D * C, D, C);
        if (is_transposed(call.node)) {
          gemm<T>(call.context, call.engine, x.transposed(), cotangent, true, matrix(result + row * C * K, K, C));
        } else {
          gemm<T>(call.context, call.engine, cotangent.transposed(), x, true, matrix(result + row * C * K, C, K));
        }
      }
    }
  }

  template <class T>
  static OuterUse<T> use(const Call<T>& call) {
    const auto [D, C, K] = Extent::of(call.input_shapes, call.output_shapes[0]);
    OuterUse<T> result{.positions = D, .channels = C, .fan_in = K, .transposed = is_transposed(call.node),
                       .left_is_cotangent = true, .right_is_input = call.inputs[0].stride == D * K, .left = {}, .right = {}};
    if (!result.right_is_input) {
      result.right = Tensor<T>::uninitialized({call.samples, D, K});
      for (Index i = 0; i < call.samples; ++i) std::copy_n(call.inputs[0].at(i), D * K, result.right.data() + i * D * K);
    }
    return result;
  }
};

}  // namespace

void add_linear_ops(std::vector<std::unique_ptr<Op>>& table) { table.push_back(std::make_unique<Linear>()); }

}  // namespace tangra::ops
