// Pooling: every entry of the result is made of one window of one channel. A family member states its value
// and its slopes within a window; pull-back and push-forward follow.
#include <cmath>
#include <limits>

#include "tangra/ops/loops.h"
#include "tangra/ops/spatial/window.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// The entries of a channel that one window meets: per axis the first one, their number and the distance
/// between them.
struct Taps {
  struct Span {
    Index first = 0;
    Index count = 0;
    Index step = 1;
  };
  std::array<Span, Window::axes> spans;
  Index height = 1;  ///< of the image
  Index width = 1;
  Index counted = 1;  ///< entries that a mean divides by

  Index first() const { return entry(spans[0].first, spans[1].first, spans[2].first); }
  Index entry(Index z, Index y, Index x) const { return (z * height + y) * width + x; }
  /// Calls use(entry) for every entry in row-major order.
  template <class Use>
  void each(const Use& use) const {
    const auto& [depth, rows, columns] = spans;
    for (Index z = 0; z < depth.count; ++z) {
      for (Index y = 0; y < rows.count; ++y) {
        Index at = entry(depth.first + z * depth.step, rows.first + y * rows.step, columns.first);
        for (Index x = 0; x < columns.count; ++x, at += columns.step) use(at);
      }
    }
  }
};

/// The windows of one channel, in the order of the result.
class Windows {
 public:
  Windows(const Window& window, bool count_padding) : window_(window) {
    for (std::size_t axis = 0; axis < Window::axes; ++axis) {
      const Index low = count_padding ? -window.begin[axis] : 0;
      const Index high = window.image[axis] + (count_padding ? window.end[axis] : 0);
      for (Index p = 0; p < window.positions[axis]; ++p) {
        const auto [first, last] = window.taps_inside(axis, p, 0, window.image[axis]);
        const auto [counted_first, counted_last] = window.taps_inside(axis, p, low, high);
        spans_[axis].push_back(
            {.first = p * window.stride[axis] - window.begin[axis] + first * window.dilation[axis],
             .count = last - first,
             .step = window.dilation[axis]});
        counted_[axis].push_back(counted_last - counted_first);
      }
    }
  }

  /// Calls use(number of the window, taps) for every window.
  template <class Use>
  void each(const Use& use) const {
    Index number = 0;
    Taps taps;
    taps.height = window_.image[1];
    taps.width = window_.image[2];
    for (std::size_t z = 0; z < spans_[0].size(); ++z) {
      for (std::size_t y = 0; y < spans_[1].size(); ++y) {
        for (std::size_t x = 0; x < spans_[2].size(); ++x, ++number) {
          taps.spans = {spans_[0][z], spans_[1][y], spans_[2][x]};
          taps.counted = counted_[0][z] * counted_[1][y] * counted_[2][x];
          use(number, taps);
        }
      }
    }
  }

 private:
  Window window_;
  std::array<std::vector<Taps::Span>, Window::axes> spans_;
  std::array<std::vector<Index>, Window::axes> counted_;
};

/// The number of the first largest entry of a window.
template <class T>
Index winner(const T* side, const Taps& taps) {
  Index best = taps.first();
  taps.each([&](Index e) { best = side[e] > side[best] ? e : best; });
  return best;
}

/// The first maximum in row-major order takes the whole derivative. `side` says which one that is.
struct Max {
  static constexpr std::string_view name = "MaxPool";
  static constexpr std::string_view global_name = "GlobalMaxPool";
  static constexpr bool chooses = true;
  static bool needs_an_entry(const Node&) { return true; }

  explicit Max(const Node&) {}
  template <class T>
  T value(const T* x, const T* side, const Taps& taps) const {
    return x[winner(side, taps)];
  }
  template <class T, class Use>
  void slopes(const T*, const T* side, T, const Taps& taps, const Use& use) const {
    use(winner(side, taps), T(1));
  }
};

struct Average {
  static constexpr std::string_view name = "AveragePool";
  static constexpr std::string_view global_name = "GlobalAveragePool";
  static constexpr bool chooses = false;
  static bool counts_padding(const Node& node) {
    return node.attributes.integer("count_include_pad", 0) != 0;
  }
  static bool needs_an_entry(const Node& node) { return !counts_padding(node); }

