// The fused tile and gemm beside OpenBLAS, in the same run. Counter `flops` is the rate, two to a
// multiply-add; threads:2 is the sum of two threads with a tile each.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>

#include "tangra/base/context.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/simd.h"
#include "tangra/linalg/tile.h"

extern "C" {
void sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k,
            const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
            const float* beta, float* c, const int* ldc, std::size_t, std::size_t);
void openblas_set_num_threads(int threads);
}

namespace {

using namespace tangra;
using namespace tangra::linalg;

template <class T>
Tensor<T> random_matrix(Index rows, Index columns) {
  Tensor<T> tensor(Shape{rows, columns});
  unsigned state = 12345;
  for (T& entry : tensor)
    entry = static_cast<T>((state = state * 1664525U + 1013904223U) >> 8) / T(1 << 24) - T(0.5);
  return tensor;
}

void count_flops(benchmark::State& state, double multiply_adds) {
  using Counter = benchmark::Counter;
  const auto rate = static_cast<Counter::Flags>(Counter::kIsIterationInvariantRate | Counter::kAvgThreads);
  state.counters["flops"] = Counter(2 * multiply_adds, rate, Counter::kIs1000);
}

struct Pool {
  explicit Pool(int threads) : pool(threads), context{pool, memory} {}
  ThreadPool pool;
  MemoryLedger memory;
  Context context;
};

constexpr Index side = 1024;  // of a tile

/// sgemm as a kernel would call it: U V^T with row-major factors.
void blas_sgemm(benchmark::State& state) {
  const int n = side, k = static_cast<int>(state.range(0));
  const Tensor<float> u = random_matrix<float>(n, k), v = random_matrix<float>(n, k);
  Tensor<float> c(Shape{n, n});
  const float one = 1, zero = 0;
  openblas_set_num_threads(1);
  for (auto _ : state) {
    sgemm_("T", "N", &n, &n, &k, &one, v.data(), &k, u.data(), &k, &zero, c.data(), &n, 1, 1);
    benchmark::ClobberMemory();
  }
  count_flops(state, static_cast<double>(n) * n * k);
}

/// scale * (U V^T) o (X Y^T + 1), both inner sizes as given.
template <class T>
void tile(benchmark::State& state) {
  const Index c = state.range(0), k = state.range(1);
  const Tensor<T> u = random_matrix<T>(side, c), x = random_matrix<T>(side, k);
  const MatrixView<const T> u_view = matrix(u.data(), side, c), x_view = matrix(x.data(), side, k);
  const Packed<T> pu = pack<T>(Side::left, u_view), pv = pack<T>(Side::right, u_view);
  const Packed<T> px = pack<T>(Side::left, x_view), py = pack<T>(Side::right, x_view);
  const TileProduct<T> product = {.u = &pu, .v = &pv, .x = &px, .y = &py, .scale = 1, .constant = 1};
  Tensor<T> entries(Shape{side, side});
  TileWorkspace<T> workspace;
  for (auto _ : state) {
    compute_tile<T>({&product, 1}, false, TilePart::full, matrix(entries.data(), side, side), workspace);
    benchmark::ClobberMemory();
  }
  count_flops(state, static_cast<double>(side * side) * static_cast<double>(c + k));
  state.SetLabel(simd_target());
}

/// A network of one output: layers 784-60, 60-60, 60-1 as three products.
void tile_of_a_network(benchmark::State& state) {
  const Index widths[][2] = {{60, 784}, {60, 60}, {1, 60}};
  std::vector<Packed<float>> packed;
  double inner = 0;
  for (const auto& [c, k] : widths) {
    for (const Index length : {c, k}) {
      const Tensor<float> rows = random_matrix<float>(side, length);
      for (const Side which : {Side::left, Side::right}) {
        packed.push_back(pack<float>(which, matrix(rows.data(), side, length)));
      }
      inner += static_cast<double>(length);
    }
  }
  std::vector<TileProduct<float>> products;
  for (std::size_t i = 0; i < packed.size(); i += 4) {
    products.push_back(
        {.u = &packed[i], .v = &packed[i + 1], .x = &packed[i + 2], .y = &packed[i + 3], .constant = 1});
  }
  Tensor<float> entries(Shape{side, side});
  TileWorkspace<float> workspace;
  for (auto _ : state) {
    compute_tile<float>(products, false, TilePart::full, matrix(entries.data(), side, side), workspace);
    benchmark::ClobberMemory();
  }
  count_flops(state, static_cast<double>(side * side) * inner);
}

/// All outputs: O rows of u to a row of x, Gram matrix broadcast. The rate counts what is computed, not what
/// a plain tile would.
void tile_repeated(benchmark::State& state) {
  const Index outputs = state.range(0), rows = side / outputs * outputs, c = 60, k = 784;
  const Tensor<float> u = random_matrix<float>(rows, c), x = random_matrix<float>(rows / outputs, k);
  const MatrixView<const float> u_view = matrix(u.data(), rows, c),
                                x_view = matrix(x.data(), rows / outputs, k);
  const Packed<float> pu = pack<float>(Side::left, u_view), pv = pack<float>(Side::right, u_view);
  const Packed<float> px = pack<float>(Side::left, x_view), py = pack<float>(Side::right, x_view);
  const TileProduct<float> product = {.u = &pu,
                                      .v = &pv,
                                      .x = &px,
                                      .y = &py,
                                      .scale = 1,
                                      .constant = 1,
                                      .x_repeat = outputs,
                                      .y_repeat = outputs};
  Tensor<float> entries(Shape{rows, rows});
  TileWorkspace<float> workspace;
  for (auto _ : state) {
    compute_tile<float>({&product, 1}, false, TilePart::full, matrix(entries.data(), rows, rows), workspace);
    benchmark::ClobberMemory();
  }
  const double pairs = static_cast<double>(rows) * static_cast<double>(rows);
  count_flops(state, pairs * 60 + pairs / static_cast<double>(outputs * outputs) * 784);
}

/// C = A B^T with row-major factors, as in a dense layer: m, n, k, threads of our pool.
void gemm_dense(benchmark::State& state) {
  const Index m = state.range(0), n = state.range(1), k = state.range(2);
  Pool pool(static_cast<int>(state.range(3)));
  const Tensor<float> a = random_matrix<float>(m, k), b = random_matrix<float>(n, k);
  Tensor<float> c(Shape{m, n});
  for (auto _ : state) {
    gemm<float>(pool.context, Engine::fast, matrix(a.data(), m, k), matrix(b.data(), n, k).transposed(),
                false, matrix(c.data(), m, n));
    benchmark::ClobberMemory();
  }
  count_flops(state, static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k));
}

