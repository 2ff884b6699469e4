#pragma once
#include "tangra/base/tensor.h"

namespace tangra::linalg {

/// out[i, j] = (from_zero ? 0 : out[i, j]) + sum over k of left[k, i] * right[k, j], a chain of fused
/// multiply-adds in ascending k for every entry; i below `rows`, j below the width of a right panel.
template <class T>
struct ChainStep {
  Index k = 0;
  Index rows = 0;            ///< 1 to the height of a left panel
  const T* left = nullptr;   ///< [k, left_rows]
  const T* right = nullptr;  ///< row k begins at right + k * right_stride
  Index right_stride = 0;
  const Index* right_offsets = nullptr;  ///< where not null, row k begins at right + right_offsets[k]
  T* out = nullptr;
  Index out_stride = 0;
  bool from_zero = true;
  /// Where not null, entry k % 16 * ahead_near + k / 16 * ahead_far from here is fetched into the cache at step k; then what
  /// lies beyond the first `columns` columns is of no interest. (Without right_offsets.)
  const T* ahead = nullptr;
  Index ahead_near = 0, ahead_far = 0;
  Index columns = 0;
};

/// The end of one product of a tile. With chain[i, j] = start[i, j] (0 where null) continued over k as in
/// ChainStep: tile[i, j] = fma(scale, chain * (gram + constant), accumulate ? tile[i, j] : 0); without gram
/// just scale * chain.
template <class T>
struct FinishStep {
  Index k = 0;
  Index rows = 0;
  const T* left = nullptr;   ///< [k, left_rows]
  const T* right = nullptr;  ///< [k, right_rows]
  const T* start = nullptr;  ///< [rows, right_rows]
  const T* gram = nullptr;   ///< row i begins at gram + gram_rows[i]
  const Index* gram_rows = nullptr;
  T constant = 0;
  T scale = 1;
  T* tile = nullptr;
  Index tile_stride = 0;
  bool accumulate = false;
};

/// What one SIMD target brings to the products of one scalar.
template <class T>
struct MicroKernels {
  Index left_rows;   ///< height of a left panel: rows of a micro-tile
  Index right_rows;  ///< height of a right panel: columns of a micro-tile
  void (*chain)(const ChainStep<T>&);
  void (*finish)(const FinishStep<T>&);
  /// Packs up to left_rows rows: [m, k] of any strides into a panel [k, left_rows]; missing rows are zeros.
  void (*pack_left)(MatrixView<const T> rows, T* panel);
  void (*pack_right)(MatrixView<const T> rows, T* panel);
  /// to[l] = from[(offset + l) / repeat] for l < right_rows; `to` has room for 2 * right_rows.
  void (*expand)(const T* from, Index offset, Index repeat, T* to);
};

/// Those of the best target that runs here; see simd.h.
template <class T>
const MicroKernels<T>& micro_kernels();
template <>
const MicroKernels<float>& micro_kernels<float>();
template <>
const MicroKernels<double>& micro_kernels<double>();

}  // namespace tangra::linalg
