#pragma once
#include <string>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/factors/term.h"
#include "tangra/linalg/tile.h"

namespace tangra::factors {

/// How the R directions of a sample enter a kernel: direction (g * full + f) * inner + t has plane g, row f and summed
/// index t.  K[g][(i,f),(j,f')] = sum_t J[(i,g,f,t)] . J'[(j,g,f',t)].
struct RowLayout {
  Index planes = 1;
  Index full = 1;
  Index inner = 1;

  Index directions() const { return planes * full * inner; }
  bool operator==(const RowLayout&) const = default;
};

/// The order in which a parameter's terms are contracted (docs/math.md, section 5).
enum class Order {
  both_grams,     ///< (d): Gram matrices of both factors, multiplied entry by entry
  explicit_rows,  ///< (a): the explicit Jacobian of the parameter, then its Gram matrix
};

/// One factor pair: position `position` of term `term`.
struct Stream {
  int term = 0;
  Index position = 0;
};

/// What is done with the terms of one parameter, or with those of one region of it.
struct Contraction {
  ParameterId parameter = no_id;
  int part = 0;
  Order order = Order::both_grams;
  std::vector<Stream> streams;  ///< both_grams: all of the same entries; every pair of them is one product
  std::vector<int> terms;       ///< the terms that are covered
  /// A bias whose factor is the same cotangent rides along: B B'^T o (X X'^T + constant).
  int bias_term = -1;
  double constant = 0;
  double multiply_adds = 0;  ///< for one pair of samples
  std::string reason;
};

struct ContractionPlan {
  RowLayout layout;
  std::vector<Contraction> contractions;
  double multiply_adds() const;
};

/// Chooses the order for every parameter from shapes alone. `sample` is any block of the source (one sample suffices);
/// part_of[p] is the part of the result that parameter p adds to (-1: to none); sizes[p] its number of entries.
/// With `only_explicit` every parameter gets explicit rows, whatever it costs.
template <class T>
ContractionPlan plan_contractions(const FactorBlock<T>& sample, const RowLayout& layout, const std::vector<int>& part_of,
                                  const std::vector<Index>& sizes, bool only_explicit = false);

/// The factors of a block, packed for one side of the tiles.
template <class T>
struct PackedBlock {
  struct Pair {
    std::vector<linalg::Packed<T>> left;  ///< for each plane: [n * full, inner * size]
    linalg::Packed<T> right;              ///< [n, K]; no rows where there is none
    double scale = 1;
  };
  Index samples = 0;
  std::vector<std::vector<Pair>> contractions;  ///< in the plan's order, a pair for each stream
  std::size_t bytes() const;
};

/// What pack_block() returns for a block of `samples` samples, in bytes, and what it needs beside that while it works.
struct PackingNeeds {
  std::size_t packed = 0;
  std::size_t temporary = 0;
};
template <class T>
PackingNeeds packing_needs(const FactorBlock<T>& sample, const ContractionPlan& plan, const std::vector<Index>& sizes,
                           linalg::Side side, Index samples);

template <class T>
PackedBlock<T> pack_block(const FactorBlock<T>& block, const ContractionPlan& plan, const std::vector<Index>& sizes,
                          linalg::Side side, const Context& context);

/// The products that make tile (rows, columns) of plane `plane` of part `part`, in the order in which they are summed.
template <class T>
std::vector<linalg::TileProduct<T>> tile_products(const ContractionPlan& plan, const PackedBlock<T>& rows,
                                                  const PackedBlock<T>& columns, Index plane, int part);

/// K[i, ., i, .] of every sample: result [n, planes, full, full] += the contractions of part `part`.
template <class T>
void contract_self(const FactorBlock<T>& block, const ContractionPlan& plan, const std::vector<Index>& sizes, int part,
                   T* result, const Context& context);

#define TANGRA_DECLARE(T)                                                                                             \
  extern template ContractionPlan plan_contractions<T>(const FactorBlock<T>&, const RowLayout&,                      \
                                                       const std::vector<int>&, const std::vector<Index>&, bool);    \
  extern template struct PackedBlock<T>;                                                                              \
  extern template PackingNeeds packing_needs<T>(const FactorBlock<T>&, const ContractionPlan&,                       \
                                                const std::vector<Index>&, linalg::Side, Index);                     \
  extern template PackedBlock<T> pack_block<T>(const FactorBlock<T>&, const ContractionPlan&,                        \
                                               const std::vector<Index>&, linalg::Side, const Context&);             \
  extern template std::vector<linalg::TileProduct<T>> tile_products<T>(                                              \
      const ContractionPlan&, const PackedBlock<T>&, const PackedBlock<T>&, Index, int);                             \
  extern template void contract_self<T>(const FactorBlock<T>&, const ContractionPlan&, const std::vector<Index>&, int, \
                                        T*, const Context&);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
