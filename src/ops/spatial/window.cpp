#include "tangra/ops/spatial/window.h"

#include <algorithm>

namespace tangra::ops {
namespace {

/// Above any length that makes sense, below any that could overflow when two are multiplied.
constexpr Index most = Index{1} << 31;

/// For positive b.
Index floor_divide(Index a, Index b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}
Index ceil_divide(Index a, Index b) {
  return -floor_divide(-a, b);
}

/// The integers t in [0, count) with low <= offset + t * step < high.
std::pair<Index, Index> steps_inside(Index offset, Index step, Index count, Index low, Index high) {
  const Index first = std::clamp<Index>(ceil_divide(low - offset, step), 0, count);
  const Index last = std::clamp<Index>(ceil_divide(high - offset, step), first, count);
  return {first, last};
}

/// An attribute of `count` integers in [least, most).
std::vector<Index> lengths(const Node& node, const char* name, Index count, Index least, Index otherwise) {
  const std::vector<Index> found =
      node.attributes.integers(name, std::vector<Index>(static_cast<std::size_t>(count), otherwise));
  if (static_cast<Index>(found.size()) != count) {
    refuse(node, std::string(name) + " has the wrong number of entries", std::to_string(found.size()),
           std::to_string(count));
  }
  for (const Index length : found) {
    if (length >= least && length < most) continue;
    refuse(node, std::string(name) + " has an entry out of range", std::to_string(length),
           "at least " + std::to_string(least) + ", below 2^31");
  }
  return found;
}

enum class AutoPad { explicit_pads, same_upper, same_lower, valid };

AutoPad read_auto_pad(const Node& node) {
  const std::string text = node.attributes.text("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::explicit_pads;
  if (text == "SAME_UPPER") return AutoPad::same_upper;
  if (text == "SAME_LOWER") return AutoPad::same_lower;
  if (text == "VALID") return AutoPad::valid;
  refuse(node, "auto_pad has an unknown value", text, "NOTSET, SAME_UPPER, SAME_LOWER or VALID");
}

/// What both directions read alike: all but the paddings and the lengths that follow from them.
Window read_common(const Node& node, const Shape& kernel) {
  const Index rank = kernel.rank();
  const auto strides = lengths(node, "strides", rank, 1, 1);
  const auto dilations = lengths(node, "dilations", rank, 1, 1);
  Window window;
  Index taps = 1;
  for (Index k = 0; k < rank; ++k) {
    const std::size_t axis = Window::axes - static_cast<std::size_t>(rank - k);
    if (kernel[k] < 1 || kernel[k] >= most / taps) {
      refuse(node, "the kernel has a length out of range", to_string(kernel), "1 or more, below 2^31 taps");
    }
    taps *= kernel[k];
    window.kernel[axis] = kernel[k];
    window.stride[axis] = strides[static_cast<std::size_t>(k)];
    window.dilation[axis] = dilations[static_cast<std::size_t>(k)];
  }
  return window;
}

void set_pads(const Node& node, Window& window, Index rank) {
  const std::vector<Index> pads = lengths(node, "pads", 2 * rank, 0, 0);
  for (Index k = 0; k < rank; ++k) {
    const std::size_t axis = Window::axes - static_cast<std::size_t>(rank - k);
    window.begin[axis] = pads[static_cast<std::size_t>(k)];
    window.end[axis] = pads[static_cast<std::size_t>(rank + k)];
  }
}

/// The positions that fit an axis whose paddings are known.
Index positions_of(const Node& node, const Window& window, std::size_t axis, bool round_up) {
  const Index padded = window.image[axis] + window.begin[axis] + window.end[axis];
  const Index room = padded - window.reach(axis);
  if (room < 0) {
    refuse(node, "the kernel is longer than the padded input",
           std::to_string(window.reach(axis)) + " entries with dilation",
           std::to_string(padded) + " at most");
  }
  const Index stride = window.stride[axis];
  if (!round_up) return room / stride + 1;
  const Index count = ceil_divide(room, stride) + 1;
  const bool starts_behind = (count - 1) * stride >= window.image[axis] + window.begin[axis];
  return starts_behind ? count - 1 : count;
}

void check_size(const Node& node, const Window::PerAxis& lengths) {
  Index size = 1;
  for (const Index length : lengths) {
    if (length < 1) refuse(node, "the result has no entries", std::to_string(length), "lengths of 1 or more");
    if (length >= most / size)
      refuse(node, "the result is too large", std::to_string(length), "below 2^31 entries");
    size *= length;
  }
}

}  // namespace

bool Window::is_identity() const {
  for (std::size_t axis = 0; axis < axes; ++axis) {
    if (kernel[axis] != 1 || stride[axis] != 1 || begin[axis] != 0 || positions[axis] != image[axis])
      return false;
  }
  return true;
}

std::pair<Index, Index> Window::positions_inside(std::size_t axis, Index tap, Index low, Index high) const {
  return steps_inside(tap * dilation[axis] - begin[axis], stride[axis], positions[axis], low, high);
}

std::pair<Index, Index> Window::taps_inside(std::size_t axis, Index position, Index low, Index high) const {
  return steps_inside(position * stride[axis] - begin[axis], dilation[axis], kernel[axis], low, high);
}

Shape spatial_part(const Shape& shape, Index first) {
  Shape result;
  for (Index axis = first; axis < shape.rank(); ++axis) result.append(shape[axis]);
  return result;
}

void require_image(const Node& node, const Shape& shape) {
  if (shape.rank() < 2 || shape.rank() > most_spatial_axes + 1) {
    refuse(node, "the input is not an image", to_string(shape), "channels and 1 to 3 spatial axes");
  }
  for (const Index length : shape) {
    if (length < 1 || length >= most) {
      refuse(node, "the input has a length out of range", to_string(shape), "1 or more, below 2^31");
    }
  }
}

Window read_window(const Node& node, const Shape& image, const Shape& kernel) {
  const Index rank = image.rank();
  Window window = read_common(node, kernel);
  const AutoPad auto_pad = read_auto_pad(node);
  if (auto_pad == AutoPad::explicit_pads) set_pads(node, window, rank);
  const bool round_up = auto_pad == AutoPad::explicit_pads && node.attributes.integer("ceil_mode", 0) != 0;
  for (Index k = 0; k < rank; ++k) {
    const std::size_t axis = Window::axes - static_cast<std::size_t>(rank - k);
    window.image[axis] = image[k];
    if (auto_pad == AutoPad::same_upper || auto_pad == AutoPad::same_lower) {
      const Index count = ceil_divide(image[k], window.stride[axis]);
      const Index total =
          std::max<Index>(0, (count - 1) * window.stride[axis] + window.reach(axis) - image[k]);
      window.begin[axis] = auto_pad == AutoPad::same_upper ? total / 2 : total - total / 2;
      window.end[axis] = total - window.begin[axis];
      window.positions[axis] = count;
    } else {
      window.positions[axis] = positions_of(node, window, axis, round_up);
    }
  }
  check_size(node, window.positions);
  return window;
}

Window read_transposed_window(const Node& node, const Shape& positions, const Shape& kernel) {
  const Index rank = positions.rank();
  Window window = read_common(node, kernel);
  const AutoPad auto_pad = read_auto_pad(node);
  const bool same = auto_pad == AutoPad::same_upper || auto_pad == AutoPad::same_lower;
  const bool has_shape =
      node.attributes.has("output_shape") && !node.attributes.integers("output_shape", {}).empty();
  if (auto_pad == AutoPad::explicit_pads && !has_shape) set_pads(node, window, rank);
  const std::vector<Index> extra = lengths(node, "output_padding", rank, 0, 0);
  std::vector<Index> wanted(static_cast<std::size_t>(rank), 0);
  if (has_shape) wanted = lengths(node, "output_shape", rank, 1, 1);
  for (Index k = 0; k < rank; ++k) {
    const std::size_t axis = Window::axes - static_cast<std::size_t>(rank - k);
    window.positions[axis] = positions[k];
    const Index full =
        (positions[k] - 1) * window.stride[axis] + window.reach(axis) + extra[static_cast<std::size_t>(k)];
    if (has_shape || same) {
      const Index length =
          has_shape ? wanted[static_cast<std::size_t>(k)] : positions[k] * window.stride[axis];
      const Index total = std::max<Index>(0, full - length);
      window.begin[axis] = auto_pad == AutoPad::same_upper ? total / 2 : total - total / 2;
      window.end[axis] = total - window.begin[axis];
      window.image[axis] = length;
    } else {
      window.image[axis] = full - window.begin[axis] - window.end[axis];
    }
  }
  check_size(node, window.image);
  return window;
}

Window whole_image(const Shape& image) {
  Window window;
  for (Index k = 0; k < image.rank(); ++k) {
    const std::size_t axis = Window::axes - static_cast<std::size_t>(image.rank() - k);
    window.image[axis] = image[k];
    window.kernel[axis] = image[k];
  }
  return window;
}

std::vector<Index> pixels_of(const Window& window) {
  std::vector<Index> pixels;
  pixels.reserve(static_cast<std::size_t>(window.taps() * window.position_count()));
  const auto each = [](const Window::PerAxis& lengths, const auto& body) {
    for (Index z = 0; z < lengths[0]; ++z) {
      for (Index y = 0; y < lengths[1]; ++y) {
        for (Index x = 0; x < lengths[2]; ++x) body(Window::PerAxis{z, y, x});
      }
    }
  };
  each(window.kernel, [&](const Window::PerAxis& tap) {
    each(window.positions, [&](const Window::PerAxis& position) {
      Index pixel = 0;
      for (std::size_t axis = 0; axis < Window::axes; ++axis) {
        const Index at = position[axis] * window.stride[axis] - window.begin[axis] + tap[axis] * window.dilation[axis];
        if (at < 0 || at >= window.image[axis]) pixel = -1;
        if (pixel >= 0) pixel = pixel * window.image[axis] + at;
      }
      pixels.push_back(pixel);
    });
  });
  return pixels;
}

Shape channels_and(Index channels, const Window::PerAxis& lengths, Index rank) {
  Shape shape{channels};
  for (std::size_t axis = Window::axes - static_cast<std::size_t>(rank); axis < Window::axes; ++axis) {
    shape.append(lengths[axis]);
  }
  return shape;
}

}  // namespace tangra::ops
