#pragma once
#include <cstddef>
#include <mutex>

#include "tangra/factors/plan.h"
#include "tangra/linalg/packed.h"

namespace tangra::factors {

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
    std::shared_ptr<const Tensor<T>> rows;  ///< explicit_rows: [n, R, row_entries]
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
  BlockCollector(const ContractionPlan& plan, Index samples);

  /// Takes term `index` of the samples [first, first + count) of the block. The terms of one piece come in their order;
  /// pieces may come from several threads at once.
  void take(Index first, Index count, int index, Term<T> term, const Context& context);

  /// For tiles, once everything is there. Both sides share explicit rows.
  BlockFactors<T> packed(linalg::Side side) const;

  Index samples() const { return samples_; }
  /// Explicit rows of a contraction: [n, R, row_entries], to be multiplied by scale(contraction).
  const std::shared_ptr<Tensor<T>>& rows(std::size_t contraction) const { return rows_[contraction]; }
  double scale(std::size_t contraction) const { return scales_[contraction]; }
  /// A term of another contraction.
  const Term<T>& term(int index) const { return terms_[static_cast<std::size_t>(index)]; }

 private:
  void keep(Index first, Index count, int index, Term<T> term);

  const ContractionPlan& plan_;
  Index samples_;
  std::vector<int> contraction_of_;  ///< by term; -1: not needed
  std::vector<std::shared_ptr<Tensor<T>>> rows_;  ///< by contraction
  std::vector<double> scales_;
  std::vector<Term<T>> terms_;
  std::vector<std::shared_ptr<Tensor<T>>> left_;  ///< by term, where it comes in pieces
  std::vector<std::shared_ptr<Tensor<T>>> right_;
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
  extern template class BlockCollector<T>;       \
  extern template BlockNeeds block_needs<T>(const FactorBlock<T>&, const ContractionPlan&, linalg::Side, Index);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
