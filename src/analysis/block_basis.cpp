#include "block_basis.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"

namespace tangra::analysis {
namespace {

using linalg::Engine;

std::size_t bytes_of(Index rows, Index columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns) * sizeof(double);
}

double dot(const double* a, const double* b, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void negate(Tensor<double>& entries) {
  for (double& entry : entries) entry = -entry;
}

/// Orthonormalises the rows of w by modified Gram-Schmidt, the longest remaining row first, with
/// r: w_before^T = w_after^T r, and leaves `width` of them. Rows that are left shorter than `negligible` add
/// nothing; rows that are then missing become random, with zeros in r. Returns the smallest length that was
/// left of a row, 0 where one became random.
double orthonormalise_rows(MatrixView<double> w, Index width, double negligible, MatrixView<double> r,
                           NormalNumbers& random) {
  const Index n = w.columns;
  const auto length_of = [&](Index row) { return std::sqrt(dot(&w(row, 0), &w(row, 0), n)); };
  const auto normalise = [&](Index row, double length) {
    for (Index i = 0; i < n; ++i) w(row, i) /= length;
  };
  const auto take_out = [&](Index unit, Index row) {
    const double share = dot(&w(unit, 0), &w(row, 0), n);
    for (Index i = 0; i < n; ++i) w(row, i) -= share * w(unit, i);
    return share;
  };
  std::vector<Index> column(static_cast<std::size_t>(w.rows));  // of r, for each row
  std::iota(column.begin(), column.end(), 0);
  double shortest = 1;
  Index done = 0;
  for (; done < width; ++done) {
    Index longest = done;
    double length = 0;
    for (Index row = done; row < w.rows; ++row) {
      const double other = length_of(row);
      if (other > length) longest = row, length = other;
    }
    if (length <= negligible) break;
    const auto chosen = static_cast<std::size_t>(longest), place = static_cast<std::size_t>(done);
    if (longest != done) std::swap_ranges(&w(done, 0), &w(done, 0) + n, &w(longest, 0));
    std::swap(column[chosen], column[place]);
    normalise(done, length);
    r(done, column[place]) = length;
    shortest = std::min(shortest, length);
    for (Index row = done + 1; row < w.rows; ++row)
      r(done, column[static_cast<std::size_t>(row)]) = take_out(done, row);
  }
  for (; done < width; ++done) {
    for (Index i = 0; i < n; ++i) w(done, i) = random.next();
    for (Index k = 0; k < done; ++k) take_out(k, done);
    normalise(done, length_of(done));
    shortest = 0;
  }
  return shortest;
}

}  // namespace

BlockBasis::BlockBasis(Index n, Index capacity, std::uint64_t seed, const Context& context)
    : n_(n),
      capacity_(capacity),
      context_(context),
      random_(seed),
      memory_(context.memory, bytes_of(n, capacity), "the basis of a Krylov space"),
      locked_memory_() {
  columns_ = Tensor<double>::uninitialized(Shape{n, capacity});
}

MatrixView<const double> BlockBasis::columns(Index first, Index count) const {
  return matrix(columns_.data(), n_, capacity_).block(0, first, n_, count);
}

MatrixView<const double> BlockBasis::locked_columns() const {
  return matrix(locked_.data(), n_, locked_count_);
}

/// h += Q^T w, then w -= Q h's increment, for the columns and, unrecorded, the locked ones.
void BlockBasis::project_out(MatrixView<double> w, MatrixView<double> h) {
  const auto project = [&](MatrixView<const double> q, bool recorded) {
    if (q.columns == 0) return;
    Tensor<double> share(Shape{q.columns, w.columns});
    linalg::gemm<double>(context_, Engine::fast, q.transposed(), w, false,
                         matrix(share.data(), q.columns, w.columns));
    for (Index i = 0; recorded && i < share.size(); ++i) h(i / w.columns, i % w.columns) += share[i];
    negate(share);
    linalg::gemm<double>(context_, Engine::fast, q, matrix<const double>(share.data(), q.columns, w.columns),
                         true, w);
  };
  project(locked_columns(), false);
  project(columns(0, size_), true);
}

/// One pass of append(): what w: [n, b] has in the columns goes, the rest becomes orthonormal. W = Q h + V r.
double BlockBasis::pass(MatrixView<double> w, Index width, double negligible, Split& split) {
  const Index b = w.columns;
  split = {.h = Tensor<double>(Shape{size_, b}), .r = Tensor<double>(Shape{width, b}), .width = width};
  project_out(w, matrix(split.h.data(), size_, b));
  // The columns of w as rows, so that each is one stretch of memory.
  Tensor<double> turned = Tensor<double>::uninitialized(Shape{b, n_});
  for (Index i = 0; i < n_; ++i)
    for (Index j = 0; j < b; ++j) turned[j * n_ + i] = w(i, j);
  const double shortest = orthonormalise_rows(matrix(turned.data(), b, n_), width, negligible,
                                              matrix(split.r.data(), width, b), random_);
  for (Index i = 0; i < n_; ++i)
    for (Index j = 0; j < width; ++j) w(i, j) = turned[j * n_ + i];
  return shortest;
}

Split BlockBasis::append(MatrixView<double> w, double negligible) {
  TANGRA_ENSURE(w.rows == n_ && w.column_stride == 1);
  const Index b = w.columns;
  const Index width = std::min({b, n_ - locked_count_ - size_, capacity_ - size_});
  Split split;
  pass(w, width, negligible, split);
  // Twice is enough, unless much of a unit vector cancelled.
  constexpr int most_passes = 5;
  double shortest = 0;
  for (int count = 1; count < most_passes && shortest < 0.5; ++count) {
    Split next;
    shortest = pass(w.block(0, 0, n_, width), width, 0x1p-40, next);
    const auto after = [&](const Tensor<double>& left, bool accumulate, Tensor<double>& into) {
      const Index rows = left.shape()[0];
      linalg::gemm<double>(context_, Engine::fast, matrix<const double>(left.data(), rows, width),
                           matrix<const double>(split.r.data(), width, b), accumulate,
                           matrix(into.data(), rows, b));
    };
    after(next.h, true, split.h);
    Tensor<double> r(Shape{width, b});
    after(next.r, false, r);
    split.r = std::move(r);
  }
  const MatrixView<double> place = matrix(columns_.data(), n_, capacity_).block(0, size_, n_, width);
  for (Index i = 0; i < n_; ++i)
    for (Index j = 0; j < width; ++j) place(i, j) = w(i, j);
  size_ += width;
  return split;
}

Split BlockBasis::append_random(Index width) {
  Tensor<double> w = Tensor<double>::uninitialized(Shape{n_, width});
  for (double& entry : w) entry = random_.next();
  return append(matrix(w.data(), n_, width), 0x1p-26 * std::sqrt(static_cast<double>(n_)));
}

void BlockBasis::combine(MatrixView<const double> y, Index active, Index tail) {
  TANGRA_ENSURE(y.rows == active && active + tail <= size_ && y.columns <= active);
  Tensor<double> kept = Tensor<double>::uninitialized(Shape{n_, y.columns});
  linalg::gemm<double>(context_, Engine::fast, columns(0, active), y, false,
                       matrix(kept.data(), n_, y.columns));
  for (Index i = 0; i < n_; ++i) {
    double* row = columns_.data() + i * capacity_;
    std::copy_n(kept.data() + i * y.columns, y.columns, row);
    std::copy_n(row + active, tail, row + y.columns);
  }
  size_ = y.columns + tail;
}

void BlockBasis::lock(MatrixView<const double> y, Index active) {
  TANGRA_ENSURE(y.rows == active && active <= size_);
  const Index before = locked_count_, after = before + y.columns;
  Reservation memory(context_.memory, bytes_of(n_, after), "eigenvectors");
  Tensor<double> grown = Tensor<double>::uninitialized(Shape{n_, after});
  for (Index i = 0; i < n_; ++i) std::copy_n(locked_.data() + i * before, before, grown.data() + i * after);
  linalg::gemm<double>(context_, Engine::fast, columns(0, active), y, false,
                       matrix(grown.data(), n_, after).block(0, before, n_, y.columns));
  locked_ = std::move(grown);
  locked_memory_ = std::move(memory);
  locked_count_ = after;
  size_ = 0;
}

}  // namespace tangra::analysis
