#include "tangra/verify/scales.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "tangra/base/error.h"
#include "tangra/base/rng.h"
#include "tangra/differentiate/sweeps.h"
#include "tangra/verify/explicit_jacobian.h"

namespace tangra::verify {
namespace {

using differentiate::Activations;
using differentiate::Program;

/// Rows of J_theta v for every random direction v, [directions, N * R], in T throughout, and the same sums
/// over the outputs with absolute values. The entries of v are of size 1, not v itself: what rounding makes
/// of their push-forward is then as large as what it makes of the columns of J, taken together in the 2-norm.
template <class T>
struct Pushed {
  Tensor<T> rows;
  Tensor<T> magnitudes;
};

template <class T>
Pushed<T> pushed(const Program<T>& program, const Activations<T>& activations, const Problem& problem,
                 ParameterId parameter, const VerifyOptions& options, const Context& context) {
  const ValueId value = problem.graph->parameter(parameter).value;
  const Index size = problem.graph->shape(value).elements();
  Tensor<T> tangents(Shape{options.directions, size});
  const double length = std::sqrt(static_cast<double>(size));
  for (int k = 0; k < options.directions; ++k) {
    std::ranges::transform(random_direction(options.seed, parameter, k, size), tangents.data() + k * size,
                           [&](double entry) { return static_cast<T>(entry * length); });
  }
  const Tensor<T> moved = differentiate::push_forward<T>(
      program, activations, options.directions, {{value, {tangents.data(), 0}}}, problem.of, context);
  const Tensor<T> cotangents = problem.basis.seeds(0, activations[problem.of]);
  const Index directions = problem.basis.rows();
  const Index outputs = problem.basis.outputs();
  const Shape shape{options.directions, activations.samples() * directions};
  Pushed<T> result{.rows = Tensor<T>(shape), .magnitudes = Tensor<T>(shape)};
  for (Index k = 0, to = 0; k < options.directions; ++k) {
    for (Index row = 0; row < shape[1]; ++row, ++to) {
      const Index i = row / directions;
      for (Index a = 0; a < outputs; ++a) {
        const T product = cotangents[row * outputs + a] * moved[(i * options.directions + k) * outputs + a];
        result.rows[to] += product;
        result.magnitudes[to] += std::abs(product);
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
double larger(double a, double b) {
  return std::isnan(a) || a >= b ? a : b;
}

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

/// One run in float32 against one in float64. The first call fills `scales`, later ones enlarge the noise.
void measure_run(const Problem& problem, const VerifyOptions& options, const Context& context,
                 Scales& scales) {
  const bool first = scales.lengths.empty();
  const Program<double> program(problem.graph, context, linalg::Engine::reference);
  const std::optional<Program<float>> single = single_program(problem, context);
  const std::vector<Tensor<double>> rows = explicit_jacobian(program, problem, context);
  std::vector<Tensor<float>> single_rows;
  if (single) single_rows = explicit_jacobian(*single, problem, context, &program);
  const Activations<double> activations =
      differentiate::forward(program, one_input(problem.inputs.clone()), context);
  const Activations<float> rounded = activations.converted<float>();
  const std::vector<ParameterId> parameters = trainable_parameters(*problem.graph);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const std::vector<double> lengths = row_lengths<double>(rows[k], nullptr);
    double noise = HUGE_VAL;
    if (single) {
      noise = largest(row_lengths(rows[k], &single_rows[k]));
      const Pushed<double> exact = pushed(program, activations, problem, parameters[k], options, context);
      const Pushed<float> rough = pushed(*single, rounded, problem, parameters[k], options, context);
      for (Index e = 0; e < exact.rows.size(); ++e) {
        noise = larger(noise, std::abs(exact.rows[e] - static_cast<double>(rough.rows[e])));
        noise =
            larger(noise, 0x1p-24 * exact.magnitudes[e]);  // outputs that cancel may do so without a trace
      }
    }
    if (first) {
      std::ranges::copy(lengths,
                        scales.lengths.emplace_back(Shape{static_cast<Index>(lengths.size())}).begin());
      scales.single_noise.push_back(0);
    }
    scales.single_noise[k] = larger(scales.single_noise[k], noise);
  }
}

/// A problem next to the given one: every parameter, and every input that is not of whole numbers, changed in its
/// tenth bit or so.
Problem neighbour(const Problem& problem, std::uint64_t seed, std::uint64_t number) {
  Problem result{.graph = {},
                 .inputs = problem.inputs.clone(),
                 .of = problem.of,
                 .reduction = problem.reduction,
                 .basis = problem.basis};
  const RandomStream random(seed, (std::uint64_t{1} << 63) + number);
  std::uint64_t drawn = 0;
  const auto change = [&](Tensor<double>& entries) {
    for (double& entry : entries) entry += entry * 0x1p-10 * (2 * random.uniform(drawn++) - 1);
  };
  Graph graph = *problem.graph;
  for (Parameter& parameter : graph.parameters) {
    Tensor<double> entries = parameter.data.converted<double>();
    change(entries);
    parameter.data = Array(entries);
  }
  // Whole numbers may be tokens, which name rows of a table.
  if (!std::ranges::all_of(result.inputs, [](double entry) { return entry == std::floor(entry); }))
    change(result.inputs);
  result.graph = std::make_shared<const Graph>(std::move(graph));
  return result;
}

}  // namespace

Scales measure_scales(const Problem& problem, const VerifyOptions& options, const Context& context) {
  constexpr std::uint64_t neighbours = 7;
  const Reservation held = reserve_jacobian(problem, context);
  Scales scales;
  measure_run(problem, options, context, scales);
  for (std::uint64_t k = 0; k < neighbours; ++k) {
    measure_run(neighbour(problem, options.seed, k), options, context, scales);
  }
  bool overflow = false;
  for (std::size_t k = 0; k < scales.single_noise.size(); ++k) {
    if (std::isfinite(scales.single_noise[k])) continue;
    overflow = true;
    scales.single_noise[k] = 0x1p-15 * *std::ranges::max_element(scales.lengths[k]);
  }
  if (overflow) {
    scales.notes.emplace_back(
        "the network overflows in float32, so rounding could not be measured for every parameter; "
        "bounds are relative there");
  }
  return scales;
}

}  // namespace tangra::verify
