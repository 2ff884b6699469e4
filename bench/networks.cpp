#include "networks.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

#include "tangra/ops/builder.h"

namespace tangra::bench {
namespace {

constexpr unsigned input_seed = 1000;

Tensor<float> random_tensor(const Shape& shape, double scale, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, static_cast<float>(scale));
  Tensor<float> tensor(shape);
  for (float& entry : tensor) entry = normal(random);
  return tensor;
}

/// Layers with random weights, one behind the other.
class Layers {
 public:
  explicit Layers(const std::string& name) : builder_(name) {}

  ValueId input(const Shape& shape) { return builder_.input("input", shape); }

  ValueId dense(ValueId x, Index width) {
    const Index fan_in = builder_.shape(x).back();
    const std::string name = next("dense");
    return builder_.apply("Linear", {x, weight(name, {width, fan_in}, fan_in), zeros(name + ".bias", width)}, {}, name);
  }

  ValueId conv(ValueId x, Index channels, Index kernel, Index stride, Index pad, bool bias) {
    const Index from = builder_.shape(x)[0];
    const std::string name = next("conv");
    std::vector<ValueId> inputs{x, weight(name, {channels, from, kernel, kernel}, from * kernel * kernel)};
    if (bias) inputs.push_back(zeros(name + ".bias", channels));
    return builder_.apply("Conv", inputs,
                          {{"pads", std::vector<Index>(4, pad)}, {"strides", std::vector<Index>(2, stride)}}, name);
  }

  ValueId batch_norm(ValueId x) {
    const Index channels = builder_.shape(x)[0];
    const std::string name = next("norm");
    const auto constant = [&](const std::string& what, float entry) {
      return builder_.constant(name + what, Array(filled(channels, entry)));
    };
    const ValueId scale = parameter(name + ".weight", filled(channels, 1));
    return builder_.apply("BatchNormalization", {x, scale, zeros(name + ".bias", channels), constant(".mean", 0), constant(".variance", 1)},
                          {}, name);
  }

  ValueId plain(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return builder_.apply(op, std::move(inputs), std::move(attributes), next(op));
  }

  ValueId flat(ValueId x) {
    return plain("Reshape", {x}, {{"shape", std::vector<Index>{builder_.shape(x).elements()}}});
  }

  std::shared_ptr<const Graph> finish(ValueId output) {
    builder_.output(output);
    return std::make_shared<const Graph>(builder_.finish());
  }

  Shape shape(ValueId x) const { return builder_.shape(x); }

 private:
  std::string next(const std::string& kind) { return kind + std::to_string(count_++); }
  static Tensor<float> filled(Index size, float entry) {
    Tensor<float> tensor(Shape{size});
    std::ranges::fill(tensor, entry);
    return tensor;
  }
  ValueId parameter(const std::string& name, const Tensor<float>& data) {
    return builder_.parameter({.name = name, .layer = name.substr(0, name.find('.')), .role = ParameterRole::weight,
                               .why = {}, .trainable = true, .data = Array(data), .value = no_id});
  }
  ValueId weight(const std::string& layer, const Shape& shape, Index fan_in) {
    const double scale = 1 / std::sqrt(static_cast<double>(fan_in));
    return parameter(layer + ".weight", random_tensor(shape, scale, static_cast<unsigned>(count_)));
  }
  ValueId zeros(const std::string& name, Index size) { return parameter(name, filled(size, 0)); }

  ops::GraphBuilder builder_;
  int count_ = 0;
};

std::shared_ptr<const Graph> mnist_mlp() {
  Layers net("mnist-mlp");
  ValueId x = net.input({784});
  for (const Index width : {60, 60, 10}) x = net.plain("Sigmoid", {net.dense(x, width)});
  return net.finish(net.plain("Softmax", {x}));
}

std::shared_ptr<const Graph> wide_fcn() {
  Layers net("wide-fcn");
  ValueId x = net.input({3072});
  for (int layer = 0; layer < 3; ++layer) x = net.plain("Relu", {net.dense(x, 2048)});
  return net.finish(net.dense(x, 8));
}

std::shared_ptr<const Graph> cnn() {
  Layers net("cnn");
  ValueId x = net.input({3, 32, 32});
  for (int layer = 0; layer < 3; ++layer) x = net.plain("Relu", {net.conv(x, 32, 3, 1, 0, true)});
  return net.finish(net.dense(net.flat(x), 10));
}

/// He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2, with projections: 272,474 parameters.
std::shared_ptr<const Graph> resnet20() {
  Layers net("resnet20");
  const auto block = [&net](ValueId x, Index channels, Index stride) {
    ValueId y = net.plain("Relu", {net.batch_norm(net.conv(x, channels, 3, stride, 1, false))});
    y = net.batch_norm(net.conv(y, channels, 3, 1, 1, false));
    const bool same = stride == 1 && net.shape(x)[0] == channels;
    const ValueId skip = same ? x : net.batch_norm(net.conv(x, channels, 1, stride, 0, false));
    return net.plain("Relu", {net.plain("Add", {y, skip})});
  };
  ValueId x = net.plain("Relu", {net.batch_norm(net.conv(net.input({3, 32, 32}), 16, 3, 1, 1, false))});
  for (const Index channels : {16, 32, 64}) {
    for (int k = 0; k < 3; ++k) x = block(x, channels, k == 0 && channels > 16 ? 2 : 1);
  }
  return net.finish(net.dense(net.flat(net.plain("GlobalAveragePool", {x})), 10));
}

}  // namespace

const std::vector<std::string>& case_names() {
  static const std::vector<std::string> names{"mnist-mlp", "mnist-mlp-trace", "wide-fcn",
                                              "cnn",       "cnn-trace",       "resnet20-trace"};
  return names;
}

Case make_case(const std::string& name, Index samples) {
  const auto inputs = [](const Shape& shape, unsigned more) { return random_tensor(shape, 1, input_seed + more); };
  if (name == "mnist-mlp") return {name, mnist_mlp(), "output=0", inputs({samples, 784}, 0), {}};
  if (name == "mnist-mlp-trace") return {name, mnist_mlp(), "trace", inputs({samples, 784}, 0), {}};
  if (name == "wide-fcn") return {name, wide_fcn(), "full", inputs({16, 3072}, 0), inputs({16, 3072}, 1)};
  if (name == "cnn") return {name, cnn(), "full", inputs({20, 3, 32, 32}, 0), inputs({5, 3, 32, 32}, 1)};
  if (name == "cnn-trace") return {name, cnn(), "trace", inputs({samples, 3, 32, 32}, 0), {}};
  if (name == "resnet20-trace") return {name, resnet20(), "trace", inputs({samples, 3, 32, 32}, 0), {}};
  throw std::invalid_argument("there is no case " + name);
}

}  // namespace tangra::bench
