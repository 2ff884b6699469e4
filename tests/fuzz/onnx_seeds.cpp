// Writes a few small ONNX files into a folder: what the fuzzer starts from.
#include <filesystem>
#include <fstream>

#include "load/onnx/file.h"
#include "networks/networks.h"

namespace {

using namespace tangra::test::onnx;  // NOLINT(google-build-using-namespace)
using Indices = std::vector<tangra::Index>;

File image_network() {
  File file = File()
                  .input("x", {"N", 2, 4, 4})
                  .initializer(weights("c.w", {3, 2, 3, 3}))
                  .initializer(weights("w", {3, 2}));
  for (const char* name : {"s", "b", "m", "v"}) file.initializer(reals(name, {3}, {1, 2, 3}));
  file.node("Conv", {"x", "c.w"}, {"a"}, {attribute("pads", Indices{1, 1, 1, 1})});
  file.node("BatchNormalization", {"a", "s", "b", "m", "v"}, {"n"})
      .node("LeakyRelu", {"n"}, {"l"}, {attribute("alpha", 0.1F)});
  file.node("MaxPool", {"l"}, {"p"}, {attribute("kernel_shape", Indices{2, 2})})
      .node("GlobalAveragePool", {"p"}, {"g"});
  return file.node("Flatten", {"g"}, {"f"})
      .node("Gemm", {"f", "w"}, {"y"}, {attribute("beta", 0.5F)})
      .output("y");
}

File attention() {
  File file = File()
                  .input("x", {"N", 3, 4})
                  .initializer(weights("q", {4, 4}))
                  .initializer(integers("zero", {1}, {0}));
  file.initializer(integers("rest", {3}, {3, 2, 2}))
      .node("Shape", {"x"}, {"s"})
      .node("Gather", {"s", "zero"}, {"n"});
  file.node("Concat", {"n", "rest"}, {"t"}, {attribute("axis", tangra::Index{0})})
      .node("MatMul", {"x", "q"}, {"h"});
  file.node("Reshape", {"h", "t"}, {"r"})
      .node("Transpose", {"r"}, {"u"}, {attribute("perm", Indices{0, 2, 1, 3})});
  file.node("Transpose", {"r"}, {"k"}, {attribute("perm", Indices{0, 2, 3, 1})})
      .node("MatMul", {"u", "k"}, {"m"});
  return file.node("Softmax", {"m"}, {"y"}, {attribute("axis", tangra::Index{-1})}).output("y");
}

File masks() {
  File file =
      File(13).input("x", {1, 4}).initializer(integers("a", {}, {0})).initializer(integers("b", {}, {4}));
  file.initializer(integers("d", {}, {1}))
      .initializer(reals("low", {}, {-1e9F}))
      .initializer(reals("w", {4}, {1, 2, 3, 4}));
  file.node("Range", {"a", "b", "d"}, {"r"})
      .node("Less", {"r", "d"}, {"l"})
      .node("Where", {"l", "low", "w"}, {"m"});
  file.node("Slice", {"m", "a", "b"}, {"c"})
      .node("Expand", {"c", "b"}, {"e"})
      .node("Split", {"x"}, {"p", "o"}, {attribute("axis", tangra::Index{1})});
  return file.node("Concat", {"o", "p"}, {"j"}, {attribute("axis", tangra::Index{1})})
      .node("Add", {"j", "w"}, {"y"})
      .output("y");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const std::filesystem::path folder = arguments[1];
  std::filesystem::create_directories(folder);
  int number = 0;
  const auto write = [&](const std::string& bytes) {
    std::ofstream(folder / ("seed" + std::to_string(number++) + ".onnx"), std::ios::binary) << bytes;
  };
  for (const File& file : {image_network(), attention(), masks()}) write(file.bytes());
  namespace networks = tangra::test::networks;
  for (const auto& family :
       {networks::picture_networks(), networks::sequence_networks(), networks::sharing_networks()}) {
    for (const networks::Network& network : family) {
      write(network.file({"N", true}));
      write(network.file({1, false}));
    }
  }
  return 0;
}
