#include "verify/hand_kernel.h"

#include <cmath>

namespace tangra::verify::test {
namespace {

using Vector = std::vector<double>;

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

struct Layer {
  Index out;
  Index in;
  Vector weight;  // [out, in]
  Vector bias;    // [out]
};

std::vector<Layer> layers_of(const Graph& graph) {
  std::vector<Layer> layers;
  for (std::size_t p = 0; p + 1 < graph.parameters.size(); p += 2) {
    const Array& weight = graph.parameters[p].data;
    const auto w = weight.as<double>();
    const auto b = graph.parameters[p + 1].data.as<double>();
    layers.push_back(
        {weight.shape()[0], weight.shape()[1], Vector(w.begin(), w.end()), Vector(b.begin(), b.end())});
  }
  return layers;
}

/// Values and pre-activations of one sample, and the cotangents at the pre-activations for one output.
struct Sample {
  std::vector<Vector> values;
  std::vector<Vector> sums;

  Sample(const std::vector<Layer>& layers, Vector x) {
    values.push_back(std::move(x));
    for (const Layer& layer : layers) {
      Vector z = layer.bias;
      Vector y(z.size());
      for (std::size_t c = 0; c < z.size(); ++c) {
        for (std::size_t k = 0; k < values.back().size(); ++k) {
          z[c] += layer.weight[c * values.back().size() + k] * values.back()[k];
        }
        y[c] = sigmoid(z[c]);
      }
      sums.push_back(std::move(z));
      values.push_back(std::move(y));
    }
  }

  std::vector<Vector> cotangents(const std::vector<Layer>& layers, std::size_t output,
                                 Mistake mistake) const {
    const auto slope = [&](double z) {
      return sigmoid(z) * (mistake == Mistake::slope_of_one_minus_output ? sigmoid(1 - z) : 1 - sigmoid(z));
    };
    std::vector<Vector> result(layers.size());
    Vector g(values.back().size(), 0);
    g[output] = 1;
    for (std::size_t l = layers.size(); l-- > 0;) {
      const Layer& layer = layers[l];
      for (std::size_t c = 0; c < g.size(); ++c) g[c] *= slope(sums[l][c]);
      result[l] = g;
      const auto in = static_cast<std::size_t>(layer.in);
      Vector below(in, 0);
      const bool transposed = mistake == Mistake::transposed_weight && layer.in == layer.out;
      for (std::size_t k = 0; k < in; ++k) {
        for (std::size_t c = 0; c < g.size(); ++c)
          below[k] += layer.weight[transposed ? k * in + c : c * in + k] * g[c];
      }
      g = std::move(below);
    }
    return result;
  }
};

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t e = 0; e < a.size(); ++e) sum += a[e] * b[e];
  return sum;
}

}  // namespace

MethodResult HandKernel::run(const Problem& problem, const Context&) const {
  const std::vector<Layer> layers = layers_of(*problem.graph);
  const Index samples = problem.inputs.shape()[0];
  const Index features = problem.inputs.shape()[1];
  const Index outputs = layers.back().out;
  const bool full = problem.reduction.keeps_full;
  std::vector<Sample> forward;
  for (Index i = 0; i < samples; ++i) {
    const double* x = problem.inputs.data() + i * features;
    forward.emplace_back(layers, Vector(x, x + features));
  }
  MethodResult result;
  const Index height = samples * (full ? outputs : 1);
  for (std::size_t k = 0; k < 2 * layers.size(); ++k) result.kernels.emplace_back(Shape{1, height, height});
  for (Index row = 0; row < samples * outputs; ++row) {
    for (Index column = 0; column < samples * outputs; ++column) {
      const auto i = static_cast<std::size_t>(row / outputs);
      const auto j = static_cast<std::size_t>(column / outputs);
      if (!full && row % outputs != column % outputs) continue;
      const auto a = forward[i].cotangents(layers, static_cast<std::size_t>(row % outputs), mistake_);
      const auto b = forward[j].cotangents(layers, static_cast<std::size_t>(column % outputs), mistake_);
      const Index to = full ? row * height + column : static_cast<Index>(i) * height + static_cast<Index>(j);
      for (std::size_t l = 0; l < layers.size(); ++l) {
        double bias = dot(a[l], b[l]);
        result.kernels[2 * l][to] += bias * dot(forward[i].values[l], forward[j].values[l]);
        const bool missing = mistake_ == Mistake::last_bias_missing && l + 1 == layers.size();
        if (mistake_ == Mistake::bias_dropped || missing) bias = 0;
        if (mistake_ == Mistake::bias_twice) bias *= 2;
        result.kernels[2 * l + 1][to] += bias;
      }
    }
  }
  const Index mean_of = mistake_ == Mistake::mean_over_outputs   ? outputs
                        : mistake_ == Mistake::mean_over_samples ? samples
                                                                 : 1;
  for (Tensor<double>& kernel : result.kernels) {
    for (double& entry : kernel) entry /= static_cast<double>(mean_of);
  }
  return result;
}

}  // namespace tangra::verify::test
