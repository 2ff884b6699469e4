#pragma once
#include <array>
#include <cstddef>
#include <mutex>

#include "tangra/factors/plan.h"
#include "tangra/linalg/packed.h"

namespace tangra::factors {

/// Memory for explicit rows, which is taken and given back for block after block and pass after pass: clearing pages that
/// are new to the process takes longer than filling them.
template <class T>
class RowMemory {
 public:
  /// Of blocks that will come, each asks for at least so many entries a sample.
  void expect(Index entries_per_sample) { state_->expected = entries_per_sample; }
  /// Unwritten memory, given back by its last owner.
  std::shared_ptr<T> take(Index samples, Index entries_per_sample);

 private:
  struct State {
    std::mutex mutex;
    std::vector<Tensor<T>> free;
    Index expected = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// The factors of a block as tiles read them, in the plan's order.
template <class T>
struct BlockFactors {
  /// Of a stream, packed for one side of the tiles.
  struct Pair {
    std::vector<linalg::Packed<T>> left;  ///< for each plane: [n * full, inner * size]
    linalg::Packed<T> right;              ///< [n, K]
    double scale = 1;
  };
  struct Operand {
    std::vector<Pair> pairs;                ///< both_grams: one for each stream
    std::shared_ptr<const T> rows;          ///< explicit_rows: [n, R, row_entries]
    std::vector<Term<T>> terms;             ///< position_grams, pixel_grams: `outer` ones by channel on the left alone
    double scale = 1;
  };
  Index samples = 0;
  std::vector<Operand> operands;
};

/// Collects what a plan needs of the terms of a block, which may come in pieces of the block's samples: explicit rows are
/// made at once, factors are kept as they are.
template <class T>
class BlockCollector {
 public:
  BlockCollector(const ContractionPlan& plan, Index samples, RowMemory<T> memory = {});

  /// Takes term `index` of the samples [first, first + count) of the block. The terms of one piece come in their order;
  /// pieces may come from several threads at once.
  void take(Index first, Index count, int index, Term<T> term, const Context& context);

  /// For tiles, once everything is there: of all samples, or of `count` from `first` on. Both sides share explicit rows.
  BlockFactors<T> packed(linalg::Side side) const { return packed(side, 0, samples_); }
  BlockFactors<T> packed(linalg::Side side, Index first, Index count) const;

  Index samples() const { return samples_; }
  /// Explicit rows of a contraction: [n, R, row_entries], to be multiplied by scale(contraction).
  const T* rows(std::size_t contraction) const { return rows_[contraction].get(); }
  double scale(std::size_t contraction) const { return scales_[contraction]; }
  /// The terms of a contraction by pairs as tiles read them.
  std::vector<Term<T>> laid_out_terms(std::size_t contraction) const;
  /// A term of another contraction.
  const Term<T>& term(int index) const { return terms_[static_cast<std::size_t>(index)]; }

 private:
  void make_rows(Index first, Index count, int index, std::size_t contraction, const Term<T>& term, const Context& context);
  void keep(Index first, Index count, int index, Term<T> term);

  const ContractionPlan& plan_;
  Index samples_;
  std::vector<std::vector<std::size_t>> contractions_of_;  ///< by term
  std::vector<std::shared_ptr<T>> rows_;  ///< by contraction
  std::vector<double> scales_;
  std::vector<Term<T>> terms_;
  /// Left, right and pixels by term, where it comes in pieces.
  std::vector<std::array<std::shared_ptr<Tensor<T>>, 3>> pieces_;
  std::mutex mutex_;
};

/// What the factors of a block of `samples` samples take, in bytes.
struct BlockNeeds {
  std::size_t packed = 0;  ///< for one side
  std::size_t shared = 0;  ///< for both sides together
  std::size_t collected = 0;  ///< while they are packed
};
template <class T>
BlockNeeds block_needs(const FactorBlock<T>& sample, const ContractionPlan& plan, linalg::Side side, Index samples);

#define TANGRA_DECLARE(T)                        \
  extern template class RowMemory<T>;            \
  extern template class BlockCollector<T>;       \
  extern template BlockNeeds block_needs<T>(const FactorBlock<T>&, const ContractionPlan&, linalg::Side, Index);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
