#include "tangra/factors/pairs.h"

#include <algorithm>

#include "tangra/linalg/gemm.h"
#include "tangra/linalg/vectors.h"

namespace tangra::factors {
namespace {

using linalg::Engine;
using linalg::gemm;

/// Rows and columns of a block of Gram matrices, about: enough for a product at full rate, within a second-level cache.
constexpr Index block_rows = 192;
constexpr Index block_columns = 512;

template <class T>
T* room(Tensor<T>& memory, Index count) {
  if (memory.size() < count) memory = Tensor<T>::uninitialized(Shape{count});
  return memory.data();
}

/// One term of the rows and one of the columns.
template <class T>
class TermPair {
 public:
  TermPair(const PairTile<T>& pairs, const Term<T>& row, const Term<T>& column, PairWorkspace<T>& workspace)
      : pairs_(pairs),
        row_(row),
        column_(column),
        workspace_(workspace),
        full_(pairs.layout.full),
        inner_(pairs.layout.inner),
        pixels_(pairs.order == Order::pixel_grams),
        scale_(static_cast<T>(row.place.scale * column.place.scale)) {}

  /// Whether it goes through Gram matrices, of which many are made at once.
  bool has_grams() const { return row_.form == Form::outer && column_.form == Form::outer; }

  /// Samples whose Gram matrices make a block.
  Index rows_at_once() const { return std::max<Index>(1, block_rows / gram_rows(row_)); }
  Index columns_at_once() const { return std::max<Index>(1, block_columns / gram_rows(column_)); }

  /// The Gram matrices of samples [i, i_end) with [j, j_end), in one block.
  void make_grams(Index i, Index i_end, Index j, Index j_end) {
    first_row_ = i;
    first_column_ = j;
    const MatrixView<const T> rows = stacked(row_, i, i_end);
    const MatrixView<const T> columns = stacked(column_, j, j_end);
    T* memory = room(workspace_.block, rows.rows * columns.rows);
    block_ = matrix(memory, rows.rows, columns.rows);
    gemm<T>(pairs_.context, Engine::fast, rows, columns.transposed(), false, block_);
  }

  /// result [full, full] += <J_s, J_t> of samples i and j; with Grams these have been made.
  void add(Index i, Index j, MatrixView<T> result) {
    if (has_grams()) return add_through_gram(i, j, result);
    if (row_.form == Form::gather && column_.form == Form::gather) return add_equal_tokens(i, j, result);
    if (row_.form == Form::gather) return add_named_channels(row_, i, column_, j, result);
    add_named_channels(column_, j, row_, i, result.transposed());
  }

 private:
  Index directions() const { return pairs_.layout.directions(); }
  /// The first row of a left factor that belongs to the plane.
  Index first_direction(Index sample) const { return sample * directions() + pairs_.plane * full_ * inner_; }
  Index gram_rows(const Term<T>& term) const { return pixels_ ? term.pixel_map->pixels : term.positions; }

  MatrixView<const T> stacked(const Term<T>& term, Index begin, Index end) const {
    const Tensor<T>& entries = pixels_ ? *term.pixels : *term.right;
    const Index rows = gram_rows(term);
    const Index width = pixels_ ? term.place.shape[1] / term.pixel_map->tap_count() : term.place.shape[1];
    return matrix(entries.data() + begin * rows * width, (end - begin) * rows, width);
  }

  /// The Gram matrix of the patches: that of the pixels, summed over the taps.
  MatrixView<const T> patch_gram(MatrixView<const T> of_pixels) {
    const PixelMap& one = *row_.pixel_map;
    const PixelMap& other = *column_.pixel_map;
    T* gram = room(workspace_.gram, one.positions * other.positions);
    std::fill_n(gram, one.positions * other.positions, T(0));
    for (Index tap = 0; tap < one.tap_count(); ++tap) {
      const Index* to_row = one.taps.data() + tap * one.positions;
      const Index* to_column = other.taps.data() + tap * other.positions;
      for (Index d = 0; d < one.positions; ++d) {
        if (to_row[d] < 0) continue;
        const T* from = &of_pixels(to_row[d], 0);
        T* line = gram + d * other.positions;
        for (Index e = 0; e < other.positions; ++e) {
          if (to_column[e] >= 0) line[e] += from[to_column[e]];
        }
      }
    }
    return matrix<const T>(gram, one.positions, other.positions);
  }

  void add_through_gram(Index i, Index j, MatrixView<T> result) {
    const Index rows = gram_rows(row_);
    const Index columns = gram_rows(column_);
    MatrixView<const T> gram = block_.block((i - first_row_) * rows, (j - first_column_) * columns, rows, columns);
    if (pixels_) gram = patch_gram(gram);
    const Index channels = row_.place.shape[0];
    const Index height = full_ * inner_ * channels;
    const T* left = row_.left->data() + first_direction(i) * channels * row_.positions;
    const T* right = column_.left->data() + first_direction(j) * channels * column_.positions;
    T* product = room(workspace_.product, height * row_.positions);
    gemm<T>(pairs_.context, Engine::fast, matrix(right, height, column_.positions), gram.transposed(), false,
            matrix(product, height, row_.positions));
    const Index length = inner_ * channels * row_.positions;
    if (full_ == 1) {
      result(0, 0) += scale_ * linalg::dot(left, product, length);
      return;
    }
    T* sums = room(workspace_.sums, full_ * full_);
    gemm<T>(pairs_.context, Engine::fast, matrix(left, full_, length), matrix<const T>(product, full_, length).transposed(),
            false, matrix(sums, full_, full_));
    for (Index f = 0; f < full_; ++f) {
      for (Index f2 = 0; f2 < full_; ++f2) result(f, f2) += scale_ * sums[f * full_ + f2];
    }
  }

