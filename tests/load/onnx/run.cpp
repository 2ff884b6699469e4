#include "run.h"

#include "support/support.h"
#include "tangra/differentiate/sweeps.h"

namespace tangra::test::onnx {

Graph loaded(const std::string& bytes, const load::OnnxOptions& options) {
  return load::load_onnx(std::as_bytes(std::span(bytes)), "test.onnx", options);
}

template <class T>
std::vector<Tensor<T>> run(const std::shared_ptr<const Graph>& graph, std::vector<Tensor<T>> inputs) {
  const TestContext test;
  const differentiate::Program<T> program(graph, test.context);
  const auto activations = differentiate::forward(program, std::move(inputs), test.context);
  std::vector<Tensor<T>> outputs;
  for (const ValueId output : graph->outputs) outputs.push_back(activations[output].clone());
  return outputs;
}

template std::vector<Tensor<float>> run<float>(const std::shared_ptr<const Graph>&,
                                               std::vector<Tensor<float>>);
template std::vector<Tensor<double>> run<double>(const std::shared_ptr<const Graph>&,
                                                 std::vector<Tensor<double>>);

}  // namespace tangra::test::onnx
