#pragma once
#include <cstddef>

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
  Packed() = default;

  Side side() const { return side_; }
  Index rows() const { return rows_; }
  /// The length of a row: the inner size of the product.
  Index k() const { return k_; }
  std::size_t bytes() const { return memory_.bytes(); }
  /// What pack() will allocate; for the memory plan.
  static std::size_t bytes_needed(Side side, Index rows, Index k);

  /// Rows of a panel, and panel `p`: [k, panel_rows].
  Index panel_rows() const { return panel_rows_; }
  Index panels() const { return panel_rows_ == 0 ? 0 : (rows_ + panel_rows_ - 1) / panel_rows_; }
  const T* panel(Index p) const { return memory_.data() + p * k_ * panel_rows_; }
  /// Entry k of a row; slow, for tests and checks.
  T at(Index row, Index k) const { return panel(row / panel_rows_)[k * panel_rows_ + row % panel_rows_]; }

  /// As pack(), into the memory of this object where it suffices: for blocks that are packed again and again.
  void assign(Side side, MatrixView<const T> rows, const Context* context = nullptr);

 private:
  Side side_ = Side::left;
  Index rows_ = 0;
  Index k_ = 0;
  Index panel_rows_ = 0;
  Tensor<T> memory_;
};

/// Packs rows: [m, k] with any strides. Without a context on the calling thread alone.
template <class T>
Packed<T> pack(Side side, MatrixView<const T> rows, const Context* context = nullptr);

extern template Index panel_rows<float>(Side);
extern template Index panel_rows<double>(Side);
extern template class Packed<float>;
extern template class Packed<double>;
extern template Packed<float> pack<float>(Side, MatrixView<const float>, const Context*);
extern template Packed<double> pack<double>(Side, MatrixView<const double>, const Context*);

}  // namespace tangra::linalg
