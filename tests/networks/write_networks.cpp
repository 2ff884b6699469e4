// Writes the networks of these tests, and a residual network with 20 layers, into a folder as .onnx files.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "networks/networks.h"

int main(int count, char** arguments) {
  using namespace tangra::test::networks;  // NOLINT(google-build-using-namespace)
  if (count != 2) {
    std::cerr << "usage: write_networks FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "resnet20.onnx", std::ios::binary) << resnet20();
  for (const auto& family : {picture_networks(), sequence_networks(), sharing_networks()}) {
    for (const Network& network : family)
      std::ofstream(folder / (network.name + ".onnx"), std::ios::binary) << network.file({});
  }
}
