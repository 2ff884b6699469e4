#include "tangra/linalg/gemm.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/linalg/blocking.h"
#include "tangra/linalg/gemm_reference.h"
#include "tangra/linalg/simd/micro_kernel.h"

namespace tangra::linalg {
namespace {

/// Entries of right panels that are packed at once: 6 MiB of floats, shared by all threads.
constexpr Index right_entries = 3 << 19;
/// Columns of a block of C, which stays in the second-level cache while k goes on.
constexpr Index column_block = 512;
/// Multiply-adds, and entries to pack, from which waking the workers costs less than it brings.
constexpr double parallel_from = 1 << 21;
constexpr Index parallel_pack_from = 1 << 16;

enum Scratch { left_panels, right_panels, edge, turned, scratch_kinds };
/// Columns of a block of a C that is computed transposed: the block waits in the second-level cache until it is whole.
constexpr Index turned_block = 256;

/// Memory of this thread that is kept for the next product.
template <class T>
T* scratch(Scratch kind, Index count) {
  thread_local Tensor<T> memory[scratch_kinds];
  if (memory[kind].size() < count) memory[kind] = Tensor<T>::uninitialized(Shape{count});
  return memory[kind].data();
}

/// out += left right^T, out: [m, n], left: [m, k], right: [n, k], each of any strides.
template <class T>
class GemmJob {
 public:
  GemmJob(MatrixView<const T> left, MatrixView<const T> right, bool accumulate, MatrixView<T> out,
          ThreadPool* pool)
      : kernels_(micro_kernels<T>()),
        left_(left),
        right_(right),
        out_(out),
        accumulate_(accumulate),
        pool_(pool) {
    // Few rows use each entry of the right factor too seldom to pack what can be loaded as it lies.
    direct_ = right.row_stride == 1 && left.rows <= 2 * kernels_.left_rows;
    ahead_ = right.rows <= turned_block && left.rows * left.columns > right_entries / 2;
    if (ahead_ && left.column_stride != 1) chain_block_ = 128;
    const Index threads = pool == nullptr ? 1 : pool->size();
    const Index mr = kernels_.left_rows, nr = kernels_.right_rows;
    block_rows_ = row_block(left.rows, mr, gemm_chain_block * static_cast<Index>(sizeof(T)));
    Index columns = std::min(out.column_stride == 1 ? column_block : turned_block, right.rows);
    if (threads > 1) {  // enough blocks that no thread waits long for the last one
      block_rows_ = std::min(block_rows_, round_up(divide_up(left.rows, 4 * threads), mr));
      const Index splits = divide_up(4 * threads, divide_up(left.rows, block_rows_));
      columns = std::min(columns, divide_up(right.rows, splits));
    }
    block_columns_ = round_up(columns, nr);
    const Index deepest = right_entries / column_block / gemm_chain_block * gemm_chain_block;
    depth_ = std::max(gemm_chain_block, std::min(left.columns, deepest));
    chunk_columns_ = round_up(std::max(column_block, right_entries / depth_), nr);
  }

  void run() {
    for (column_ = 0; column_ < right_.rows; column_ += chunk_columns_) {
      columns_ = std::min(chunk_columns_, right_.rows - column_);
      Index done = 0;
      do {
        k_ = done;
        length_ = std::min(depth_, left_.columns - done);
        pack_right();
        const Index row_blocks = divide_up(left_.rows, block_rows_);
        for_each(pool_, row_blocks * divide_up(columns_, block_columns_), [&](Index item) {
          const Index row = item % row_blocks * block_rows_, column = item / row_blocks * block_columns_;
          multiply_block(row, std::min(left_.rows, row + block_rows_), column,
                         std::min(columns_, column + block_columns_));
        });
        done += length_;
      } while (done < left_.columns);
    }
  }

 private:
  template <class Task>
  static void for_each(ThreadPool* pool, Index count, const Task& task) {
    if (pool != nullptr) return pool->parallel_for(count, [&](Index item, int) { task(item); });
    for (Index item = 0; item < count; ++item) task(item);
  }

