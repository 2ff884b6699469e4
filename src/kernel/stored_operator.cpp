#include "tangra/kernel/stored_operator.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tangra/base/error.h"
#include "tangra/base/rng.h"
#include "tangra/linalg/gemm.h"

namespace tangra::kernel {
namespace {

using Piece = KernelFile::Piece;

constexpr int pieces_per_thread = 4;

/// Memory for `count` numbers that is kept from piece to piece.
double* reused(Tensor<double>& memory, Index count) {
  if (memory.size() < count) memory = Tensor<double>::uninitialized(Shape{count});
  return memory.data();
}

}  // namespace

StoredOperator::StoredOperator(const KernelFile& file, bool symmetric) : file_(file), symmetric_(symmetric) {
  for (const Piece& piece : file.pieces()) {
    rows_ = std::max(rows_, piece.row + piece.rows);
    columns_ = std::max(columns_, piece.column + piece.columns);
    symmetric_ = symmetric_ || piece.mirrored;
  }
  if (symmetric_ && rows_ != columns_) {
    throw Error(ErrorKind::input, {.what = "a symmetric kernel is square", .where = "the stored kernel",
                                   .got = "shape " + to_string(file.shape()), .expected = {},
                                   .cure = "A train x test kernel has singular values, not eigenvalues"});
  }
}

/// Calls use(piece, its entries, k) on the pool for the k-th piece of a batch, and when a batch is done done(piece, k) on
/// the calling thread, in the pieces' order. `numbers`: what the caller keeps for each row and column of a piece.
void StoredOperator::for_pieces(const Context& context, std::size_t numbers, const Use& use,
                                const std::function<void(const Piece&, std::size_t)>& done) const {
  const std::vector<Piece>& pieces = file_.pieces();
  std::size_t largest = 0;
  std::size_t sides = 0;
  for (const Piece& piece : pieces) {
    largest = std::max(largest, static_cast<std::size_t>(piece.rows) * static_cast<std::size_t>(piece.columns));
    sides = std::max(sides, static_cast<std::size_t>(piece.rows + (piece.mirrored ? piece.columns : 0)));
  }
  const auto threads = static_cast<std::size_t>(context.pool.size());
  // A piece as it lies in the file, and in float64. Where memory is short, fewer are read at a time.
  const std::size_t each = largest * (bytes_of(file_.type()) + sizeof(double));
  const std::size_t kept = sides * numbers * sizeof(double);
  std::size_t batch = std::min(pieces_per_thread * threads, pieces.size());
  std::size_t held = std::min(batch, threads);
  while (batch > 1 && held * each + batch * kept > context.memory.available()) held = std::min(--batch, threads);
  const Reservation memory(context.memory, held * each + batch * kept, "pieces of the kernel's file");
  std::vector<Tensor<double>> buffers(threads);
  for (std::size_t first = 0; first < pieces.size(); first += batch) {
    const std::size_t count = std::min(batch, pieces.size() - first);
    context.pool.parallel_for(static_cast<Index>(count), [&](Index item, int worker) {
      context.check_cancelled();
      const Piece& piece = pieces[first + static_cast<std::size_t>(item)];
      Tensor<double>& buffer = buffers[static_cast<std::size_t>(batch <= threads ? item : worker)];
      double* entries = reused(buffer, static_cast<Index>(largest));
      const MatrixView<double> own = matrix(entries, piece.rows, piece.columns);
      file_.read(piece, own);
      use(piece, own, static_cast<std::size_t>(item));
    });
    for (std::size_t k = 0; k < count; ++k) done(pieces[first + k], k);
  }
}

void StoredOperator::apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const {
  TANGRA_ENSURE(x.rows == columns_ && y.rows == rows_ && x.columns == y.columns && y.column_stride == 1);
  const Index b = x.columns;
  for (Index r = 0; r < y.rows; ++r) std::fill_n(&y(r, 0), b, 0.0);
  const auto batch = static_cast<std::size_t>(pieces_per_thread * context.pool.size());
  std::vector<Tensor<double>> own(batch);   // of each piece of a batch, K x: [rows, b]
  std::vector<Tensor<double>> twin(batch);  // and where it is mirrored, K^T x: [columns, b]
  const auto multiply = [&](MatrixView<const double> k, Index from, Tensor<double>& product) {
    linalg::gemm<double>(context, linalg::Engine::fast, k, x.block(from, 0, k.columns, b), false,
                         matrix(reused(product, k.rows * b), k.rows, b));
  };
  const auto add = [&](const Tensor<double>& product, Index row, Index rows) {
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < b; ++c) y(row + r, c) += product[r * b + c];
    }
  };
  for_pieces(
      context, static_cast<std::size_t>(b),
      [&](const Piece& piece, MatrixView<const double> k, std::size_t item) {
        multiply(k, piece.column, own[item]);
        if (piece.mirrored) multiply(k.transposed(), piece.row, twin[item]);
      },
      [&](const Piece& piece, std::size_t item) {
        add(own[item], piece.row, piece.rows);
        if (piece.mirrored) add(twin[item], piece.column, piece.columns);
      });
}

