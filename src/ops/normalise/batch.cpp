// BatchNormalization with its running statistics: y = scale (x - mean) / sqrt(variance + epsilon) + bias by
// channel, the first axis. Any of the five inputs may be a parameter.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "tangra/linalg/vectors.h"
#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

class BatchNormalization final : public OpOf<BatchNormalization> {
 public:
  std::string_view name() const override { return "BatchNormalization"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 5, 5);
    if (inputs[0].rank() < 1)
      refuse(node, "the input has no channels", to_string(inputs[0]), "one axis or more");
    const Shape channels{inputs[0][0]};
    for (const Shape& shape : inputs.subspan(1)) {
      if (shape != channels)
        refuse(node, "an input does not fit the channels", to_string(shape), to_string(channels));
    }
    return {inputs[0]};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_channel(call, 1, [&](Index i, Index, Index first, Index end, const Channel<T>& channel) {
      const T* x = call.inputs[0].at(i);
      T* y = results[0] + i * call.output_shapes[0].elements();
      for (Index e = first; e < end; ++e) y[e] = channel.unit(x[e]) * channel.scale + channel.bias;
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    const Index size = call.output_shapes[0].elements();
    const bool by_channel = std::ranges::any_of(results.subspan(1), [](const T* result) { return result != nullptr; });
    each_channel(call, directions, [&](Index i, Index c, Index first, Index end, const Channel<T>& channel) {
      const Index length = end - first;
      const T* x = call.inputs[0].at(i) + first;
      std::vector<T> unit(by_channel ? static_cast<std::size_t>(length) : 0);
      for (std::size_t e = 0; e < unit.size(); ++e) unit[e] = channel.unit(x[e]);
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        const T* from = cotangents[0] + row * size + first;
        if (by_channel) {
          const T sum = linalg::sum(from, length);
          const T along = linalg::dot(from, unit.data(), length);
          const std::array<T, 4> slopes{along, sum, -channel.gain() * sum, channel.by_variance() * along};
          for (std::size_t k = 0; k < slopes.size(); ++k) {
            if (results[k + 1] != nullptr) results[k + 1][row * call.input_shapes[0][0] + c] += slopes[k];
          }
        }
        if (results[0] == nullptr) continue;
        linalg::scale(channel.gain(), from, length, results[0] != cotangents[0], results[0] + row * size + first);
      }
    });
  }

  bool pulls_in_place(const Node&) const override { return true; }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Index size = call.output_shapes[0].elements();
    each_channel(call, directions, [&](Index i, Index c, Index first, Index end, const Channel<T>& channel) {
      const T* x = call.inputs[0].at(i);
      for (Index r = 0; r < directions; ++r) {
        const auto moved = [&](std::size_t k) {
          return tangents[k] ? tangents[k].at(i)[r * call.input_shapes[0][0] + c] : T(0);
        };
        const T shift = moved(2) - channel.gain() * moved(3);
        const T stretch = moved(1) + channel.by_variance() * moved(4);
        T* to = results[0] + (i * directions + r) * size;
        for (Index e = first; e < end; ++e) {
          to[e] = shift + stretch * channel.unit(x[e]);
          if (tangents[0]) to[e] += channel.gain() * tangents[0].at(i)[r * size + e];
        }
      }
    });
  }

 private:
  template <class T>
  struct Channel {
    T scale;
    T bias;
    T mean;
    T inverse;  ///< 1 / sqrt(variance + epsilon)
    T unit(T x) const { return (x - mean) * inverse; }
    T gain() const { return scale * inverse; }
    /// The derivative by the variance is this times the normalised entry.
    T by_variance() const { return -scale * inverse * inverse / 2; }
  };

  /// Calls use(sample, channel's number, its first entry, its end, channel) for every channel of every
  /// sample.
  template <class T, class Use>
  static void each_channel(const Call<T>& call, Index directions, const Use& use) {
    const auto epsilon = static_cast<T>(call.node.attributes.real("epsilon", 1e-5));
    const Index channels = call.input_shapes[0][0];
    const Index length = call.input_shapes[0].elements(1, call.input_shapes[0].rank());
    for_samples(call, 4 * (1 + directions) * channels * length, [&](Index i) {
      for (Index c = 0; c < channels; ++c) {
        const auto entry = [&](std::size_t k) { return call.inputs[k].at(i)[c]; };
        const Channel<T> channel{entry(1), entry(2), entry(3), 1 / std::sqrt(entry(4) + epsilon)};
        use(i, c, c * length, (c + 1) * length, channel);
      }
    });
  }
};

}  // namespace

void add_batch_normalisation_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<BatchNormalization>());
}

}  // namespace tangra::ops
