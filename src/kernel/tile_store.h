#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "tangra/base/tensor.h"

namespace tangra::kernel {

/// How a kernel is cut into tiles. Part p, plane g is a matrix [rows, columns].
struct TileGrid {
  int parts = 1;
  Index planes = 1;
  Index rows = 0;
  Index columns = 0;
  Index tile_rows = 0;     ///< of every tile but the last of a column
  Index tile_columns = 0;  ///< of every tile but the last of a row
  Index block_samples = 0;
  bool symmetric = false;
  std::uint64_t plan = 0;  ///< fingerprint of what is multiplied in which order
};

/// What a kernel is written to: every entry exactly once, in tiles, from several threads at once. Nothing is kept unless
/// finish() was called; a store that can be resumed keeps every tile that was written.
template <class T>
class TileStore {
 public:
  virtual ~TileStore() = default;
  /// Called once, before all other functions.
  virtual void begin(const TileGrid&) {}
  /// Whether an earlier run may have left tiles.
  virtual bool resumed() const { return false; }
  /// Fills `tile`, the entries from (row, column) on, with what an earlier run left; false where that is absent or damaged.
  virtual bool have(int /*part*/, Index /*plane*/, Index /*row*/, Index /*column*/, MatrixView<T> /*tile*/) { return false; }
  /// Whether it takes both triangles of a symmetric kernel, or the lower one alone (with all of the diagonal tiles).
  virtual bool both_triangles() const { return true; }
  /// tile: entries from (row, column) on.
  virtual void write(int part, Index plane, Index row, Index column, MatrixView<const T> tile) = 0;
  virtual void finish() = 0;
};

/// Keeps every part in memory.
template <class T>
class MemoryStore final : public TileStore<T> {
 public:
  /// `shape` has planes * rows * columns elements.
  MemoryStore(int parts, const Shape& shape, Index rows, Index columns);
  void write(int part, Index plane, Index row, Index column, MatrixView<const T> tile) override;
  void finish() override {}
  Tensor<T>& part(int index) { return parts_[static_cast<std::size_t>(index)]; }

 private:
  Index rows_;
  Index columns_;
  std::vector<Tensor<T>> parts_;
};

/// Writes one part to a .npy file by positioned writes: a temporary file beside it, renamed by finish().
template <class T>
class NpyStore final : public TileStore<T> {
 public:
  NpyStore(const std::filesystem::path& path, const Shape& shape, Index rows, Index columns);
  ~NpyStore() override;
  void write(int part, Index plane, Index row, Index column, MatrixView<const T> tile) override;
  void finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

extern template class MemoryStore<float>;
extern template class MemoryStore<double>;
extern template class NpyStore<float>;
extern template class NpyStore<double>;

}  // namespace tangra::kernel
