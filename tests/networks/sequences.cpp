// Transformers and other networks on sequences.
#include <cmath>

#include "networks/networks.h"

namespace tangra::test::networks {
namespace {

using Value = Net::Value;

/// x (1 + erf(x / sqrt(2))) / 2 as exporters spell it.
Value spelt_gelu(Net& net, const Value& x) {
  const Value erf = net.apply("Erf", {net.apply("Div", {x, net.scalar(std::sqrt(2.0F))})});
  return net.apply("Mul", {net.apply("Mul", {x, net.apply("Add", {erf, net.scalar(1)})}), net.scalar(0.5F)});
}

/// Dosovitskiy and others, "An image is worth 16x16 words", 2021: one block, heads on an axis of their own.
std::string vit(const Export& how) {
  constexpr Index width = 6, heads = 2, patches = 4, tokens = patches + 1;
  Net net(how, 17);
  const Value x = net.input({2, 4, 6});
  auto h = net.conv(x, "patch", {width, 2, 2, 3}, {attribute("strides", Indices{2, 3})});
  h = net.transposed(net.reshaped(h, {width, patches}), {0, 2, 1});
  const auto token =
      net.apply("Expand", {net.parameter("class_token", {1, 1, width}, 1), net.shape({}, 1, {1, width})});
  h = net.apply("Concat", {token, h}, {attribute("axis", Index{1})});
  h = net.sum(h, net.parameter("positions", {1, tokens, width}, 0.5));
  const auto in_heads = [&](const Value& y, const Indices& order) {
    return net.transposed(net.reshaped(y, {tokens, heads, width / heads}), order);
  };
  const auto qkv = net.split(net.dense(net.layer_norm(h, "norm1", width), "qkv", width, 3 * width), -1,
                             {width, width, width});
  const auto scores = net.apply("MatMul", {in_heads(qkv[0], {0, 2, 1, 3}), in_heads(qkv[1], {0, 2, 3, 1})});
  const auto scaled = net.apply("Div", {scores, net.scalar(std::sqrt(3.0F))});
  const auto weights = net.apply("Softmax", {scaled}, {attribute("axis", Index{3})});
  auto mixed = net.transposed(net.apply("MatMul", {weights, in_heads(qkv[2], {0, 2, 1, 3})}), {0, 2, 1, 3});
  mixed = net.reshaped(mixed, {tokens, width});
  h = net.sum(h, net.dense(mixed, "proj", width, width));
  auto wide = spelt_gelu(net, net.dense(net.layer_norm(h, "norm2", width), "mlp1", width, 8));
  h = net.layer_norm(net.sum(h, net.dense(wide, "mlp2", 8, width)), "norm", width);
  const auto first = net.apply("Gather", {h, net.apply("Constant", {}, {attribute("value_int", Index{0})})},
                               {attribute("axis", Index{1})});
  return net.finish(net.gemm(first, "head", width, 3));
}

/// A language model of one block as PyTorch's MultiheadAttention writes it, (T, N, C) and N * heads, under a
/// causal mask; the table of the words is the last layer as well. Logits are scaled by a learned temperature.
std::string language_model(const Export& how, bool sees_itself) {
  constexpr Index width = 6, heads = 2, words = 7, tokens = 4;
  Net net(how, 16);
  const Value x = net.input({tokens}, onnx::int64);
  const Value table = net.parameter("words.weight", {words, width}, 1);
  const auto rows = net.apply("Slice", {net.parameter("positions", {9, width}, 0.5), net.integers({0}),
                                        net.integers({tokens}), net.integers({0})});
  auto h = net.sum(net.apply("Gather", {table, x}), rows);
  const auto turned = net.transposed(h, {1, 0, 2});
  const auto in_weight =
      net.transposed(net.weight("attention.in_proj_weight", {3 * width, width}, width), {1, 0});
  const auto qkv = net.split(net.sum(net.apply("MatMul", {turned, in_weight}),
                                     net.parameter("attention.in_proj_bias", {3 * width}, 0.3)),
                             2, {width, width, width});
  const auto in_heads = [&](const Value& y) {
    return net.transposed(net.reshaped(y, {tokens}, heads, {width / heads}), {1, 0, 2});
  };
  const auto query = net.apply("Mul", {in_heads(qkv[0]), net.scalar(1 / std::sqrt(3.0F))});
  const auto scores = net.apply("MatMul", {query, net.transposed(in_heads(qkv[1]), {0, 2, 1})});
  const auto ones = net.apply("ConstantOfShape", {net.integers({tokens, tokens})},
                              {attribute("value", onnx::reals("", {1}, {1}))});
  const auto diagonal =
      net.apply("Constant", {}, {attribute("value_int", sees_itself ? Index{0} : Index{-1})});
  const auto triangle = net.apply("Trilu", {ones, diagonal}, {attribute("upper", Index{0})});
  const auto seen = net.apply("Cast", {triangle}, {attribute("to", Index{onnx::boolean})});
  const auto hidden = net.scalar(-HUGE_VALF);
  const auto masked = sees_itself ? net.apply("Where", {seen, scores, hidden})
                                  : net.sum(scores, net.apply("Where", {seen, net.scalar(0), hidden}));
  auto weights = net.apply("Softmax", {masked}, {attribute("axis", Index{-1})});
  if (!sees_itself) weights = net.apply("Where", {net.apply("IsNaN", {weights}), net.scalar(0), weights});
  auto mixed = net.transposed(net.apply("MatMul", {weights, in_heads(qkv[2])}), {1, 0, 2});
  mixed = net.gemm(net.reshaped(mixed, {}, tokens, {width}), "attention.out_proj", width, width);
  h = net.sum(h, net.transposed(net.reshaped(mixed, {tokens}, 1, {width}), {1, 0, 2}));
  const auto logits = net.apply("MatMul", {net.layer_norm(h, "norm", width), net.transposed(table, {1, 0})});
  const auto temperature = net.apply("Exp", {net.parameter("log_temperature", {}, 0.5)});
  return net.finish(net.apply("Mul", {logits, temperature}));
}

std::string causal(const Export& how) {
  return language_model(how, true);
}
std::string hidden_rows(const Export& how) {
  return language_model(how, false);
}

/// Tolstikhin and others, "MLP-Mixer", 2021.
std::string mixer(const Export& how) {
  constexpr Index width = 5, patches = 4;
  Net net(how, 13);
  auto h = net.dense(net.input({patches, 3}), "patches", 3, width);
  auto mixed = net.transposed(net.dense(h, "up", width, width), {0, 2, 1});
  mixed = net.dense(spelt_gelu(net, net.dense(mixed, "tokens1", patches, 3)), "tokens2", 3, patches);
  h = net.sum(h, net.transposed(mixed, {0, 2, 1}));
  mixed = net.dense(net.apply("Tanh", {net.dense(h, "channels1", width, 6)}), "channels2", 6, width);
  h = net.sum(h, mixed);
  h = net.apply("ReduceMean", {h}, {attribute("axes", Indices{1}), attribute("keepdims", Index{0})});
  return net.finish(net.gemm(h, "head", width, 3));
}

/// Dauphin and others, "Language modeling with gated convolutional networks", 2017: half of the channels are
/// gates.
std::string glu(const Export& how) {
  Net net(how, 13);
  const auto gated = [&](const Value& x, Index axis, Index half) {
    const auto halves = net.split(x, axis, {half, half});
    return net.apply("Mul", {halves[0], net.apply("Sigmoid", {halves[1]})});
  };
  auto h = gated(net.dense(net.input({4, 3}), "1", 3, 10), -1, 5);
  h = gated(net.conv(net.transposed(h, {0, 2, 1}), "2", {6, 5, 2}), 1, 3);
  h = net.apply("LogSoftmax", {net.gemm(net.apply("Flatten", {h}), "3", 9, 4)});
  return net.finish(h);
}

/// Kim, "Convolutional neural networks for sentence classification", 2014: windows of two and three words.
std::string text_cnn(const Export& how) {
  constexpr Index width = 4, words = 9, tokens = 5;
  Net net(how, 12);
  const auto rows = net.apply(
      "Gather", {net.parameter("words.weight", {words, width}, 1), net.input({tokens}, onnx::int64)});
  const auto h = net.transposed(rows, {0, 2, 1});
  std::vector<Value> features;
  for (const Index kernel : {2, 3}) {
    const auto name = "conv" + std::to_string(kernel);
    const auto y = net.apply("Relu", {net.conv(h, name, {3, width, kernel})});
    features.push_back(net.apply("Flatten", {net.apply("GlobalMaxPool", {y})}));
  }
  return net.finish(net.gemm(net.apply("Concat", features, {attribute("axis", Index{1})}), "head", 6, 4));
}

}  // namespace

std::vector<Network> sequence_networks() {
  return {{"vit", {2, 4, 6}, vit},  {"causal", {4}, causal, 7}, {"hidden_rows", {4}, hidden_rows, 7},
          {"mixer", {4, 3}, mixer}, {"glu", {4, 3}, glu},       {"text_cnn", {5}, text_cnn, 9}};
}

}  // namespace tangra::test::networks
