#include "tangra/linalg/lapack.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include "tangra/base/error.h"

// LAPACK and BLAS as Fortran has them (32-bit integers; the lengths of the character arguments come last),
// and the one setting of OpenBLAS that is needed. Declared here because no other file may see them.
extern "C" {
void dsyevr_(const char* jobz, const char* range, const char* uplo, const int* n, double* a, const int* lda,
             const double* vl, const double* vu, const int* il, const int* iu, const double* abstol, int* m,
             double* w, double* z, const int* ldz, int* isuppz, double* work, const int* lwork, int* iwork,
             const int* liwork, int* info, std::size_t, std::size_t, std::size_t);
void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
             double* work, const int* lwork, int* iwork, const int* liwork, int* info, std::size_t,
             std::size_t);
void dsyevd_2stage_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
                    double* work, const int* lwork, int* iwork, const int* liwork, int* info, std::size_t,
                    std::size_t);
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info, std::size_t);
void dtrsm_(const char* side, const char* uplo, const char* transa, const char* diag, const int* m,
            const int* n, const double* alpha, const double* a, const int* lda, double* b, const int* ldb,
            std::size_t, std::size_t, std::size_t, std::size_t);
void dpotri_(const char* uplo, const int* n, double* a, const int* lda, int* info, std::size_t);
void dsytrf_(const char* uplo, const int* n, double* a, const int* lda, int* ipiv, double* work,
             const int* lwork, int* info, std::size_t);
void dsytrs_(const char* uplo, const int* n, const int* nrhs, const double* a, const int* lda,
             const int* ipiv, double* b, const int* ldb, int* info, std::size_t);
void openblas_set_num_threads(int threads);
int openblas_get_num_threads(void);
}

