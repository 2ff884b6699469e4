// Networks that use a parameter more than once, or compute what they use of it.
#include "networks/networks.h"

namespace tangra::test::networks {
namespace {

using Value = Net::Value;

/// Salimans and Kingma, "Weight normalization", 2016: directions and lengths of a dense layer and of a
/// convolution.
std::string weight_norm(const Export& how) {
  Net net(how, 13);
  const auto normalised = [&](const std::string& name, const Shape& shape, const Indices& axes) {
    Shape lengths = shape;
    for (const Index axis : axes) lengths[axis] = 1;
    const Value v = net.weight(name + ".weight_v", shape, shape.elements(1, shape.rank()));
    const Value g = net.parameter(name + ".weight_g", lengths, 0.5, 1);
    const Value norm = net.apply("ReduceL2", {v}, {attribute("axes", axes), attribute("keepdims", Index{1})});
    return net.apply("Mul", {net.apply("Div", {v, norm}), g});
  };
  auto h = net.apply("Conv", {net.input({2, 4, 4}), normalised("conv", {3, 2, 3, 3}, {1, 2, 3}),
                              net.parameter("conv.bias", {3}, 0.3)});
  h = net.apply("Flatten", {net.apply("Tanh", {h})});
  h = net.apply("MatMul", {h, net.transposed(normalised("fc", {4, 12}, {1}), {1, 0})});
  return net.finish(net.sum(h, net.parameter("fc.bias", {4}, 0.3)));
}

/// One dense layer three times, the last time with its weight transposed, and W W^T.
std::string layer_again(const Export& how) {
  Net net(how, 13);
  const auto w = net.weight("w", {5, 5}, 5), b = net.parameter("b", {5}, 0.3);
  auto h = net.input({5});
  for (const Index transposed : {1, 1, 0})
    h = net.apply("Tanh", {net.apply("Gemm", {h, w, b}, {attribute("transB", transposed)})});
  const auto gram = net.apply("MatMul", {w, net.transposed(w, {1, 0})});
  return net.finish(net.sum(net.apply("MatMul", {h, gram}), h));
}

/// An encoder whose decoder is its transpose; the norm's gain is the head's bias as well.
std::string autoencoder(const Export& how) {
  Net net(how, 17);
  const auto w = net.weight("w", {6, 4}, 6), gain = net.parameter("gain", {4}, 0.4, 1);
  auto h = net.apply("Tanh", {net.apply("Gemm", {net.input({6}), w, gain})});
  h = net.apply("LayerNormalization", {h, gain});
  h = net.apply("Gemm", {h, w}, {attribute("transB", Index{1}), attribute("alpha", 0.5F)});
  return net.finish(net.apply("Softsign", {h}));
}

/// The mean and the inverse deviation of a layer normalisation used as values, and once more not used.
std::string statistics(const Export& how) {
  Net net(how, 17);
  const auto wide = net.dense(net.input({3, 4}), "1", 4, 5);
  const auto norm = [&](const Value& x, const std::string& name) {
    return net.apply_many(
        "LayerNormalization",
        {x, net.parameter(name + ".weight", {5}, 0.4, 1), net.parameter(name + ".bias", {5}, 0.3)}, 3);
  };
  const auto first = norm(wide, "norm1");
  const auto h = net.apply("Mul", {net.sum(first[0], first[1]), first[2]});
  return net.finish(norm(net.dense(net.apply("Tanh", {h}), "2", 5, 5), "norm2")[0]);
}

/// x^T W_k x, and its products of three factors with other letters.
std::string bilinear(const Export& how) {
  Net net(how, 13);
  const auto einsum = [&](const char* equation, const std::vector<Value>& operands) {
    return net.apply("Einsum", operands, {attribute("equation", equation)});
  };
  const auto x = net.input({3, 4});
  const auto forms = einsum("nti,kij,ntj->nkt", {x, net.weight("forms", {2, 4, 4}, 16), x});
  const auto mixed =
      einsum("...ab,bc,dc->...ad", {forms, net.weight("w", {3, 5}, 3), net.weight("v", {2, 5}, 5)});
  return net.finish(net.apply("Tanh", {mixed}));
}

/// One convolution on a picture and on the same at half the size.
std::string two_scales(const Export& how) {
  Net net(how, 13);
  const auto x = net.input({2, 6, 6});
  const auto w = net.weight("conv.weight", {4, 2, 3, 3}, 18), b = net.parameter("conv.bias", {4}, 0.3);
  const auto features = [&](const Value& picture) {
    const auto y = net.apply("Conv", {picture, w, b}, {attribute("pads", Indices{1, 1, 1, 1})});
    return net.apply("GlobalAveragePool", {net.apply("Softplus", {y})});
  };
  const auto half = net.apply(
      "AveragePool", {x}, {attribute("kernel_shape", Indices{2, 2}), attribute("strides", Indices{2, 2})});
  const auto both = net.apply("Concat", {features(x), features(half)}, {attribute("axis", Index{1})});
  return net.finish(net.gemm(net.apply("Flatten", {both}), "head", 8, 3));
}

}  // namespace

std::vector<Network> sharing_networks() {
  return {{"weight_norm", {2, 4, 4}, weight_norm}, {"layer_again", {5}, layer_again},
          {"autoencoder", {6}, autoencoder},       {"bilinear", {3, 4}, bilinear},
          {"statistics", {3, 4}, statistics},      {"two_scales", {2, 6, 6}, two_scales}};
}

}  // namespace tangra::test::networks
