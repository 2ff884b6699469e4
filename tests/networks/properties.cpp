#include "networks/properties.h"

#include <gtest/gtest.h>

#include "load/onnx/run.h"
#include "support/networks.h"
#include "support/support.h"
#include "tangra/verify/verify.h"

namespace tangra::test::networks {

template <class T>
Tensor<T> outputs_of(const SharedGraph& graph, Tensor<T> samples) {
  std::vector<Tensor<T>> inputs;
  inputs.push_back(std::move(samples));
  return onnx::run<T>(graph, std::move(inputs)).front().clone();
}

template <class T>
void expect_same(const Tensor<T>& a, const Tensor<T>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (Index k = 0; k < a.size(); ++k) ASSERT_EQ(a[k], b[k]) << what << ", entry " << k;
}

void expect_every_way_agrees(const SharedGraph& graph, const Tensor<double>& samples,
                             const std::string& reduce) {
  const verify::Problem problem =
      verify::problem_of(graph, samples.clone(), graph->outputs[0], kernel::parse_reduction(reduce));
  const TestContext test;
  const verify::VerifyOptions options;
  const auto result = verify::verify(problem, verify::default_methods(options), options, test.context);
  EXPECT_TRUE(result.agree) << reduce << ": " << result.first_failure;
  EXPECT_EQ(result.methods.size(), 4U);
  EXPECT_LE(10 * result.entries_excluded, graph->parameter_count() * samples.shape()[0]) << reduce;
}

template <class T>
void expect_samples_alone(const SharedGraph& graph, const Tensor<T>& samples, const std::string& reduce) {
  const Index count = samples.shape()[0];
  const auto outputs = outputs_of(graph, samples.clone());
  const TestContext test;
  const KernelOptions options{.reduce = reduce};
  const auto kernels = kernel_of<T>(graph, samples, nullptr, options, test.context);
  const auto layout = kernel::lower(kernel::parse_reduction(reduce), graph->shape(graph->outputs[0])).layout;
  const Index full = layout.full;
  for (Index i = 0; i < count; ++i) {
    const auto sample = differentiate::rows_of(samples, i, i + 1);
    const auto what = "sample " + std::to_string(i) + ", ";
    expect_same(outputs_of(graph, sample.clone()), differentiate::rows_of(outputs, i, i + 1),
                what + "output");
    const auto alone = kernel_of<T>(graph, sample, nullptr, options, test.context);
    for (std::size_t part = 0; part < kernels.names.size(); ++part) {
      Tensor<T> in_batch(Shape{layout.planes, full, full});
      for (Index entry = 0; entry < in_batch.size(); ++entry) {
        const Index b = entry % full, a = entry / full % full, plane = entry / full / full;
        in_batch[entry] = kernels.parts[part][((plane * count + i) * full + a) * count * full + i * full + b];
      }
      expect_same(alone.parts[part], in_batch, what + kernels.names[part]);
    }
  }
}

void expect_no_trace_of_threads(const SharedGraph& graph, const Tensor<float>& samples,
                                const std::string& reduce) {
  const KernelOptions options{.reduce = reduce, .block_samples = 2};
  const TestContext one(1);
  const auto expected = kernel_of<float>(graph, samples, nullptr, options, one.context);
  for (const int threads : {2, 5}) {
    const TestContext more(threads);
    const auto found = kernel_of<float>(graph, samples, nullptr, options, more.context);
    for (std::size_t part = 0; part < expected.names.size(); ++part) {
      expect_same(found.parts[part], expected.parts[part], expected.names[part] + " of " + reduce);
    }
  }
}

template void expect_samples_alone<float>(const SharedGraph&, const Tensor<float>&, const std::string&);
template void expect_samples_alone<double>(const SharedGraph&, const Tensor<double>&, const std::string&);
template void expect_same<float>(const Tensor<float>&, const Tensor<float>&, const std::string&);
template void expect_same<double>(const Tensor<double>&, const Tensor<double>&, const std::string&);
template Tensor<float> outputs_of<float>(const SharedGraph&, Tensor<float>);
template Tensor<double> outputs_of<double>(const SharedGraph&, Tensor<double>);

}  // namespace tangra::test::networks
