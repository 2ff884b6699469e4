// Whole networks as ONNX files: every way to their kernel agrees, samples do not see each other, threads
// leave no trace.
#include "networks/networks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "load/onnx/run.h"
#include "support/networks.h"
#include "support/support.h"
#include "tangra/verify/verify.h"

namespace tangra::test::networks {
namespace {

using Shared = std::shared_ptr<const Graph>;

Shared loaded(const Network& network, const Export& how, const load::OnnxOptions& options = {}) {
  return std::make_shared<const Graph>(onnx::loaded(network.file(how), options));
}

/// Entries in [-1, 1], or whole numbers.
template <class T>
Tensor<T> samples_of(const Network& network, Index count) {
  const Tensor<double> drawn = random_tensor(network.input.with_leading(count), 77);
  Tensor<T> samples(drawn.shape());
  std::ranges::transform(drawn, samples.begin(), [&](double entry) {
    if (network.tokens == 0) return static_cast<T>(entry);
    return static_cast<T>(std::floor((entry + 1) / 2 * static_cast<double>(network.tokens)));
  });
  return samples;
}

template <class T>
Tensor<T> outputs_of(const Shared& graph, Tensor<T> samples) {
  std::vector<Tensor<T>> inputs;
  inputs.push_back(std::move(samples));
  return onnx::run<T>(graph, std::move(inputs)).front().clone();
}

template <class T>
void expect_same(const Tensor<T>& a, const Tensor<T>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (Index k = 0; k < a.size(); ++k) ASSERT_EQ(a[k], b[k]) << what << ", entry " << k;
}

class Networks : public testing::TestWithParam<Network> {};

TEST_P(Networks, EveryWayToTheKernelAgrees) {
  const Shared graph = loaded(GetParam(), {});
  for (const std::string reduce : {"full", "trace"}) {
    const verify::Problem problem = verify::problem_of(graph, samples_of<double>(GetParam(), 2),
                                                       graph->outputs[0], kernel::parse_reduction(reduce));
    const TestContext test;
    const verify::VerifyOptions options;
    const auto result = verify::verify(problem, verify::default_methods(options), options, test.context);
    EXPECT_TRUE(result.agree) << reduce << ": " << result.first_failure;
    EXPECT_EQ(result.methods.size(), 4U);
    EXPECT_LT(result.entries_excluded, graph->parameter_count() / 10) << reduce;
  }
}

TEST_P(Networks, AreTheSameHoweverTheSamplesAreWritten) {
  const Network& network = GetParam();
  const Shared named = loaded(network, {});
  const auto expected = outputs_of(named, samples_of<double>(network, 3));
  for (const Export& how :
       {Export{"batch_size", true}, Export{"", false}, Export{"unk__7", false}, Export{1, false}}) {
    const Shared other = loaded(network, how);
    EXPECT_EQ(other->nodes.size(), named->nodes.size()) << how.batch.name;
    EXPECT_EQ(other->parameter_count(), named->parameter_count());
    EXPECT_EQ(other->shape(other->inputs[0]), network.input);
    expect_same(outputs_of(other, samples_of<double>(network, 3)), expected, "batch " + how.batch.name);
  }
}

/// A batch of three as ONNX means it, with no word of samples: the axis that is followed elsewhere is one
/// like any other.
TEST_P(Networks, SamplesAreTheRowsOfABatch) {
  const Network& network = GetParam();
  const auto samples = samples_of<double>(network, 3);
  const auto expected = outputs_of(loaded(network, {}), samples.clone());
  const Shared batch = loaded(network, {3, false}, {.whole_inputs = true});
  ASSERT_EQ(batch->shape(batch->inputs[0]), network.input.with_leading(3));
  Tensor<double> whole = samples.clone();
  whole.reshape(samples.shape().with_leading(1));
  const auto found = outputs_of(batch, std::move(whole));
  ASSERT_EQ(found.size(), expected.size());
  for (Index k = 0; k < found.size(); ++k) {
    EXPECT_NEAR(found[k], expected[k], 64 * 0x1p-53 * std::max(1.0, std::abs(expected[k]))) << "entry " << k;
  }
}

template <class T>
void expect_samples_alone(const Network& network) {
  constexpr Index count = 5;
  const Shared graph = loaded(network, {});
  const auto samples = samples_of<T>(network, count);
  const auto outputs = outputs_of(graph, samples.clone());
  const TestContext test;
  const KernelOptions options;
  const auto kernels = kernel_of<T>(graph, samples, nullptr, options, test.context);
  const Index width = outputs.size() / count;
  for (Index i = 0; i < count; ++i) {
    const auto sample = differentiate::rows_of(samples, i, i + 1);
    expect_same(outputs_of(graph, sample.clone()), differentiate::rows_of(outputs, i, i + 1), "output");
    const auto alone = kernel_of<T>(graph, sample, nullptr, options, test.context);
    for (std::size_t part = 0; part < kernels.names.size(); ++part) {
      for (Index a = 0; a < width; ++a) {
        for (Index b = 0; b < width; ++b) {
          const T in_batch = kernels.parts[part][((i * width + a) * count + i) * width + b];
          ASSERT_EQ(alone.parts[part][a * width + b], in_batch) << kernels.names[part] << ", sample " << i;
        }
      }
    }
  }
}

TEST_P(Networks, ASampleAloneHasTheBitsItHasInABatch) {
  expect_samples_alone<double>(GetParam());
  expect_samples_alone<float>(GetParam());
}

TEST_P(Networks, ThreadsLeaveNoTrace) {
  const Shared graph = loaded(GetParam(), {});
  const auto samples = samples_of<float>(GetParam(), 7);
  for (const std::string reduce : {"full", "trace"}) {
    const TestContext one(1);
    const auto expected =
        kernel_of<float>(graph, samples, nullptr, {.reduce = reduce, .block_samples = 2}, one.context);
    for (const int threads : {2, 5}) {
      const TestContext more(threads);
      const auto found =
          kernel_of<float>(graph, samples, nullptr, {.reduce = reduce, .block_samples = 2}, more.context);
      for (std::size_t part = 0; part < expected.names.size(); ++part) {
        expect_same(found.parts[part], expected.parts[part], expected.names[part] + " of " + reduce);
      }
    }
  }
}

std::string name_of(const testing::TestParamInfo<Network>& network) {
  return network.param.name;
}

INSTANTIATE_TEST_SUITE_P(Pictures, Networks, testing::ValuesIn(picture_networks()), name_of);
INSTANTIATE_TEST_SUITE_P(Sequences, Networks, testing::ValuesIn(sequence_networks()), name_of);
INSTANTIATE_TEST_SUITE_P(Sharing, Networks, testing::ValuesIn(sharing_networks()), name_of);

}  // namespace

void PrintTo(const Network& network, std::ostream* stream) {
  *stream << network.name;
}

}  // namespace tangra::test::networks
