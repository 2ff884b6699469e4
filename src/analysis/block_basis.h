#pragma once
// Not for other rooms: orthonormal columns that grow by blocks.
#include "tangra/base/context.h"
#include "tangra/base/rng.h"
#include "tangra/base/tensor.h"

namespace tangra::analysis {

/// How a block W split into what lies in the span of a basis Q and what does not: W = Q h + V r.
struct Split {
  Tensor<double> h;  ///< [columns of Q, columns of W]
  Tensor<double> r;  ///< [columns of V, columns of W]
  Index width = 0;   ///< columns of V
};

/// Standard normal numbers, as many as are asked for; each call goes on where the last one ended.
class NormalNumbers {
 public:
  explicit NormalNumbers(std::uint64_t seed) : stream_(seed, 0) {}
  double next() { return stream_.normal(next_++); }

 private:
  RandomStream stream_;
  std::uint64_t next_ = 0;
};

/// Orthonormal vectors as the columns of one row-major matrix, so that a linear operator can be applied to
/// any block of them. Columns that were set aside by lock() stay orthogonal to all that come later.
class BlockBasis {
 public:
  /// Room for `capacity` columns of length n beside the locked ones.
  BlockBasis(Index n, Index capacity, std::uint64_t seed, const Context& context);

  Index length() const { return n_; }
  Index size() const { return size_; }
  Index locked() const { return locked_count_; }
  /// Columns [first, first + count): [n, count].
  MatrixView<const double> columns(Index first, Index count) const;
  MatrixView<const double> locked_columns() const;

  /// Appends to the columns an orthonormal basis of the part of w: [n, b], destroyed, that is orthogonal to
  /// them and to the locked ones: at most b columns, fewer only where the space has no more. Directions of w
  /// shorter than `negligible` are replaced by random ones, with zeros in r. Orthogonalises twice, with
  /// normalisation between (the algorithm BCGSI+ of Barlow and Smoktunowicz, "Reorthogonalized block
  /// classical Gram-Schmidt", Numerische Mathematik 123, 2013). h has a row for each column before the call;
  /// locked ones have none.
  Split append(MatrixView<double> w, double negligible);
  /// The same for a block of random directions.
  Split append_random(Index width);

  /// Columns [0, active) become their combinations by y: [active, kept]; the `tail` columns behind them move
  /// up; all others are forgotten.
  void combine(MatrixView<const double> y, Index active, Index tail);
  /// Adds the combinations by y: [active, count] to the locked columns and forgets all columns that are not.
  void lock(MatrixView<const double> y, Index active);
  void clear() { size_ = 0; }

 private:
  void project_out(MatrixView<double> w, MatrixView<double> h);
  double pass(MatrixView<double> w, Index width, double negligible, Split& split);

  Index n_;
  Index capacity_;
  const Context& context_;
  NormalNumbers random_;
  Tensor<double> columns_;  ///< [n, capacity]
  Index size_ = 0;
  Tensor<double> locked_;  ///< [n, locked_count_]
  Index locked_count_ = 0;
  Reservation memory_;
  Reservation locked_memory_;
};

}  // namespace tangra::analysis