void blas_dense(benchmark::State& state) {
  const int m = static_cast<int>(state.range(0)), n = static_cast<int>(state.range(1)),
            k = static_cast<int>(state.range(2));
  const Tensor<float> a = random_matrix<float>(m, k), b = random_matrix<float>(n, k);
  Tensor<float> c(Shape{m, n});
  const float one = 1, zero = 0;
  openblas_set_num_threads(static_cast<int>(state.range(3)));
  for (auto _ : state) {
    sgemm_("T", "N", &n, &m, &k, &one, b.data(), &k, a.data(), &k, &zero, c.data(), &n, 1, 1);
    benchmark::ClobberMemory();
  }
  openblas_set_num_threads(1);
  count_flops(state, static_cast<double>(m) * n * k);
}

void pack_rows(benchmark::State& state) {
  const Index k = state.range(0);
  const Tensor<float> rows = random_matrix<float>(side, k);
  Packed<float> packed;
  for (auto _ : state) {
    packed.assign(state.range(1) == 0 ? Side::left : Side::right, matrix(rows.data(), side, k));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows.size());
}

void inner_sizes(benchmark::internal::Benchmark* bench) {
  for (const int k : {60, 120, 240, 300, 450, 600, 784, 900}) bench->Arg(k);
  bench->ThreadRange(1, 2)->UseRealTime();
}
void tile_sizes(benchmark::internal::Benchmark* bench) {
  for (const int k : {60, 120, 240, 300, 450, 600, 784, 900}) bench->Args({60, k});
  bench->Args({30, 30})->Args({300, 300})->Args({600, 600})->ThreadRange(1, 2)->UseRealTime();
}
void dense_sizes(benchmark::internal::Benchmark* bench) {
  const std::vector<std::vector<std::int64_t>> sizes = {
      {1, 60, 60},     {10, 60, 60},     {64, 60, 60},       {64, 10, 60},    {256, 60, 784},
      {512, 512, 512}, {1, 1024, 1024},  {1024, 1, 1024},    {2048, 60, 784}, {1000, 1000, 1000},
      {4000, 4, 4000}, {10000, 60, 784}, {2000, 2000, 2000}, {3000, 3000, 60}};
  for (const std::int64_t threads : {1, 2}) {
    for (const auto& size : sizes) bench->Args({size[0], size[1], size[2], threads});
  }
  bench->UseRealTime();
}

BENCHMARK(blas_sgemm)->Apply(inner_sizes);
BENCHMARK(tile<float>)->Apply(tile_sizes);
BENCHMARK(tile<double>)->Args({60, 60})->Args({60, 784})->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(tile_of_a_network)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(tile_repeated)->Arg(2)->Arg(3)->Arg(10)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(gemm_dense)->Apply(dense_sizes);
BENCHMARK(blas_dense)->Apply(dense_sizes);
BENCHMARK(pack_rows)->ArgsProduct({{60, 784}, {0, 1}});

}  // namespace
