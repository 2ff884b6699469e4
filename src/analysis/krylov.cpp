#include "tangra/analysis/krylov.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "block_basis.h"
#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/lapack.h"

namespace tangra::analysis {
namespace {

constexpr double unit_roundoff = 0x1p-53;
/// Beyond this size of the projected problem it is solved every fourth step only.
constexpr Index large_projection = 300;

/// Eigenpairs of the projection, largest first.
struct Ritz {
  std::vector<double> values;
  std::vector<double> residuals;
  Tensor<double> y;  ///< [values, active], a row for each

  Index count() const { return static_cast<Index>(values.size()); }
  double value(Index i) const { return values[static_cast<std::size_t>(i)]; }
  double residual(Index i) const { return residuals[static_cast<std::size_t>(i)]; }
  /// The first `kept` ones as columns: [active, kept].
  MatrixView<const double> leading(Index kept) const {
    return matrix(y.data(), kept, y.shape()[1]).transposed();
  }
};

/// What a search has found, and whether it goes on.
struct Judgement {
  bool finished = false;
  Index good = 0;    ///< leading pairs to lock
  Index wanted = 0;  ///< pairs that have to survive a restart
};

Index count_for(Index n, const KrylovOptions& options) { return std::min(options.count, n); }

Index block_for(Index n, const KrylovOptions& options) {
  return std::clamp<Index>(options.block > 0 ? options.block : 8, 1, n);
}

/// Of the basis.
Index columns_for(Index n, const KrylovOptions& options) {
  const Index count = count_for(n, options), block = block_for(n, options);
  const Index usual = std::max(count + 8 * block, 2 * count + 4 * block);
  return std::min(n, std::max(options.basis > 0 ? options.basis : usual, 3 * block));
}

class Search {
 public:
  Search(const linalg::LinearOperator& a, const KrylovOptions& options, const Context& context)
      : a_(a),
        context_(context),
        n_(a.rows()),
        count_(count_for(n_, options)),
        block_(block_for(n_, options)),
        most_columns_(columns_for(n_, options)),
        most_applications_(options.most_applications > 0 ? options.most_applications : 200 * most_columns_),
        tolerance_(options.tolerance),
        basis_(n_, most_columns_ + block_, options.seed, context),
        memory_(context.memory, static_cast<std::size_t>(n_ * (2 * block_ + count_)) * sizeof(double),
                "blocks of a Krylov method"),
        projection_(Shape{most_columns_, most_columns_}) {
    found_.lowest = std::numeric_limits<double>::infinity();
  }

  Eigenpairs run() {
    bool settled = search();
    while (settled && basis_.locked() < n_) {
      const Index before = basis_.locked();
      settled = search();
      if (settled && basis_.locked() == before) break;
    }
    measure();
    found_.converged = settled;
    const double bound = tolerance_ * found_.norm;
    const auto bad = std::ranges::count_if(found_.residuals, [&](double r) { return !(r <= bound); });
    if (bad > 0) {
      found_.converged = false;
      found_.message = std::to_string(bad) + " of " + std::to_string(found_.values.size()) +
                       " residuals exceed the tolerance";
    } else if (!settled) {
      found_.message = "eigenvalues may be missing: the search in the complement did not end";
    }
    return std::move(found_);
  }

 private:
  /// One search from random vectors in the complement of what is locked. Locks what it finds; false where it
  /// gave up.
  bool search() {
    ++found_.searches;
    basis_.clear();
    active_ = 0;
    steps_ = 0;
    best_good_ = -1;
    waited_ = 0;
    pending_ = basis_.append_random(block_).width;
    for (;;) {
      step();
      const bool full = pending_ == 0 || active_ + pending_ > most_columns_;
      if (!full && active_ > large_projection && steps_ % 4 != 0) continue;
      const Ritz ritz = solve_projection();
      const Judgement judgement = judge(ritz);
      const bool gives_up = found_.applications >= most_applications_ || stagnates(ritz, judgement, full);
      context_.report("eigenpairs", static_cast<double>(std::min(count_, basis_.locked() + judgement.good)),
                      static_cast<double>(count_));
      if (judgement.finished || gives_up) {
        // What has not converged is better than nothing where nothing else is there.
        const bool first = basis_.locked() == 0;
        const Index taken = gives_up && first ? std::min(count_, ritz.count()) : judgement.good;
        for (Index i = 0; i < taken; ++i) locked_values_.push_back(ritz.value(i));
        std::ranges::sort(locked_values_, std::greater<>());
        basis_.lock(ritz.leading(taken), active_);
        return judgement.finished;
      }
      if (full) restart(ritz, judgement.wanted);
    }
  }

