#include "tangra/linalg/tile.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/linalg/blocking.h"
#include "tangra/linalg/simd/micro_kernel.h"

namespace tangra::linalg {
namespace {

/// What the Gram matrices of repeated factors may take for one chunk of columns, in entries.
constexpr Index gram_budget = 1 << 20;

template <class T>
bool is_repeated(const TileProduct<T>& p) {
  return p.x != nullptr && (p.x_repeat > 1 || p.y_repeat > 1);
}

template <class T>
void check(const Packed<T>& left, Index rows, const Packed<T>& right, Index columns) {
  TANGRA_ENSURE(left.side() == Side::left && right.side() == Side::right && left.k() == right.k());
  TANGRA_ENSURE(left.rows() == rows && right.rows() == columns && !right.lacks_zeros());
  TANGRA_ENSURE(left.panel_rows() == panel_rows<T>(Side::left) &&
                right.panel_rows() == panel_rows<T>(Side::right));
}

/// Calls step(first, length) for the about equal blocks of an inner product of length k; once where k is 0.
template <class Step>
void over_chain(Index k, const Step& step) {
  const Index blocks = std::max<Index>(1, divide_up(k, tile_chain_block)), most = divide_up(k, blocks);
  for (Index block = 0; block < blocks; ++block) {
    const Index first = block * most;
    step(first, std::min(most, k - first));
  }
}

/// A tile on its way: chunks of columns (one, unless there are large repeated Gram matrices), blocks of rows
/// whose left panels stay in the second-level cache, right panels, products, blocks of the inner products,
/// left panels.
template <class T>
class TileJob {
 public:
  TileJob(std::span<const TileProduct<T>> products, bool accumulate, TilePart part, MatrixView<T> tile)
      : kernels_(micro_kernels<T>()),
        products_(products),
        accumulate_(accumulate),
        part_(part),
        tile_(tile) {}

  void run(TileWorkspace<T>& workspace) {
    plan(workspace);
    for (chunk_begin_ = 0; chunk_begin_ < tile_.columns; chunk_begin_ = chunk_end_) {
      chunk_end_ = std::min(tile_.columns, chunk_begin_ + chunk_columns_);
      T* gram = grams_;
      for (const TileProduct<T>& p : products_) {
        if (is_repeated(p)) gram = compute_gram(p, gram);
      }
      for (Index row = 0; row < tile_.rows; row += block_rows_) {
        block_begin_ = row;
        block_end_ = std::min(tile_.rows, row + block_rows_);
        list_gram_rows();
        for (Index column = chunk_begin_; column < chunk_end_; column += kernels_.right_rows) panel(column);
      }
    }
  }

 private:
  /// Columns [first, first + width) of a repeated product's Gram matrix X Y^T: what a chunk of columns needs.
  struct GramPart {
    Index first;
    Index width;
  };
  GramPart gram_part(const TileProduct<T>& p, Index begin, Index end) const {
    const Index height = kernels_.right_rows;
    const Index first = begin / p.y_repeat / height;
    const Index last = (round_up(end, height) - 1) / p.y_repeat / height;
    return {first * height, (last - first + 1) * height};
  }
  Index gram_entries(const TileProduct<T>& p, Index begin, Index end) const {
    return p.x->panels() * kernels_.left_rows * gram_part(p, begin, end).width;
  }
  Index gram_entries(Index columns) const {  // an upper bound for any chunk of so many columns
    Index sum = 0;
    for (const TileProduct<T>& p : products_) {
      if (!is_repeated(p)) continue;
      const Index nr = kernels_.right_rows;
      const Index width = divide_up(columns + nr, p.y_repeat) + 2 * nr;
      sum += p.x->panels() * kernels_.left_rows * std::min(width, p.y->panels() * nr);
    }
    return sum;
  }

  void plan(TileWorkspace<T>& workspace) {
    Index row_bytes = 0, step = kernels_.right_rows;
    for (const TileProduct<T>& p : products_) {
      row_bytes += p.u->k() * static_cast<Index>(sizeof(T));
      if (p.x != nullptr && !is_repeated(p)) row_bytes += static_cast<Index>(p.x->bytes()) / std::max<Index>(1, p.x->rows());
      if (is_repeated(p)) step = std::max(step, kernels_.right_rows * p.y_repeat);
    }
    block_rows_ = row_block(tile_.rows, kernels_.left_rows, row_bytes);
    chunk_columns_ = round_up(tile_.columns, step);
    while (gram_entries(chunk_columns_) > gram_budget && chunk_columns_ > step) {
      chunk_columns_ = round_up(chunk_columns_ / 2, step);
    }
    // An expanded row of a Gram matrix takes twice the width of a panel (see MicroKernels::expand).
    const Index panel_entries = block_rows_ * kernels_.right_rows;
    T* memory = workspace.entries(4 * panel_entries + kernels_.left_rows * kernels_.right_rows +
                                  gram_entries(std::min(chunk_columns_, tile_.columns)));
    right_chains_ = memory;
    left_chains_ = right_chains_ + 2 * panel_entries;
    edge_ = left_chains_ + 2 * panel_entries;
    grams_ = edge_ + kernels_.left_rows * kernels_.right_rows;
    gram_rows_ = workspace.positions(static_cast<Index>(products_.size()) * block_rows_);
  }

