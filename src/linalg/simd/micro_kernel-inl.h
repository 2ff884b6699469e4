// The micro-kernels, written once and compiled for every SIMD target: included by the .cpp files of the
// scalars, again and again by Highway's foreach_target.h.
#if defined(TANGRA_LINALG_MICRO_KERNEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TANGRA_LINALG_MICRO_KERNEL_INL_H_
#undef TANGRA_LINALG_MICRO_KERNEL_INL_H_
#else
#define TANGRA_LINALG_MICRO_KERNEL_INL_H_
#endif

#include <cmath>
#include <cstring>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "tangra/linalg/simd/micro_kernel.h"

// Accumulators stay in registers only where every loop over them is unrolled, which g++ has to be told.
#define TANGRA_UNROLL _Pragma("GCC unroll 16")

HWY_BEFORE_NAMESPACE();
namespace tangra::linalg {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
// The scalar twin. Highway's own scalar MulAdd rounds twice.
template <class T>
using Vector = T;
template <class T>
constexpr int lanes = 1;
constexpr int vectors = 4;  // to a row of a micro-tile
constexpr int left_rows = 4;

template <class T>
HWY_INLINE T load(const T* from) {
  return *from;
}
template <class T>
HWY_INLINE void store(T value, T* to) {
  *to = value;
}
template <class T>
HWY_INLINE T broadcast(T value) {
  return value;
}
template <class T>
HWY_INLINE T fused(T a, T b, T c) {
  return std::fma(a, b, c);
}
template <class T>
HWY_INLINE T hadamard(T chain, T gram, T constant) {
  return chain * (gram + constant);
}
#else
namespace hn = hwy::HWY_NAMESPACE;
template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vector = hn::Vec<Tag<T>>;
template <class T>
constexpr int lanes = static_cast<int>(HWY_LANES(T));
constexpr int vectors = 2;
// Accumulators, two vectors of the right panel and one broadcast of the left fill the registers.
#if HWY_TARGET == HWY_AVX3
constexpr int left_rows = 14;
#elif HWY_TARGET == HWY_AVX2
constexpr int left_rows = 6;
#else
constexpr int left_rows = 12;
#endif

template <class T>
HWY_INLINE Vector<T> load(const T* from) {
  return hn::LoadU(Tag<T>(), from);
}
template <class T>
HWY_INLINE void store(Vector<T> value, T* to) {
  hn::StoreU(value, Tag<T>(), to);
}
template <class T>
HWY_INLINE Vector<T> broadcast(T value) {
  return hn::Set(Tag<T>(), value);
}
template <class V>
HWY_INLINE V fused(V a, V b, V c) {
  return hn::MulAdd(a, b, c);
}
template <class V>
HWY_INLINE V hadamard(V chain, V gram, V constant) {
  return hn::Mul(chain, hn::Add(gram, constant));
}
#endif

template <class T>
constexpr int right_rows = vectors* lanes<T>;

/// sums[i][v] are the entries (i, v * lanes ...) of a micro-tile of H rows.
template <class T, int H>
HWY_INLINE void add_products(Index k, const T* HWY_RESTRICT left, const T* HWY_RESTRICT right,
                             Index right_stride, Vector<T> (&sums)[H][vectors]) {
  for (Index step = 0; step < k; ++step) {
    Vector<T> b[vectors];
    TANGRA_UNROLL for (int v = 0; v < vectors; ++v) b[v] = load(right + v * lanes<T>);
    TANGRA_UNROLL for (int i = 0; i < H; ++i) {
      const Vector<T> a = broadcast(left[i]);
      TANGRA_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] = fused(a, b[v], sums[i][v]);
    }
    left += left_rows;
    right += right_stride;
  }
}

/// The same with rows of the right factor that begin anywhere.
template <class T, int H>
HWY_INLINE void add_products_at(Index k, const T* HWY_RESTRICT left, const T* HWY_RESTRICT right,
                                const Index* HWY_RESTRICT offsets, Vector<T> (&sums)[H][vectors]) {
  for (Index step = 0; step < k; ++step) {
    const T* row = right + offsets[step];
    Vector<T> b[vectors];
    TANGRA_UNROLL for (int v = 0; v < vectors; ++v) b[v] = load(row + v * lanes<T>);
    TANGRA_UNROLL for (int i = 0; i < H; ++i) {
      const Vector<T> a = broadcast(left[i]);
      TANGRA_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] = fused(a, b[v], sums[i][v]);
    }
    left += left_rows;
  }
}

template <class T, int H>
HWY_INLINE void begin_sums(const T* from, Index stride, Vector<T> (&sums)[H][vectors]) {
  TANGRA_UNROLL for (int i = 0; i < H; ++i) {
    TANGRA_UNROLL for (int v = 0; v < vectors; ++v) {
      sums[i][v] = from == nullptr ? broadcast(T{0}) : load(from + i * stride + v * lanes<T>);
    }
  }
}

