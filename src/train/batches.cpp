#include "tangra/train/batches.h"

#include <algorithm>
#include <utility>

#include "tangra/base/rng.h"

namespace tangra::train {

std::vector<Index> shuffled(Index samples, std::uint64_t seed, Index epoch) {
  // Streams from 2^63 on: parameters are drawn from the low ones.
  const RandomStream random(seed, (std::uint64_t{1} << 63U) + static_cast<std::uint64_t>(epoch));
  std::vector<std::pair<std::uint64_t, Index>> keys;
  keys.reserve(static_cast<std::size_t>(samples));
  for (Index i = 0; i < samples; ++i) keys.emplace_back(random.bits(static_cast<std::uint64_t>(i)), i);
  std::ranges::sort(keys);
  std::vector<Index> order;
  order.reserve(keys.size());
  for (const auto& [key, sample] : keys) order.push_back(sample);
  return order;
}

}  // namespace tangra::train