  bool is_needed(Index last_row, Index first_column) const {
    return part_ == TilePart::full || last_row >= first_column;
  }

  /// X Y^T of a repeated product for this chunk, at `gram`; returns where the next one goes.
  T* compute_gram(const TileProduct<T>& p, T* gram) {
    const GramPart part = gram_part(p, chunk_begin_, chunk_end_);
    const Index mr = kernels_.left_rows, nr = kernels_.right_rows, x_rows = p.x->panels() * mr;
    const Index block = row_block(x_rows, mr, p.x->k() * static_cast<Index>(sizeof(T)));
    for (Index begin = 0; begin < x_rows; begin += block) {
      for (Index column = part.first; column < part.first + part.width; column += nr) {
        over_chain(p.x->k(), [&](Index k, Index length) {
          for (Index row = begin; row < std::min(x_rows, begin + block); row += mr) {
            if (!is_needed((row + mr) * p.x_repeat - 1, column * p.y_repeat)) continue;
            const auto left = p.x->run(row / mr, k, length);
            kernels_.chain({.k = left.count,
                            .rows = mr,
                            .left = left.values,
                            .right = p.y->panel(column / nr) + (left.right_offsets == nullptr ? k * nr : 0),
                            .right_stride = nr,
                            .right_offsets = left.right_offsets,
                            .out = gram + row * part.width + column - part.first,
                            .out_stride = part.width,
                            .from_zero = k == 0});
          }
        });
      }
    }
    return gram + gram_entries(p, chunk_begin_, chunk_end_);
  }

  /// Where the Gram row of each row of this block begins, for every product.
  void list_gram_rows() {
    Index* list = gram_rows_;
    for (const TileProduct<T>& p : products_) {
      const bool repeated = is_repeated(p);
      const Index stride = !repeated         ? kernels_.right_rows
                           : p.y_repeat == 1 ? gram_part(p, chunk_begin_, chunk_end_).width
                                             : 2 * kernels_.right_rows;
      const Index origin = repeated && p.y_repeat > 1 ? block_begin_ / p.x_repeat : 0;
      for (Index row = block_begin_; row < block_end_; ++row) {
        list[row - block_begin_] = (repeated ? row / p.x_repeat - origin : row - block_begin_) * stride;
      }
      list += block_rows_;
    }
  }

  /// All products of one right panel with the left panels of this block.
  void panel(Index column) {
    const Index mr = kernels_.left_rows;
    Index begin = block_begin_;
    // Panels wholly above the diagonal are skipped; blocks begin at multiples of mr.
    if (part_ == TilePart::lower) begin = std::max(begin, column / mr * mr);
    if (begin >= block_end_) return;
    const T* gram = grams_;
    for (std::size_t i = 0; i < products_.size(); ++i) {
      const TileProduct<T>& p = products_[i];
      const T* right = nullptr;
      if (is_repeated(p)) {
        right = broadcast_gram(p, gram, begin, column);
        gram += gram_entries(p, chunk_begin_, chunk_end_);
      } else if (p.x != nullptr) {
        over_chain(p.x->k(), [&](Index k, Index length) {
          chain(*p.x, *p.y, k, length, begin, column, right_chains_);
        });
        right = right_chains_;
      }
      const Index* rows = gram_rows_ + static_cast<Index>(i) * block_rows_;
      over_chain(p.u->k(), [&](Index k, Index length) {
        if (k + length < p.u->k()) {
          chain(*p.u, *p.v, k, length, begin, column, left_chains_);
        } else {
          finish(p, k, length, begin, column, right, rows, accumulate_ || i > 0);
        }
      });
    }
  }

  /// The Gram matrix as the rows of this block see it in this panel: the base for list_gram_rows.
  const T* broadcast_gram(const TileProduct<T>& p, const T* gram, Index begin, Index column) {
    const GramPart part = gram_part(p, chunk_begin_, chunk_end_);
    const Index y = column / p.y_repeat;
    if (p.y_repeat == 1) return gram + y - part.first;
    const Index origin = block_begin_ / p.x_repeat;
    for (Index x = begin / p.x_repeat; x <= (block_end_ - 1) / p.x_repeat; ++x) {
      kernels_.expand(gram + x * part.width + y - part.first, column % p.y_repeat, p.y_repeat,
                      right_chains_ + (x - origin) * 2 * kernels_.right_rows);
    }
    return right_chains_;
  }

