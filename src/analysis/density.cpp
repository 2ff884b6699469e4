#include "tangra/analysis/density.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/base/rng.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/lapack.h"

namespace tangra::analysis {
namespace {

constexpr Index probes_at_once = 8;

/// Lanczos for several vectors side by side, each with its own basis.
class Quadrature {
 public:
  Quadrature(const linalg::LinearOperator& a, const DensityOptions& options, Index first, Index count,
             const Context& context)
      : a_(a),
        options_(options),
        context_(context),
        n_(a.rows()),
        count_(count),
        steps_(std::min(options.steps, n_)) {
    diagonal_.resize(static_cast<std::size_t>(count));
    beside_.resize(static_cast<std::size_t>(count));
    Tensor<double> start = Tensor<double>::uninitialized(Shape{n_, count_});
    for (Index j = 0; j < count_; ++j) {
      const RandomStream stream(options.seed, static_cast<std::uint64_t>(first + j));
      for (Index i = 0; i < n_; ++i)
        start[i * count_ + j] = stream.uniform(static_cast<std::uint64_t>(i)) < 0.5 ? -1 : 1;
    }
    project(start);
    for (const double length : normalise(start, 0)) squares_.push_back(length * length);
    basis_.push_back(std::move(start));
  }

  void run() {
    for (Index step = 0; step < steps_; ++step) {
      context_.check_cancelled();
      Tensor<double> w = Tensor<double>::uninitialized(Shape{n_, count_});
      a_.apply(matrix<const double>(basis_.back().data(), n_, count_), matrix(w.data(), n_, count_),
               context_);
      record(products(basis_.back(), w), diagonal_);
      project(w);
      for (int twice = 0; twice < 2; ++twice) {
        for (const Tensor<double>& q : basis_) take_out(q, w);
      }
      record(normalise(w, breakdown()), beside_);
      if (step + 1 < steps_) basis_.push_back(std::move(w));
    }
  }

  void give(SpectralDensity& density) const {
    for (Index j = 0; j < count_; ++j) {
      const auto& alpha = diagonal_[static_cast<std::size_t>(j)];
      const auto& beta = beside_[static_cast<std::size_t>(j)];
      Index m = 0;  // up to where the space of this probe closed
      while (m < steps_ && (m == 0 || beta[static_cast<std::size_t>(m - 1)] > 0)) ++m;
      Tensor<double> t(Shape{m, m});
      for (Index i = 0; i < m; ++i) {
        t[i * m + i] = alpha[static_cast<std::size_t>(i)];
        if (i > 0) t[i * m + i - 1] = t[(i - 1) * m + i] = beta[static_cast<std::size_t>(i - 1)];
      }
      const linalg::SymmetricEigen eigen = linalg::symmetric_eigen_orthonormal(matrix(t.data(), m, m), 1);
      TANGRA_ENSURE(eigen.converged);
      std::vector<double> weights;
      for (Index r = 0; r < m; ++r)
        weights.push_back(squares_[static_cast<std::size_t>(j)] * eigen.vectors[r * m] *
                          eigen.vectors[r * m]);
      density.nodes.emplace_back(eigen.values.begin(), eigen.values.end());
      density.weights.push_back(std::move(weights));
    }
    density.applications += count_ * steps_;
  }

 private:
  using Row = std::vector<double>;

  static void record(const Row& row, std::vector<Row>& table) {
    for (std::size_t j = 0; j < row.size(); ++j) table[j].push_back(row[j]);
  }

  /// Column by column: sum_i a_ij b_ij.
  Row products(const Tensor<double>& a, const Tensor<double>& b) const {
    Row sums(static_cast<std::size_t>(count_), 0.0);
    for (Index i = 0; i < n_; ++i) {
      for (Index j = 0; j < count_; ++j)
        sums[static_cast<std::size_t>(j)] += a[i * count_ + j] * b[i * count_ + j];
    }
    return sums;
  }

  void take_out(const Tensor<double>& q, Tensor<double>& w) const {
    const Row share = products(q, w);
    for (Index i = 0; i < n_; ++i) {
      for (Index j = 0; j < count_; ++j)
        w[i * count_ + j] -= share[static_cast<std::size_t>(j)] * q[i * count_ + j];
    }
  }

  /// Takes the known eigenvectors out of w, twice.
  void project(Tensor<double>& w) const {
    const MatrixView<const double>& v = options_.known_vectors;
    if (v.rows == 0) return;
    for (int twice = 0; twice < 2; ++twice) {
      Tensor<double> share(Shape{v.rows, count_});
      linalg::gemm<double>(context_, linalg::Engine::fast, v, matrix<const double>(w.data(), n_, count_),
                           false, matrix(share.data(), v.rows, count_));
      for (double& entry : share) entry = -entry;
      linalg::gemm<double>(context_, linalg::Engine::fast, v.transposed(),
                           matrix<const double>(share.data(), v.rows, count_), true,
                           matrix(w.data(), n_, count_));
    }
  }