template <class T, int H>
void chain_rows(const ChainStep<T>& step) {
  Vector<T> sums[H][vectors];
  begin_sums<T, H>(step.from_zero ? nullptr : step.out, step.out_stride, sums);
  if (step.right_offsets != nullptr) {
    add_products_at<T, H>(step.k, step.left, step.right, step.right_offsets, sums);
  } else {
    add_products<T, H>(step.k, step.left, step.right, step.right_stride, sums);
  }
  TANGRA_UNROLL for (int i = 0; i < H; ++i) {
    TANGRA_UNROLL for (int v = 0; v < vectors; ++v)
        store(sums[i][v], step.out + i * step.out_stride + v * lanes<T>);
  }
}

template <class T, int H>
HWY_INLINE void write_tile(const FinishStep<T>& step, Vector<T> (&terms)[H][vectors]) {
  const Vector<T> scale = broadcast(step.scale);
  if (step.accumulate) {
    TANGRA_UNROLL for (int i = 0; i < H; ++i) {
      T* row = step.tile + i * step.tile_stride;
      TANGRA_UNROLL for (int v = 0; v < vectors; ++v) {
        store(fused(scale, terms[i][v], load(row + v * lanes<T>)), row + v * lanes<T>);
      }
    }
  } else {
    const Vector<T> zero = broadcast(T{0});
    TANGRA_UNROLL for (int i = 0; i < H; ++i) {
      T* row = step.tile + i * step.tile_stride;
      TANGRA_UNROLL for (int v = 0; v < vectors; ++v)
          store(fused(scale, terms[i][v], zero), row + v * lanes<T>);
    }
  }
}

template <class T, int H>
void finish_rows(const FinishStep<T>& step) {
  Vector<T> sums[H][vectors];
  begin_sums<T, H>(step.start, right_rows<T>, sums);
  add_products<T, H>(step.k, step.left, step.right, right_rows<T>, sums);
  if (step.gram != nullptr) {
    const Vector<T> constant = broadcast(step.constant);
    TANGRA_UNROLL for (int i = 0; i < H; ++i) {
      const T* gram = step.gram + step.gram_rows[i];
      TANGRA_UNROLL for (int v = 0; v < vectors; ++v) {
        sums[i][v] = hadamard(sums[i][v], load(gram + v * lanes<T>), constant);
      }
    }
  }
  write_tile<T, H>(step, sums);
}

/// A chain of full height and V vectors, while memory of which the next left panel is packed is on its way.
template <class T, int V>
void chain_ahead(const ChainStep<T>& step) {
  Vector<T> sums[left_rows][V];
  TANGRA_UNROLL for (int i = 0; i < left_rows; ++i) {
    TANGRA_UNROLL for (int v = 0; v < V; ++v) {
      sums[i][v] = step.from_zero ? broadcast(T{0}) : load(step.out + i * step.out_stride + v * lanes<T>);
    }
  }
  const T* HWY_RESTRICT left = step.left;
  const T* HWY_RESTRICT right = step.right;
  const T* ahead = step.ahead;
  constexpr Index group = 16;
  for (Index k = 0; k < step.k; ++k) {
    hwy::Prefetch(ahead + k % group * step.ahead_near + k / group * step.ahead_far);
    Vector<T> b[V];
    TANGRA_UNROLL for (int v = 0; v < V; ++v) b[v] = load(right + v * lanes<T>);
    TANGRA_UNROLL for (int i = 0; i < left_rows; ++i) {
      const Vector<T> a = broadcast(left[i]);
      TANGRA_UNROLL for (int v = 0; v < V; ++v) sums[i][v] = fused(a, b[v], sums[i][v]);
    }
    left += left_rows;
    right += step.right_stride;
  }
  TANGRA_UNROLL for (int i = 0; i < left_rows; ++i) {
    TANGRA_UNROLL for (int v = 0; v < V; ++v) store(sums[i][v], step.out + i * step.out_stride + v * lanes<T>);
  }
}

