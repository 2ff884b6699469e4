#include "tangra/ops/spatial/patches.h"

#include <algorithm>

namespace tangra::ops {

PatchMap::PatchMap(const Window& window) : window_(window) {
  for (Index tap = 0; tap < window.kernel[2]; ++tap) {
    inside_.push_back(window.positions_inside(2, tap, 0, window.image[2]));
  }
}

template <class Use>
void PatchMap::each_line(Index first, Index last, const Use& use) const {
  const Index width = window_.positions[2];
  for (Index d = first; d < last;) {
    const Index line = d / width;
    const Index end = std::min(last, (line + 1) * width);
    use(Line{.z = line / window_.positions[1],
             .y = line % window_.positions[1],
             .first = d - line * width,
             .last = end - line * width,
             .column = d - first});
    d = end;
  }
}

template <class Use>
void PatchMap::each_row(const Line& line, Index channels, const Use& use) const {
  const auto& [depth, height, width] = window_.image;
  Index row = 0;
  for (Index c = 0; c < channels; ++c) {
    for (Index tz = 0; tz < window_.kernel[0]; ++tz) {
      const Index z = line.z * window_.stride[0] - window_.begin[0] + tz * window_.dilation[0];
      for (Index ty = 0; ty < window_.kernel[1]; ++ty) {
        const Index y = line.y * window_.stride[1] - window_.begin[1] + ty * window_.dilation[1];
        const bool outside = z < 0 || z >= depth || y < 0 || y >= height;
        for (Index tx = 0; tx < window_.kernel[2]; ++tx, ++row) {
          const auto& inside = inside_[static_cast<std::size_t>(tx)];
          const Index first = std::clamp(inside.first, line.first, line.last);
          const Index last = outside ? first : std::clamp(inside.second, first, line.last);
          const Index x = first * window_.stride[2] - window_.begin[2] + tx * window_.dilation[2];
          use(row, first, last, ((c * depth + z) * height + y) * width + x);
        }
      }
    }
  }
}

template <class T>
void PatchMap::gather(const T* image, Index channels, Index first, Index last, T* to, Index row_stride,
                      Index column_stride) const {
  const Index stride = window_.stride[2];
  each_line(first, last, [&](const Line& line) {
    each_row(line, channels, [&](Index row, Index inside, Index outside, Index entry) {
      T* target = to + row * row_stride + line.column * column_stride;
      for (Index x = line.first; x < inside; ++x, target += column_stride) *target = T(0);
      if (stride == 1 && column_stride == 1) {
        if (outside > inside) std::copy_n(image + entry, outside - inside, target);
        target += outside - inside;
      } else {
        for (Index x = inside; x < outside; ++x, target += column_stride)
          *target = image[entry + (x - inside) * stride];
      }
      for (Index x = outside; x < line.last; ++x, target += column_stride) *target = T(0);
    });
  });
}

template <class T>
void PatchMap::scatter(const T* from, Index row_stride, Index channels, Index first, Index last,
                       T* image) const {
  const Index stride = window_.stride[2];
  each_line(first, last, [&](const Line& line) {
    each_row(line, channels, [&](Index row, Index inside, Index outside, Index entry) {
      const T* source = from + row * row_stride + line.column + (inside - line.first);
      for (Index x = 0; x < outside - inside; ++x) image[entry + x * stride] += source[x];
    });
  });
}

template void PatchMap::gather<float>(const float*, Index, Index, Index, float*, Index, Index) const;
template void PatchMap::gather<double>(const double*, Index, Index, Index, double*, Index, Index) const;
template void PatchMap::scatter<float>(const float*, Index, Index, Index, Index, float*) const;
template void PatchMap::scatter<double>(const double*, Index, Index, Index, Index, double*) const;

}  // namespace tangra::ops
