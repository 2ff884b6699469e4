#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "tangra/base/tensor.h"

namespace tangra {

/// The types that arrays in files have.
enum class DType { float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, boolean };

std::size_t bytes_of(DType type);
/// As NumPy names it: "float32", "bool".
std::string_view name_of(DType type);
bool is_floating(DType type);

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::float32;
  else if constexpr (std::is_same_v<T, double>) return DType::float64;
  else if constexpr (std::is_same_v<T, std::int8_t>) return DType::int8;
  else if constexpr (std::is_same_v<T, std::int16_t>) return DType::int16;
  else if constexpr (std::is_same_v<T, std::int32_t>) return DType::int32;
  else if constexpr (std::is_same_v<T, std::int64_t>) return DType::int64;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return DType::uint8;
  else if constexpr (std::is_same_v<T, std::uint16_t>) return DType::uint16;
  else if constexpr (std::is_same_v<T, std::uint32_t>) return DType::uint32;
  else if constexpr (std::is_same_v<T, std::uint64_t>) return DType::uint64;
  else {
    static_assert(std::is_same_v<T, bool>, "an array has no such type");
    return DType::boolean;
  }
}

/// A row-major array whose type is known at run time: what files and parameters hold. Immutable once made, so
/// copies share the memory.
class Array {
 public:
  Array() = default;
  /// Zeroed memory; `fill` is called once with the bytes before anyone else sees them.
  template <class Fill>
  Array(DType type, Shape shape, Fill&& fill) : Array(type, std::move(shape)) {
    std::forward<Fill>(fill)(std::span<std::byte>(allocated(), bytes()));
  }
  /// Entries in memory that `owner` keeps alive and that nobody writes meanwhile, aligned as the type asks for.
  Array(DType type, Shape shape, const std::byte* entries, std::shared_ptr<const void> owner) : Array(type, std::move(shape)) {
    owner_ = std::move(owner);
    data_ = entries;
  }
  template <class T>
  explicit Array(const Tensor<T>& tensor) : Array(tensor.clone()) {}
  /// Takes the tensor's memory over.
  template <class T>
  explicit Array(Tensor<T>&& tensor) : type_(dtype_of<T>()), shape_(tensor.shape()), size_(tensor.size()) {
    auto owner = std::make_shared<const Tensor<T>>(std::move(tensor));
    data_ = reinterpret_cast<const std::byte*>(owner->data());
    owner_ = std::move(owner);
  }

  DType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  Index size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * bytes_of(type_); }
  const std::byte* data() const { return data_; }

  /// The entries as they are. Throws Error(internal) where T is not the array's type.
  template <class T>
  std::span<const T> as() const {
    ensure_type(dtype_of<T>());
    return {reinterpret_cast<const T*>(data()), static_cast<std::size_t>(size_)};
  }
  /// The entries converted to T (float or double), rounded to nearest where T is narrower.
  template <class T>
  Tensor<T> converted() const;
  /// The entries in T (float or double): the same memory where that is the array's type, else converted().
  template <class T>
  std::shared_ptr<const Tensor<T>> tensor() const {
    if (type_ == dtype_of<T>()) return Tensor<T>::borrowed(shape_, as<T>().data(), owner_);
    return std::make_shared<const Tensor<T>>(converted<T>());
  }

  /// The same entries under another shape with as many elements.
  Array reshaped(Shape shape) const;
  /// Rows [begin, end) of the first axis.
  Array rows(Index begin, Index end) const;

 private:
  Array(DType type, Shape shape) : type_(type), shape_(std::move(shape)), size_(shape_.elements()) {}
  /// Zeroed memory for the entries, owned from now on; the one moment in which it may be written.
  std::byte* allocated();
  void ensure_type(DType type) const;

  DType type_ = DType::float32;
  Shape shape_{0};
  Index size_ = 0;
  std::shared_ptr<const void> owner_;
  const std::byte* data_ = nullptr;
};

extern template Tensor<float> Array::converted<float>() const;
extern template Tensor<double> Array::converted<double>() const;

}  // namespace tangra
