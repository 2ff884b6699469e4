#include "tangra/kernel/budget.h"

#include <algorithm>

#include "tangra/kernel/factor_blocks.h"

namespace tangra::kernel {

template <class T>
Budget::Budget(const factors::FactorBlock<T>& sample, const factors::ContractionPlan& plan, Index samples, std::size_t sweep,
               std::size_t tile, const Context& context) {
  std::size_t collected = 0;
  for (std::size_t k = 0; k < plan.contractions.size(); ++k) {
    needs_.push_back(factors::block_needs(sample, plan.part(k, k + 1), linalg::Side::right, samples));
    collected += needs_.back().collected;
  }
  working_ = std::max(sweep + collected, tile) * static_cast<std::size_t>(context.pool.size());
  const std::size_t free = context.memory.available();
  const std::size_t available = free - free / 16;  // what is freed and taken again leaves holes
  left_ = available > working_ ? available - working_ : 0;
}

std::size_t Budget::bytes(Index blocks, bool same, std::size_t first, std::size_t last) const {
  std::size_t sum = 0;
  for (std::size_t k = first; k < last; ++k) sum += 2 * needs_[k].packed + (same ? 1U : 2U) * needs_[k].shared;
  return static_cast<std::size_t>(blocks) * sum;
}

Index Budget::blocks() const {
  std::size_t each = 0;
  for (const factors::BlockNeeds& needs : needs_) each += 2 * (needs.packed + needs.shared);
  return static_cast<Index>(left_ / (each + 1));
}

std::vector<Range> Budget::passes(Index blocks, bool same, std::size_t beside) const {
  return left_ < beside ? std::vector<Range>{} : passes_within(left_ - beside, blocks, same);
}

std::vector<Range> Budget::few_passes(Index blocks, bool same, std::size_t beside) const {
  constexpr std::size_t large = std::size_t{512} << 20U;
  constexpr std::size_t few = 3;
  constexpr std::size_t small_sums = std::size_t{64} << 20U;
  const std::size_t all = bytes(blocks, same, 0, needs_.size());
  if (all <= large || beside > small_sums) return {};
  const std::vector<Range> passes = passes_within(std::max(large, all / few + all / 16), blocks, same);
  return passes.size() < 2 || passes.size() > few + 1 ? std::vector<Range>{} : passes;
}

std::vector<Range> Budget::passes_within(std::size_t limit, Index blocks, bool same) const {
  std::vector<Range> passes;
  for (std::size_t first = 0; first < needs_.size();) {
    std::size_t last = first;
    while (last < needs_.size() && bytes(blocks, same, first, last + 1) <= limit) ++last;
    if (last == first) return {};
    passes.emplace_back(first, last);
    first = last;
  }
  return passes;
}

std::size_t Budget::needed(const std::vector<Range>& passes, Index blocks, bool same) const {
  std::size_t most = 0;
  for (const auto& [first, last] : passes) most = std::max(most, bytes(blocks, same, first, last));
  return working_ + most;
}

std::size_t Budget::least(std::size_t beside) const {
  std::size_t most = 0;
  for (std::size_t k = 0; k < needs_.size(); ++k) most = std::max(most, bytes(1, false, k, k + 1));
  return with_holes(working_ + most + beside);
}

std::size_t Budget::in_one_pass() const { return with_holes(working_ + bytes(1, false, 0, needs_.size())); }

std::size_t Budget::with_holes(std::size_t bytes) { return bytes / 15 * 16 + 16; }

template <class T>
std::size_t tile_bytes(const Assembly<T>& assembly, Index samples) {
  const auto side = static_cast<std::size_t>(samples * assembly.layout.full);
  return side * side * sizeof(T) * (assembly.columns == nullptr ? 3U : 2U) * (assembly.parts.with_total ? 2U : 1U);
}

template <class T>
std::size_t sums_bytes(const Assembly<T>& assembly, Index blocks, Index samples) {
  const auto side = static_cast<std::size_t>(blocks * samples * assembly.layout.full);
  return side * side * sizeof(T) * assembly.parts.names.size() * static_cast<std::size_t>(assembly.layout.planes);
}

template <class T>
factors::SampleCounts counts_of(const Assembly<T>& assembly) {
  if (assembly.counts) return *assembly.counts;
  return {.rows = assembly.rows->samples(), .columns = assembly.columns == nullptr ? 0 : assembly.columns->samples()};
}

template <class T>
factors::ContractionPlan plan_of(const Assembly<T>& assembly) {
  return factors::plan_contractions(assembly.rows->make(0, 0), assembly.layout, assembly.parts.part_of, assembly.sizes,
                                    counts_of(assembly), assembly.order);
}

template <class T>
LeastMemory least_memory(const Assembly<T>& assembly, const Context& context) {
  const factors::SampleCounts counts = counts_of(assembly);
  if (counts.rows == 0 || (assembly.columns != nullptr && counts.columns == 0)) return {};
  const factors::ContractionPlan plan = plan_of(assembly);
  const factors::FactorBlock<T> sample = assembly.rows->make(0, 0);
  const auto of_block = [&](Index samples) {
    return Budget(sample, plan, samples, sweep_bytes(*assembly.rows, samples), tile_bytes(assembly, samples), context);
  };
  const Index most = std::max(counts.rows, counts.columns);
  const Index whole = assembly.block_samples > 0 ? assembly.block_samples : default_block_samples(assembly.layout, most);
  const Index least = assembly.fixed_block ? std::min(whole, most) : 1;
  return {.bytes = of_block(least).least(sums_bytes(assembly, 1, least)), .better = of_block(std::min(whole, most)).in_one_pass()};
}

#define TANGRA_INSTANTIATE(T)                                                        \
  template std::size_t tile_bytes<T>(const Assembly<T>&, Index);                    \
  template std::size_t sums_bytes<T>(const Assembly<T>&, Index, Index);             \
  template factors::ContractionPlan plan_of<T>(const Assembly<T>&);                 \
  template factors::SampleCounts counts_of<T>(const Assembly<T>&);                  \
  template LeastMemory least_memory<T>(const Assembly<T>&, const Context&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

template Budget::Budget(const factors::FactorBlock<float>&, const factors::ContractionPlan&, Index, std::size_t, std::size_t,
                        const Context&);
template Budget::Budget(const factors::FactorBlock<double>&, const factors::ContractionPlan&, Index, std::size_t, std::size_t,
                        const Context&);

}  // namespace tangra::kernel
