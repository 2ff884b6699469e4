#include "tangra/run/answers/stored_operator.h"

#include <algorithm>
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/base/rng.h"
#include "tangra/linalg/gemm.h"

namespace tangra::run {

/// Calls use(piece, entries) for every piece in the order of the file; some are read at a time, on all threads.
template <class Use>
void StoredOperator::visit(const Context& context, const Use& use) const {
  const auto& pieces = file_.pieces();
  const auto count = static_cast<Index>(pieces.size());
  const Index at_once = context.pool.size();
  std::vector<Tensor<double>> read(static_cast<std::size_t>(at_once));
  for (Index first = 0; first < count; first += at_once) {
    context.check_cancelled();
    const Index last = std::min(count, first + at_once);
    std::size_t bytes = 0;
    for (Index k = first; k < last; ++k) {
      const auto& piece = pieces[static_cast<std::size_t>(k)];
      bytes += static_cast<std::size_t>(piece.rows * piece.columns) * sizeof(double);
    }
    const Reservation memory(context.memory, bytes, "pieces of the kernel's file");
    context.pool.parallel_for(last - first, [&](Index item, int) {
      const auto& piece = pieces[static_cast<std::size_t>(first + item)];
      Tensor<double>& entries = read[static_cast<std::size_t>(item)];
      if (entries.shape() != Shape{piece.rows, piece.columns}) entries = Tensor<double>::uninitialized({piece.rows, piece.columns});
      file_.read(piece, matrix(entries.data(), piece.rows, piece.columns));
    });
    for (Index k = first; k < last; ++k) {
      const auto& piece = pieces[static_cast<std::size_t>(k)];
      use(piece, matrix<const double>(read[static_cast<std::size_t>(k - first)].data(), piece.rows, piece.columns));
    }
  }
}

void StoredOperator::apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const {
  TANGRA_ENSURE(x.rows == n_ && y.rows == n_ && x.columns == y.columns);
  for (Index i = 0; i < n_; ++i) {
    for (Index b = 0; b < y.columns; ++b) y(i, b) = 0;
  }
  visit(context, [&](const kernel::KernelFile::Piece& piece, MatrixView<const double> entries) {
    const Index b = x.columns;
    linalg::gemm<double>(context, linalg::Engine::fast, entries, x.block(piece.column, 0, piece.columns, b), true,
                         y.block(piece.row, 0, piece.rows, b));
    if (!piece.mirrored) return;
    linalg::gemm<double>(context, linalg::Engine::fast, entries.transposed(), x.block(piece.row, 0, piece.rows, b), true,
                         y.block(piece.column, 0, piece.columns, b));
  });
}

analysis::MatrixNorms StoredOperator::checked_norms(const std::string& name, const Context& context) const {
  const auto n = static_cast<std::size_t>(n_);
  std::vector<double> row_sums(n, 0.0), x(n), difference(n, 0.0);
  const RandomStream stream(0, 0);
  for (std::size_t i = 0; i < n; ++i) x[i] = stream.uniform(i) < 0.5 ? -1 : 1;
  analysis::MatrixNorms norms;
  double squares = 0;
  visit(context, [&](const kernel::KernelFile::Piece& piece, MatrixView<const double> entries) {
    for (Index r = 0; r < piece.rows; ++r) {
      const auto i = static_cast<std::size_t>(piece.row + r);
      for (Index c = 0; c < piece.columns; ++c) {
        const double entry = entries(r, c);
        const auto j = static_cast<std::size_t>(piece.column + c);
        if (!std::isfinite(entry)) {
          throw Error(ErrorKind::input, {.what = "the kernel has an entry that is not finite",
                                         .where = name + ", entry (" + std::to_string(i) + ", " + std::to_string(j) + ")",
                                         .got = std::to_string(entry), .expected = {}, .cure = {}});
        }
        squares += (piece.mirrored ? 2 : 1) * entry * entry;
        row_sums[i] += std::abs(entry);
        if (i == j) norms.trace += entry;
        if (piece.mirrored) {
          row_sums[j] += std::abs(entry);
        } else {
          difference[i] += entry * x[j];
          difference[j] -= entry * x[i];
        }
      }
    }
  });
  norms.frobenius = std::sqrt(squares);
  norms.largest_row_sum = n == 0 ? 0 : *std::ranges::max_element(row_sums);
  double asymmetry = 0;
  for (const double entry : difference) asymmetry += entry * entry;
  if (std::sqrt(asymmetry) > 1e-6 * norms.frobenius) {
    throw Error(ErrorKind::input, {.what = "the kernel is not symmetric", .where = name,
                                   .got = "|K - K^T| about " + std::to_string(std::sqrt(asymmetry)),
                                   .expected = "rounding, beside |K| of " + std::to_string(norms.frobenius),
                                   .cure = "A train x test kernel has singular values, not eigenvalues"});
  }
  return norms;
}

}  // namespace tangra::run
