#pragma once
#include <cstddef>
#include <span>

#include "tangra/linalg/packed.h"

namespace tangra::linalg {

/// One summand of a tile: scale * (U V^T) o (X Y^T + constant), o the entry-wise product; without X and Y
/// just scale * U V^T (and `constant` is not looked at).
///
/// u: [rows, c] packed for the left side, v: [columns, c] for the right; x: [rows / x_repeat, k] left,
/// y: [columns / y_repeat, k] right. With x_repeat = O row r of u goes with row r / O of x: the rows of u are
/// (i, f) with f fastest, as in kernels of all outputs; and so for y_repeat. The last group of rows may be
/// incomplete. x and y may be packed without zeros, both or neither.
template <class T>
struct TileProduct {
  const Packed<T>* u = nullptr;
  const Packed<T>* v = nullptr;
  const Packed<T>* x = nullptr;
  const Packed<T>* y = nullptr;
  T scale = 1;
  T constant = 0;
  Index x_repeat = 1;
  Index y_repeat = 1;
};

/// Memory that compute_tile uses and keeps for the next tile. One for each thread.
template <class T>
class TileWorkspace {
 public:
  /// At least `count` entries, aligned to 64 bytes; what they hold is undefined.
  T* entries(Index count) {
    if (entries_.size() < count) entries_ = Tensor<T>::uninitialized(Shape{count});
    return entries_.data();
  }
  /// The same for positions.
  Index* positions(Index count) {
    if (positions_.size() < count) positions_ = Tensor<Index>::uninitialized(Shape{count});
    return positions_.data();
  }
  std::size_t bytes() const { return entries_.bytes() + positions_.bytes(); }

 private:
  Tensor<T> entries_;
  Tensor<Index> positions_;
};

/// Which entries of a tile are asked for.
enum class TilePart {
  full,
  lower,  ///< row >= column (a diagonal tile of a symmetric matrix); the rest may hold anything afterwards
};

/// tile[r, c] = (accumulate ? tile[r, c] : 0) + the products in their order.
///
/// tile: [rows, columns] with column_stride 1, rows as in every u, columns as in every v. For each entry
/// exactly
///     entry = accumulate ? tile[r, c] : 0
///     for each product:
///       left = 0;   for m = 0, 1, ...:  left = fma(u[r, m], v[c, m], left)
///       right = 0;  for m = 0, 1, ...:  right = fma(x[r / x_repeat, m], y[c / y_repeat, m], right)
///       term = left * (right + constant)                  (without x and y: term = left)
///       entry = fma(scale, term, entry)
/// so that its bits depend on the operands alone. Runs on the calling thread.
template <class T>
void compute_tile(std::span<const TileProduct<T>> products, bool accumulate, TilePart part,
                  MatrixView<T> tile, TileWorkspace<T>& workspace);

extern template void compute_tile<float>(std::span<const TileProduct<float>>, bool, TilePart,
                                         MatrixView<float>, TileWorkspace<float>&);
extern template void compute_tile<double>(std::span<const TileProduct<double>>, bool, TilePart,
                                          MatrixView<double>, TileWorkspace<double>&);

}  // namespace tangra::linalg
