#include "tangra/load/chain/layers/window.h"

#include <algorithm>

namespace tangra::load {
namespace {

using Kind = Expression::Kind;

/// A length for each axis: one number for all or a tuple with one for each, in our order.
std::vector<Index> per_axis(const Arguments& arguments, std::string_view keyword, std::size_t axes,
                            Index least, std::vector<Index> otherwise) {
  const Expression* value = arguments.find(keyword);
  if (value == nullptr) return otherwise;
  const std::string what(keyword);
  std::vector<Index> lengths;
  if (value->kind == Kind::tuple)
    lengths = read_lengths(arguments.source(), *value, what, axes, least);
  else
    lengths.assign(axes, read_length(arguments.source(), *value, what, least));
  if (*std::ranges::max_element(lengths) > most_entries) arguments.fail(value->at, what + " is at most 2^31");
  std::ranges::reverse(lengths);
  return lengths;
}

/// Flux's SamePad: paddings of (kernel - 1) * dilation entries, the larger half in front; of a transposed
/// convolution (kernel - stride) * dilation, so that the result is `stride` times as long.
void set_same_pads(const Arguments& arguments, const Expression& at, WindowUse use, Window& window) {
  const std::size_t axes = window.kernel.size();
  for (std::size_t k = 0; k < axes; ++k) {
    const Index span =
        use == WindowUse::transposed ? window.kernel[k] - window.strides[k] : window.kernel[k] - 1;
    if (span < 0) {
      arguments.fail(at.at,
                     "the kernel is shorter than the stride, so that no padding gives SamePad's length",
                     "a kernel that is at least as long as the stride");
    }
    const Index total = span * window.dilations[k];
    window.pads[k] = (total + 1) / 2;
    window.pads[axes + k] = total / 2;
  }
}

/// One number, one for each axis, (begin, end) for each axis, or SamePad().
void set_pads(const Arguments& arguments, WindowUse use, Window& window) {
  const std::size_t axes = window.kernel.size();
  window.pads.assign(2 * axes, 0);
  const Expression* pad = arguments.find("pad");
  if (pad == nullptr) return;
  const bool same = plain(pad->name) == "SamePad";
  if (same && pad->kind == Kind::call && pad->arguments.empty())
    return set_same_pads(arguments, *pad, use, window);
  if (same) arguments.fail(pad->at, "SamePad is written as a call without arguments", "SamePad()");
  if (pad->kind != Kind::tuple) {
    std::ranges::fill(window.pads, read_length(arguments.source(), *pad, "pad", 0));
    return;
  }
  const std::size_t given = pad->arguments.size();
  const std::vector<Index> lengths =
      read_lengths(arguments.source(), *pad, "pad", given == axes ? axes : 2 * axes, 0);
  for (std::size_t k = 0; k < axes; ++k) {
    const std::size_t own = axes - 1 - k;  // Flux's number of our axis k
    window.pads[k] = given == axes ? lengths[own] : lengths[2 * own];
    window.pads[axes + k] = given == axes ? lengths[own] : lengths[2 * own + 1];
  }
}

}  // namespace

Index Window::taps() const {
  Index taps = 1;
  for (const Index length : kernel) taps *= length;
  return taps;
}

Window read_window(const Arguments& arguments, WindowUse use) {
  constexpr std::size_t most_axes = 3;
  Window window;
  window.kernel = read_lengths(arguments.source(), arguments[0], "the size of the kernel");
  const std::size_t axes = window.kernel.size();
  if (axes > most_axes) arguments.fail(arguments[0].at, "a kernel has one, two or three axes");
  arguments.check_weights(window.kernel);
  std::ranges::reverse(window.kernel);
  const std::vector<Index> ones(axes, 1);
  window.strides = per_axis(arguments, "stride", axes, 1, use == WindowUse::pool ? window.kernel : ones);
  window.dilations = per_axis(arguments, "dilation", axes, 1, ones);
  if (use == WindowUse::transposed) {
    window.output_padding = per_axis(arguments, "outpad", axes, 0, std::vector<Index>(axes, 0));
  }
  set_pads(arguments, use, window);
  return window;
}

std::string image_words(const std::string& channels, Index axes) {
  const std::string spatial = axes == 1 ? "length" : axes == 2 ? "height, width" : "depth, height, width";
  return "(" + channels + ", " + spatial + ")";
}

std::string image_example(Index channels, Index axes) {
  std::string example = std::to_string(channels);
  for (Index k = 0; k < axes; ++k) example += ",32";
  return example;
}

}  // namespace tangra::load
