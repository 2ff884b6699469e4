// Convolutional networks.
#include "networks/networks.h"

namespace tangra::test::networks {
namespace {

Net::Attributes window(Index kernel, Index stride, Index pad = 0) {
  return {attribute("kernel_shape", Indices{kernel, kernel}), attribute("strides", Indices{stride, stride}),
          attribute("pads", Indices{pad, pad, pad, pad})};
}

Net::Attributes grouped(Net::Attributes attributes, Index groups) {
  attributes.push_back(attribute("group", groups));
  return attributes;
}

/// LeCun and others, "Gradient-based learning applied to document recognition", 1998, with maxima.
std::string lenet(const Export& how) {
  Net net(how, 9);
  auto h = net.input({1, 10, 10});
  h = net.apply("Relu", {net.conv(h, "conv1", {4, 1, 3, 3}, window(3, 1, 1))});
  h = net.apply("MaxPool", {h}, window(2, 2));
  h = net.apply("Relu", {net.conv(h, "conv2", {6, 4, 3, 3})});
  h = net.apply("AveragePool", {h}, window(2, 1));
  h = net.apply("Flatten", {h});
  h = net.apply("Tanh", {net.gemm(h, "fc1", 24, 8)});
  return net.finish(net.apply("Softmax", {net.gemm(h, "fc2", 8, 5)}));
}

std::string resnet(const Export& how) {
  Net net(how, 14);
  const auto layer = [&](const Net::Value& x, const std::string& name, Index in, Index out, Index stride) {
    const auto y = net.conv(x, name + ".conv", {out, in, 3, 3}, window(3, stride, 1), false);
    return net.batch_norm(y, name + ".bn", out);
  };
  auto h = net.apply("Relu", {layer(net.input({3, 6, 6}), "stem", 3, 4, 1)});
  const auto first = net.apply("Relu", {layer(h, "block1.1", 4, 4, 1)});
  h = net.apply("Relu", {net.sum(layer(first, "block1.2", 4, 4, 1), h)});
  const auto second = net.apply("Relu", {layer(h, "block2.1", 4, 6, 2)});
  const auto narrow = net.conv(h, "block2.short.conv", {6, 4, 1, 1}, window(1, 2), false);
  const auto shortcut = net.batch_norm(narrow, "block2.short.bn", 6);
  h = net.apply("Relu", {net.sum(layer(second, "block2.2", 6, 6, 1), shortcut)});
  h = net.sum(h, net.conv(h, "mix", {6, 6, 1, 1}));
  h = net.apply("Flatten", {net.apply("GlobalAveragePool", {h})});
  return net.finish(net.gemm(h, "fc", 6, 4));
}

/// He and others, "Deep residual learning", 2016, for small pictures: three stages of `blocks` blocks,
/// shortcuts without parameters (every other pixel, new channels zero).
std::string residual(const Export& how, Index blocks, Index width, Index side) {
  Net net(how, 13);
  const auto layer = [&](const Net::Value& x, const std::string& name, Index in, Index out, Index stride) {
    const auto y = net.conv(x, name + ".conv", {out, in, 3, 3}, window(3, stride, 1), false);
    return net.batch_norm(y, name + ".bn", out);
  };
  auto h = net.apply("Relu", {layer(net.input({3, side, side}), "stem", 3, width, 1)});
  for (Index in = width, block = 0; block < 3 * blocks; ++block) {
    const bool narrows = block > 0 && block % blocks == 0;
    const Index out = narrows ? 2 * in : in;
    const auto name = std::to_string(block);
    const auto y = net.apply("Relu", {layer(h, name + ".1", in, out, narrows ? 2 : 1)});
    if (narrows) {
      h = net.apply("Slice", {h, net.integers({0, 0}), net.integers({side, side}), net.integers({2, 3}),
                              net.integers({2, 2})});
      h = net.apply("Pad", {h, net.integers({0, in / 2, 0, 0, 0, in - in / 2, 0, 0})});
    }
    h = net.apply("Relu", {net.sum(layer(y, name + ".2", out, out, 1), h)});
    in = out;
  }
  h = net.apply("Flatten", {net.apply("GlobalAveragePool", {h})});
  return net.finish(net.gemm(h, "fc", 4 * width, 10));
}

std::string small_residual(const Export& how) {
  return residual(how, 1, 2, 6);
}

/// MobileNet's blocks: a convolution for each channel, then one that mixes them. Once in two groups.
std::string depthwise(const Export& how) {
  Net net(how, 14);
  auto h = net.apply("HardSwish", {net.conv(net.input({2, 6, 6}), "stem", {4, 2, 3, 3}, window(3, 1, 1))});
  h = net.conv(h, "1.depthwise", {4, 1, 3, 3}, grouped(window(3, 2, 1), 4), false);
  h = net.apply("Clip", {net.batch_norm(h, "1.bn", 4), net.scalar(0), net.scalar(6)});
  h = net.apply("HardSwish", {net.conv(h, "1.pointwise", {6, 4, 1, 1})});
  h = net.apply("LeakyRelu", {net.conv(h, "2.grouped", {4, 3, 2, 2}, grouped({}, 2))},
                {attribute("alpha", 0.1F)});
  h = net.conv(h, "3.multiplied", {8, 1, 1, 2}, grouped({}, 4));
  h = net.apply("ReduceMean", {h}, {attribute("axes", Indices{2, 3}), attribute("keepdims", Index{0})});
  return net.finish(net.gemm(h, "fc", 8, 3));
}

/// From a code to a picture.
std::string decoder(const Export& how) {
  Net net(how, 11);
  auto h = net.apply("Relu", {net.gemm(net.input({3}), "fc", 3, 12)});
  h = net.reshaped(h, {3, 2, 2});
  const auto up = [&](const Net::Value& x, const std::string& name, const Shape& weight,
                      Net::Attributes attributes) {
    const Index groups = name == "up2" ? 2 : 1;
    attributes.push_back(attribute("group", groups));
    const auto w = net.weight(name + ".weight", weight, weight[0]);
    return net.apply("ConvTranspose", {x, w, net.parameter(name + ".bias", {weight[1] * groups}, 0.3)},
                     attributes);
  };
  h = up(h, "up1", {3, 4, 3, 3},
         {attribute("strides", Indices{2, 2}), attribute("pads", Indices{1, 1, 1, 1}),
          attribute("output_padding", Indices{1, 1})});
  h = net.apply("Elu", {net.batch_norm(h, "bn", 4)});
  h = net.apply("Softplus", {up(h, "up2", {4, 1, 2, 3}, {attribute("dilations", Indices{2, 1})})});
  return net.finish(
      net.apply("Sigmoid", {up(h, "up3", {2, 1, 2, 2}, {attribute("strides", Indices{2, 1})})}));
}

/// Down and up again, with what was there before beside it; each level up in another way.
std::string unet(const Export& how) {
  Net net(how, 13);
  const auto layer = [&](const Net::Value& x, const std::string& name, Index in, Index out) {
    return net.apply("Relu", {net.conv(x, name, {out, in, 3, 3}, window(3, 1, 1))});
  };
  const auto top = layer(net.input({2, 6, 6}), "down1", 2, 3);
  const auto middle = layer(net.apply("MaxPool", {top}, window(2, 2)), "down2", 3, 4);
  const auto padded =
      net.apply("Pad", {middle, net.integers({0, 0, 0, 0, 0, 0, 1, 1})}, {attribute("mode", "edge")});
  auto h = layer(net.apply("AveragePool", {padded}, window(2, 2)), "bottom", 4, 4);
  const auto w = net.weight("up2.weight", {4, 3, 2, 2}, 4);
  h = net.apply("ConvTranspose", {h, w}, {attribute("strides", Indices{2, 2})});
  h = net.apply("Slice", {h, net.integers({0, 0}), net.integers({-1, 3}), net.integers({2, 3})});
  h = layer(net.apply("Concat", {h, middle}, {attribute("axis", Index{1})}), "level2", 7, 3);
  h = net.apply("Resize", {h, "", "", net.shape({}, 1, {3, 6, 6})},
                {attribute("mode", "linear"), attribute("coordinate_transformation_mode", "half_pixel")});
  h = layer(net.apply("Concat", {top, h}, {attribute("axis", Index{-3})}), "level1", 6, 2);
  return net.finish(net.conv(h, "head", {1, 2, 1, 1}));
}

/// Hu and others, "Squeeze-and-excitation networks", 2018: channels are weighted by what all positions say.
std::string squeeze(const Export& how) {
  Net net(how, 18);
  auto h = net.apply("Mish", {net.conv(net.input({2, 5, 4}), "conv", {4, 2, 3, 3})});
  auto gate = net.apply("Relu", {net.conv(net.apply("GlobalAveragePool", {h}), "squeeze", {2, 4, 1, 1})});
  gate = net.apply("Sigmoid", {net.conv(gate, "excite", {4, 2, 1, 1})});
  h = net.apply("Mul", {gate, h});
  h = net.apply("PRelu", {h, net.parameter("slope", {4, 1, 1}, 0.2, 0.3)});
  const auto norm = net.apply("GlobalMaxPool", {h});
  const auto own = net.apply("Squeeze", {norm, net.integers({-1, -2})});
  return net.finish(net.gemm(own, "fc", 4, 3));
}

}  // namespace

std::string resnet20() {
  return residual({}, 3, 16, 32);
}

std::vector<Network> picture_networks() {
  return {{"lenet", {1, 10, 10}, lenet},
          {"resnet", {3, 6, 6}, resnet},
          {"residual", {3, 6, 6}, small_residual},
          {"depthwise", {2, 6, 6}, depthwise},
          {"decoder", {3}, decoder},
          {"unet", {2, 6, 6}, unet},
          {"squeeze_excite", {2, 5, 4}, squeeze}};
}

}  // namespace tangra::test::networks
