#include "tangra/ops/spatial/shifted.h"

#include <algorithm>

#include "tangra/linalg/gemm_shifted.h"

namespace tangra::ops {
namespace {

/// Entries of padded images and their maps that are worked on at a time: 512 KiB of floats, within a second-level cache.
constexpr Index worked_entries = 1 << 17;

/// Zeros that an axis needs behind the image.
Index zeros_behind(const Window& window, std::size_t axis) {
  const Index last = window.positions[axis] - 1 - window.begin[axis] + window.reach(axis) - 1;
  return std::max<Index>(0, last - (window.image[axis] - 1));
}

Index pitch_of(const Window& window, std::size_t axis) {
  // The zeros before a line are those behind the one before it.
  return window.image[axis] + std::max(window.begin[axis], zeros_behind(window, axis));
}

}  // namespace

template <class T>
bool ShiftedConvolution<T>::fits(const Window& window) {
  if (window.taps() == 1) return false;
  for (std::size_t axis = 0; axis < Window::axes; ++axis) {
    if (window.stride[axis] != 1 || window.begin[axis] < 0) return false;
    // With little room for zeros beside a wide kernel, most of what is multiplied would be thrown away.
    if (window.positions[axis] > pitch_of(window, axis) || 2 * window.positions[axis] < pitch_of(window, axis)) return false;
  }
  return true;
}

template <class T>
ShiftedConvolution<T>::ShiftedConvolution(const Window& window, Index in, Index out) : window_(window), in_(in), out_(out) {
  for (std::size_t axis = 0; axis < Window::axes; ++axis) pitch_[axis] = pitch_of(window, axis);
  cell_ = pitch_[0] * pitch_[1] * pitch_[2];
  start_ = (window.begin[0] * pitch_[1] + window.begin[1]) * pitch_[2] + window.begin[2];
  for (Index z = 0; z < window.kernel[0]; ++z) {
    for (Index y = 0; y < window.kernel[1]; ++y) {
      for (Index x = 0; x < window.kernel[2]; ++x) {
        taps_.push_back((z * window.dilation[0] * pitch_[1] + y * window.dilation[1]) * pitch_[2] + x * window.dilation[2]);
      }
    }
  }
}

template <class T>
Index ShiftedConvolution<T>::images_at_once() const {
  return std::max<Index>(1, worked_entries / (cell_ * (in_ + out_)));
}

template <class T>
void ShiftedConvolution<T>::put_images(Index first, Index count, Rows<const T> images, T* lines, Index length) const {
  const auto& [depth, height, width] = window_.image;
  for (Index c = 0; c < in_; ++c) {
    T* line = lines + c * length;
    T* end = line;  // behind what is written
    for (Index k = 0; k < count; ++k) {
      const T* image = images.at(first + k) + c * depth * height * width;
      for (Index z = 0; z < depth; ++z) {
        for (Index y = 0; y < height; ++y, image += width) {
          T* to = line + k * cell_ + start_ + (z * pitch_[1] + y) * pitch_[2];
          std::fill(end, to, T(0));
          end = std::copy_n(image, width, to);
        }
      }
    }
    std::fill(end, line + length, T(0));
  }
}

template <class T>
void ShiftedConvolution<T>::take_maps(Index first, Index count, const T* lines, Index length, bool accumulate,
                                      Rows<T> maps) const {
  const auto& [depth, height, width] = window_.positions;
  for (Index k = 0; k < count; ++k) {
    T* to = maps.at(first + k);
    for (Index c = 0; c < out_; ++c) {
      for (Index z = 0; z < depth; ++z) {
        for (Index y = 0; y < height; ++y, to += width) {
          const T* from = lines + c * length + k * cell_ + (z * pitch_[1] + y) * pitch_[2];
          if (!accumulate) std::copy_n(from, width, to);
          else for (Index x = 0; x < width; ++x) to[x] += from[x];
        }
      }
    }
  }
}

template <class T>
void ShiftedConvolution<T>::apply(Index first, Index count, Rows<const T> images, MatrixView<const T> weight,
                                  bool accumulate, Rows<T> maps) const {
  const auto& [depth, height, width] = window_.positions;
  const Index last = ((depth - 1) * pitch_[1] + height - 1) * pitch_[2] + width - 1;
  const Index columns = (count - 1) * cell_ + last + 1;
  const Index padded = linalg::shifted_columns<T>(columns);
  const Index length = padded + taps_.back();
  std::vector<Index> offsets;
  offsets.reserve(static_cast<std::size_t>(weight.columns));
  for (Index c = 0; c < in_; ++c) {
    for (const Index tap : taps_) offsets.push_back(c * length + tap);
  }
  thread_local Tensor<T> memory;
  const Index needed = in_ * length + out_ * padded;
  if (memory.size() < needed) memory = Tensor<T>::uninitialized(Shape{needed});
  T* lines = memory.data();
  T* results = lines + in_ * length;
  put_images(first, count, images, lines, length);
  linalg::gemm_shifted<T>(weight, lines, offsets, columns, matrix(results, out_, padded));
  take_maps(first, count, results, padded, accumulate, maps);
}

Window adjoint_window(const Window& window) {
  Window adjoint = window;
  for (std::size_t axis = 0; axis < Window::axes; ++axis) {
    adjoint.image[axis] = window.positions[axis];
    adjoint.positions[axis] = window.image[axis];
    adjoint.begin[axis] = window.reach(axis) - 1 - window.begin[axis];
  }
  return adjoint;
}

template class ShiftedConvolution<float>;
template class ShiftedConvolution<double>;

}  // namespace tangra::ops
