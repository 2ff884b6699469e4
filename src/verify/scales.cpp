#include "tangra/verify/scales.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "tangra/base/error.h"
#include "tangra/differentiate/sweeps.h"
#include "tangra/verify/explicit_jacobian.h"

namespace tangra::verify {
namespace {

using differentiate::Activations;
using differentiate::Program;

/// Rows of J_theta v for every random direction v: [directions, N * R], in T throughout.
template <class T>
Tensor<T> pushed(const Program<T>& program, const Activations<T>& activations, const Problem& problem,
                 ParameterId parameter, const VerifyOptions& options, const Context& context) {
  const ValueId value = problem.graph->parameter(parameter).value;
  const Index size = problem.graph->shape(value).elements();
  Tensor<T> tangents(Shape{options.directions, size});
  for (int k = 0; k < options.directions; ++k) {
    std::ranges::transform(random_direction(options.seed, parameter, k, size), tangents.data() + k * size,
                           [](double entry) { return static_cast<T>(entry); });
  }
  const Tensor<T> moved = differentiate::push_forward<T>(program, activations, options.directions,
                                                         {{value, {tangents.data(), 0}}}, problem.of, context);
  const Tensor<T> cotangents = problem.basis.seeds(0, activations[problem.of]);
  const Index directions = problem.basis.rows();
  const Index outputs = problem.basis.outputs();
  Tensor<T> result(Shape{options.directions, activations.samples() * directions});
  for (Index k = 0, to = 0; k < options.directions; ++k) {
    for (Index row = 0; row < result.shape()[1]; ++row, ++to) {
      const Index i = row / directions;
      for (Index a = 0; a < outputs; ++a) {
        result[to] += cotangents[row * outputs + a] * moved[(i * options.directions + k) * outputs + a];
      }
    }
  }
  return result;
}

/// The 2-norm of each row of a, or of a - b.
template <class T>
std::vector<double> row_lengths(const Tensor<double>& a, const Tensor<T>* b) {
  const Index size = a.shape()[1];
  std::vector<double> lengths;
  for (Index row = 0; row < a.shape()[0]; ++row) {
    double sum = 0;
    for (Index e = row * size; e < (row + 1) * size; ++e) {
      const double entry = a[e] - (b == nullptr ? 0.0 : static_cast<double>((*b)[e]));
      sum += entry * entry;
    }
    lengths.push_back(std::sqrt(sum));
  }
  return lengths;
}

/// The larger one; NaN where either is.
double larger(double a, double b) { return std::isnan(a) || a >= b ? a : b; }

double largest(const std::vector<double>& entries) {
  double most = 0;
  for (const double entry : entries) most = larger(most, entry);
  return most;
}

std::optional<Program<float>> single_program(const Problem& problem, const Context& context) {
  try {
    return Program<float>(problem.graph, context, linalg::Engine::reference);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;  // a parameter beyond float32's range
    return std::nullopt;
  }
}

}  // namespace

Scales measure_scales(const Problem& problem, const VerifyOptions& options, const Context& context) {
  const Reservation held = reserve_jacobian(problem, context);
  const Program<double> program(problem.graph, context, linalg::Engine::reference);
  const std::optional<Program<float>> single = single_program(problem, context);
  const std::vector<Tensor<double>> rows = explicit_jacobian(program, problem, context);
  std::vector<Tensor<float>> single_rows;
  if (single) single_rows = explicit_jacobian(*single, problem, context, &program);
  const Activations<double> activations =
      differentiate::forward(program, one_input(problem.inputs.clone()), context);
  const Activations<float> rounded = activations.converted<float>();
  Scales scales;
  bool overflow = false;
  const std::vector<ParameterId> parameters = trainable_parameters(*problem.graph);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const std::vector<double> lengths = row_lengths<double>(rows[k], nullptr);
    auto& kept = scales.lengths.emplace_back(Shape{static_cast<Index>(lengths.size())});
    std::ranges::copy(lengths, kept.begin());
    double noise = HUGE_VAL;
    if (single) {
      noise = largest(row_lengths(rows[k], &single_rows[k]));
      const Tensor<double> exact = pushed(program, activations, problem, parameters[k], options, context);
      const Tensor<float> rough = pushed(*single, rounded, problem, parameters[k], options, context);
      for (Index e = 0; e < exact.size(); ++e) {
        noise = larger(noise, std::abs(exact[e] - static_cast<double>(rough[e])));
      }
    }
    if (!std::isfinite(noise)) {
      overflow = true;
      noise = 0x1p-15 * largest(lengths);
    }
    scales.single_noise.push_back(noise);
  }
  if (overflow) {
    scales.notes.emplace_back("the network overflows in float32, so rounding could not be measured for every parameter; "
                              "bounds are relative there");
  }
  return scales;
}

}  // namespace tangra::verify
