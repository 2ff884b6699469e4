#include "tangra/load/chain/layers/table.h"

#include <algorithm>
#include <array>

namespace tangra::load {
namespace {

LayerPointer bilinear(const Arguments& arguments) {
  return read_bilinear(arguments);
}

constexpr std::string_view convolution_form =
    "Conv((3, 3), in => out, activation; stride = 1, pad = 0, dilation = 1, groups = 1, bias = true)";

constexpr auto types = std::to_array<LayerType>({
    {"Dense", "Dense(in => out) or Dense(in => out, activation; bias = false)", read_dense},
    {"Conv", convolution_form, read_convolution},
    {"CrossCor", "CrossCor((3, 3), in => out, activation; stride = 1, pad = 0)", read_convolution},
    {"DepthwiseConv", "DepthwiseConv((3, 3), in => out, activation; stride = 1, pad = 0)",
     read_depthwise_convolution},
    {"ConvTranspose", "ConvTranspose((2, 2), in => out, activation; stride = 2, pad = 0, outpad = 0)",
     read_transposed_convolution},
    {"MaxPool", "MaxPool((2, 2); stride = (2, 2), pad = 0)", read_pool},
    {"MeanPool", "MeanPool((2, 2); stride = (2, 2), pad = 0)", read_pool},
    {"AdaptiveMaxPool", "AdaptiveMaxPool((7, 7))", read_adaptive_pool},
    {"AdaptiveMeanPool", "AdaptiveMeanPool((7, 7))", read_adaptive_pool},
    {"GlobalMaxPool", "GlobalMaxPool()", read_global_pool},
    {"GlobalMeanPool", "GlobalMeanPool()", read_global_pool},
    {"BatchNorm", "BatchNorm(channels, activation; affine = true, eps = 1e-5)", read_batch_norm},
    {"LayerNorm", "LayerNorm(features, activation; affine = true, eps = 1e-5)", read_layer_norm},
    {"GroupNorm", "GroupNorm(channels, groups, activation; affine = true, eps = 1e-5)", read_group_norm},
    {"InstanceNorm", "InstanceNorm(channels, activation; affine = false, eps = 1e-5)", read_instance_norm},
    {"Embedding", "Embedding(vocabulary => features)", read_embedding},
    {"Bilinear", "Bilinear((in1, in2) => out, activation; bias = true)", bilinear},
    {"Scale", "Scale(features, activation; bias = true)", read_scale},
    {"MultiHeadAttention", "MultiHeadAttention(features; nheads = 8, bias = false)", read_attention},
    {"Dropout", "Dropout(0.5)", read_dropout},
    {"AlphaDropout", "AlphaDropout(0.5)", read_dropout},
});

constexpr auto containers = std::to_array<std::string_view>({"Chain", "SkipConnection", "Parallel"});

// Layers of Flux that somebody may well try.
constexpr auto unsupported = std::to_array<std::string_view>(
    {"Diagonal", "EmbeddingBag", "GRU", "GRUCell", "LSTM", "LSTMCell", "Maxout", "PairwiseFusion",
     "PixelShuffle", "RNN", "RNNCell", "Recur", "Upsample", "WeightNorm"});

}  // namespace

const LayerType* find_layer_type(std::string_view name) {
  const auto* found = std::ranges::find(types, name, &LayerType::name);
  return found == types.end() ? nullptr : found;
}

std::vector<std::string_view> layer_names() {
  std::vector<std::string_view> names;
  for (const LayerType& type : types) names.push_back(type.name);
  names.insert(names.end(), containers.begin(), containers.end());
  names.push_back("flatten");
  return names;
}

bool is_unsupported_layer(std::string_view name) {
  return is_one_of(name, unsupported);
}

}  // namespace tangra::load
