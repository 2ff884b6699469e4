#pragma once
#include <cstddef>
#include <memory>

#include "tangra/base/tensor.h"

namespace tangra {

/// Unwritten memory of this shape; that of a tensor with as many entries which this thread has given back, where there is
/// one. For arrays that live and die again and again: asking the system each time costs more than filling them.
template <class T>
Tensor<T> take_tensor(Shape shape);

/// Keeps the memory for a later take_tensor() on this thread: no more in all than kept_tensor_bytes(), and no array of
/// more than 16 MiB. It is freed when the thread ends.
template <class T>
void give_back(Tensor<T> tensor);

/// Shares a tensor that is given back by the last of its owners.
template <class T>
std::shared_ptr<Tensor<T>> share_and_give_back(Tensor<T> tensor);

/// What a thread may keep, in bytes; 64 MiB until something else was said. For all threads of the process.
std::size_t kept_tensor_bytes();
void limit_kept_tensors(std::size_t bytes);
/// What the calling thread keeps, in bytes.
std::size_t kept_on_this_thread();

#define TANGRA_DECLARE(T)                              \
  extern template Tensor<T> take_tensor<T>(Shape);     \
  extern template void give_back<T>(Tensor<T>);        \
  extern template std::shared_ptr<Tensor<T>> share_and_give_back<T>(Tensor<T>);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra
