#include "tangra/verify/explicit_jacobian.h"

#include <algorithm>
#include <optional>

#include "tangra/base/error.h"
#include "tangra/differentiate/network_factors.h"

namespace tangra::verify {

using differentiate::Activations;
using differentiate::Program;

template <class T>
std::vector<Tensor<T>> explicit_jacobian(const Program<T>& program, const Problem& problem,
                                         const Context& context, const Program<double>* sides) {
  const Graph& graph = *problem.graph;
  const Index directions = problem.basis.rows();
  const Index samples = problem.inputs.shape()[0];
  std::vector<Tensor<T>> rows;
  std::vector<int> slot(graph.parameters.size(), -1);
  for (const ParameterId p : trainable_parameters(graph)) {
    slot[static_cast<std::size_t>(p)] = static_cast<int>(rows.size());
    rows.emplace_back(Shape{samples * directions, graph.parameter(p).data.size()});
  }
  context.pool.parallel_for(samples, [&](Index i, int) {
    context.check_cancelled();
    const Tensor<double> input = differentiate::rows_of(problem.inputs, i, i + 1);
    std::optional<Activations<T>> side;
    if (sides != nullptr)
      side = differentiate::forward(*sides, one_input(input.clone()), context).template converted<T>();
    const Activations<T>* on = side ? &*side : nullptr;
    const Activations<T> activations =
        differentiate::forward(program, one_input(converted<T>(input)), context, on);
    const auto result = differentiate::reverse(
        program, activations,
        {.of = problem.of, .parameters = true, .values = {}, .explicit_parameters = true},
        problem.basis.seeds(i, activations[problem.of]), context, on);
    for (const factors::Term<T>& term : result.parameters.terms) {
      Tensor<T>& own = rows[static_cast<std::size_t>(slot[static_cast<std::size_t>(term.place.parameter)])];
      const Index count = own.size() / samples;
      TANGRA_ENSURE(term.form == factors::Form::vector && term.left->size() == count);
      std::copy_n(term.left->data(), count, own.data() + i * count);
    }
  });
  return rows;
}

namespace {

std::size_t jacobian_bytes(const Problem& problem) {
  return static_cast<std::size_t>(problem.inputs.shape()[0] * problem.basis.rows()) *
         static_cast<std::size_t>(problem.graph->parameter_count()) * sizeof(double);
}

}  // namespace

Reservation reserve_jacobian(const Problem& problem, const Context& context) {
  return {context.memory, jacobian_bytes(problem), "the explicit Jacobian (take fewer samples)"};
}

std::size_t least_memory(const Problem& problem) {
  const Graph& graph = *problem.graph;
  const auto parameters = static_cast<std::size_t>(graph.parameter_count());
  const auto trainable = static_cast<std::size_t>(trainable_parameters(graph).size());
  const auto side = static_cast<std::size_t>(problem.inputs.shape()[0] * problem.reduction.layout.full);
  constexpr std::size_t methods = 4;
  const std::size_t kernels = methods * (trainable + 1) * static_cast<std::size_t>(problem.reduction.layout.planes) * side * side;
  // J in both types, its columns pushed forward, what sweeps make of them and what is between two of them: measured, up to 4.6 times.
  // Rounding is measured on a network next to this one: its parameters, and the same in both types as programs have them.
  return 5 * jacobian_bytes(problem) + (3 * parameters + kernels) * sizeof(double);
}

Tensor<double> gram(const Tensor<double>& rows, const Problem& problem, const Context& context) {
  const factors::RowLayout& layout = problem.reduction.layout;
  const Index samples = problem.inputs.shape()[0];
  const Index height = samples * layout.full;
  const Index size = rows.shape()[1];
  Tensor<double> kernel(Shape{layout.planes, height, height});
  const auto entry = [&](Index plane, Index row, Index t, Index e) {
    const Index direction = (plane * layout.full + row % layout.full) * layout.inner + t;
    return rows[((row / layout.full) * layout.directions() + direction) * size + e];
  };
  context.pool.parallel_for(layout.planes * height, [&](Index item, int) {
    context.check_cancelled();
    const Index plane = item / height;
    for (Index column = 0; column < height; ++column) {
      double sum = 0;
      for (Index t = 0; t < layout.inner; ++t) {
        for (Index e = 0; e < size; ++e)
          sum += entry(plane, item % height, t, e) * entry(plane, column, t, e);
      }
      kernel[item * height + column] = sum / problem.reduction.divisor;
    }
  });
  return kernel;
}

Tensor<double> reduced(const Tensor<double>& products, const Problem& problem) {
  const auto [planes, full, inner] = problem.reduction.layout;
  const Index samples = problem.inputs.shape()[0];
  const Index directions = planes * full * inner;
  Tensor<double> kernel(Shape{planes, samples * full, samples * full});
  Index to = 0;
  for (Index g = 0; g < planes; ++g) {
    for (Index i = 0; i < samples; ++i) {
      for (Index f = 0; f < full; ++f) {
        for (Index j = 0; j < samples; ++j) {
          for (Index f2 = 0; f2 < full; ++f2, ++to) {
            const Index row = i * directions + (g * full + f) * inner;
            const Index column = j * directions + (g * full + f2) * inner;
            for (Index t = 0; t < inner; ++t)
              kernel[to] += products[(row + t) * samples * directions + column + t];
            kernel[to] /= problem.reduction.divisor;
          }
        }
      }
    }
  }
  return kernel;
}

template std::vector<Tensor<float>> explicit_jacobian<float>(const Program<float>&, const Problem&,
                                                             const Context&, const Program<double>*);
template std::vector<Tensor<double>> explicit_jacobian<double>(const Program<double>&, const Problem&,
                                                               const Context&, const Program<double>*);

}  // namespace tangra::verify
