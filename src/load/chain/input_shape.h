#pragma once
// Not for other rooms: the shape of a chain's input, of which the text says less or more.
#include "tangra/load/chain/chain.h"
#include "tangra/load/chain/layer_spec.h"

namespace tangra::load {

/// The shape of one sample: the one that was asked for; else what the first layer that depends on it says
/// (Dense(784 => ..) takes (784,)) together with the data's. Throws Error(input), naming that layer, where
/// both leave it open.
Shape input_shape(const Source& source, const LayerSpec& chain, const ChainOptions& options);

}  // namespace tangra::load