/// One function for each height, so that no row is computed in vain.
template <class T, int... Below>
void chain_any(const ChainStep<T>& step, std::integer_sequence<int, Below...>) {
  static constexpr void (*of_height[])(const ChainStep<T>&) = {&chain_rows<T, Below + 1>...};
  of_height[step.rows - 1](step);
}
template <class T>
void chain(const ChainStep<T>& step) {
  if (step.ahead != nullptr && step.rows == left_rows) {
    return step.columns <= lanes<T> ? chain_ahead<T, 1>(step) : chain_ahead<T, vectors>(step);
  }
  chain_any<T>(step, std::make_integer_sequence<int, left_rows>());
}
template <class T, int... Below>
void finish_any(const FinishStep<T>& step, std::integer_sequence<int, Below...>) {
  static constexpr void (*of_height[])(const FinishStep<T>&) = {&finish_rows<T, Below + 1>...};
  of_height[step.rows - 1](step);
}
template <class T>
void finish(const FinishStep<T>& step) {
  finish_any<T>(step, std::make_integer_sequence<int, left_rows>());
}

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
/// A square of entries, as many as a 16-byte vector has, from rows that lie one after another to [k, height].
template <class T>
HWY_INLINE void transpose_square(const T* from, Index row_stride, T* HWY_RESTRICT to, Index height) {
  constexpr int side = 16 / sizeof(T);
  const hn::FixedTag<T, side> d;
  const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + row_stride);
  if constexpr (side == 2) {
    hn::StoreU(hn::InterleaveLower(d, r0, r1), d, to);
    hn::StoreU(hn::InterleaveUpper(d, r0, r1), d, to + height);
  } else {
    const auto r2 = hn::LoadU(d, from + 2 * row_stride), r3 = hn::LoadU(d, from + 3 * row_stride);
    const auto low02 = hn::InterleaveLower(d, r0, r2), low13 = hn::InterleaveLower(d, r1, r3);
    const auto up02 = hn::InterleaveUpper(d, r0, r2), up13 = hn::InterleaveUpper(d, r1, r3);
    hn::StoreU(hn::InterleaveLower(d, low02, low13), d, to);
    hn::StoreU(hn::InterleaveUpper(d, low02, low13), d, to + height);
    hn::StoreU(hn::InterleaveLower(d, up02, up13), d, to + 2 * height);
    hn::StoreU(hn::InterleaveUpper(d, up02, up13), d, to + 3 * height);
  }
}
#endif

/// Rows whose entries lie one after another, transposed. Returns how many k are done; the rest is too few.
template <class T, int Height>
Index pack_contiguous([[maybe_unused]] MatrixView<const T> rows, [[maybe_unused]] T* HWY_RESTRICT panel) {
  Index done = 0;
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  constexpr int side = 16 / sizeof(T), line = 64 / sizeof(T);
  if (rows.rows < side) return 0;
  // A cache line of a few rows at a time: rows a power of two apart evict each other.
  for (; done + side <= rows.columns; done += line) {
    const Index end = HWY_MIN(done + line, rows.columns / side * side);
    for (Index first = 0; first < rows.rows; first += side) {
      const Index row = HWY_MIN(first, rows.rows - side);  // the last group overlaps the one before
      for (Index k = done; k < end; k += side) {
        transpose_square(rows.data + row * rows.row_stride + k, rows.row_stride, panel + k * Height + row,
                         Height);
      }
    }
    for (Index k = done; rows.rows < Height && k < end; ++k) {
      std::memset(panel + k * Height + rows.rows, 0,
                  static_cast<std::size_t>(Height - rows.rows) * sizeof(T));
    }
  }
  done = rows.columns / side * side;
#endif
  return done;
}

template <class T, int Height>
void pack_panel(MatrixView<const T> rows, T* HWY_RESTRICT panel) {
  const Index done = rows.column_stride == 1 ? pack_contiguous<T, Height>(rows, panel) : 0;
  for (Index k = done; k < rows.columns; ++k) {
    const T* from = rows.data + k * rows.column_stride;
    T* to = panel + k * Height;
    if (rows.rows == Height && rows.row_stride == 1) {
      std::memcpy(to, from, Height * sizeof(T));
      continue;
    }
    for (Index row = 0; row < rows.rows; ++row) to[row] = from[row * rows.row_stride];
    for (Index row = rows.rows; row < Height; ++row) to[row] = T{0};
  }
}

template <class T>
void expand(const T* from, Index offset, Index repeat, T* to) {
  Index run_end = repeat - offset;
  for (Index l = 0; l < right_rows<T>; run_end += repeat) {
    const Vector<T> value = broadcast(*from++);
    const Index end = HWY_MIN(run_end, static_cast<Index>(right_rows<T>));
    for (Index q = l; q < end; q += lanes<T>) store(value, to + q);  // may write ahead
    l = end;
  }
}

template <class T>
const MicroKernels<T>& table() {
  static constexpr MicroKernels<T> kernels = {left_rows,
                                              right_rows<T>,
                                              &chain<T>,
                                              &finish<T>,
                                              &pack_panel<T, left_rows>,
                                              &pack_panel<T, right_rows<T>>,
                                              &expand<T>};
  return kernels;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tangra::linalg
HWY_AFTER_NAMESPACE();

#endif
