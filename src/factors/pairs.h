#pragma once
#include "tangra/factors/block.h"

namespace tangra::factors {

/// Memory that contract_pairs keeps for the next call.
template <class T>
struct PairWorkspace {
  Tensor<T> block;    ///< Gram matrices of many pairs
  Tensor<T> gram;     ///< of one pair: [D, D']
  Tensor<T> product;  ///< of a left factor with it
  Tensor<T> sums;     ///< [full, full]
};

/// A part of a tile that is made pair of samples by pair of samples: orders (c) and (e) of docs/math.md, section 5.
template <class T>
struct PairTile {
  const RowLayout& layout;
  Order order = Order::position_grams;
  Index plane = 0;
  Index first = 0;  ///< samples of the rows
  Index last = 0;
  Index columns = 0;   ///< samples of the columns
  bool lower = false;  ///< columns up to the row's own sample alone
  MatrixView<T> tile;
  const Context& context;
};

/// tile += sum over all pairs of terms of <J_s, J_t>, for terms as BlockCollector::laid_out_terms gives them. `outer` meets
/// `outer` through the Gram matrix of the right factors' positions, `gather` meets `gather` where tokens are equal, and
/// `gather` meets `outer` through the channels that its tokens name: no row of a table is ever written out.
template <class T>
void contract_pairs(const PairTile<T>& pairs, const std::vector<Term<T>>& rows, const std::vector<Term<T>>& columns,
                    PairWorkspace<T>& workspace);

/// The same for sample i of the rows and sample j of the columns alone: result [full, full] +=.
template <class T>
void contract_pair(const PairTile<T>& pairs, const std::vector<Term<T>>& rows, const std::vector<Term<T>>& columns, Index i,
                   Index j, MatrixView<T> result, PairWorkspace<T>& workspace);

#define TANGRA_DECLARE(T)                                                                                       \
  extern template void contract_pairs<T>(const PairTile<T>&, const std::vector<Term<T>>&,                       \
                                         const std::vector<Term<T>>&, PairWorkspace<T>&);                       \
  extern template void contract_pair<T>(const PairTile<T>&, const std::vector<Term<T>>&,                        \
                                        const std::vector<Term<T>>&, Index, Index, MatrixView<T>, PairWorkspace<T>&);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