  void chain(const Packed<T>& left, const Packed<T>& right, Index k, Index length, Index begin, Index column,
             T* out) {
    const Index mr = kernels_.left_rows, nr = kernels_.right_rows;
    for (Index row = begin; row < block_end_; row += mr) {
      const auto own = left.run(row / mr, k, length);
      kernels_.chain({.k = own.count,
                      .rows = std::min(mr, block_end_ - row),
                      .left = own.values,
                      .right = right.panel(column / nr) + (own.right_offsets == nullptr ? k * nr : 0),
                      .right_stride = nr,
                      .right_offsets = own.right_offsets,
                      .out = out + (row - block_begin_) * nr,
                      .out_stride = nr,
                      .from_zero = k == 0});
    }
  }

  void finish(const TileProduct<T>& p, Index k, Index length, Index begin, Index column, const T* gram,
              const Index* gram_rows, bool accumulate) {
    const Index mr = kernels_.left_rows, nr = kernels_.right_rows;
    for (Index row = begin; row < block_end_; row += mr) {
      const FinishStep<T> step = {.k = length,
                                  .rows = std::min(mr, block_end_ - row),
                                  .left = p.u->panel(row / mr) + k * mr,
                                  .right = p.v->panel(column / nr) + k * nr,
                                  .start = k == 0 ? nullptr : left_chains_ + (row - block_begin_) * nr,
                                  .gram = gram,
                                  .gram_rows = gram_rows + (row - block_begin_),
                                  .constant = p.constant,
                                  .scale = p.scale,
                                  .tile = &tile_(row, column),
                                  .tile_stride = tile_.row_stride,
                                  .accumulate = accumulate};
      if (column + nr <= tile_.columns) {
        kernels_.finish(step);
      } else {
        finish_edge(step, tile_.columns - column);
      }
    }
  }

  /// A micro-tile that the tile's right edge cuts off: in memory of its own.
  void finish_edge(FinishStep<T> step, Index columns) {
    const MatrixView<T> entries{step.tile, step.rows, columns, step.tile_stride, 1};
    step.tile = edge_;
    step.tile_stride = kernels_.right_rows;
    const auto copy_row = [columns](const T* from, T* to) { std::copy_n(from, columns, to); };
    for (Index i = 0; step.accumulate && i < step.rows; ++i) {
      copy_row(&entries(i, 0), edge_ + i * step.tile_stride);
    }
    kernels_.finish(step);
    for (Index i = 0; i < step.rows; ++i) copy_row(edge_ + i * step.tile_stride, &entries(i, 0));
  }

  const MicroKernels<T>& kernels_;
  std::span<const TileProduct<T>> products_;
  bool accumulate_;
  TilePart part_;
  MatrixView<T> tile_;
  Index block_rows_ = 0, block_begin_ = 0, block_end_ = 0;
  Index chunk_columns_ = 0, chunk_begin_ = 0, chunk_end_ = 0;
  T* right_chains_ = nullptr;   // [block_rows_, right_rows], or expanded Gram rows, twice as wide
  T* left_chains_ = nullptr;    // [block_rows_, right_rows]
  T* edge_ = nullptr;           // [left_rows, right_rows]
  T* grams_ = nullptr;          // of the repeated products, one after another
  Index* gram_rows_ = nullptr;  // [products, block_rows_]
};

}  // namespace

template <class T>
void compute_tile(std::span<const TileProduct<T>> products, bool accumulate, TilePart part,
                  MatrixView<T> tile, TileWorkspace<T>& workspace) {
  TANGRA_ENSURE(tile.column_stride == 1);
  for (const TileProduct<T>& p : products) {
    TANGRA_ENSURE(p.u != nullptr && p.v != nullptr && (p.x == nullptr) == (p.y == nullptr));
    TANGRA_ENSURE(p.x_repeat >= 1 && p.y_repeat >= 1);
    check(*p.u, tile.rows, *p.v, tile.columns);
    TANGRA_ENSURE(!p.u->lacks_zeros());
    if (p.x == nullptr) continue;
    check(*p.x, divide_up(tile.rows, p.x_repeat), *p.y, divide_up(tile.columns, p.y_repeat));
  }
  if (tile.rows == 0 || tile.columns == 0) return;
  if (!products.empty()) return TileJob<T>(products, accumulate, part, tile).run(workspace);
  for (Index row = 0; !accumulate && row < tile.rows; ++row) std::fill_n(&tile(row, 0), tile.columns, T{0});
}

template void compute_tile<float>(std::span<const TileProduct<float>>, bool, TilePart, MatrixView<float>,
                                  TileWorkspace<float>&);
template void compute_tile<double>(std::span<const TileProduct<double>>, bool, TilePart, MatrixView<double>,
                                   TileWorkspace<double>&);

}  // namespace tangra::linalg