  /// The panels of this chunk, in the order of their use: [blocks of k, panels, k in the block, right_rows].
  void pack_right() {
    const Index height = kernels_.right_rows, panels = divide_up(columns_, height);
    padded_columns_ = direct_ ? height : panels * height;
    packed_right_ = scratch<T>(right_panels, padded_columns_ * length_);
    if (direct_) {  // the last panel alone, where it is incomplete
      if (columns_ % height != 0) pack_right_panel(panels - 1, 0);
      return;
    }
    for_each(columns_ * length_ >= parallel_pack_from ? pool_ : nullptr, panels,
             [&](Index p) { pack_right_panel(p, p); });
  }

  void pack_right_panel(Index p, Index place) {
    const Index height = kernels_.right_rows, rows = std::min(height, columns_ - p * height);
    for (Index k = 0; k < length_; k += chain_block_) {
      const Index length = std::min(chain_block_, length_ - k);
      kernels_.pack_right(right_.block(column_ + p * height, k_ + k, rows, length),
                          right_panel(place, k, length));
    }
  }
  T* right_panel(Index place, Index k, Index length) const {
    return packed_right_ + k * padded_columns_ + place * length * kernels_.right_rows;
  }

  /// Rows [row, row_end), columns [column, column_end) of this chunk, over the whole depth.
  void multiply_block(Index row, Index row_end, Index column, Index column_end) {
    const MatrixView<T> out = out_.block(row, column_ + column, row_end - row, column_end - column);
    if (out.column_stride == 1) return multiply(row, row_end, column, column_end, out);
    const Index width = round_up(out.columns, kernels_.right_rows);
    const MatrixView<T> block = matrix(scratch<T>(turned, out.rows * width), out.rows, width);
    if (k_ > 0 || accumulate_) copy_turned(out.transposed(), block.block(0, 0, out.rows, out.columns).transposed());
    multiply(row, row_end, column, column_end, block);
    copy_turned(block.block(0, 0, out.rows, out.columns), out);
  }

  /// to = from, of which one has its columns side by side and the other its rows.
  static void copy_turned(MatrixView<const T> from, MatrixView<T> to) {
    constexpr Index side = 16;
    for (Index i = 0; i < from.rows; i += side) {
      const Index rows = std::min(side, from.rows - i);
      for (Index j = 0; j < from.columns; ++j) {
        for (Index r = i; r < i + rows; ++r) to(r, j) = from(r, j);
      }
    }
  }

  /// out: the block, its width a multiple of a panel's where it is not C itself.
  void multiply(Index row, Index row_end, Index column, Index column_end, MatrixView<T> out) {
    const Index mr = kernels_.left_rows;
    Index k = 0;
    do {
      const Index length = std::min(chain_block_, length_ - k);
      T* left = scratch<T>(left_panels, round_up(row_end - row, mr) * length);
      for (Index c = column; c < column_end; c += kernels_.right_rows) {
        const Index width = std::min(kernels_.right_rows, out.columns - (c - column));
        for (Index r = row; r < row_end; r += mr) {
          T* panel = left + (r - row) * length;
          const Index rows = std::min(mr, row_end - r);
          if (c == column) kernels_.pack_left(left_.block(r, k_ + k, rows, length), panel);
          multiply_panel({r, c, k, length}, panel, out.block(r - row, c - column, rows, width));
        }
      }
      k += length;
    } while (k < length_);
  }

  struct Step {
    Index row, column, k, length;
  };

  void multiply_panel(const Step& at, const T* left, MatrixView<T> out) {
    const Index nr = kernels_.right_rows;
    const bool as_it_lies = direct_ && at.column + nr <= columns_;
    ChainStep<T> step = {.k = at.length, .rows = out.rows, .left = left};
    step.right = as_it_lies ? &right_(column_ + at.column, k_ + at.k) : right_panel(direct_ ? 0 : at.column / nr, at.k, at.length);
    step.right_stride = as_it_lies ? right_.column_stride : nr;
    step.from_zero = k_ + at.k == 0 && !accumulate_;
    if (ahead_ && at.column == 0) fetch_ahead(at, step);
    if (out.columns == nr) {
      step.out = out.data;
      step.out_stride = out.row_stride;
      kernels_.chain(step);
    } else {
      multiply_edge(step, out);
    }
  }

  /// The panel below: a cache line of every row in turn, or the entries of one k after another.
  void fetch_ahead(const Step& at, ChainStep<T>& step) const {
    const Index row = std::min(at.row + kernels_.left_rows, left_.rows - 1), line = 16;
    step.columns = columns_;
    if (left_.column_stride == 1) {
      step.ahead = &left_(row, k_ + at.k);
      step.ahead_near = std::min(line, left_.rows - row) == line ? left_.row_stride : 0;
      step.ahead_far = line;
    } else {
      step.ahead = &left_(std::min(row + kernels_.left_rows, left_.rows) - 1, k_ + at.k);
      step.ahead_near = left_.column_stride;
      step.ahead_far = line * left_.column_stride;
    }
  }