  /// Applies the operator to the pending block, which makes it active and the next one pending.
  void step() {
    context_.check_cancelled();
    Tensor<double> w = Tensor<double>::uninitialized(Shape{n_, pending_});
    const MatrixView<double> product = matrix(w.data(), n_, pending_);
    a_.apply(basis_.columns(active_, pending_), product, context_);
    found_.applications += pending_;
    for (Index j = 0; j < pending_; ++j) {
      double squares = 0;
      for (Index i = 0; i < n_; ++i) squares += product(i, j) * product(i, j);
      if (!std::isfinite(squares)) refuse();
      found_.norm = std::max(found_.norm, std::sqrt(squares));
    }
    const Index first = active_, width = pending_;
    const double negligible = 8 * std::sqrt(static_cast<double>(n_)) * unit_roundoff * found_.norm;
    active_ += width;
    Split split = basis_.append(product, negligible);
    const auto t = projection();
    for (Index i = 0; i < active_; ++i) {
      for (Index j = 0; j < width; ++j) {
        double entry = split.h[i * width + j];
        if (i >= first) entry = (entry + split.h[(first + j) * width + i - first]) / 2;
        t(i, first + j) = t(first + j, i) = entry;
      }
    }
    rest_ = std::move(split.r);
    pending_ = split.width;
    last_ = width;
    ++steps_;
  }

  [[noreturn]] static void refuse() {
    throw Error(ErrorKind::numerics, {.what = "the operator gave a number that is not finite",
                                      .where = "block Krylov method",
                                      .got = {},
                                      .expected = {},
                                      .cure = "Look for overflow or NaN in the kernel or the network"});
  }

  MatrixView<double> projection() { return matrix(projection_.data(), most_columns_, most_columns_); }

  Ritz solve_projection() {
    Tensor<double> t = Tensor<double>::uninitialized(Shape{active_, active_});
    for (Index i = 0; i < active_; ++i)
      std::copy_n(projection_.data() + i * most_columns_, active_, t.data() + i * active_);
    const linalg::SymmetricEigen eigen =
        linalg::symmetric_eigen_orthonormal(matrix(t.data(), active_, active_), 1);
    TANGRA_ENSURE(eigen.converged);
    Ritz ritz;
    ritz.y = Tensor<double>::uninitialized(Shape{active_, active_});
    for (Index r = 0; r < active_; ++r) {
      const Index from = active_ - 1 - r;
      const double* y = eigen.vectors.data() + from * active_;
      std::copy_n(y, active_, ritz.y.data() + r * active_);
      ritz.values.push_back(eigen.values[from]);
      double squares = 0;  // of R y, with the rows of y that belong to the last block
      for (Index i = 0; i < pending_; ++i) {
        double sum = 0;
        for (Index j = 0; j < last_; ++j) sum += rest_[i * last_ + j] * y[active_ - last_ + j];
        squares += sum * sum;
      }
      ritz.residuals.push_back(std::sqrt(squares));
    }
    found_.norm = std::max({found_.norm, std::abs(ritz.values.front()), std::abs(ritz.values.back())});
    found_.lowest = std::min(found_.lowest, ritz.values.back());
    return ritz;
  }

  /// Whether many restarts brought no further pair and no smaller residual of the next one, as happens where
  /// the operator's rounding exceeds the tolerance.
  bool stagnates(const Ritz& ritz, const Judgement& judgement, bool full) {
    constexpr Index patience = 30;
    if (!full) return false;
    const double next = judgement.good < ritz.count() ? ritz.residual(judgement.good) : 0;
    if (judgement.good > best_good_ || next < 0.9 * best_residual_) {
      best_good_ = judgement.good;
      best_residual_ = next;
      waited_ = 0;
    }
    return ++waited_ > patience;
  }

  /// Half of what is promised, so that rounding at the end does no harm.
  double target() const { return 0.5 * tolerance_ * found_.norm; }

  Judgement judge(const Ritz& ritz) const {
    return basis_.locked() == 0 ? judge_first(ritz) : judge_again(ritz);
  }

  Judgement judge_first(const Ritz& ritz) const {
    Judgement judgement{.wanted = count_};
    while (judgement.good < std::min(count_, ritz.count()) && ritz.residual(judgement.good) <= target())
      ++judgement.good;
    judgement.finished = judgement.good == count_;
    return judgement;
  }

  Judgement judge_again(const Ritz& ritz) const {
    const double margin = target();
    const double floor = locked_values_[static_cast<std::size_t>(std::min(count_, basis_.locked()) - 1)];
    Judgement judgement;
    Index above = 0;
    bool all_good = true;
    for (; above < ritz.count() && ritz.value(above) > floor + margin; ++above) {
      all_good = all_good && ritz.residual(above) <= margin;
      if (all_good) judgement.good = above + 1;
    }
    judgement.wanted = above + 1;
    if (!all_good) return judgement;
    if (pending_ == 0 || above == ritz.count()) {
      judgement.finished = pending_ == 0;  // the complement has no more dimensions
      return judgement;
    }
    const double next = ritz.value(above), rest = ritz.residual(above);
    judgement.finished =
        rest <= margin || (next + rest <= floor && (above > 0 || nothing_hides(next, floor)));
    return judgement;
  }