namespace {

/// What one piece adds to the norms.
struct PieceSums {
  double trace = 0;
  double squares = 0;
  std::vector<double> row_sums;     ///< sum_j |K_ij|
  std::vector<double> column_sums;  ///< sum_i |K_ij|, of a mirrored piece
  std::vector<double> of_rows;      ///< (K x)_i, of a piece that is not mirrored ...
  std::vector<double> of_columns;   ///< ... and (K^T x)_j
};

[[noreturn]] void not_finite(const Piece& piece, MatrixView<const double> k, Index r, const std::string& name) {
  Index c = 0;
  while (std::isfinite(k(r, c))) ++c;
  throw Error(ErrorKind::input,
              {.what = "the kernel has an entry that is not finite",
               .where = name + ", entry (" + std::to_string(piece.row + r) + ", " + std::to_string(piece.column + c) + ")",
               .got = std::to_string(k(r, c)), .expected = {}, .cure = {}});
}

/// sign: x, by the number of its entry.
void sum_up(const Piece& piece, MatrixView<const double> k, const std::vector<double>& sign, const std::string& name, PieceSums& sums) {
  const auto width = static_cast<std::size_t>(k.columns);
  sums.trace = sums.squares = 0;
  for (auto* vector : {&sums.row_sums, &sums.of_rows}) vector->assign(static_cast<std::size_t>(k.rows), 0.0);
  for (auto* vector : {&sums.column_sums, &sums.of_columns}) vector->assign(width, 0.0);
  const double* of_columns = sign.data() + piece.column;
  for (Index r = 0; r < k.rows; ++r) {
    const double* row = &k(r, 0);
    const double of_row = sign[static_cast<std::size_t>(piece.row + r)];
    double squares = 0;
    double absolute = 0;
    double product = 0;
    double check = 0;  // NaN and infinity both survive a sum of products with 0
    for (std::size_t c = 0; c < width; ++c) {
      const double entry = row[c];
      check += entry * 0;
      squares += entry * entry;
      absolute += std::abs(entry);
      product += entry * of_columns[c];
      sums.of_columns[c] += entry * of_row;
      sums.column_sums[c] += std::abs(entry);
    }
    if (check != 0 || std::isnan(check)) not_finite(piece, k, r, name);
    sums.squares += squares;
    sums.row_sums[static_cast<std::size_t>(r)] = absolute;
    sums.of_rows[static_cast<std::size_t>(r)] = product;
    const Index on_diagonal = piece.row + r - piece.column;
    if (on_diagonal >= 0 && on_diagonal < k.columns) sums.trace += row[on_diagonal];
  }
}

void add_to(std::vector<double>& sum, Index at, const std::vector<double>& part, double scale) {
  for (std::size_t k = 0; k < part.size(); ++k) sum[static_cast<std::size_t>(at) + k] += scale * part[k];
}

}  // namespace

StoredNorms StoredOperator::norms(const std::string& name, const Context& context) const {
  const auto side = static_cast<std::size_t>(std::max(rows_, columns_));
  const Reservation memory(context.memory, 3 * side * sizeof(double), "sums of the kernel's rows");
  std::vector<double> sign(side);
  std::vector<double> row_sums(side, 0.0);
  std::vector<double> difference(side, 0.0);  // (K - K^T) x
  const RandomStream stream(0, 0);
  for (std::size_t i = 0; i < side; ++i) sign[i] = stream.uniform(i) < 0.5 ? -1 : 1;
  std::vector<PieceSums> parts(static_cast<std::size_t>(pieces_per_thread * context.pool.size()));
  StoredNorms norms;
  double squares = 0;
  for_pieces(
      context, 4, [&](const Piece& piece, MatrixView<const double> k, std::size_t item) { sum_up(piece, k, sign, name, parts[item]); },
      [&](const Piece& piece, std::size_t item) {
        const PieceSums& part = parts[item];
        norms.trace += part.trace;
        squares += (piece.mirrored ? 2 : 1) * part.squares;
        add_to(row_sums, piece.row, part.row_sums, 1);
        if (piece.mirrored) {
          add_to(row_sums, piece.column, part.column_sums, 1);
        } else {
          add_to(difference, piece.row, part.of_rows, 1);
          add_to(difference, piece.column, part.of_columns, -1);
        }
      });
  norms.frobenius = std::sqrt(squares);
  norms.largest_row_sum = side == 0 ? 0 : *std::ranges::max_element(row_sums);
  double asymmetry = 0;
  for (const double entry : difference) asymmetry += entry * entry;
  norms.asymmetry = rows_ == columns_ ? std::sqrt(asymmetry) : std::numeric_limits<double>::infinity();
  return norms;
}

}  // namespace tangra::kernel
