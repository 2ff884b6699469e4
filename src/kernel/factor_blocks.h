#pragma once
#include <functional>
#include <utility>
#include <vector>

#include "tangra/factors/block.h"

namespace tangra::kernel {

/// Samples [first, second) of a source.
using SampleRange = std::pair<Index, Index>;

/// Sweeps over the ranges, piece by piece on all threads, and calls use(k, block) from one of them as soon as range k is
/// complete. A block goes when its call returns.
template <class T>
void collect_blocks(const factors::FactorSource<T>& source, const factors::ContractionPlan& plan,
                    const std::vector<SampleRange>& ranges, const Context& context,
                    const std::function<void(std::size_t, const factors::BlockCollector<T>&)>& use,
                    factors::RowMemory<T> memory = {});

/// An upper estimate of the memory that collect_blocks works in, beside the blocks: for one thread.
template <class T>
std::size_t sweep_bytes(const factors::FactorSource<T>& source, Index block_samples);

#define TANGRA_DECLARE(T)                                                                                                \
  extern template void collect_blocks<T>(const factors::FactorSource<T>&, const factors::ContractionPlan&,              \
                                         const std::vector<SampleRange>&, const Context&,                               \
                                         const std::function<void(std::size_t, const factors::BlockCollector<T>&)>&,    \
                                         factors::RowMemory<T>);                                                        \
  extern template std::size_t sweep_bytes<T>(const factors::FactorSource<T>&, Index);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::kernel
