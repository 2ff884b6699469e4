#include "tangra/linalg/packed.h"

#include <cmath>
#include <limits>

#include "tangra/linalg/blocking.h"
#include "tangra/linalg/simd/micro_kernel.h"

namespace tangra::linalg {
namespace {

constexpr Index parallel_from = 1 << 18;  // entries; below, waking the workers costs more than it brings

/// used[k] becomes whether column k has an entry that is not zero; returns how many have.
template <class T>
Index find_used(MatrixView<const T> rows, std::vector<unsigned char>& used) {
  used.assign(static_cast<std::size_t>(rows.columns), 0);
  for (Index row = 0; row < rows.rows; ++row) {
    const T* from = rows.data + row * rows.row_stride;
    for (Index k = 0; k < rows.columns; ++k) used[static_cast<std::size_t>(k)] |= from[k * rows.column_stride] != 0;
  }
  return std::count(used.begin(), used.end(), 1);
}

template <class T>
bool is_finite(MatrixView<const T> row) {
  bool finite = true;
  for (Index k = 0; k < row.columns; ++k) {
    finite &= std::abs(row.data[k * row.column_stride]) <= std::numeric_limits<T>::max();
  }
  return finite;
}

}  // namespace

template <class T>
Index panel_rows(Side side) {
  const MicroKernels<T>& kernels = micro_kernels<T>();
  return side == Side::left ? kernels.left_rows : kernels.right_rows;
}

template <class T>
std::size_t Packed<T>::bytes_needed(Side side, Index rows, Index k) {
  return static_cast<std::size_t>(round_up(rows, linalg::panel_rows<T>(side)) * k) * sizeof(T);
}

template <class T>
void Packed<T>::assign(Side side, MatrixView<const T> rows, const Context* context) {
  const MicroKernels<T>& kernels = micro_kernels<T>();
  side_ = side;
  rows_ = rows.rows;
  k_ = rows.columns;
  panel_rows_ = side == Side::left ? kernels.left_rows : kernels.right_rows;
  begins_.clear();
  offsets_.clear();
  const Index needed = panels() * panel_rows_ * k_;
  if (memory_.size() < needed) memory_ = Tensor<T>::uninitialized(Shape{needed});
  const auto pack_panel = side == Side::left ? kernels.pack_left : kernels.pack_right;
  const auto pack_one = [&](Index p, int) {
    const Index first = p * panel_rows_;
    pack_panel(rows.block(first, 0, std::min(panel_rows_, rows_ - first), k_), memory_.data() + first * k_);
  };
  if (context != nullptr && needed >= parallel_from) return context->pool.parallel_for(panels(), pack_one);
  for (Index p = 0; p < panels(); ++p) pack_one(p, 0);
}

template <class T>
void Packed<T>::assign_without_zeros(Side side, MatrixView<const T> rows) {
  if (side == Side::left && leave_out_zeros(rows)) return;
  assign(side, rows);
  for (Index row = 0; side == Side::right && row < rows_; ++row) {
    if (is_finite(rows.block(row, 0, 1, k_))) continue;
    T* entry = memory_.data() + row / panel_rows_ * panel_rows_ * k_ + row % panel_rows_;
    for (Index k = 0; k < k_; ++k) entry[k * panel_rows_] = std::numeric_limits<T>::quiet_NaN();
  }
}

template <class T>
bool Packed<T>::leave_out_zeros(MatrixView<const T> rows) {
  const MicroKernels<T>& kernels = micro_kernels<T>();
  const Index height = kernels.left_rows;
  const Index count = divide_up(rows.rows, height);
  const auto of_panel = [&](Index p) {
    return rows.block(p * height, 0, std::min(height, rows.rows - p * height), rows.columns);
  };
  std::vector<unsigned char> used;
  std::vector<Index> begins{0}, offsets;
  for (Index p = 0; p < count; ++p) {
    if (find_used(of_panel(p), used) == 0 && rows.columns > 0) used[0] = 1;  // for a right row of NaN
    for (Index k = 0; k < rows.columns; ++k) {
      if (used[static_cast<std::size_t>(k)] != 0) offsets.push_back(k * kernels.right_rows);
    }
    begins.push_back(static_cast<Index>(offsets.size()));
    if (4 * begins.back() > 3 * count * rows.columns) return false;
  }
  if (offsets.empty()) return false;
  side_ = Side::left;
  rows_ = rows.rows;
  k_ = rows.columns;
  panel_rows_ = height;
  memory_ = Tensor<T>::uninitialized(Shape{static_cast<Index>(offsets.size()) * height});
  Tensor<T> whole = Tensor<T>::uninitialized(Shape{k_ * height});
  T* to = memory_.data();
  for (Index p = 0; p < count; ++p) {
    kernels.pack_left(of_panel(p), whole.data());
    for (Index j = begins[static_cast<std::size_t>(p)]; j < begins[static_cast<std::size_t>(p) + 1]; ++j, to += height) {
      std::copy_n(whole.data() + offsets[static_cast<std::size_t>(j)] / kernels.right_rows * height, height, to);
    }
  }
  offsets.shrink_to_fit();
  begins_ = std::move(begins);
  offsets_ = std::move(offsets);
  return true;
}

template <class T>
typename Packed<T>::Run Packed<T>::run(Index p, Index first, Index length) const {
  if (!lacks_zeros()) return {panel(p) + first * panel_rows_, length, nullptr};
  const Index width = micro_kernels<T>().right_rows;
  const Index* begin = offsets_.data() + begins_[static_cast<std::size_t>(p)];
  const Index* end = offsets_.data() + begins_[static_cast<std::size_t>(p) + 1];
  const Index* from = first == 0 ? begin : std::lower_bound(begin, end, first * width);
  const Index* to = first + length == k_ ? end : std::lower_bound(from, end, (first + length) * width);
  return {memory_.data() + (from - offsets_.data()) * panel_rows_, to - from, from};
}

template <class T>
T Packed<T>::at(Index row, Index k) const {
  if (!lacks_zeros()) return panel(row / panel_rows_)[k * panel_rows_ + row % panel_rows_];
  const Run one = run(row / panel_rows_, k, 1);
  return one.count == 0 ? T(0) : one.values[row % panel_rows_];
}

template <class T>
Packed<T> pack(Side side, MatrixView<const T> rows, const Context* context) {
  Packed<T> packed;
  packed.assign(side, rows, context);
  return packed;
}

template <class T>
Packed<T> pack_without_zeros(Side side, MatrixView<const T> rows) {
  Packed<T> packed;
  packed.assign_without_zeros(side, rows);
  return packed;
}

template Index panel_rows<float>(Side);
template Index panel_rows<double>(Side);
template class Packed<float>;
template class Packed<double>;
template Packed<float> pack<float>(Side, MatrixView<const float>, const Context*);
template Packed<double> pack<double>(Side, MatrixView<const double>, const Context*);
template Packed<float> pack_without_zeros<float>(Side, MatrixView<const float>);
template Packed<double> pack_without_zeros<double>(Side, MatrixView<const double>);

}  // namespace tangra::linalg
