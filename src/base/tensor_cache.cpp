#include "tangra/base/tensor_cache.h"

#include <unordered_map>
#include <vector>

namespace tangra {
namespace {

constexpr std::size_t most_bytes = std::size_t{64} << 20U;
constexpr std::size_t most_bytes_of_one = std::size_t{16} << 20U;
/// Smaller ones come quickly from the allocator.
constexpr std::size_t fewest_bytes = std::size_t{16} << 10U;

template <class T>
struct Kept {
  std::unordered_map<Index, std::vector<Tensor<T>>> by_size;
  std::size_t bytes = 0;
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
  own.bytes -= tensor.bytes();
  tensor.reshape(std::move(shape));
  return tensor;
}

template <class T>
void give_back(Tensor<T> tensor) {
  Kept<T>& own = kept<T>();
  const std::size_t bytes = tensor.bytes();
  if (bytes < fewest_bytes || bytes > most_bytes_of_one) return;
  if (own.bytes + bytes > most_bytes) own = {};  // sizes that no longer occur must not hold the place
  own.bytes += bytes;
  own.by_size[tensor.size()].push_back(std::move(tensor));
}

template <class T>
std::shared_ptr<Tensor<T>> share_and_give_back(Tensor<T> tensor) {
  return {new Tensor<T>(std::move(tensor)), [](Tensor<T>* own) {
            const std::unique_ptr<Tensor<T>> owner(own);
            give_back(std::move(*own));
          }};
}

#define TANGRA_INSTANTIATE(T)                 \
  template Tensor<T> take_tensor<T>(Shape);   \
  template void give_back<T>(Tensor<T>);      \
  template std::shared_ptr<Tensor<T>> share_and_give_back<T>(Tensor<T>);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra
