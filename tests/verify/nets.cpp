#include "verify/nets.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tangra::verify::test {

const std::vector<std::string> reductions{"full", "trace", "mean", "diagonal", "sum", "output=0"};

Tensor<double> RandomNet::samples(Shape shape) {
  Tensor<double> entries(std::move(shape));
  for (double& entry : entries) entry = normal();
  return entries;
}

ValueId RandomNet::parameter(const std::string& name, Shape shape, double scale, double centre) {
  Tensor<double> entries = samples(std::move(shape));
  for (double& entry : entries) entry = centre + scale * entry;
  return builder_.parameter({.name = name,
                             .layer = name.substr(0, name.find('.')),
                             .role = ParameterRole::weight,
                             .why = "a test's",
                             .trainable = true,
                             .data = Array(entries),
                             .value = no_id});
}

ValueId RandomNet::weight(const std::string& name, Index out, Index in) {
  return parameter(name, {out, in}, 1 / std::sqrt(static_cast<double>(in)));
}

ValueId RandomNet::apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes) {
  return builder_.apply(op, std::move(inputs), std::move(attributes), "node" + std::to_string(nodes_++));
}

ValueId RandomNet::dense(const std::string& name, ValueId x, Index out, bool bias) {
  std::vector<ValueId> inputs{x, weight(name + ".weight", out, width(x))};
  if (bias) inputs.push_back(parameter(name + ".bias", {out}, 0.1));
  return apply("Linear", std::move(inputs));
}

Problem RandomNet::problem(ValueId of, Index samples_wanted, const std::string& reduction) {
  builder_.output(of);
  const Graph& graph = builder_.graph();
  Tensor<double> inputs = samples(graph.shape(graph.inputs.front()).with_leading(samples_wanted));
  return problem_of(std::make_shared<const Graph>(graph), std::move(inputs), of,
                    kernel::parse_reduction(reduction));
}

VerifyResult verified(const Problem& problem, const VerifyOptions& options) {
  const tangra::test::TestContext test;
  return verify(problem, default_methods(options), options, test.context);
}

void expect_agreement(const Problem& problem, const std::string& what) {
  const VerifyResult result = verified(problem);
  EXPECT_TRUE(result.agree) << what << ": " << result.first_failure;
  EXPECT_EQ(result.methods, (std::vector<std::string>{"structured", "jacobian", "product", "differences"}));
}

}  // namespace tangra::verify::test
