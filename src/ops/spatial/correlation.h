#pragma once
#include "tangra/ops/spatial/patches.h"
#include "tangra/ops/spatial/rows.h"

namespace tangra::ops {

/// The three products of a convolution between images [groups * I, image], maps [groups * M, positions] and
/// weights [groups * M, I, kernel]; by groups they are the matrices patches P [K, D], map Y [M, D] and weight
/// W [M, K], K = I * taps. A convolution reads images and writes maps; a transposed one reads maps and writes
/// images.
///
/// Patches are made a few MiB at a time, each thread its own. Their size follows from the shapes of one
/// sample, so neither the number of threads nor that of samples changes a bit.
template <class T>
class Correlation {
 public:
  /// `image_channels` and `map_channels` are those of all groups.
  Correlation(const Context& context, linalg::Engine engine, const Window& window, Index image_channels,
              Index map_channels, Index groups);

  /// Y (+)= W P for every row.
  void correlate(Index rows, Rows<const T> images, Rows<const T> weights, bool accumulate,
                 Rows<T> maps) const;
  /// The adjoint by the image: adds W^T Y, each entry where its patch was read.
  void spread(Index rows, Rows<const T> maps, Rows<const T> weights, Rows<T> images) const;
  /// The adjoint by the weight: W += Y P^T. A row of maps and weights holds `stack` arrays, one behind the
  /// other, that meet the same image.
  void add_weights(Index rows, Index stack, Rows<const T> images, Rows<const T> maps, Rows<T> weights) const;

  /// P of every row, group after group: [rows, groups * K, D].
  Tensor<T> patches_by_channel(Index rows, Rows<const T> images, Shape shape) const;
  /// P^T of every row, for one group: [rows, D, K].
  Tensor<T> patches(Index rows, Rows<const T> images, Shape shape) const;
  /// Y^T of every row, for one group: [rows, D, M].
  Tensor<T> transposed_maps(Index rows, Rows<const T> maps, Shape shape) const;

 private:
  /// Memory that a thread keeps from product to product.
  struct Scratch {
    Tensor<T> patches;
    Tensor<T> maps;
  };
  static Scratch& scratch();
  /// Rows [row, row + count) at the positions [first, last); all positions where count > 1.
  struct Piece {
    Index row, count;
    Index first, last;
    Index columns() const { return count * (last - first); }
  };

  /// Calls body(task, scratch) for every task; `rows` in all say how much work they are.
  template <class Body>
  void each_task(Index count, Index rows, const Body& body) const;
  /// Y (+)= W P by shifts in place of patches, where the window has stride 1 and all rows share the weights. Without
  /// `forwards` the adjoint by the image.
  bool shifts(Rows<const T> weights, const Window& window) const;
  void shift(const Window& window, Index rows, Rows<const T> from, const T* weights, bool forwards, bool accumulate,
             Rows<T> to) const;
  /// How many rows with how many positions are multiplied at once.
  Piece piece_size(bool shared_weights) const;
  MatrixView<const T> gathered(const Piece& piece, Rows<const T> images, Index group, Scratch& scratch) const;
  MatrixView<const T> map_view(const Piece& piece, Rows<const T> maps, Index group, Scratch& scratch) const;
  void correlate(const Piece& piece, Rows<const T> images, Rows<const T> weights, bool accumulate,
                 Rows<T> maps, Scratch& scratch) const;
  /// `direct`: the products are added to the image as it lies, in one chain with what is there. Not chosen by
  /// the number of rows in the piece: a row alone must have the bits that it has among others.
  void spread(const Piece& piece, bool direct, Rows<const T> maps, Rows<const T> weights, Rows<T> images,
              Scratch& scratch) const;

  const Context& context_;
  linalg::Engine engine_;
  PatchMap patches_;
  Index groups_;
  Index image_channels_;  ///< I
  Index map_channels_;    ///< M
  Index image_size_;
  Index positions_;  ///< D
  Index fan_in_;     ///< K
};

extern template class Correlation<float>;
extern template class Correlation<double>;

}  // namespace tangra::ops