  /// Whether the chance that the complement has an eigenvalue above `floor`, with a largest Ritz value of
  /// `top` after this many steps, is below 1e-9.
  bool nothing_hides(double top, double floor) const {
    const double share = (floor - top) / (floor - std::min(found_.lowest, 0.0));
    if (!(share > 0)) return false;
    const double chance = 1.648 * std::sqrt(static_cast<double>(n_)) *
                          std::exp(-std::sqrt(share) * static_cast<double>(2 * steps_ - 1));
    return chance < 1e-9;
  }

  void restart(const Ritz& ritz, Index wanted) {
    ++found_.restarts;
    const Index room = std::max<Index>(1, most_columns_ - 2 * block_);
    const Index kept = std::min({wanted + block_, room, active_ - 1});
    basis_.combine(ritz.leading(kept), active_, pending_);
    std::ranges::fill(projection_, 0.0);
    for (Index i = 0; i < kept; ++i) projection()(i, i) = ritz.value(i);
    active_ = kept;
  }

  /// Rayleigh-Ritz in the span of all that is locked; residuals by the operator itself.
  void measure() {
    const Index found = basis_.locked();
    const MatrixView<const double> x = basis_.locked_columns();
    Tensor<double> products = Tensor<double>::uninitialized(Shape{n_, found});
    const MatrixView<double> ax = matrix(products.data(), n_, found);
    for (Index first = 0; first < found; first += block_) {
      const Index width = std::min(block_, found - first);
      a_.apply(x.block(0, first, n_, width), ax.block(0, first, n_, width), context_);
    }
    found_.applications += found;
    Tensor<double> t(Shape{found, found});
    linalg::gemm<double>(context_, linalg::Engine::fast, x.transposed(), ax, false,
                         matrix(t.data(), found, found));
    const linalg::SymmetricEigen eigen =
        linalg::symmetric_eigen_orthonormal(matrix(t.data(), found, found), 1);
    TANGRA_ENSURE(eigen.converged);
    const Index kept = std::min(count_, found);
    const MatrixView<const double> y =
        matrix(eigen.vectors.data(), found, found).block(found - kept, 0, kept, found);
    Tensor<double> vectors = Tensor<double>::uninitialized(Shape{kept, n_});
    Tensor<double> images = Tensor<double>::uninitialized(Shape{kept, n_});
    linalg::gemm<double>(context_, linalg::Engine::fast, y, x.transposed(), false,
                         matrix(vectors.data(), kept, n_));
    linalg::gemm<double>(context_, linalg::Engine::fast, y, MatrixView<const double>(ax).transposed(), false,
                         matrix(images.data(), kept, n_));
    found_.vectors = Tensor<double>::uninitialized(Shape{kept, n_});
    for (Index r = 0; r < kept; ++r) {
      const Index from = kept - 1 - r;
      const double value = eigen.values[found - kept + from];
      double squares = 0;
      for (Index i = 0; i < n_; ++i) {
        const double difference = images[from * n_ + i] - value * vectors[from * n_ + i];
        squares += difference * difference;
      }
      std::copy_n(vectors.data() + from * n_, n_, found_.vectors.data() + r * n_);
      found_.values.push_back(value);
      found_.residuals.push_back(std::sqrt(squares));
    }
  }

  const linalg::LinearOperator& a_;
  const Context& context_;
  Index n_;
  Index count_;
  Index block_;
  Index most_columns_;
  Index most_applications_;
  double tolerance_;
  BlockBasis basis_;
  Reservation memory_;
  Tensor<double> projection_;  ///< [most_columns, most_columns]: Q^T A Q of the active columns
  Index active_ = 0;           ///< columns to which A was applied
  Index pending_ = 0;          ///< columns behind them
  Index last_ = 0;             ///< width of the block that became active last ...
  Tensor<double> rest_;        ///< ... and what A makes of it outside of the active columns: [pending, last]
  Index steps_ = 0;            ///< of this search
  Index best_good_ = -1;       ///< most pairs that had converged at a restart of it ...
  double best_residual_ = 0;   ///< ... with the smallest residual of the next one then
  Index waited_ = 0;           ///< restarts since
  std::vector<double> locked_values_;  ///< largest first
  Eigenpairs found_;
};

}  // namespace

std::size_t krylov_memory(Index n, const KrylovOptions& options) {
  const Index count = count_for(n, options), block = block_for(n, options), columns = columns_for(n, options);
  // The basis, blocks, what is locked while it grows, the vectors that are given back; the projection twice.
  const Index vectors = columns + block + 2 * block + count + 3 * count;
  return static_cast<std::size_t>(n * vectors + 2 * columns * columns) * sizeof(double);
}

Eigenpairs largest_eigenpairs(const linalg::LinearOperator& a, const KrylovOptions& options,
                              const Context& context) {
  TANGRA_ENSURE(a.symmetric() && a.rows() == a.columns() && a.rows() > 0);
  TANGRA_ENSURE(options.count > 0 && options.tolerance > 0);
  return Search(a, options, context).run();
}

}  // namespace tangra::analysis