  void add_equal_tokens(Index i, Index j, MatrixView<T> result) {
    const T* of_row = row_.tokens_of(i);
    const T* of_column = column_.tokens_of(j);
    const Index width = row_.place.shape[1];
    for (Index d = 0; d < row_.positions; ++d) {
      for (Index e = 0; e < column_.positions; ++e) {
        if (of_row[d] != of_column[e]) continue;
        each_direction(i, j, result, [&](Index a, Index b) {
          return linalg::dot(row_.left->data() + (a * row_.positions + d) * width,
                             column_.left->data() + (b * column_.positions + e) * width, width);
        });
      }
    }
  }

  /// <gather of sample i, outer of sample j>: the gathered cotangents with the right factor, against the channels of the left
  /// one that the tokens name.
  void add_named_channels(const Term<T>& gather, Index i, const Term<T>& outer, Index j, MatrixView<T> result) {
    const Index width = gather.place.shape[1];
    const Index tokens = gather.positions;
    const Index positions = outer.positions;
    T* product = room(workspace_.product, full_ * inner_ * tokens * positions);
    const Index first = first_direction(i);
    gemm<T>(pairs_.context, Engine::fast, matrix(gather.left->data() + first * tokens * width, full_ * inner_ * tokens, width),
            outer.right_of(j).transposed(), false, matrix(product, full_ * inner_ * tokens, positions));
    const T* rows = gather.tokens_of(i);
    const Index channels = outer.place.shape[0];
    each_direction(i, j, result, [&](Index a, Index b) {
      T sum = 0;
      for (Index d = 0; d < tokens; ++d) {
        const T* channel = outer.left->data() + (b * channels + static_cast<Index>(rows[d])) * positions;
        sum += linalg::dot(product + ((a - first) * tokens + d) * positions, channel, positions);
      }
      return sum;
    });
  }

  /// result(f, f') += scale * sum over t of value(row (f, t) of sample i, row (f', t) of sample j).
  template <class Value>
  void each_direction(Index i, Index j, MatrixView<T> result, const Value& value) const {
    for (Index f = 0; f < full_; ++f) {
      for (Index f2 = 0; f2 < full_; ++f2) {
        T sum = 0;
        for (Index t = 0; t < inner_; ++t) {
          sum += value(first_direction(i) + f * inner_ + t, first_direction(j) + f2 * inner_ + t);
        }
        result(f, f2) += scale_ * sum;
      }
    }
  }

  const PairTile<T>& pairs_;
  const Term<T>& row_;
  const Term<T>& column_;
  PairWorkspace<T>& workspace_;
  Index full_;
  Index inner_;
  bool pixels_;
  T scale_;
  Index first_row_ = 0;  // of the block of Gram matrices
  Index first_column_ = 0;
  MatrixView<T> block_;
};

}  // namespace

template <class T>
void contract_pairs(const PairTile<T>& pairs, const std::vector<Term<T>>& rows, const std::vector<Term<T>>& columns,
                    PairWorkspace<T>& workspace) {
  const Index full = pairs.layout.full;
  for (const Term<T>& row : rows) {
    for (const Term<T>& column : columns) {
      TermPair<T> terms(pairs, row, column, workspace);
      const Index height = terms.has_grams() ? terms.rows_at_once() : 1;
      const Index width = terms.has_grams() ? terms.columns_at_once() : 1;
      for (Index i = pairs.first; i < pairs.last; i += height) {
        const Index i_end = std::min(pairs.last, i + height);
        const Index all = pairs.lower ? std::min(pairs.columns, i_end) : pairs.columns;
        for (Index j = 0; j < all; j += width) {
          const Index j_end = std::min(all, j + width);
          if (terms.has_grams()) terms.make_grams(i, i_end, j, j_end);
          for (Index own = i; own < i_end; ++own) {
            for (Index other = j; other < (pairs.lower ? std::min(j_end, own + 1) : j_end); ++other) {
              terms.add(own, other, pairs.tile.block(own * full, other * full, full, full));
            }
          }
        }
      }
    }
  }
}

template <class T>
void contract_pair(const PairTile<T>& pairs, const std::vector<Term<T>>& rows, const std::vector<Term<T>>& columns, Index i,
                   Index j, MatrixView<T> result, PairWorkspace<T>& workspace) {
  for (const Term<T>& row : rows) {
    for (const Term<T>& column : columns) {
      TermPair<T> terms(pairs, row, column, workspace);
      if (terms.has_grams()) terms.make_grams(i, i + 1, j, j + 1);
      terms.add(i, j, result);
    }
  }
}

#define TANGRA_INSTANTIATE(T)                                                                                   \
  template void contract_pairs<T>(const PairTile<T>&, const std::vector<Term<T>>&, const std::vector<Term<T>>&, \
                                  PairWorkspace<T>&);                                                           \
  template void contract_pair<T>(const PairTile<T>&, const std::vector<Term<T>>&, const std::vector<Term<T>>&,  \
                                 Index, Index, MatrixView<T>, PairWorkspace<T>&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
