#include "tangra/base/tensor_cache.h"

#include <atomic>
#include <unordered_map>
#include <vector>

namespace tangra {
namespace {

std::atomic<std::size_t> most_bytes{std::size_t{64} << 20U};
constexpr std::size_t most_bytes_of_one = std::size_t{16} << 20U;
/// Smaller ones come quickly from the allocator.
constexpr std::size_t fewest_bytes = std::size_t{16} << 10U;

/// Of this thread and all scalars.
thread_local std::size_t kept_bytes = 0;

template <class T>
struct Kept {
  void clear() {
    for (const auto& [size, tensors] : by_size) {
      for (const Tensor<T>& tensor : tensors) kept_bytes -= tensor.bytes();
    }
    by_size.clear();
  }

  std::unordered_map<Index, std::vector<Tensor<T>>> by_size;
};

template <class T>
Kept<T>& kept() {
  thread_local Kept<T> own;
  return own;
}

}  // namespace

template <class T>
Tensor<T> take_tensor(Shape shape) {
  Kept<T>& own = kept<T>();
  const auto found = own.by_size.find(shape.elements());
  if (found == own.by_size.end() || found->second.empty()) return Tensor<T>::uninitialized(std::move(shape));
  Tensor<T> tensor = std::move(found->second.back());
  found->second.pop_back();
  kept_bytes -= tensor.bytes();
  tensor.reshape(std::move(shape));
  return tensor;
}

template <class T>
void give_back(Tensor<T> tensor) {
  Kept<T>& own = kept<T>();
  const std::size_t bytes = tensor.bytes();
  if (bytes < fewest_bytes || bytes > most_bytes_of_one) return;
  if (kept_bytes + bytes > most_bytes) {  // sizes that no longer occur must not hold the place
    kept<float>().clear();
    kept<double>().clear();
  }
  if (kept_bytes + bytes > most_bytes) return;
  kept_bytes += bytes;
  own.by_size[tensor.size()].push_back(std::move(tensor));
}

template <class T>
std::shared_ptr<Tensor<T>> share_and_give_back(Tensor<T> tensor) {
  return {new Tensor<T>(std::move(tensor)), [](Tensor<T>* own) {
            const std::unique_ptr<Tensor<T>> owner(own);
            give_back(std::move(*own));
          }};
}

std::size_t kept_tensor_bytes() { return most_bytes; }
void limit_kept_tensors(std::size_t bytes) { most_bytes = bytes; }
std::size_t kept_on_this_thread() { return kept_bytes; }

#define TANGRA_INSTANTIATE(T)                 \
  template Tensor<T> take_tensor<T>(Shape);   \
  template void give_back<T>(Tensor<T>);      \
  template std::shared_ptr<Tensor<T>> share_and_give_back<T>(Tensor<T>);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra
