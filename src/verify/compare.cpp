#include "tangra/verify/compare.h"

#include <algorithm>
#include <cmath>

#include "tangra/base/error.h"

namespace tangra::verify {
namespace {

/// The rounding of one run in float32 is a sample of rounding, not a bound of it.
constexpr double safety = 16;

double largest_entry(const Tensor<double>& entries) {
  double most = 0;
  for (const double entry : entries) most = std::max(most, std::abs(entry));
  return most;
}

/// Fills the numbers of a result. bound(e): of entry e.
template <class Bound>
void judge(PairResult& result, const Tensor<double>& first, const Tensor<double>& second,
           const Bound& bound) {
  TANGRA_ENSURE(first.shape() == second.shape());
  const Index columns = first.shape().back();
  const Index rows = first.shape()[first.shape().rank() - 2];
  result.largest_entry = std::max(largest_entry(first), largest_entry(second));
  result.agree = true;
  for (Index e = 0; e < first.size(); ++e) {
    const double difference = std::abs(first[e] - second[e]);
    const double allowed = bound(e);
    const bool agree = difference <= allowed && std::isfinite(allowed);  // false for NaN and infinity
    const double ratio = agree ? (allowed == 0 ? 0 : difference / allowed)
                               : (difference < HUGE_VAL && allowed > 0 ? difference / allowed : HUGE_VAL);
    result.agree = result.agree && agree;
    if (!(difference <= result.largest_difference) && !std::isnan(result.largest_difference)) {
      result.largest_difference = difference;
    }
    if (e > 0 && ratio <= result.worst_ratio) continue;
    result.worst_ratio = ratio;
    result.difference = difference;
    result.bound = allowed;
    result.plane = e / (rows * columns);
    result.row = e / columns % rows;
    result.column = e % columns;
  }
}

PairResult pair_of(std::string parameter, const Comparison::Side& first, const Comparison::Side& second,
                   const char* what) {
  PairResult result;
  result.parameter = std::move(parameter);
  result.first = first.method.name();
  result.second = second.method.name();
  result.what = what;
  return result;
}

/// The tolerance of two methods on the larger of their results, and what may underflow on its way there.
double granted_to(const Comparison::Side& first, const Comparison::Side& second, const Tensor<double>& a,
                  const Tensor<double>& b) {
  const double roundoff = std::max(first.method.unit_roundoff(), second.method.unit_roundoff());
  const double smallest = roundoff > 1e-12 ? 0x1p-126 : 0x1p-1022;
  return std::max(first.method.tolerance(), second.method.tolerance()) *
             std::max(largest_entry(a), largest_entry(b)) +
         smallest;
}

}  // namespace

double Comparison::row_error(std::size_t parameter, const Side& side, Index row) const {
  const double rounding = safety * (side.method.unit_roundoff() / 0x1p-24) * scales_.single_noise[parameter];
  if (side.result.row_errors.empty() || side.result.row_errors[parameter].size() == 0) return rounding;
  return rounding + side.result.row_errors[parameter][row];
}

/// [planes, N * full, N * full]: l_i v_j + l_j v_i + v_i v_j, lengths taken over the directions that are
/// summed.
Tensor<double> Comparison::error_of_products(std::size_t parameter, const Side& first,
                                             const Side& second) const {
  const auto [planes, full, inner] = problem_.reduction.layout;
  const Index height = problem_.inputs.shape()[0] * full;
  Tensor<double> lengths(Shape{planes, height});
  Tensor<double> errors(Shape{planes, height});
  for (Index e = 0; e < lengths.size(); ++e) {
    const Index row = e % height;
    const Index from = ((row / full) * planes + e / height) * full + row % full;
    for (Index t = from * inner; t < (from + 1) * inner; ++t) {
      const double error = row_error(parameter, first, t) + row_error(parameter, second, t);
      lengths[e] += scales_.lengths[parameter][t] * scales_.lengths[parameter][t];
      errors[e] += error * error;
    }
    lengths[e] = std::sqrt(lengths[e]);
    errors[e] = std::sqrt(errors[e]);
  }
  Tensor<double> result(Shape{planes, height, height});
  for (Index e = 0; e < result.size(); ++e) {
    const Index i = e / height;
    const Index j = e / (height * height) * height + e % height;
    result[e] = (lengths[i] * errors[j] + lengths[j] * errors[i] + errors[i] * errors[j]) /
                problem_.reduction.divisor;
  }
  return result;
}

PairResult Comparison::kernels(std::size_t parameter, const Side& first, const Side& second) const {
  const ParameterId id = trainable_parameters(*problem_.graph)[parameter];
  PairResult result = pair_of(problem_.graph->parameter(id).name, first, second, "kernel");
  const Tensor<double>& a = first.result.kernels[parameter];
  const Tensor<double>& b = second.result.kernels[parameter];
  const Tensor<double> products = error_of_products(parameter, first, second);
  const double granted = granted_to(first, second, a, b);
  judge(result, a, b, [&](Index e) { return granted + products[e]; });
  return result;
}

PairResult Comparison::totals(const Side& first, const Side& second) const {
  PairResult result = pair_of("total", first, second, "kernel");
  Tensor<double> products(first.result.total.shape());
  double granted = 0;
  for (std::size_t k = 0; k < scales_.lengths.size(); ++k) {
    const Tensor<double> own = error_of_products(k, first, second);
    for (Index e = 0; e < products.size(); ++e) products[e] += own[e];
    // Parts may be larger than their sum, which then is no more exact than they are.
    granted += granted_to(first, second, first.result.kernels[k], second.result.kernels[k]);
  }
  judge(result, first.result.total, second.result.total, [&](Index e) { return granted + products[e]; });
  return result;
}

PairResult Comparison::along_random(std::size_t parameter, const Side& first, const Side& second) const {
  const ParameterId id = trainable_parameters(*problem_.graph)[parameter];
  PairResult result = pair_of(problem_.graph->parameter(id).name, first, second, "directional derivatives");
  const Tensor<double>& a = first.result.along_random[parameter];
  const Tensor<double>& b = second.result.along_random[parameter];
  const double granted = granted_to(first, second, a, b);
  judge(result, a, b, [&](Index e) {
    const Index row = e % a.shape()[1];
    return granted + row_error(parameter, first, row) + row_error(parameter, second, row);
  });
  return result;
}

}  // namespace tangra::verify
