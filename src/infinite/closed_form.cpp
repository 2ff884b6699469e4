#include "tangra/infinite/closed_form.h"

#include <cmath>

#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"

namespace tangra::infinite {
namespace {

/// x.x / d for each row, with the bits that the product of both rows has in linalg::gemm.
std::vector<double> mean_squares(MatrixView<const double> x) {
  std::vector<double> result;
  for (Index i = 0; i < x.rows; ++i) {
    double sum = 0;
    for (Index k = 0; k < x.columns; ++k) sum = std::fma(x(i, k), x(i, k), sum);
    result.push_back(sum / static_cast<double>(x.columns));
  }
  return result;
}

/// S_l of each sample with itself, layer by layer: [layers][samples].
std::vector<std::vector<double>> variances(const std::vector<Layer>& layers, MatrixView<const double> x) {
  std::vector<std::vector<double>> result;
  std::vector<double> means = mean_squares(x);
  for (const Layer& layer : layers) {
    std::vector<double>& row = result.emplace_back();
    for (double& mean : means) {
      const double variance = layer.weight_variance * mean + layer.bias_variance;
      row.push_back(variance);
      mean = dual(layer.activation, {variance, variance, variance}).values;
    }
  }
  return result;
}

/// One entry, from x.x' / d and the variances of both samples.
double entry(const std::vector<Layer>& layers, Kind kind, double mean,
             const std::vector<std::vector<double>>& rows, Index i,
             const std::vector<std::vector<double>>& columns, Index j) {
  double covariance = 0, tangent = 0, derivatives = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    tangent = layer.weight_gain * mean + layer.bias_gain + layer.weight_variance * tangent * derivatives;
    covariance = layer.weight_variance * mean + layer.bias_variance;
    const Dual next = dual(layer.activation, {.uu = rows[l][static_cast<std::size_t>(i)],
                                              .uv = covariance,
                                              .vv = columns[l][static_cast<std::size_t>(j)]});
    mean = next.values;
    derivatives = next.derivatives;
  }
  return kind == Kind::ntk ? tangent : covariance;
}

}  // namespace

Tensor<double> closed_form(const std::vector<Layer>& layers, Kind kind, MatrixView<const double> x1,
                           const MatrixView<const double>* x2, const Context& context) {
  TANGRA_ENSURE(!layers.empty() && layers.back().activation == Activation::identity && x1.columns > 0);
  const MatrixView<const double> other = x2 != nullptr ? *x2 : x1;
  TANGRA_ENSURE(other.columns == x1.columns);
  Tensor<double> k = Tensor<double>::uninitialized(Shape{x1.rows, other.rows});
  linalg::gemm<double>(context, linalg::Engine::fast, x1, other.transposed(), false,
                       matrix(k.data(), x1.rows, other.rows));
  const auto rows = variances(layers, x1);
  const auto columns = x2 != nullptr ? variances(layers, other) : rows;
  const auto d = static_cast<double>(x1.columns);
  context.pool.parallel_for(x1.rows, [&](Index i, int) {
    context.check_cancelled();
    double* row = k.data() + i * other.rows;
    // Of a symmetric kernel the lower triangle; the product's bits are the same on both sides of the
    // diagonal.
    const Index end = x2 != nullptr ? other.rows : i + 1;
    for (Index j = 0; j < end; ++j) row[j] = entry(layers, kind, row[j] / d, rows, i, columns, j);
  });
  for (Index i = 0; x2 == nullptr && i < x1.rows; ++i) {
    for (Index j = 0; j < i; ++j) k[j * other.rows + i] = k[i * other.rows + j];
  }
  return k;
}

}  // namespace tangra::infinite
