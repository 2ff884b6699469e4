#include "tangra/load/weights.h"

#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/formats/npz.h"
#include "tangra/formats/safetensors.h"
#include "tangra/load/chain/chain.h"

namespace tangra::load {
namespace {

const std::string text = "Chain(Dense(5 => 3, tanh), Dense(3 => 2))";

Graph network(std::uint64_t seed) {
  return load_chain(text, {.init = "normal", .seed = seed});
}

class Weights : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path path() const { return folder_ / (std::string("w") + GetParam()); }
  void write(const formats::NamedArrays& arrays) const {
    if (std::string(GetParam()) == ".npz")
      formats::write_npz(path(), arrays);
    else
      formats::write_safetensors(path(), arrays);
  }
  static formats::NamedArrays arrays_of(const Graph& graph) {
    formats::NamedArrays arrays;
    for (const Parameter& parameter : graph.parameters) arrays.emplace_back(parameter.name, parameter.data);
    return arrays;
  }
  /// The message of the error that reading gives; the graph has to stay as it was.
  std::string refusal() const {
    Graph graph = network(1);
    const std::uint64_t before = fingerprint(graph);
    const Error error = test::error_of([&] { read_weights(graph, path()); });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.complaint().where, path().string());
    EXPECT_EQ(fingerprint(graph), before);
    return error.what();
  }

 private:
  test::TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Formats, Weights, testing::Values(".npz", ".safetensors"),
                         [](const auto& parameter) { return std::string(parameter.param).substr(1); });

TEST_P(Weights, ComeBackAsTheyWere) {
  const Graph written = network(1);
  write_weights(written, path());
  Graph read = network(2);
  EXPECT_NE(fingerprint(read), fingerprint(written));
  read_weights(read, path());
  EXPECT_EQ(fingerprint(read), fingerprint(written));
}

TEST_P(Weights, KeepDoublePrecision) {
  formats::NamedArrays arrays = arrays_of(network(1));
  Tensor<double> bias(Shape{2});
  bias[0] = 0.1;
  bias[1] = -0x1.0000000000001p+0;
  arrays[3].second = Array(bias);
  write(arrays);
  Graph graph = network(2);
  read_weights(graph, path());
  EXPECT_EQ(graph.parameters[0].data.type(), DType::float32);
  EXPECT_EQ(graph.parameters[3].data.as<double>()[1], -0x1.0000000000001p+0);
  EXPECT_EQ(graph.parameter_type(), DType::float64);
}

TEST_P(Weights, OfHalfPrecisionBecomeFloat32) {
  formats::NamedArrays arrays = arrays_of(network(1));
  const std::uint16_t halves[] = {0x3e00, 0xc000};  // 1.5, -2
  arrays[3].second = Array(DType::float16, Shape{2}, [&](std::span<std::byte> bytes) {
    std::memcpy(bytes.data(), halves, sizeof(halves));
  });
  write(arrays);
  Graph graph = network(2);
  read_weights(graph, path());
  EXPECT_EQ(graph.parameters[3].data.as<float>()[0], 1.5F);
  EXPECT_EQ(graph.parameters[3].data.as<float>()[1], -2.0F);
}

TEST_P(Weights, ThatAreMissingAreListed) {
  formats::NamedArrays arrays = arrays_of(network(1));
  arrays.erase(arrays.begin() + 1, arrays.begin() + 3);
  write(arrays);
  EXPECT_NE(refusal().find("these parameters are missing: 0.bias, 1.weight"), std::string::npos) << refusal();
}

TEST_P(Weights, ThatAreLeftOverAreListed) {
  formats::NamedArrays arrays = arrays_of(network(1));
  arrays.emplace_back("2.weight", arrays[0].second);
  arrays.emplace_back("step", arrays[3].second);
  write(arrays);
  EXPECT_NE(refusal().find("no parameters of the network: 2.weight, step"), std::string::npos) << refusal();
}

TEST_P(Weights, UnderOtherNamesAreListedOnBothSides) {
  formats::NamedArrays arrays = arrays_of(network(1));
  arrays[0].first = "W1";
  write(arrays);
  EXPECT_NE(refusal().find("missing: 0.weight; got arrays that are no parameters: W1"), std::string::npos)
      << refusal();
}

TEST_P(Weights, OfAnotherShapeAreRefused) {
  formats::NamedArrays arrays = arrays_of(network(1));
  arrays[0].second = arrays[0].second.reshaped({5, 3});  // Julia's order, or a transposed weight
  write(arrays);
  EXPECT_NE(refusal().find("0.weight has another shape than the parameter; got (5, 3), expected (3, 5)"),
            std::string::npos)
      << refusal();
}

TEST_P(Weights, OfIntegersAreRefused) {
  formats::NamedArrays arrays = arrays_of(network(1));
  arrays[3].second = Array(Tensor<std::int32_t>(Shape{2}));
  write(arrays);
  EXPECT_NE(refusal().find("1.bias cannot hold weights; got int32"), std::string::npos) << refusal();
}

TEST_P(Weights, OfAnAbsentFileAreRefused) {
  Graph graph = network(1);
  EXPECT_EQ(test::error_of([&] { read_weights(graph, path()); }).kind(), ErrorKind::input);
}

TEST(WeightsOfNorms, IncludeTheRunningStatistics) {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "w.npz";
  const std::string norm = "Chain(Dense(2 => 3), BatchNorm(3))";
  Graph graph = load_chain(norm);
  formats::NamedArrays arrays;
  for (const Parameter& own : graph.parameters) {
    Tensor<float> entries(own.data.shape());
    for (Index k = 0; k < entries.size(); ++k) entries[k] = static_cast<float>(arrays.size() + 1);
    arrays.emplace_back(own.name, Array(entries));
  }
  // As PyTorch's state_dict has it; tangra computes nothing with it.
  arrays.emplace_back("1.num_batches_tracked", Array(Tensor<std::int64_t>(Shape{})));
  formats::write_npz(path, arrays);
  read_weights(graph, path);
  const ParameterId mean = graph.find_parameter("1.running_mean");
  EXPECT_EQ(graph.parameter(mean).data.as<float>()[0], 5.0F);
  EXPECT_FALSE(graph.parameter(mean).trainable);
  EXPECT_EQ(graph.parameter(graph.find_parameter("1.running_var")).data.as<float>()[2], 6.0F);

  arrays.back().first = "0.num_batches_tracked";  // of a layer that counts none
  formats::write_npz(path, arrays);
  EXPECT_EQ(test::error_of([&] { read_weights(graph, path); }).kind(), ErrorKind::input);
}

TEST(WeightsFormat, IsToldByTheName) {
  Graph graph = network(1);
  EXPECT_EQ(test::error_of([&] { write_weights(graph, "weights.bin"); }).kind(), ErrorKind::usage);
  EXPECT_EQ(test::error_of([&] { read_weights(graph, "weights"); }).kind(), ErrorKind::usage);
}

}  // namespace
}  // namespace tangra::load
