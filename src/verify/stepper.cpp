#include "tangra/verify/stepper.h"

#include <algorithm>
#include <cmath>

namespace tangra::verify {
namespace {

/// Step sizes that are tried; from 2^-8 of the parameter's scale down to 2^-27.
constexpr int most_steps = 20;

/// Below, at or above a kink.
int side(double x, double kink) {
  return (x > kink) - (x < kink);
}

/// The largest power of two below the size of the entries that a direction moves; a step is a part of it.
double scale_of(const Tensor<double>& entries, const std::vector<double>& direction) {
  double moved = 0;
  double all = 0;
  double reach = 0;
  for (Index e = 0; e < entries.size(); ++e) {
    all += entries[e] * entries[e] / static_cast<double>(entries.size());
    if (direction[static_cast<std::size_t>(e)] != 0) moved = std::max(moved, std::abs(entries[e]));
    reach = std::max(reach, std::abs(direction[static_cast<std::size_t>(e)]));
  }
  const double scale = std::clamp(std::max(moved, std::sqrt(all)), 0x1p-6, 0x1p20);
  // A direction that moves many entries moves each of them less.
  return std::exp2(std::floor(std::log2(scale / std::sqrt(std::max(reach, 0x1p-20)))));
}

}  // namespace

struct Stepper::Point {
  differentiate::Program<double> program;
  differentiate::Activations<double> activations;
};

Stepper::Point Stepper::evaluate(ParameterId parameter, const std::vector<double>& direction, double h) {
  Parameter& own = graph_->parameters[static_cast<std::size_t>(parameter)];
  const Array kept = own.data;
  Tensor<double> moved = base_.program.graph().parameter(parameter).data.converted<double>();
  for (Index e = 0; e < moved.size(); ++e) moved[e] += h * direction[static_cast<std::size_t>(e)];
  own.data = Array(moved);
  differentiate::Program<double> program(graph_, base_.context, linalg::Engine::reference);
  auto activations = differentiate::forward(program, one_input(base_.problem.inputs.clone()), base_.context);
  own.data = kept;
  return {.program = std::move(program), .activations = std::move(activations)};
}

void Stepper::compare_choices(NodeId node, const Point& minus, const Point& plus,
                              std::vector<bool>& same) const {
  const auto chosen = [&](const differentiate::Program<double>& program,
                          const differentiate::Activations<double>& activations) {
    return differentiate::choices_of(program, activations, node, base_.context);
  };
  const std::vector<ops::Choice> here = chosen(base_.program, base_.activations);
  if (here.empty()) return;
  const std::vector<ops::Choice> before = chosen(minus.program, minus.activations);
  const std::vector<ops::Choice> after = chosen(plus.program, plus.activations);
  const bool shared = base_.program.is_batch_free(base_.program.graph().node(node).outputs.front());
  const std::size_t size = here.size() / (shared ? 1 : same.size());
  for (std::size_t e = 0; e < here.size(); ++e) {
    if (before[e].entry == here[e].entry && after[e].entry == here[e].entry) continue;
    if (shared) same.assign(same.size(), false);
    else same[e / size] = false;
  }
}

std::vector<bool> Stepper::usable(const Point& minus, const Point& plus) const {
  const Graph& graph = base_.program.graph();
  const Index samples = base_.activations.samples();
  std::vector<bool> result(static_cast<std::size_t>(samples), true);
  const auto test = [&](ValueId value, const auto& good) {
    const bool shared = base_.program.is_batch_free(value);
    const Index size = graph.shape(value).elements();
    const double* before = shared ? minus.program.batch_free(value).data() : minus.activations[value].data();
    const double* here = shared ? base_.program.batch_free(value).data() : base_.activations[value].data();
    const double* after = shared ? plus.program.batch_free(value).data() : plus.activations[value].data();
    for (Index i = 0; i < samples; ++i) {
      for (Index e = shared ? 0 : i * size; e < (shared ? size : (i + 1) * size); ++e) {
        if (!good(before[e], here[e], after[e])) result[static_cast<std::size_t>(i)] = false;
      }
    }
  };
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    compare_choices(static_cast<NodeId>(n), minus, plus, result);
    for (const double kink : base_.program.op(static_cast<NodeId>(n)).kinks(node)) {
      test(node.inputs.front(), [kink](double before, double here, double after) {
        return side(before, kink) == side(here, kink) && side(after, kink) == side(here, kink);
      });
    }
  }
  test(base_.problem.of,
       [](double before, double, double after) { return std::isfinite(before) && std::isfinite(after); });
  return result;
}

std::vector<Extrapolation> Stepper::derivative(ParameterId parameter, const std::vector<double>& direction,
                                               Steps& steps) {
  const ValueId of = base_.problem.of;
  const Index samples = base_.activations.samples();
  const Index outputs = base_.problem.basis.outputs();
  std::vector<Extrapolation> found(static_cast<std::size_t>(samples), Extrapolation(outputs));
  double h =
      0x1p-8 * scale_of(base_.program.graph().parameter(parameter).data.converted<double>(), direction);
  std::vector<double> differences(static_cast<std::size_t>(outputs));
  for (int step = 0; step < most_steps; ++step, h /= 2) {
    if (std::ranges::all_of(found, &Extrapolation::settled)) break;
    const Point minus = evaluate(parameter, direction, -h);
    const Point plus = evaluate(parameter, direction, h);
    const std::vector<bool> good = usable(minus, plus);
    for (Index i = 0; i < samples; ++i) {
      Extrapolation& own = found[static_cast<std::size_t>(i)];
      ++steps.taken;
      if (!good[static_cast<std::size_t>(i)]) {
        ++steps.skipped;
        own.skip();
        continue;
      }
      double largest = 0;
      for (Index a = 0; a < outputs; ++a) {
        const double before = minus.activations[of][i * outputs + a];
        const double after = plus.activations[of][i * outputs + a];
        differences[static_cast<std::size_t>(a)] = (after - before) / (2 * h);
        largest = std::max({largest, std::abs(before), std::abs(after)});
      }
      own.add(differences, 4 * 0x1p-53 * largest / h);
    }
  }
  return found;
}

}  // namespace tangra::verify
