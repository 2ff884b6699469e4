#pragma once
#include <utility>
#include <vector>

#include "tangra/kernel/assembly.h"

namespace tangra::kernel {

/// Contractions [first, second) of a plan.
using Range = std::pair<std::size_t, std::size_t>;

/// What of a kernel's factors fits into memory at a time, by the plan's shapes.
class Budget {
 public:
  /// For blocks of `samples`. `sweep` and `tile`: what each thread works in, in bytes.
  template <class T>
  Budget(const factors::FactorBlock<T>& sample, const factors::ContractionPlan& plan, Index samples, std::size_t sweep,
         std::size_t tile, const Context& context);

  /// Whether `blocks` of each side fit, all contractions. Where both sides have the `same` samples, they share explicit rows.
  bool fits(Index blocks, bool same) const { return bytes(blocks, same, 0, needs_.size()) <= left_; }
  /// The most blocks of either side that fit with all contractions; 0: not one.
  Index blocks() const;
  /// Passes over the contractions in which `blocks` of each side fit beside `beside` bytes; none where a single contraction
  /// does not.
  std::vector<Range> passes(Index blocks, bool same, std::size_t beside) const;
  /// A few passes for factors that do fit but are large: new memory is slow, and a sweep for some of the parameters costs
  /// less than one for all. None where one pass is better.
  std::vector<Range> few_passes(Index blocks, bool same, std::size_t beside) const;
  /// Bytes that so many blocks of each side take in these passes, with what is worked in.
  std::size_t needed(const std::vector<Range>& passes, Index blocks, bool same) const;
  /// Bytes that passes with one block would need: a free budget from which on passes() has some.
  std::size_t least(std::size_t beside) const;
  /// The same of one pass over all contractions.
  std::size_t in_one_pass() const;

 private:
  std::vector<Range> passes_within(std::size_t limit, Index blocks, bool same) const;
  std::size_t bytes(Index blocks, bool same, std::size_t first, std::size_t last) const;
  /// What has to be free for so much.
  static std::size_t with_holes(std::size_t bytes);

  std::vector<factors::BlockNeeds> needs_;  ///< by contraction
  std::size_t working_ = 0;
  std::size_t left_ = 0;
};

/// What a thread needs for a tile of blocks of so many samples.
template <class T>
std::size_t tile_bytes(const Assembly<T>& assembly, Index samples);
/// The tiles of a group of blocks, which are summed over the passes.
template <class T>
std::size_t sums_bytes(const Assembly<T>& assembly, Index blocks, Index samples);
/// The contractions of an assembly, and how many samples it has.
template <class T>
factors::ContractionPlan plan_of(const Assembly<T>& assembly);
template <class T>
factors::SampleCounts counts_of(const Assembly<T>& assembly);

#define TANGRA_DECLARE(T)                                                              \
  extern template std::size_t tile_bytes<T>(const Assembly<T>&, Index);               \
  extern template std::size_t sums_bytes<T>(const Assembly<T>&, Index, Index);        \
  extern template factors::ContractionPlan plan_of<T>(const Assembly<T>&);            \
  extern template factors::SampleCounts counts_of<T>(const Assembly<T>&);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::kernel