  explicit Average(const Node&) {}
  template <class T>
  T value(const T* x, const T*, const Taps& taps) const {
    T sum = 0;
    taps.each([&](Index e) { sum += x[e]; });
    return sum / static_cast<T>(taps.counted);
  }
  template <class T, class Use>
  void slopes(const T*, const T*, T, const Taps& taps, const Use& use) const {
    const T slope = 1 / static_cast<T>(taps.counted);
    taps.each([&](Index e) { use(e, slope); });
  }
};

/// y = (sum |x|^p)^(1/p); padding counts as 0. The norm of 0 has derivative 0, and so has |x| at 0. Only for
/// p = 1 is there a kink at 0 for `side` to decide on.
struct Lp {
  static constexpr std::string_view name = "LpPool";
  static constexpr std::string_view global_name = "GlobalLpPool";
  static constexpr bool chooses = false;
  static bool needs_an_entry(const Node&) { return false; }

  explicit Lp(const Node& node) : p(node.attributes.integer("p", 2)) {
    if (p < 1) refuse(node, "p is less than 1", std::to_string(p), "an integer of 1 or more");
  }
  /// Divided by the largest entry no power overflows.
  template <class T>
  T value(const T* x, const T* side, const Taps& taps) const {
    if (p == 1) {
      T sum = 0;
      taps.each([&](Index e) { sum += sign(side[e]) * x[e]; });
      return sum;
    }
    T largest = 0;
    taps.each([&](Index e) { largest = std::max(largest, std::abs(x[e])); });
    if (largest == 0) return 0;
    T sum = 0;
    taps.each([&](Index e) { sum += power(std::abs(x[e]) / largest, p); });
    return largest * (p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / static_cast<T>(p)));
  }
  template <class T, class Use>
  void slopes(const T* x, const T* side, T y, const Taps& taps, const Use& use) const {
    taps.each([&](Index e) {
      const T slope = p == 1 ? sign(side[e]) : y == 0 ? T(0) : sign(x[e]) * power(std::abs(x[e]) / y, p - 1);
      if (slope != 0) use(e, slope);
    });
  }
  std::vector<double> kinks() const { return p == 1 ? std::vector<double>{0} : std::vector<double>{}; }

  template <class T>
  static T sign(T x) {
    return T(x > 0) - T(x < 0);
  }
  template <class T>
  static T power(T x, Index exponent) {
    return exponent == 1 ? x : exponent == 2 ? x * x : std::pow(x, static_cast<T>(exponent));
  }

  Index p;
};

