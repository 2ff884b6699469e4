#pragma once
#include <cstdint>
#include <vector>

#include "tangra/base/index.h"

namespace tangra::train {

/// The order in which the samples 0 .. samples - 1 are taken in an epoch: a function of (seed, epoch, samples) alone, the
/// same on every machine. All orders are equally likely: the samples are sorted by 64 random bits each.
std::vector<Index> shuffled(Index samples, std::uint64_t seed, Index epoch);

}  // namespace tangra::train
