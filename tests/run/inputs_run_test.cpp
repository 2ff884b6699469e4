// What a command makes of the network's inputs: how many there are, and which of them are indices.
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "load/onnx/file.h"
#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/run/run.h"

namespace tangra::run {
namespace {

using test::onnx::File;

std::string written(const test::TemporaryFolder& folder, const std::string& name, const File& file) {
  const std::string path = folder / name;
  std::ofstream(path, std::ios::binary) << file.bytes();
  return path;
}

/// (2, 2): 1, 2 and 0, 3.
template <class T>
std::string tokens(const test::TemporaryFolder& folder, const std::string& name, DType type) {
  const std::string path = folder / name;
  formats::write_npy(path, Array(type, {2, 2}, [](std::span<std::byte> target) {
                       const T entries[4] = {1, 2, 0, 3};
                       std::memcpy(target.data(), entries, target.size());
                     }));
  return path;
}

KernelSpec spec_of(const std::string& model, const std::string& data) {
  KernelSpec spec;
  spec.model.text = model;
  spec.data.source = data;
  spec.reduce = "trace";
  spec.precision = Precision::float64;
  return spec;
}

TEST(RunInputs, OfANetworkWithTwoAreNotThere) {
  const test::TemporaryFolder folder;
  File file = File().input("x", {"N", 2}).input("u", {"N", 3});
  file.initializer(test::onnx::weights("W", {2, 2})).initializer(test::onnx::weights("V", {3, 2}));
  file.node("MatMul", {"x", "W"}, {"a"}).node("MatMul", {"u", "V"}, {"b"}).node("Add", {"a", "b"}, {"y"});
  const std::string model = written(folder, "two.onnx", file.output("y").output("a"));
  const std::string data = tokens<double>(folder, "x.npy", DType::float64);
  const auto refused = [&](const std::function<void()>& command) {
    const Error error = test::error_of(command);
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_NE(std::string(error.what()).find("the network has inputs x, u; the data give one"), std::string::npos)
        << error.what();
  };
  refused([&] { run_kernel(spec_of(model, data)); });
  refused([&] {
    JacobianSpec spec;
    spec.model.text = model;
    spec.data.source = data;
    run_jacobian(spec);
  });
  KernelSpec alone = spec_of(model, data);
  alone.model.output = "a";  // for which x is enough
  EXPECT_NO_THROW(run_kernel(alone));
}

TEST(RunInputs, ThatAreIndicesAreNotPixels) {
  const test::TemporaryFolder folder;
  File file = File().input("x", {"N", 2}, test::onnx::int64).initializer(test::onnx::weights("W", {4, 2}));
  file.initializer(test::onnx::integers("s", {2}, {-1, 2})).node("Reshape", {"x", "s"}, {"r"});
  const std::string network = written(folder, "tokens.onnx", file.node("Gather", {"W", "r"}, {"y"}).output("y"));
  const std::string bytes = tokens<std::uint8_t>(folder, "bytes.npy", DType::uint8);
  const std::string integers = tokens<std::int64_t>(folder, "integers.npy", DType::int64);
  for (const std::string& model : {network, std::string("Chain(Embedding(4 => 2), Dense(2 => 1))")}) {
    const KernelResult one = run_kernel(spec_of(model, bytes)), other = run_kernel(spec_of(model, integers));
    EXPECT_EQ(one.statistics.trace, other.statistics.trace);
    EXPECT_GT(one.statistics.trace, 0);
    KernelSpec scaled = spec_of(model, bytes);
    scaled.data.scale = 0.5;  // what was asked for is done
    EXPECT_NE(std::string(test::error_of([&] { run_kernel(scaled); }).what()).find("got 0.5"), std::string::npos);
  }
  // Pixels are.
  const KernelResult pixels = run_kernel(spec_of("Chain(Dense(2 => 1; bias = false))", bytes));
  EXPECT_NEAR(pixels.statistics.trace, (1.0 + 4 + 9) / 255 / 255, 1e-15);
}

TEST(RunInputs, ThatAreNoIndicesAreShownShortly) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "x.npy";
  formats::write_npy(path, Array(DType::float64, {1, 2}, [](std::span<std::byte> target) {
                       const double entries[2] = {1e300, 1};
                       std::memcpy(target.data(), entries, target.size());
                     }));
  const Error error = test::error_of([&] { run_kernel(spec_of("Chain(Embedding(4 => 2))", path)); });
  EXPECT_EQ(error.complaint().got, "1e+300");
}

}  // namespace
}  // namespace tangra::run
