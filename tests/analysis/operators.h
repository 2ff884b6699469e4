// Symmetric matrices whose eigenvalues are known.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "support/support.h"
#include "tangra/base/tensor.h"

namespace tangra::analysis::test {

inline constexpr double eps = 0x1p-53;

/// Q diag(values) Q^T with Q a product of four random reflections: [n, n], exactly symmetric.
inline Tensor<double> with_eigenvalues(const std::vector<double>& values, unsigned seed) {
  const Index n = static_cast<Index>(values.size());
  Tensor<double> a(Shape{n, n});
  for (Index i = 0; i < n; ++i) a[i * n + i] = values[static_cast<std::size_t>(i)];
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> w(values.size()), product(values.size());
  for (int reflection = 0; reflection < 4; ++reflection) {
    double norm2 = 0;
    for (double& entry : w) entry = normal(random), norm2 += entry * entry;
    // H A H = A - w v^T - v w^T with v = 2 A w / |w|^2 - (2 w^T A w / |w|^4) w.
    double energy = 0;
    for (Index i = 0; i < n; ++i) {
      double sum = 0;
      for (Index j = 0; j < n; ++j) sum += a[i * n + j] * w[static_cast<std::size_t>(j)];
      product[static_cast<std::size_t>(i)] = 2 * sum / norm2;
      energy += 2 * sum * w[static_cast<std::size_t>(i)] / (norm2 * norm2);
    }
    for (Index i = 0; i < n; ++i)
      product[static_cast<std::size_t>(i)] -= energy * w[static_cast<std::size_t>(i)];
    for (Index i = 0; i < n; ++i) {
      const double wi = w[static_cast<std::size_t>(i)], vi = product[static_cast<std::size_t>(i)];
      for (Index j = 0; j <= i; ++j) {
        a[i * n + j] -= wi * product[static_cast<std::size_t>(j)] + vi * w[static_cast<std::size_t>(j)];
        a[j * n + i] = a[i * n + j];
      }
    }
  }
  return a;
}

/// A A^T / columns of a random A: [n, n], of full rank where columns >= n.
inline Tensor<double> gram(Index n, Index columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Tensor<double> a(Shape{n, columns});
  for (double& entry : a) entry = normal(random);
  Tensor<double> k(Shape{n, n});
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j <= i; ++j) {
      double sum = 0;
      for (Index c = 0; c < columns; ++c) sum += a[i * columns + c] * a[j * columns + c];
      k[i * n + j] = k[j * n + i] = sum / static_cast<double>(columns);
    }
  }
  return k;
}

/// k (x) 1: [n o, n o] with row i*o + a.
inline Tensor<double> repeated(const Tensor<double>& k, Index o) {
  const Index n = k.shape()[0];
  Tensor<double> result(Shape{n * o, n * o});
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      for (Index a = 0; a < o; ++a) result[(i * o + a) * n * o + j * o + a] = k[i * n + j];
    }
  }
  return result;
}

inline MatrixView<const double> view(const Tensor<double>& a) {
  return matrix(a.data(), a.shape()[0], a.shape()[1]);
}

}  // namespace tangra::analysis::test
