#pragma once
#include <filesystem>
#include <memory>
#include <vector>

#include "tangra/base/tensor.h"

namespace tangra::kernel {

/// What a kernel is written to. Part p, plane g is a matrix [rows, columns]; every entry is written exactly once, in
/// tiles, from several threads at once. Nothing is kept unless finish() was called.
template <class T>
class TileStore {
 public:
  virtual ~TileStore() = default;
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
