#pragma once
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "tangra/base/shape.h"

namespace tangra {

/// A matrix that lies somewhere else: entry (r, c) is data[r * row_stride + c * column_stride].
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index columns = 0;
  Index row_stride = 0;
  Index column_stride = 1;

  T& operator()(Index row, Index column) const { return data[row * row_stride + column * column_stride]; }
  MatrixView transposed() const { return {data, columns, rows, column_stride, row_stride}; }
  MatrixView block(Index row, Index column, Index row_count, Index column_count) const {
    return {data + row * row_stride + column * column_stride, row_count, column_count, row_stride, column_stride};
  }
  operator MatrixView<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, rows, columns, row_stride, column_stride};
  }
};

/// A row-major matrix without gaps.
template <class T>
MatrixView<T> matrix(T* data, Index rows, Index columns) {
  return {data, rows, columns, columns, 1};
}

/// Tells the system that a large allocation will be written as a whole; does nothing for a small one.
void advise_large_pages(void* memory, std::size_t bytes);

/// Owns a row-major array, aligned to 64 bytes (but see borrowed()). Moving is cheap, copying is asked for by name (clone).
template <class T>
class Tensor {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Tensor() = default;
  /// Zeros of this shape.
  explicit Tensor(Shape shape) : Tensor(std::move(shape), Uninitialized{}) {
    if (size_ > 0) std::memset(static_cast<void*>(data_.get()), 0, bytes());
  }
  /// Unwritten memory of this shape, for code that writes every entry.
  static Tensor uninitialized(Shape shape) { return Tensor(std::move(shape), Uninitialized{}); }

  /// A tensor to read whose entries lie in memory that `owner` keeps alive, aligned to T only.
  static std::shared_ptr<const Tensor> borrowed(Shape shape, const T* entries, std::shared_ptr<const void> owner) {
    struct Kept {
      Tensor tensor;
      std::shared_ptr<const void> owner;
    };
    auto kept = std::make_shared<Kept>(Kept{{}, std::move(owner)});
    kept->tensor.size_ = shape.elements();
    kept->tensor.shape_ = std::move(shape);
    kept->tensor.data_ = {const_cast<T*>(entries), Free{.owns = false}};  // const again from the next line on
    return {kept, &kept->tensor};
  }

  Tensor clone() const {
    Tensor copy(shape_, Uninitialized{});
    if (size_ > 0) std::memcpy(static_cast<void*>(copy.data()), data(), bytes());
    return copy;
  }

  const Shape& shape() const { return shape_; }
  Index size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](Index i) { return data_[static_cast<std::size_t>(i)]; }
  const T& operator[](Index i) const { return data_[static_cast<std::size_t>(i)]; }
  std::span<T> span() { return {data(), static_cast<std::size_t>(size_)}; }
  std::span<const T> span() const { return {data(), static_cast<std::size_t>(size_)}; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }

  /// The same entries under another shape with as many elements.
  void reshape(Shape shape);

 private:
  struct Uninitialized {};
  struct Free {
    bool owns = true;
    void operator()(T* memory) const {
      if (owns) ::operator delete[](memory, std::align_val_t{64});
    }
  };
  Tensor(Shape shape, Uninitialized) : shape_(std::move(shape)), size_(shape_.elements()) {
    data_.reset(static_cast<T*>(::operator new[](bytes(), std::align_val_t{64})));
    advise_large_pages(data_.get(), bytes());
  }

  Shape shape_{0};
  Index size_ = 0;
  std::unique_ptr<T[], Free> data_;
};

/// Throws Error(internal) unless both shapes have as many elements; kept out of line to keep this header light.
void ensure_same_elements(const Shape& a, const Shape& b);

template <class T>
void Tensor<T>::reshape(Shape shape) {
  ensure_same_elements(shape_, shape);
  shape_ = std::move(shape);
}

}  // namespace tangra
