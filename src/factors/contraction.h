#pragma once
#include "tangra/factors/pairs.h"
#include "tangra/linalg/tile.h"

namespace tangra::factors {

/// Memory that contract_tile uses and keeps for the next tile.
template <class T>
class ContractionWorkspace {
 public:
  struct Worker {
    linalg::TileWorkspace<T> tile;
    linalg::Packed<T> left;
    linalg::Packed<T> right;
    Tensor<T> gathered;
    PairWorkspace<T> pairs;
  };
  std::vector<Worker> workers;
  std::vector<Tensor<T>> partial;
};

/// tile (+)= the contractions of part `part` in plane `plane`, summed in the plan's order.
///
/// tile: [rows.samples * full, columns.samples * full], column_stride 1. The inner products of explicit rows are cut at
/// fixed places: chains of 1024 entries, summed in groups of 16, so that rounding grows with the groups' number and not with
/// the length. The bits depend on the operands and the plan alone. Where it is called from the pool's caller, with
/// `divided`, the work inside of the tile is divided among the threads.
template <class T>
void contract_tile(const ContractionPlan& plan, const BlockFactors<T>& rows, const BlockFactors<T>& columns, Index plane,
                   int part, linalg::TilePart which, bool accumulate, MatrixView<T> tile, ContractionWorkspace<T>& workspace,
                   const Context& context, bool divided);

/// K[i, ., i, .] of every sample: result [n, planes, full, full] += the contractions of part `part`.
template <class T>
void contract_self(const ContractionPlan& plan, const BlockCollector<T>& block, int part, T* result, const Context& context);

#define TANGRA_DECLARE(T)                                                                                             \
  extern template void contract_tile<T>(const ContractionPlan&, const BlockFactors<T>&, const BlockFactors<T>&, Index, \
                                        int, linalg::TilePart, bool, MatrixView<T>, ContractionWorkspace<T>&,          \
                                        const Context&, bool);                                                         \
  extern template void contract_self<T>(const ContractionPlan&, const BlockCollector<T>&, int, T*, const Context&);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
