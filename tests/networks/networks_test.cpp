// Whole networks as ONNX files: every way to their kernel agrees, samples do not see each other, threads
// leave no trace.
#include "networks/networks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "load/onnx/run.h"
#include "networks/properties.h"
#include "support/networks.h"

namespace tangra::test::networks {
namespace {

SharedGraph loaded(const Network& network, const Export& how, const load::OnnxOptions& options = {}) {
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

class Networks : public testing::TestWithParam<Network> {};

TEST_P(Networks, EveryWayToTheKernelAgrees) {
  const SharedGraph graph = loaded(GetParam(), {});
  for (const std::string reduce : {"full", "trace"})
    expect_every_way_agrees(graph, samples_of<double>(GetParam(), 2), reduce);
}

TEST_P(Networks, AreTheSameHoweverTheSamplesAreWritten) {
  const Network& network = GetParam();
  const SharedGraph named = loaded(network, {});
  const auto expected = outputs_of(named, samples_of<double>(network, 3));
  for (const Export& how :
       {Export{"batch_size", true}, Export{"", false}, Export{"unk__7", false}, Export{1, false}}) {
    const SharedGraph other = loaded(network, how);
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
  const SharedGraph batch = loaded(network, {3, false}, {.whole_inputs = true});
  ASSERT_EQ(batch->shape(batch->inputs[0]), network.input.with_leading(3));
  Tensor<double> whole = samples.clone();
  whole.reshape(samples.shape().with_leading(1));
  const auto found = outputs_of(batch, std::move(whole));
  ASSERT_EQ(found.size(), expected.size());
  for (Index k = 0; k < found.size(); ++k) {
    EXPECT_NEAR(found[k], expected[k], 64 * 0x1p-53 * std::max(1.0, std::abs(expected[k]))) << "entry " << k;
  }
}

TEST_P(Networks, ASampleAloneHasTheBitsItHasInABatchInTheSameOrders) {
  const SharedGraph graph = loaded(GetParam(), {});
  for (const std::string reduce : {"full", "trace"}) {
    expect_samples_alone(graph, samples_of<double>(GetParam(), 5), reduce, every_order);
    expect_samples_alone(graph, samples_of<float>(GetParam(), 5), reduce, every_order);
  }
}

TEST_P(Networks, ASampleAloneIsNearInOrdersOfItsOwn) {
  const SharedGraph graph = loaded(GetParam(), {});
  for (const std::string reduce : {"full", "trace"}) {
    expect_samples_near(graph, samples_of<double>(GetParam(), 5), reduce);
    expect_samples_near(graph, samples_of<float>(GetParam(), 5), reduce);
  }
}

TEST_P(Networks, EveryOrderOfContractionGivesTheSameKernel) {
  const SharedGraph graph = loaded(GetParam(), {});
  for (const std::string reduce : {"full", "trace", "diagonal", "sum"}) {
    expect_orders_agree(graph, samples_of<double>(GetParam(), 2), reduce);
    expect_orders_agree(graph, samples_of<float>(GetParam(), 2), reduce);
  }
}

TEST_P(Networks, ThreadsLeaveNoTrace) {
  const SharedGraph graph = loaded(GetParam(), {});
  for (const std::string reduce : {"full", "trace"})
    expect_no_trace_of_threads(graph, samples_of<float>(GetParam(), 7), reduce);
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
