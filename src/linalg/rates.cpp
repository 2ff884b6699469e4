#include "tangra/linalg/rates.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tangra/linalg/tile.h"

namespace tangra::linalg {
namespace {

/// Work done in a second where `work` is done by every thread of the pool, again and again for some time.
template <class Task>
double rate(const Context& context, double work, const Task& task) {
  using Clock = std::chrono::steady_clock;
  constexpr double enough = 0.05;
  task(0);  // memory is touched, code is there
  double best = 0;
  const auto begin = Clock::now();
  while (std::chrono::duration<double>(Clock::now() - begin).count() < enough) {
    const auto start = Clock::now();
    context.pool.parallel_for(context.pool.size(), [&](Index item, int) { task(item); });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, work * context.pool.size() / seconds);
  }
  return best;
}

constexpr Index side = 448;  // of a tile
constexpr Index inner = 256;
constexpr std::size_t written_at_once = std::size_t{16} << 20;

template <class T>
double tile_rate(const Context& context) {
  Tensor<T> factor(Shape{side, inner});
  std::fill(factor.begin(), factor.end(), T(0.5));
  const auto view = matrix<const T>(factor.data(), side, inner);
  const Packed<T> left = pack<T>(Side::left, view);
  const Packed<T> right = pack<T>(Side::right, view);
  std::vector<TileWorkspace<T>> workspaces(static_cast<std::size_t>(context.pool.size()));
  std::vector<Tensor<T>> tiles;
  for (int k = 0; k < context.pool.size(); ++k) tiles.emplace_back(Shape{side, side});
  const std::vector<TileProduct<T>> products{{.u = &left, .v = &right, .x = &left, .y = &right}};
  return rate(context, 2.0 * side * side * inner, [&](Index item) {
    const auto own = static_cast<std::size_t>(item);
    compute_tile<T>(products, false, TilePart::full, matrix(tiles[own].data(), side, side), workspaces[own]);
  });
}

}  // namespace

std::size_t measuring_rates_bytes(const Context& context) {
  // A tile and about as much for its workspace, for each thread; the factor as it is and packed for both sides.
  constexpr std::size_t tile = 2 * side * side * sizeof(double), factors = 3 * side * inner * sizeof(double);
  return factors + static_cast<std::size_t>(context.pool.size()) * (written_at_once + tile);
}

Rates measure_rates(const Context& context) {
  constexpr std::size_t bytes = written_at_once;
  std::vector<Tensor<std::byte>> memory;
  for (int k = 0; k < context.pool.size(); ++k) memory.emplace_back(Shape{static_cast<Index>(bytes)});
  const double written = rate(context, static_cast<double>(bytes), [&](Index item) {
    Tensor<std::byte>& own = memory[static_cast<std::size_t>(item)];
    std::memset(own.data(), static_cast<int>(item), own.bytes());
  });
  return {.float32_multiply_adds = tile_rate<float>(context), .float64_multiply_adds = tile_rate<double>(context),
          .written_bytes = written};
}

}  // namespace tangra::linalg
