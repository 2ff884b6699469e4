#include "tangra/linalg/packed.h"

#include "tangra/linalg/blocking.h"
#include "tangra/linalg/simd/micro_kernel.h"

namespace tangra::linalg {
namespace {

constexpr Index parallel_from = 1 << 18;  // entries; below, waking the workers costs more than it brings

}  // namespace

template <class T>
Index panel_rows(Side side) {
  const MicroKernels<T>& kernels = micro_kernels<T>();
  return side == Side::left ? kernels.left_rows : kernels.right_rows;
}

template <class T>
std::size_t Packed<T>::bytes_needed(Side side, Index rows, Index k) {
  return static_cast<std::size_t>(round_up(rows, linalg::panel_rows<T>(side)) * k) * sizeof(T);
}

template <class T>
void Packed<T>::assign(Side side, MatrixView<const T> rows, const Context* context) {
  const MicroKernels<T>& kernels = micro_kernels<T>();
  side_ = side;
  rows_ = rows.rows;
  k_ = rows.columns;
  panel_rows_ = side == Side::left ? kernels.left_rows : kernels.right_rows;
  const Index needed = panels() * panel_rows_ * k_;
  if (memory_.size() < needed) memory_ = Tensor<T>::uninitialized(Shape{needed});
  const auto pack_panel = side == Side::left ? kernels.pack_left : kernels.pack_right;
  const auto pack_one = [&](Index p, int) {
    const Index first = p * panel_rows_;
    pack_panel(rows.block(first, 0, std::min(panel_rows_, rows_ - first), k_), memory_.data() + first * k_);
  };
  if (context != nullptr && needed >= parallel_from) return context->pool.parallel_for(panels(), pack_one);
  for (Index p = 0; p < panels(); ++p) pack_one(p, 0);
}

template <class T>
Packed<T> pack(Side side, MatrixView<const T> rows, const Context* context) {
  Packed<T> packed;
  packed.assign(side, rows, context);
  return packed;
}

template Index panel_rows<float>(Side);
template Index panel_rows<double>(Side);
template class Packed<float>;
template class Packed<double>;
template Packed<float> pack<float>(Side, MatrixView<const float>, const Context*);
template Packed<double> pack<double>(Side, MatrixView<const double>, const Context*);

}  // namespace tangra::linalg
