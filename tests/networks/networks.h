#pragma once
// The networks of these tests, small ones of every kind.
#include <functional>
#include <string>
#include <vector>

#include "networks/net.h"

namespace tangra::test::networks {

struct Network {
  std::string name;
  Shape input;                                  ///< of one sample
  std::function<std::string(Export how)> file;  ///< the bytes of the ONNX file
  Index tokens = 0;                             ///< samples are whole numbers below this; 0: real numbers
};

/// Convolutional ones, transformers and their kin, and such as share or compute their parameters.
std::vector<Network> picture_networks();
std::vector<Network> sequence_networks();
std::vector<Network> sharing_networks();

/// The residual network with 20 layers for 3 x 32 x 32 pictures and ten classes.
std::string resnet20();

}  // namespace tangra::test::networks
