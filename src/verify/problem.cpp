#include "tangra/verify/problem.h"

#include <cmath>

#include "tangra/base/error.h"
#include "tangra/base/rng.h"

namespace tangra::verify {

Problem problem_of(std::shared_ptr<const Graph> graph, Tensor<double> inputs, ValueId of,
                   const kernel::Reduction& reduction) {
  const Shape outputs = graph->shape(of);
  kernel::LoweredReduction lowered = kernel::lower(reduction, outputs);
  auto basis = differentiate::Basis::sums(outputs.elements(), lowered.members);
  return {.graph = std::move(graph),
          .inputs = std::move(inputs),
          .of = of,
          .reduction = std::move(lowered),
          .basis = std::move(basis)};
}

std::vector<ParameterId> trainable_parameters(const Graph& graph) {
  std::vector<ParameterId> result;
  for (std::size_t p = 0; p < graph.parameters.size(); ++p) {
    if (graph.parameters[p].trainable) result.push_back(static_cast<ParameterId>(p));
  }
  return result;
}

void check(const Problem& problem) {
  const auto refuse = [](const char* what, std::string got, std::string expected) {
    throw Error(ErrorKind::input, {.what = what,
                                   .where = "verification",
                                   .got = std::move(got),
                                   .expected = std::move(expected),
                                   .cure = {}});
  };
  const Graph& graph = *problem.graph;
  if (graph.inputs.size() != 1)
    refuse("the network has another number of inputs", std::to_string(graph.inputs.size()), "1");
  const Shape& shape = problem.inputs.shape();
  const Shape& input = graph.shape(graph.inputs.front());
  if (shape.rank() < 1 || shape[0] < 1 || shape != input.with_leading(shape[0])) {
    refuse("the samples do not fit the network's input", to_string(shape),
           "(N, ..) with N > 0 and samples of shape " + to_string(input));
  }
  if (problem.basis.outputs() != graph.shape(problem.of).elements() ||
      problem.basis.rows() != problem.reduction.layout.directions()) {
    refuse("the basis fits neither outputs nor reduction",
           std::to_string(problem.basis.rows()) + " rows over " + std::to_string(problem.basis.outputs()) +
               " outputs",
           std::to_string(problem.reduction.layout.directions()) + " rows over " +
               std::to_string(graph.shape(problem.of).elements()));
  }
  if (trainable_parameters(graph).empty()) refuse("no parameter is trainable", "none", "one or more");
}

std::vector<double> random_direction(std::uint64_t seed, ParameterId parameter, int index, Index size) {
  const RandomStream stream(
      seed, (static_cast<std::uint64_t>(parameter) << 16) + static_cast<std::uint64_t>(index));
  std::vector<double> direction(static_cast<std::size_t>(size));
  double squares = 0;
  for (std::size_t e = 0; e < direction.size(); ++e) {
    direction[e] = stream.normal(e);
    squares += direction[e] * direction[e];
  }
  for (double& entry : direction) entry /= std::sqrt(squares);
  return direction;
}

namespace {

/// Multiply-adds of one node, about: one for each entry of the result, or a fan-in of them.
double node_work(const ops::Op& op, const Node& node, const std::vector<Shape>& inputs, const Shape& result) {
  const auto entries = [](const Shape& shape) { return static_cast<double>(shape.elements()); };
  if (node.op == "Conv") return entries(result) * entries(inputs[1]) / static_cast<double>(inputs[1][0]);
  if (node.op == "ConvTranspose") return entries(inputs[0]) * entries(inputs[1]) / static_cast<double>(inputs[1][0]);
  bool is_product = node.op == "MatMul";  // of two values that depend on samples, too
  for (std::size_t k = 0; k < inputs.size(); ++k)
    is_product = is_product || op.has_outer_form(node, inputs, static_cast<int>(k));
  return entries(result) * (is_product && !inputs[0].empty() ? static_cast<double>(inputs[0].back()) : 1);
}

}  // namespace

double forward_work(const differentiate::Program<double>& program) {
  double sum = 0;
  const Graph& graph = program.graph();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto id = static_cast<NodeId>(n);
    sum += node_work(program.op(id), graph.nodes[n], program.input_shapes(id), program.output_shapes(id).front());
  }
  return sum;
}

}  // namespace tangra::verify
