#include "tangra/kernel/tile_store.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/formats/npy.h"

namespace tangra::kernel {

template <class T>
MemoryStore<T>::MemoryStore(int parts, const Shape& shape, Index rows, Index columns) : rows_(rows), columns_(columns) {
  for (int part = 0; part < parts; ++part) parts_.push_back(Tensor<T>::uninitialized(shape));
}

template <class T>
void MemoryStore<T>::write(int part, Index plane, Index row, Index column, MatrixView<const T> tile) {
  T* target = parts_[static_cast<std::size_t>(part)].data() + (plane * rows_ + row) * columns_ + column;
  for (Index r = 0; r < tile.rows; ++r) std::copy_n(&tile(r, 0), tile.columns, target + r * columns_);
}

template <class T>
struct NpyStore<T>::State {
  State(const std::filesystem::path& path, const Shape& shape, Index row_count, Index column_count)
      : file(path), rows(row_count), columns(column_count) {
    const std::string header = formats::npy_header(dtype_of<T>(), shape);
    data_offset = header.size();
    file.pwrite(0, std::as_bytes(std::span(header)));
  }

  formats::AtomicFile file;
  Index rows;
  Index columns;
  std::size_t data_offset = 0;
};

template <class T>
NpyStore<T>::NpyStore(const std::filesystem::path& path, const Shape& shape, Index rows, Index columns)
    : state_(std::make_unique<State>(path, shape, rows, columns)) {}

template <class T>
NpyStore<T>::~NpyStore() = default;

template <class T>
void NpyStore<T>::write(int part, Index plane, Index row, Index column, MatrixView<const T> tile) {
  TANGRA_ENSURE(part == 0);
  const auto offset_of = [&](Index r) {
    const Index entry = (plane * state_->rows + row + r) * state_->columns + column;
    return state_->data_offset + static_cast<std::uint64_t>(entry) * sizeof(T);
  };
  const bool in_one_piece = tile.columns == state_->columns && tile.row_stride == tile.columns;
  if (in_one_piece) {
    state_->file.pwrite(offset_of(0), std::as_bytes(std::span(tile.data, static_cast<std::size_t>(tile.rows * tile.columns))));
    return;
  }
  for (Index r = 0; r < tile.rows; ++r) {
    state_->file.pwrite(offset_of(r), std::as_bytes(std::span(&tile(r, 0), static_cast<std::size_t>(tile.columns))));
  }
}

template <class T>
void NpyStore<T>::finish() {
  state_->file.commit();
}

template class MemoryStore<float>;
template class MemoryStore<double>;
template class NpyStore<float>;
template class NpyStore<double>;

}  // namespace tangra::kernel