namespace tangra::linalg {
namespace {

/// Orders from which on threads of OpenBLAS pay in what works by blocks (Cholesky, triangles). They wait for each
/// other in loops that yield the processor, so on a busy machine each of their meetings costs a time slice. What
/// reduces row by row (eigenvalues, LDL^T) meets for every row: there two threads took 0.64 s in place of 1.6 on an idle
/// machine, and 67 s in place of 2.5 on a busy one (3,000 rows, dsyevr). What is lost is more, so it takes one thread.
constexpr Index threads_pay_by_blocks = 400;
constexpr Index threads_pay_by_rows = std::numeric_limits<Index>::max();
/// From here on eigenvalues alone go by way of a band matrix, most of whose work is in products of blocks.
constexpr Index two_stages_pay = 1000;

/// OpenBLAS has one thread count for the whole process: set for as long as this object lives, by one caller
/// at a time. Matrices of order below `smallest` take one thread.
class BlasThreads {
 public:
  BlasThreads(int threads, Index order, Index smallest)
      : lock_(mutex()), before_(openblas_get_num_threads()) {
    openblas_set_num_threads(threads > 0 && order >= smallest ? threads : 1);
  }
  ~BlasThreads() { openblas_set_num_threads(before_); }
  BlasThreads(const BlasThreads&) = delete;
  BlasThreads& operator=(const BlasThreads&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  std::lock_guard<std::mutex> lock_;
  int before_;
};

int lapack_int(Index count) {
  if (count > std::numeric_limits<int>::max()) {
    throw Error(ErrorKind::input, {.what = "a matrix is too large for LAPACK",
                                   .where = {},
                                   .got = std::to_string(count),
                                   .expected = "at most " + std::to_string(std::numeric_limits<int>::max()),
                                   .cure = "use fewer samples or outputs"});
  }
  return static_cast<int>(count);
}

/// LAPACK asks for a leading dimension of at least 1 and of at least n, also where there is one row only.
int leading_dimension(Index stride, Index n) {
  return lapack_int(std::max<Index>({1, n > 1 ? stride : n}));
}

void ensure_finite_lower(MatrixView<const double> a) {
  for (Index i = 0; i < a.rows; ++i) {
    for (Index j = 0; j <= i; ++j) {
      if (std::isfinite(a(i, j))) continue;
      throw Error(ErrorKind::numerics,
                  {.what = "a matrix has an entry that is not finite",
                   .where = "row " + std::to_string(i) + ", column " + std::to_string(j),
                   .got = std::to_string(a(i, j)),
                   .expected = "finite numbers",
                   .cure = "look for overflow or NaN in the data, the parameters or the network's outputs"});
    }
  }
}

/// The lower triangle into the upper one, by squares that stay in cache.
void mirror_lower(MatrixView<double> a) {
  constexpr Index side = 64;
  for (Index row = 0; row < a.rows; row += side) {
    for (Index column = 0; column <= row; column += side) {
      for (Index i = row; i < std::min(row + side, a.rows); ++i) {
        for (Index j = column; j < std::min({column + side, i, a.rows}); ++j) a(j, i) = a(i, j);
      }
    }
  }
}

/// Eigenvalues alone, by dsyevd_2stage, which is fast on the triangle that Fortran calls the lower one.
SymmetricEigen eigenvalues_by_band(MatrixView<double> a) {
  const Index n = a.rows;
  SymmetricEigen result;
  result.routine = "dsyevd_2stage";
  result.values = Tensor<double>(Shape{n});
  if (a.column_stride == 1) mirror_lower(a);
  const int order = lapack_int(n),
            lda = leading_dimension(a.column_stride == 1 ? a.row_stride : a.column_stride, n);
  int info = 0, best_integers = 0;
  double best_work = 0;
  const BlasThreads blas(1, order, threads_pay_by_rows);
  const auto run = [&](double* work, int work_size, int* integers, int integers_size) {
    dsyevd_2stage_("N", "L", &order, a.data, &lda, result.values.data(), work, &work_size, integers,
                   &integers_size, &info, 1, 1);
    TANGRA_ENSURE(info >= 0);
  };
  run(&best_work, -1, &best_integers, -1);
  Tensor<double> work = Tensor<double>::uninitialized(Shape{static_cast<Index>(best_work)});
  std::vector<int> integers(static_cast<std::size_t>(best_integers));
  run(work.data(), lapack_int(work.size()), integers.data(), best_integers);
  result.converged = info == 0;
  return result;
}

}  // namespace

void ensure_converged(const SymmetricEigen& eigen) {
  if (eigen.converged) return;
  throw Error(ErrorKind::numerics, {.what = "the eigenvalue solver did not converge", .where = eigen.routine,
                                    .got = {}, .expected = {}, .cure = {}});
}

SymmetricEigen symmetric_eigen(MatrixView<double> a, bool vectors, int threads) {
  TANGRA_ENSURE(a.rows == a.columns && (a.column_stride == 1 || a.row_stride == 1));
  ensure_finite_lower(a);
  const Index n = a.rows;
  if (!vectors && n >= two_stages_pay) return eigenvalues_by_band(a);
  SymmetricEigen result;
  result.values = Tensor<double>(Shape{n});
  if (vectors) result.vectors = Tensor<double>::uninitialized(Shape{n, n});
  if (n == 0) return result;

  // A row-major lower triangle is a column-major upper one; column r of Z is row r of `vectors`.
  const char* triangle = a.column_stride == 1 ? "U" : "L";
  const char* job = vectors ? "V" : "N";
  const int order = lapack_int(n),
            lda = leading_dimension(a.column_stride == 1 ? a.row_stride : a.column_stride, n);
  const int none = 0, ldz = vectors ? order : 1;
  const double zero = 0;
  std::vector<int> support(static_cast<std::size_t>(2 * n));
  int found = 0, info = 0;
  const BlasThreads blas(threads, order, threads_pay_by_rows);
  const auto run = [&](double* work, int work_size, int* integers, int integers_size) {
    dsyevr_(job, "A", triangle, &order, a.data, &lda, &zero, &zero, &none, &none, &zero, &found,
            result.values.data(), result.vectors.data(), &ldz, support.data(), work, &work_size, integers,
            &integers_size, &info, 1, 1, 1);
    TANGRA_ENSURE(info >= 0);
  };
  double best_work = 0;
  int best_integers = 0;
  run(&best_work, -1, &best_integers, -1);
  Tensor<double> work = Tensor<double>::uninitialized(Shape{static_cast<Index>(best_work)});
  std::vector<int> integers(static_cast<std::size_t>(best_integers));
  run(work.data(), lapack_int(work.size()), integers.data(), best_integers);
  result.converged = info == 0 && found == order;
  return result;
}

SymmetricEigen symmetric_eigen_orthonormal(MatrixView<double> a, int threads) {
  TANGRA_ENSURE(a.rows == a.columns && a.column_stride == 1);
  const Index n = a.rows;
  // dsyevd's own query of these sizes overflows unseen; they stand in its documentation.
  const int work_size = lapack_int(1 + 6 * n + 2 * n * n), integers_size = lapack_int(3 + 5 * n);
  ensure_finite_lower(a);
  SymmetricEigen result;
  result.values = Tensor<double>(Shape{n});
  result.vectors = Tensor<double>::uninitialized(Shape{n, n});
  if (n == 0) return result;
  const int order = lapack_int(n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j <= i; ++j) result.vectors[i * n + j] = a(i, j);
  }
  Tensor<double> work = Tensor<double>::uninitialized(Shape{work_size});
  std::vector<int> integers(static_cast<std::size_t>(integers_size));
  int info = 0;
  const BlasThreads blas(threads, order, threads_pay_by_rows);
  dsyevd_("V", "U", &order, result.vectors.data(), &order, result.values.data(), work.data(), &work_size,
          integers.data(), &integers_size, &info, 1, 1);
  TANGRA_ENSURE(info >= 0);
  result.converged = info == 0;
  return result;
}

CholeskyOutcome cholesky(MatrixView<double> a, int threads) {
  TANGRA_ENSURE(a.rows == a.columns && a.column_stride == 1);
  ensure_finite_lower(a);
  if (a.rows == 0) return {};
  const int order = lapack_int(a.rows), lda = leading_dimension(a.row_stride, a.rows);
  int info = 0;
  const BlasThreads blas(threads, order, threads_pay_by_blocks);
  dpotrf_("U", &order, a.data, &lda, &info, 1);
  TANGRA_ENSURE(info >= 0);
  return {.failing_pivot = static_cast<Index>(info) - 1};
}

namespace {

/// X^T = B^T U^-1, or then U^-T as well: to Fortran, L lies as U = L^T and B as B^T.
void solve_triangles(MatrixView<const double> l, MatrixView<double> b, bool both, int threads) {
  TANGRA_ENSURE(l.rows == l.columns && l.column_stride == 1 && b.rows == l.rows && b.column_stride == 1);
  if (b.rows == 0 || b.columns == 0) return;
  const int order = lapack_int(l.rows), count = lapack_int(b.columns);
  const int ldl = leading_dimension(l.row_stride, l.rows);
  const int ldb = b.rows > 1 ? lapack_int(b.row_stride) : count;
  const double one = 1;
  const BlasThreads blas(threads, order, threads_pay_by_blocks);
  dtrsm_("R", "U", "N", "N", &count, &order, &one, l.data, &ldl, b.data, &ldb, 1, 1, 1, 1);
  if (both) dtrsm_("R", "U", "T", "N", &count, &order, &one, l.data, &ldl, b.data, &ldb, 1, 1, 1, 1);
}

/// Counts the signs of D, whose blocks stand on the diagonal of what dsytrf left of the upper triangle that
/// Fortran sees (the lower one here).
void count_inertia(IndefiniteFactor& result) {
  const MatrixView<double>& d = result.factor;
  for (Index k = 0; k < d.rows; ++k) {
    if (result.pivots[static_cast<std::size_t>(k)] > 0) {
      result.negative += d(k, k) < 0;
      result.zero += d(k, k) == 0;
      continue;
    }
    // A block of two rows, k and k + 1. Pivoting takes one only where its determinant is negative.
    result.negative += 1;
    ++k;
  }
}

}  // namespace

void solve_cholesky(MatrixView<const double> l, MatrixView<double> b, int threads) {
  solve_triangles(l, b, true, threads);
}

void solve_lower(MatrixView<const double> l, MatrixView<double> b, int threads) {
  solve_triangles(l, b, false, threads);
}

void invert_cholesky(MatrixView<double> l, int threads) {
  TANGRA_ENSURE(l.rows == l.columns && l.column_stride == 1);
  if (l.rows == 0) return;
  const int order = lapack_int(l.rows), ldl = leading_dimension(l.row_stride, l.rows);
  int info = 0;
  {
    const BlasThreads blas(threads, order, threads_pay_by_blocks);
    dpotri_("U", &order, l.data, &ldl, &info, 1);
  }
  TANGRA_ENSURE(info == 0);  // cholesky() leaves no zero on the diagonal
  for (Index i = 0; i < l.rows; ++i) {
    for (Index j = 0; j < i; ++j) l(j, i) = l(i, j);
  }
}

IndefiniteFactor factor_indefinite(MatrixView<double> a, int threads) {
  TANGRA_ENSURE(a.rows == a.columns && a.column_stride == 1);
  ensure_finite_lower(a);
  IndefiniteFactor result{.factor = a};
  if (a.rows == 0) return result;
  result.pivots.resize(static_cast<std::size_t>(a.rows));
  const int order = lapack_int(a.rows), lda = leading_dimension(a.row_stride, a.rows);
  int info = 0;
  const BlasThreads blas(threads, order, threads_pay_by_rows);
  const auto run = [&](double* work, int work_size) {
    dsytrf_("U", &order, a.data, &lda, result.pivots.data(), work, &work_size, &info, 1);
    TANGRA_ENSURE(info >= 0);
  };
  double best_work = 0;
  run(&best_work, -1);
  // n times the width of a panel, in 64 bits until it is known to fit.
  Tensor<double> work = Tensor<double>::uninitialized(Shape{static_cast<Index>(best_work)});
  run(work.data(), lapack_int(work.size()));
  count_inertia(result);
  return result;
}

void solve_indefinite(const IndefiniteFactor& factor, MatrixView<double> b, int threads) {
  const MatrixView<double>& a = factor.factor;
  TANGRA_ENSURE(factor.zero == 0 && b.columns == a.rows && b.column_stride == 1);
  if (b.rows == 0 || b.columns == 0) return;
  const int order = lapack_int(a.rows), count = lapack_int(b.rows);
  const int lda = leading_dimension(a.row_stride, a.rows),
            ldb = b.rows > 1 ? lapack_int(b.row_stride) : order;
  int info = 0;
  const BlasThreads blas(threads, order, threads_pay_by_rows);
  dsytrs_("U", &order, &count, a.data, &lda, factor.pivots.data(), b.data, &ldb, &info, 1);
  TANGRA_ENSURE(info == 0);
}

}  // namespace tangra::linalg
