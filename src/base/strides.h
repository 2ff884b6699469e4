#pragma once
#include <vector>

#include "tangra/base/shape.h"

namespace tangra {

/// offset + i1 * strides[0] + .. for all positions (i1, ..) of `shape`, in row-major order.
std::vector<Index> strided_entries(const Shape& shape, const std::vector<Index>& strides, Index offset = 0);

/// For each entry of `result`, the entry of an array of shape `input` that it comes from under NumPy's broadcasting.
std::vector<Index> broadcast_entries(const Shape& input, const Shape& result);

}  // namespace tangra
