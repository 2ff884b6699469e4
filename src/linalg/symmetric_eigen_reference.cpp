#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tangra/base/error.h"
#include "tangra/linalg/lapack.h"

namespace tangra::linalg {
namespace {

/// One Jacobi rotation that makes w[p, q] zero (Golub, Van Loan, Matrix Computations, 8.5); w: full symmetric
/// [n, n], the rows of v: [n, n] turn along.
void rotate(Tensor<double>& w, Tensor<double>& v, Index n, Index p, Index q) {
  const double off = w[p * n + q];
  if (off == 0) return;
  const double tau = (w[q * n + q] - w[p * n + p]) / (2 * off);
  const double t = std::copysign(1.0, tau) / (std::abs(tau) + std::hypot(1.0, tau));
  const double c = 1 / std::hypot(1.0, t), s = t * c;
  for (Index k = 0; k < n; ++k) {
    const double kp = w[k * n + p], kq = w[k * n + q];
    w[k * n + p] = c * kp - s * kq;
    w[k * n + q] = s * kp + c * kq;
  }
  for (Index k = 0; k < n; ++k) {
    const double pk = w[p * n + k], qk = w[q * n + k];
    w[p * n + k] = c * pk - s * qk;
    w[q * n + k] = s * pk + c * qk;
    const double vp = v[p * n + k], vq = v[q * n + k];
    v[p * n + k] = c * vp - s * vq;
    v[q * n + k] = s * vp + c * vq;
  }
  w[p * n + q] = w[q * n + p] = 0;
}

double off_diagonal_norm(const Tensor<double>& w, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < i; ++j) sum += 2 * w[i * n + j] * w[i * n + j];
  }
  return std::sqrt(sum);
}

}  // namespace

SymmetricEigen symmetric_eigen_reference(MatrixView<const double> a, bool vectors) {
  TANGRA_ENSURE(a.rows == a.columns);
  const Index n = a.rows;
  Tensor<double> w(Shape{n, n}), v(Shape{n, n});
  double norm = 0;
  for (Index i = 0; i < n; ++i) {
    v[i * n + i] = 1;
    for (Index j = 0; j < n; ++j) w[i * n + j] = i >= j ? a(i, j) : a(j, i);
  }
  for (const double entry : w) norm = std::hypot(norm, entry);

  SymmetricEigen result;
  result.converged = false;
  for (int sweep = 0; sweep < 60 && !result.converged; ++sweep) {
    result.converged = off_diagonal_norm(w, n) <= 1e-17 * norm;
    if (result.converged) break;
    for (Index p = 0; p < n; ++p) {
      for (Index q = p + 1; q < n; ++q) rotate(w, v, n, p, q);
    }
  }

  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  std::sort(order.begin(), order.end(), [&](Index i, Index j) { return w[i * n + i] < w[j * n + j]; });
  result.values = Tensor<double>(Shape{n});
  if (vectors) result.vectors = Tensor<double>(Shape{n, n});
  for (Index r = 0; r < n; ++r) {
    const Index from = order[static_cast<std::size_t>(r)];
    result.values[r] = w[from * n + from];
    if (vectors) std::copy_n(v.data() + from * n, n, result.vectors.data() + r * n);
  }
  return result;
}

}  // namespace tangra::linalg
