#pragma once
// Not for other rooms: all types of layers.
#include <span>
#include <string_view>
#include <vector>

#include "tangra/load/chain/layers/arguments.h"
#include "tangra/load/chain/layers/layer.h"

namespace tangra::load {

/// A type of layer, as Flux names it.
struct LayerType {
  std::string_view name;
  std::string_view form;  ///< how it is written, for messages
  LayerPointer (*read)(const Arguments& arguments);
};

/// None where the name is no type of layer, as for Chain, SkipConnection and Parallel, which hold others.
const LayerType* find_layer_type(std::string_view name);
/// The names of all types, with those that hold others and flatten.
std::vector<std::string_view> layer_names();
/// Whether Flux has a layer of this name that is not read.
bool is_unsupported_layer(std::string_view name);

// What the table is made of, by file.
LayerPointer read_dense(const Arguments& arguments);
LayerPointer read_embedding(const Arguments& arguments);
LayerPointer read_scale(const Arguments& arguments);
LayerPointer read_dropout(const Arguments& arguments);
std::shared_ptr<const JoiningLayer> read_bilinear(const Arguments& arguments);
LayerPointer read_convolution(const Arguments& arguments);
LayerPointer read_transposed_convolution(const Arguments& arguments);
LayerPointer read_depthwise_convolution(const Arguments& arguments);
LayerPointer read_pool(const Arguments& arguments);
LayerPointer read_adaptive_pool(const Arguments& arguments);
LayerPointer read_global_pool(const Arguments& arguments);
LayerPointer read_batch_norm(const Arguments& arguments);
LayerPointer read_layer_norm(const Arguments& arguments);
LayerPointer read_group_norm(const Arguments& arguments);
LayerPointer read_instance_norm(const Arguments& arguments);
LayerPointer read_attention(const Arguments& arguments);

/// A function that stands alone as a layer.
LayerPointer function_layer(Function function);
/// The layer that a name or a lambda means which changes shapes: flatten, x -> reshape(x, 7, 7, 64, :),
/// x -> permutedims(x, (2, 1, 3)), x -> mean(x; dims = 2). None where it is something else.
LayerPointer read_array_function(const Source& source, const Expression& expression);

}  // namespace tangra::load