  /// Divides columns by their lengths, which are returned; those not above `negligible` become 0.
  Row normalise(Tensor<double>& w, double negligible) const {
    Row lengths = products(w, w);
    for (double& length : lengths) {
      length = std::sqrt(length);
      if (!std::isfinite(length)) {
        throw Error(ErrorKind::numerics, {.what = "the operator gave a number that is not finite",
                                          .where = "Lanczos quadrature",
                                          .got = {},
                                          .expected = {},
                                          .cure = "Look for overflow or NaN in the kernel or the network"});
      }
      if (length <= negligible) length = 0;
    }
    for (Index i = 0; i < n_; ++i) {
      for (Index j = 0; j < count_; ++j) {
        double& entry = w[i * count_ + j];
        const double length = lengths[static_cast<std::size_t>(j)];
        entry = length > 0 ? entry / length : 0;
      }
    }
    return lengths;
  }

  /// A vector as short as rounding leaves it: nothing new.
  double breakdown() const {
    double norm = 0;
    for (const std::vector<Row>* table : {&diagonal_, &beside_}) {
      for (const Row& row : *table) {
        for (const double entry : row) norm = std::max(norm, std::abs(entry));
      }
    }
    return 8 * std::sqrt(static_cast<double>(n_)) * 0x1p-53 * norm;
  }

  const linalg::LinearOperator& a_;
  const DensityOptions& options_;
  const Context& context_;
  Index n_;
  Index count_;
  Index steps_;
  std::vector<Tensor<double>> basis_;  ///< steps of [n, count]
  Row squares_;                        ///< squared lengths of the probes in the complement
  std::vector<Row> diagonal_;          ///< [count][steps]: of the tridiagonal matrix
  std::vector<Row> beside_;            ///< [count][steps]: below its diagonal
};

}  // namespace

Estimate SpectralDensity::sum(const std::function<double(double)>& f) const {
  double exact = 0, mean = 0, squares = 0;
  for (const double value : known) exact += f(value);
  for (std::size_t probe = 0; probe < nodes.size(); ++probe) {
    double sum = 0;
    for (std::size_t i = 0; i < nodes[probe].size(); ++i) sum += weights[probe][i] * f(nodes[probe][i]);
    mean += sum;
    squares += sum * sum;
  }
  const auto count = static_cast<double>(nodes.size());
  if (nodes.empty()) return {.value = exact};
  mean /= count;
  const double variance = std::max(0.0, squares / count - mean * mean) * count / (count - 1);
  return {.value = exact + mean, .error = std::sqrt(variance / count)};
}

double SpectralDensity::entropy_rank() const {
  const double positive = sum([](double value) { return std::max(value, 0.0); }).value;
  if (!(positive > 0)) return 0;
  return std::exp(sum([&](double value) {
                    return value > 0 ? -value / positive * std::log(value / positive) : 0;
                  }).value);
}

std::vector<double> SpectralDensity::counts(const std::vector<double>& edges) const {
  std::vector<double> result;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    const bool last = i + 2 == edges.size();
    result.push_back(sum([&](double value) {
                       return value >= edges[i] && (value < edges[i + 1] || (last && value == edges[i + 1]))
                                  ? 1.0
                                  : 0.0;
                     }).value);
  }
  return result;
}

std::size_t density_memory(Index n, const DensityOptions& options) {
  return static_cast<std::size_t>(n * std::min(probes_at_once, options.probes) * (options.steps + 1)) * sizeof(double);
}

SpectralDensity spectral_density(const linalg::LinearOperator& a, const DensityOptions& options,
                                 const Context& context) {
  TANGRA_ENSURE(a.symmetric() && a.rows() == a.columns() && options.probes >= 2 && options.steps >= 1);
  TANGRA_ENSURE(options.known_vectors.rows == static_cast<Index>(options.known_values.size()));
  SpectralDensity density{.size = a.rows(), .probes = options.probes, .known = options.known_values};
  if (density.size <= options.known_vectors.rows) return density;
  for (Index first = 0; first < options.probes; first += probes_at_once) {
    const Index count = std::min(probes_at_once, options.probes - first);
    const Reservation memory(
        context.memory, static_cast<std::size_t>(a.rows() * count * (options.steps + 1)) * sizeof(double),
        "vectors of a density estimate");
    Quadrature quadrature(a, options, first, count, context);
    quadrature.run();
    quadrature.give(density);
    context.report("density", static_cast<double>(first + count), static_cast<double>(options.probes));
  }
  return density;
}

}  // namespace tangra::analysis
