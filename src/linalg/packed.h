#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"

namespace tangra::linalg {

/// Which factor of a tile U V^T a matrix is packed for: the heights of their panels differ.
enum class Side { left, right };

/// Rows of one panel on the SIMD target that runs.
template <class T>
Index panel_rows(Side side);

/// The rows of a factor, packed once and used for many tiles: rows [m, k] lie in panels of panel_rows(side)
/// rows, each panel k-major ([k, panel_rows]), the last one padded with zeros. Tied to the SIMD target that
/// packed it.
template <class T>
class Packed {
 public:
  /// A part of a left panel: values [count, panel_rows], which meet rows of the right panel. Row j of them begins at
  /// right_offsets[j] of it or, where that is null, they are the rows from the first k asked for on.
  struct Run {
    const T* values;
    Index count;
    const Index* right_offsets;
  };

  Packed() = default;

  Side side() const { return side_; }
  Index rows() const { return rows_; }
  /// The length of a row: the inner size of the product.
  Index k() const { return k_; }
  std::size_t bytes() const { return memory_.bytes() + (begins_.size() + offsets_.size()) * sizeof(Index); }
  /// What pack() will allocate; for the memory plan.
  static std::size_t bytes_needed(Side side, Index rows, Index k);

  /// Rows of a panel, and panel `p`: [k, panel_rows].
  Index panel_rows() const { return panel_rows_; }
  Index panels() const { return panel_rows_ == 0 ? 0 : (rows_ + panel_rows_ - 1) / panel_rows_; }
  const T* panel(Index p) const { return memory_.data() + p * k_ * panel_rows_; }
  /// Whether left panels lack what is zero in all of their rows: then run() leads to them, panel() does not.
  bool lacks_zeros() const { return !begins_.empty(); }
  /// What there is of left panel `p` for k in [first, first + length).
  Run run(Index p, Index first, Index length) const;
  /// Entry k of a row; slow, for tests and checks.
  T at(Index row, Index k) const;

  /// As pack(), into the memory of this object where it suffices: for blocks that are packed again and again.
  void assign(Side side, MatrixView<const T> rows, const Context* context = nullptr);
  /// As pack_without_zeros().
  void assign_without_zeros(Side side, MatrixView<const T> rows);

 private:
  bool leave_out_zeros(MatrixView<const T> rows);

  Side side_ = Side::left;
  Index rows_ = 0;
  Index k_ = 0;
  Index panel_rows_ = 0;
  Tensor<T> memory_;
  std::vector<Index> begins_;      ///< of the panels that lack zeros, in offsets_; empty where they do not
  std::vector<Index> offsets_;     ///< of all panels, one behind the other
};

/// Packs rows: [m, k] with any strides. Without a context on the calling thread alone.
template <class T>
Packed<T> pack(Side side, MatrixView<const T> rows, const Context* context = nullptr);

/// The same for factors that may be zero in many places, as pictures are: left panels leave out the k at which all of
/// their rows are zero, if that makes them a quarter shorter. A product with zero changes no sum unless the other factor
/// is infinite or NaN; so that such a one is not lost, a right row with an entry that is not finite is NaN throughout.
template <class T>
Packed<T> pack_without_zeros(Side side, MatrixView<const T> rows);

extern template Index panel_rows<float>(Side);
extern template Index panel_rows<double>(Side);
extern template class Packed<float>;
extern template class Packed<double>;
extern template Packed<float> pack<float>(Side, MatrixView<const float>, const Context*);
extern template Packed<double> pack<double>(Side, MatrixView<const double>, const Context*);
extern template Packed<float> pack_without_zeros<float>(Side, MatrixView<const float>);
extern template Packed<double> pack_without_zeros<double>(Side, MatrixView<const double>);

}  // namespace tangra::linalg
