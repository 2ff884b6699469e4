// Matrices in awkward memory, and comparisons of bits.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "tangra/base/tensor.h"

namespace tangra::linalg::test {

/// How a matrix lies in its memory.
enum class Layout { dense, padded, transposed, strided, repeated_row, repeated_column };
inline constexpr Layout layouts[] = {Layout::dense,   Layout::padded,       Layout::transposed,
                                     Layout::strided, Layout::repeated_row, Layout::repeated_column};

/// A matrix of random entries of widely different size inside memory that is otherwise NaN, off every
/// alignment.
template <class T>
class Matrix {
 public:
  Matrix(Index rows, Index columns, Layout layout, unsigned seed) {
    view_ = {nullptr, rows, columns, columns, 1};
    if (layout == Layout::padded) view_.row_stride = columns + 3;
    if (layout == Layout::transposed) view_.row_stride = 1, view_.column_stride = rows + 2;
    if (layout == Layout::strided) view_.row_stride = 2 * columns + 5, view_.column_stride = 2;
    if (layout == Layout::repeated_row) view_.row_stride = 0;
    if (layout == Layout::repeated_column) view_.row_stride = 1, view_.column_stride = 0;
    const Index size = margin + rows * view_.row_stride + columns * view_.column_stride + 1 + margin;
    memory_.assign(static_cast<std::size_t>(size), std::numeric_limits<T>::quiet_NaN());
    view_.data = memory_.data() + margin;
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::uniform_int_distribution<int> exponent(-6, 6);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j)
        view_(i, j) = static_cast<T>(std::ldexp(normal(random), exponent(random)));
    }
  }
  Matrix(Index rows, Index columns, unsigned seed) : Matrix(rows, columns, Layout::dense, seed) {}
  Matrix(const Matrix& other) : memory_(other.memory_), view_(other.view_) {
    view_.data = memory_.data() + margin;
  }
  Matrix& operator=(const Matrix&) = delete;

  MatrixView<T> view() const { return view_; }
  MatrixView<const T> constant() const { return view_; }
  void fill(T value) {
    for (Index i = 0; i < view_.rows; ++i) {
      for (Index j = 0; j < view_.columns; ++j) view_(i, j) = value;
    }
  }
  /// The whole memory, also around the matrix.
  const std::vector<T>& memory() const { return memory_; }

 private:
  static constexpr Index margin = 5;
  std::vector<T> memory_;
  MatrixView<T> view_;
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
::testing::AssertionResult same_bits(MatrixView<const T> a, MatrixView<const T> b, bool lower_only = false) {
  for (Index i = 0; i < a.rows; ++i) {
    for (Index j = 0; j < a.columns; ++j) {
      if (lower_only && j > i) continue;
      if (std::memcmp(&a(i, j), &b(i, j), sizeof(T)) == 0) continue;
      return ::testing::AssertionFailure() << "(" << i << ", " << j << "): " << a(i, j) << " and " << b(i, j);
    }
  }
  return ::testing::AssertionSuccess();
}

/// c = (accumulate ? c : 0) + a b by chains of std::fma: what gemm promises.
template <class T>
void fused_product(MatrixView<const T> a, MatrixView<const T> b, bool accumulate, MatrixView<T> c) {
  for (Index i = 0; i < c.rows; ++i) {
    for (Index j = 0; j < c.columns; ++j) {
      T entry = accumulate ? c(i, j) : T{0};
      for (Index k = 0; k < a.columns; ++k) entry = std::fma(a(i, k), b(k, j), entry);
      c(i, j) = entry;
    }
  }
}

}  // namespace tangra::linalg::test