  /// A micro-tile that is cut off: in memory of its own.
  void multiply_edge(ChainStep<T> step, MatrixView<T> out) {
    const Index nr = kernels_.right_rows;
    step.out = scratch<T>(edge, kernels_.left_rows * nr);
    step.out_stride = nr;
    for (Index i = 0; !step.from_zero && i < out.rows; ++i) {
      for (Index j = 0; j < out.columns; ++j) step.out[i * nr + j] = out(i, j);
    }
    kernels_.chain(step);
    for (Index i = 0; i < out.rows; ++i) {
      for (Index j = 0; j < out.columns; ++j) out(i, j) = step.out[i * nr + j];
    }
  }

  const MicroKernels<T>& kernels_;
  MatrixView<const T> left_, right_;
  MatrixView<T> out_;
  bool accumulate_, direct_ = false;
  bool ahead_ = false;  // the left factor comes from memory, and is used too seldom to hide that
  ThreadPool* pool_;  // null: the calling thread alone
  Index chain_block_ = gemm_chain_block;
  Index block_rows_ = 0, block_columns_ = 0, chunk_columns_ = 0, depth_ = 0;
  Index column_ = 0, columns_ = 0, k_ = 0, length_ = 0;  // the chunk in work: its columns, its part of k
  Index padded_columns_ = 0;
  T* packed_right_ = nullptr;
};

/// Whether C^T = B^T A^T costs less: rows of a micro-tile are cut to size, its columns are padded; the right factor is packed
/// as a whole, the left one piece by piece in a cache. Measured in multiply-adds.
template <class T>
bool transposed_is_cheaper(MatrixView<const T> a, MatrixView<const T> b) {
  const Index width = micro_kernels<T>().right_rows;
  const bool direct = b.column_stride == 1 && a.rows <= 2 * micro_kernels<T>().left_rows;
  constexpr Index in_cache = 8, in_memory = 48;  // to pack one entry
  const auto packing = [&](Index rows) { return rows * a.columns * static_cast<Index>(sizeof(T)) > (1 << 20) ? in_memory : in_cache; };
  const Index as_it_is = a.rows * round_up(b.columns, width) + (direct && packing(b.columns) == in_cache ? 0 : b.columns * packing(b.columns));
  const Index turned = b.columns * round_up(a.rows, width) + a.rows * packing(a.rows);
  return 10 * turned < 9 * as_it_is;  // a transposed result costs a copy
}

}  // namespace

template <class T>
void gemm(const Context& context, Engine engine, MatrixView<const T> a, MatrixView<const T> b,
          bool accumulate, MatrixView<T> c) {
  TANGRA_ENSURE(a.columns == b.rows && a.rows == c.rows && b.columns == c.columns);
  TANGRA_ENSURE(c.column_stride == 1);
  if (engine == Engine::reference) return gemm_reference(a, b, accumulate, c);
  if (c.rows == 0 || c.columns == 0) return;
  const double work =
      static_cast<double>(c.rows) * static_cast<double>(c.columns) * static_cast<double>(a.columns);
  ThreadPool* pool = work >= parallel_from && context.pool.size() > 1 ? &context.pool : nullptr;
  if (transposed_is_cheaper<T>(a, b)) {
    GemmJob<T>(b.transposed(), a, accumulate, c.transposed(), pool).run();
  } else {
    GemmJob<T>(a, b.transposed(), accumulate, c, pool).run();
  }
}

std::size_t gemm_scratch_bytes(Index right, std::size_t entry) {
  // Panels of the right factor, and the blocks that stay in the second-level cache.
  return static_cast<std::size_t>(std::min(right_entries, right)) * entry + 2 * static_cast<std::size_t>(left_block_bytes);
}

template void gemm<float>(const Context&, Engine, MatrixView<const float>, MatrixView<const float>, bool,
                          MatrixView<float>);
template void gemm<double>(const Context&, Engine, MatrixView<const double>, MatrixView<const double>, bool,
                           MatrixView<double>);

}  // namespace tangra::linalg