template <class F, bool global>
class Pool final : public OpOf<Pool<F, global>> {
 public:
  std::string_view name() const override { return global ? F::global_name : F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    require_image(node, inputs[0]);
    const F settings(node);
    static_cast<void>(settings);
    const Window window = window_of(node, inputs[0]);
    if (F::needs_an_entry(node)) refuse_padding_alone(node, window);
    return {channels_and(inputs[0][0], window.positions, inputs[0].rank() - 1)};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Facts facts(call);
    for_samples(call, facts.work, [&](Index i) {
      for (Index c = 0; c < facts.channels; ++c) {
        const T* x = call.inputs[0].at(i) + c * facts.in;
        const T* side = call.sides[0].at(i) + c * facts.in;
        T* y = results[0] + (i * facts.channels + c) * facts.out;
        facts.windows.each([&](Index d, const Taps& taps) { y[d] = facts.settings.value(x, side, taps); });
      }
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    each_slope(call, directions, [&](const Facts& facts, Index i, Index from, Index to, T slope) {
      const T* cotangent = cotangents[0] + i * directions * facts.channels * facts.out + to;
      T* result = results[0] + i * directions * facts.channels * facts.in + from;
      for (Index r = 0; r < directions; ++r) {
        result[r * facts.channels * facts.in] += slope * cotangent[r * facts.channels * facts.out];
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    fill_zero(results[0], call.samples * directions * call.output_shapes[0].elements());
    each_slope(call, directions, [&](const Facts& facts, Index i, Index from, Index to, T slope) {
      const T* tangent = tangents[0].at(i) + from;
      T* result = results[0] + i * directions * facts.channels * facts.out + to;
      for (Index r = 0; r < directions; ++r) {
        result[r * facts.channels * facts.out] += slope * tangent[r * facts.channels * facts.in];
      }
    });
  }

  template <class T>
  std::vector<Choice> run_choices(const Call<T>& call) const {
    std::vector<Choice> result;
    if (!F::chooses) return result;
    const Facts facts(call);
    for (Index i = 0; i < call.samples; ++i) {
      for (Index c = 0; c < facts.channels; ++c) {
        const T* side = call.sides[0].at(i) + c * facts.in;
        facts.windows.each([&](Index, const Taps& taps) {
          const Index best = winner(side, taps);
          double lead = std::numeric_limits<double>::infinity();
          taps.each([&](Index e) {
            if (e != best)
              lead = std::min(lead, static_cast<double>(side[best]) - static_cast<double>(side[e]));
          });
          result.push_back({.entry = c * facts.in + best, .lead = lead});
        });
      }
    }
    return result;
  }

  std::vector<double> kinks(const Node& node) const override {
    if constexpr (requires { F(node).kinks(); })
      return F(node).kinks();
    else
      return {};
  }

 private:
  static Window window_of(const Node& node, const Shape& input) {
    const Shape image = spatial_part(input, 1);
    if (global) return whole_image(image);
    const Shape kernel(node.attributes.integers("kernel_shape", {}));
    if (kernel.rank() != image.rank()) {
      refuse(node, "kernel_shape does not fit the input", to_string(kernel),
             std::to_string(image.rank()) + " lengths");
    }
    return read_window(node, image, kernel);
  }

  static void refuse_padding_alone(const Node& node, const Window& window) {
    for (std::size_t axis = 0; axis < Window::axes; ++axis) {
      for (Index p = 0; p < window.positions[axis]; ++p) {
        const auto [first, last] = window.taps_inside(axis, p, 0, window.image[axis]);
        if (first < last) continue;
        refuse(node, "a window lies in the padding alone", "window " + std::to_string(p) + " of an axis",
               "pads shorter than the kernel");
      }
    }
  }

  static bool counts_padding(const Node& node) {
    if constexpr (requires { F::counts_padding(node); })
      return !global && F::counts_padding(node);
    else
      return false;
  }

  struct Facts {
    template <class T>
    explicit Facts(const Call<T>& call)
        : Facts(call.node, call.input_shapes[0], window_of(call.node, call.input_shapes[0])) {}
    Facts(const Node& node, const Shape& input, const Window& window)
        : settings(node),
          windows(window, counts_padding(node)),
          channels(input[0]),
          in(window.image_size()),
          out(window.position_count()),
          work(channels * out * window.taps()) {}

    F settings;
    Windows windows;
    Index channels;
    Index in;   ///< entries of one channel
    Index out;  ///< of the result
    Index work;
  };

  /// Calls use(facts, sample, entry of the input, entry of the result, slope) wherever the Jacobian is not 0.
  template <class T, class Use>
  static void each_slope(const Call<T>& call, Index directions, const Use& use) {
    const Facts facts(call);
    for_samples(call, directions * facts.work, [&](Index i) {
      for (Index c = 0; c < facts.channels; ++c) {
        const Index start = c * facts.in;
        const T* x = call.inputs[0].at(i) + start;
        const T* side = call.sides[0].at(i) + start;
        const T* y = call.outputs[0].at(i) + c * facts.out;
        facts.windows.each([&](Index d, const Taps& taps) {
          facts.settings.slopes(x, side, y[d], taps, [&](Index e, T slope) {
            use(facts, i, start + e, c * facts.out + d, slope);
          });
        });
      }
    });
  }
};

template <class... Functions>
void add_all(std::vector<std::unique_ptr<Op>>& table) {
  (table.push_back(std::make_unique<Pool<Functions, false>>()), ...);
  (table.push_back(std::make_unique<Pool<Functions, true>>()), ...);
}

}  // namespace

void add_pool_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_all<Max, Average, Lp>(table);
}

}  // namespace tangra::ops
