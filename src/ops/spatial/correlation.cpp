#include "tangra/ops/spatial/correlation.h"

#include <algorithm>

#include "tangra/base/tensor_cache.h"
#include "tangra/ops/spatial/shifted.h"

namespace tangra::ops {
namespace {

using linalg::gemm;

/// Entries of the patches that a thread holds at a time: 4 MiB of floats.
constexpr Index patch_entries = 1 << 20;
/// Fewer columns would leave the packing of the weight in charge of the time.
constexpr Index fewest_columns = 128;
/// From so many positions on, a row is multiplied by itself and needs no copy of its map.
constexpr Index positions_alone = 256;
/// Multiply-adds from which waking the threads costs less than it brings.
constexpr Index worth_threads = 1 << 18;

template <class T>
T* room(Tensor<T>& memory, Index count) {
  if (memory.size() < count) memory = Tensor<T>::uninitialized(Shape{count});
  return memory.data();
}

}  // namespace

template <class T>
Correlation<T>::Correlation(const Context& context, linalg::Engine engine, const Window& window,
                            Index image_channels, Index map_channels, Index groups)
    : context_(context),
      engine_(engine),
      patches_(window),
      groups_(groups),
      image_channels_(image_channels / groups),
      map_channels_(map_channels / groups),
      image_size_(window.image_size()),
      positions_(window.position_count()),
      fan_in_(image_channels_ * window.taps()) {}

template <class T>
typename Correlation<T>::Scratch& Correlation<T>::scratch() {
  thread_local Scratch own;
  return own;
}

/// Tasks go to the threads where each of these gets one; otherwise the products inside them are divided.
template <class T>
template <class Body>
void Correlation<T>::each_task(Index count, Index rows, const Body& body) const {
  const auto threads = static_cast<Index>(context_.pool.size());
  const Index work = rows * groups_ * map_channels_ * fan_in_ * positions_;
  if (count >= threads && work >= worth_threads) {
    context_.pool.parallel_for(
        count, [&](Index item, int) { body(item, scratch()); });
  } else {
    for (Index item = 0; item < count; ++item) body(item, scratch());
  }
}

template <class T>
typename Correlation<T>::Piece Correlation<T>::piece_size(bool shared_weights) const {
  const Index columns = std::max(fewest_columns, patch_entries / fan_in_);
  const bool together = shared_weights && positions_ < positions_alone;
  return {.row = 0,
          .count = together ? std::max<Index>(1, columns / positions_) : 1,
          .first = 0,
          .last = std::min(positions_, columns)};
}

template <class T>
MatrixView<const T> Correlation<T>::gathered(const Piece& piece, Rows<const T> images, Index group,
                                             Scratch& scratch) const {
  const Index offset = group * image_channels_ * image_size_;
  if (piece.count == 1 && patches_.window().is_identity()) {
    return {images.at(piece.row) + offset + piece.first, fan_in_, piece.columns(), image_size_, 1};
  }
  T* to = room(scratch.patches, fan_in_ * piece.columns());
  for (Index k = 0; k < piece.count; ++k) {
    patches_.gather(images.at(piece.row + k) + offset, image_channels_, piece.first, piece.last,
                    to + k * positions_, piece.columns(), 1);
  }
  return matrix<const T>(to, fan_in_, piece.columns());
}

template <class T>
MatrixView<const T> Correlation<T>::map_view(const Piece& piece, Rows<const T> maps, Index group,
                                             Scratch& scratch) const {
  const Index offset = group * map_channels_ * positions_;
  if (piece.count == 1) {
    return {maps.at(piece.row) + offset + piece.first, map_channels_, piece.columns(), positions_, 1};
  }
  T* to = room(scratch.maps, map_channels_ * piece.columns());
  for (Index k = 0; k < piece.count; ++k) {
    const T* from = maps.at(piece.row + k) + offset;
    for (Index m = 0; m < map_channels_; ++m) {
      std::copy_n(from + m * positions_, positions_, to + m * piece.columns() + k * positions_);
    }
  }
  return matrix<const T>(to, map_channels_, piece.columns());
}

template <class T>
bool Correlation<T>::shifts(Rows<const T> weights, const Window& window) const {
  return engine_ == linalg::Engine::fast && weights.shared() && ShiftedConvolution<T>::fits(window);
}

template <class T>
void Correlation<T>::shift(const Window& window, Index rows, Rows<const T> from, const T* weights, bool forwards,
                           bool accumulate, Rows<T> to) const {
  const Index taps = window.taps();
  const Index in = forwards ? image_channels_ : map_channels_;
  const Index out = forwards ? map_channels_ : image_channels_;
  const Index weight_size = map_channels_ * fan_in_;
  std::vector<T> flipped;
  if (!forwards) {
    flipped.resize(static_cast<std::size_t>(groups_ * weight_size));
    for (Index group = 0; group < groups_; ++group) {
      flip_weight(weights + group * weight_size, map_channels_, image_channels_, taps, flipped.data() + group * weight_size);
    }
  }
  const T* own = forwards ? weights : flipped.data();
  const ShiftedConvolution<T> product(window, in, out);
  const Index step = product.images_at_once();
  each_task((rows + step - 1) / step, rows, [&](Index item, Scratch&) {
    const Index first = item * step;
    const Index count = std::min(step, rows - first);
    for (Index group = 0; group < groups_; ++group) {
      product.apply(first, count, from.from(group * in * window.image_size()),
                    matrix(own + group * weight_size, out, in * taps), accumulate,
                    to.from(group * out * window.position_count()));
    }
  });
}

template <class T>
void Correlation<T>::correlate(const Piece& piece, Rows<const T> images, Rows<const T> weights,
                               bool accumulate, Rows<T> maps, Scratch& scratch) const {
  for (Index group = 0; group < groups_; ++group) {
    const MatrixView<const T> patches = gathered(piece, images, group, scratch);
    const MatrixView<const T> weight =
        matrix(weights.at(piece.row) + group * map_channels_ * fan_in_, map_channels_, fan_in_);
    const Index offset = group * map_channels_ * positions_;
    if (piece.count == 1) {
      T* to = maps.at(piece.row) + offset + piece.first;
      gemm<T>(context_, engine_, weight, patches, accumulate,
              {to, map_channels_, piece.columns(), positions_, 1});
      continue;
    }
    const Index columns = piece.columns();
    T* together = room(scratch.maps, map_channels_ * columns);
    if (accumulate) {
      const Rows<const T> before{maps.data, maps.sample_stride, maps.direction_stride, maps.directions};
      map_view(piece, before, group, scratch);
    }
    gemm<T>(context_, engine_, weight, patches, accumulate, matrix(together, map_channels_, columns));
    for (Index k = 0; k < piece.count; ++k) {
      for (Index m = 0; m < map_channels_; ++m) {
        std::copy_n(together + m * columns + k * positions_, positions_,
                    maps.at(piece.row + k) + offset + m * positions_);
      }
    }
  }
}

template <class T>
void Correlation<T>::correlate(Index rows, Rows<const T> images, Rows<const T> weights, bool accumulate,
                               Rows<T> maps) const {
  if (shifts(weights, patches_.window())) return shift(patches_.window(), rows, images, weights.data, true, accumulate, maps);
  const Piece size = piece_size(weights.shared());
  const Index pieces =
      (positions_ + size.last - 1) / size.last;  // of one row; 1 where rows are taken together
  const Index blocks = (rows + size.count - 1) / size.count;
  each_task(blocks * pieces, rows, [&](Index item, Scratch& scratch) {
    const Index row = item / pieces * size.count;
    const Index first = item % pieces * size.last;
    const Piece piece{.row = row,
                      .count = std::min(size.count, rows - row),
                      .first = first,
                      .last = std::min(positions_, first + size.last)};
    correlate(piece, images, weights, accumulate, maps, scratch);
  });
}

template <class T>
void Correlation<T>::spread(const Piece& piece, bool direct, Rows<const T> maps, Rows<const T> weights,
                            Rows<T> images, Scratch& scratch) const {
  const Index columns = piece.columns();
  for (Index group = 0; group < groups_; ++group) {
    const MatrixView<const T> map = map_view(piece, maps, group, scratch);
    const MatrixView<const T> weight =
        matrix(weights.at(piece.row) + group * map_channels_ * fan_in_, map_channels_, fan_in_);
    const Index offset = group * image_channels_ * image_size_;
    if (direct) {
      T* to = images.at(piece.row) + offset + piece.first;
      gemm<T>(context_, engine_, weight.transposed(), map, true, {to, fan_in_, columns, image_size_, 1});
      continue;
    }
    T* spread_patches = room(scratch.patches, fan_in_ * columns);
    gemm<T>(context_, engine_, weight.transposed(), map, false, matrix(spread_patches, fan_in_, columns));
    for (Index k = 0; k < piece.count; ++k) {
      patches_.scatter(spread_patches + k * positions_, columns, image_channels_, piece.first, piece.last,
                       images.at(piece.row + k) + offset);
    }
  }
}

/// The pieces of one row meet in the image, so they follow one another.
template <class T>
void Correlation<T>::spread(Index rows, Rows<const T> maps, Rows<const T> weights, Rows<T> images) const {
  const Window adjoint = adjoint_window(patches_.window());
  if (shifts(weights, patches_.window()) && shifts(weights, adjoint)) {
    return shift(adjoint, rows, maps, weights.data, false, true, images);
  }
  const Piece size = piece_size(weights.shared());
  const bool direct = size.count == 1 && patches_.window().is_identity();
  each_task((rows + size.count - 1) / size.count, rows, [&](Index item, Scratch& scratch) {
    const Index row = item * size.count;
    for (Index first = 0; first < positions_; first += size.last) {
      const Piece piece{.row = row,
                        .count = std::min(size.count, rows - row),
                        .first = first,
                        .last = std::min(positions_, first + size.last)};
      spread(piece, direct, maps, weights, images, scratch);
    }
  });
}

template <class T>
void Correlation<T>::add_weights(Index rows, Index stack, Rows<const T> images, Rows<const T> maps,
                                 Rows<T> weights) const {
  const Piece size = piece_size(false);
  // Without groups the arrays of a stack are the rows of one matrix.
  const Index products = groups_ == 1 ? 1 : stack;
  const Index height = groups_ == 1 ? stack * map_channels_ : map_channels_;
  each_task(rows, rows * stack, [&](Index row, Scratch& scratch) {
    for (Index first = 0; first < positions_; first += size.last) {
      const Piece piece{
          .row = row, .count = 1, .first = first, .last = std::min(positions_, first + size.last)};
      for (Index group = 0; group < groups_; ++group) {
        const MatrixView<const T> patches = gathered(piece, images, group, scratch);
        for (Index k = 0; k < products; ++k) {
          const Index channel = (k * groups_ + group) * map_channels_;
          const T* map = maps.at(row) + channel * positions_ + first;
          gemm<T>(context_, engine_, {map, height, piece.columns(), positions_, 1}, patches.transposed(),
                  true, matrix(weights.at(row) + channel * fan_in_, height, fan_in_));
        }
      }
    }
  });
}

template <class T>
Tensor<T> Correlation<T>::patches_by_channel(Index rows, Rows<const T> images, Shape shape) const {
  auto result = take_tensor<T>(std::move(shape));
  each_task(rows, rows, [&](Index row, Scratch&) {
    patches_.gather(images.at(row), groups_ * image_channels_, 0, positions_,
                    result.data() + row * groups_ * fan_in_ * positions_, positions_, 1);
  });
  return result;
}

template <class T>
Tensor<T> Correlation<T>::patches(Index rows, Rows<const T> images, Shape shape) const {
  auto result = take_tensor<T>(std::move(shape));
  each_task(rows, rows, [&](Index row, Scratch&) {
    patches_.gather(images.at(row), image_channels_, 0, positions_,
                    result.data() + row * positions_ * fan_in_, 1, fan_in_);
  });
  return result;
}

template <class T>
Tensor<T> Correlation<T>::transposed_maps(Index rows, Rows<const T> maps, Shape shape) const {
  auto result = take_tensor<T>(std::move(shape));
  each_task(rows, rows, [&](Index row, Scratch&) {
    const T* from = maps.at(row);
    T* to = result.data() + row * positions_ * map_channels_;
    for (Index d = 0; d < positions_; ++d) {
      for (Index m = 0; m < map_channels_; ++m) *to++ = from[m * positions_ + d];
    }
  });
  return result;
}

template class Correlation<float>;
template class Correlation<double>;

}  // namespace tangra::ops
