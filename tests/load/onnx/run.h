#pragma once
// Loads networks of tests and runs them forward.
#include <memory>
#include <string>
#include <vector>

#include "tangra/base/tensor.h"
#include "tangra/load/onnx/onnx.h"

namespace tangra::test::onnx {

Graph loaded(const std::string& bytes, const load::OnnxOptions& options = {});

/// The outputs of the network for a block of samples.
template <class T>
std::vector<Tensor<T>> run(const std::shared_ptr<const Graph>& graph, std::vector<Tensor<T>> inputs);

extern template std::vector<Tensor<float>> run<float>(const std::shared_ptr<const Graph>&,
                                                      std::vector<Tensor<float>>);
extern template std::vector<Tensor<double>> run<double>(const std::shared_ptr<const Graph>&,
                                                        std::vector<Tensor<double>>);

}  // namespace tangra::test::onnx
