// Softmax and log-softmax along one axis. The largest probability serves as the reference, so that 1 - p is always the
// sum of the other probabilities and no digit cancels where one class dominates.
#include <cmath>

#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// One line of entries along the axis.
template <class T>
struct Line {
  T* first;
  Index stride;
  T& operator[](Index k) const { return first[k * stride]; }
};

template <class T>
Index position_of_maximum(Line<T> line, Index length) {
  Index best = 0;
  for (Index k = 1; k < length; ++k) {
    if (line[k] > line[best]) best = k;
  }
  return best;
}

/// A direction of zeros selects nothing: a line without values (all of it hidden by a mask) stays out.
template <class T>
bool is_zero(Line<const T> line, Index length) {
  for (Index k = 0; k < length; ++k) {
    if (line[k] != 0) return false;
  }
  return true;
}

struct Softmax {
  static constexpr std::string_view name = "Softmax";

  template <class T>
  static void forward(Line<const T> x, Line<T> y, Index length) {
    const T maximum = x[position_of_maximum(x, length)];
    T sum = 0;
    for (Index k = 0; k < length; ++k) sum += y[k] = std::exp(x[k] - maximum);
    for (Index k = 0; k < length; ++k) y[k] /= sum;
  }

  /// The Jacobian p_a (delta_ab - p_b) is symmetric, so pull-back and push-forward are one.
  template <class T>
  static void apply(Line<const T> p, Line<const T> from, Line<T> to, Index length, bool) {
    const Index m = position_of_maximum(p, length);
    T mean = 0;  // of the differences to entry m, which itself adds nothing
    for (Index k = 0; k < length; ++k) {
      if (k != m) mean += p[k] * (from[k] - from[m]);
    }
    for (Index k = 0; k < length; ++k) to[k] += p[k] * ((from[k] - from[m]) - mean);
  }
};

struct LogSoftmax {
  static constexpr std::string_view name = "LogSoftmax";

  template <class T>
  static void forward(Line<const T> x, Line<T> y, Index length) {
    const Index m = position_of_maximum(x, length);
    T others = 0;
    for (Index k = 0; k < length; ++k) {
      if (k != m) others += std::exp(x[k] - x[m]);
    }
    const T logarithm = std::log1p(others);
    for (Index k = 0; k < length; ++k) y[k] = (x[k] - x[m]) - logarithm;
  }

  /// The Jacobian is delta_ab - p_b.
  template <class T>
  static void apply(Line<const T> y, Line<const T> from, Line<T> to, Index length, bool transposed) {
    const Index m = position_of_maximum(y, length);
    T others = 0;  // 1 - p_m
    T sum = 0;     // without entry m: of the cotangent, or of p times the tangent
    for (Index k = 0; k < length; ++k) {
      if (k == m) continue;
      others += std::exp(y[k]);
      sum += transposed ? from[k] : std::exp(y[k]) * (from[k] - from[m]);
    }
    if (transposed) {
      for (Index k = 0; k < length; ++k) {
        if (k == m) to[k] += from[m] * others - std::exp(y[m]) * sum;
        else to[k] += from[k] - std::exp(y[k]) * (sum + from[m]);
      }
    } else {
      for (Index k = 0; k < length; ++k) to[k] += (from[k] - from[m]) - sum;
    }
  }
};

template <class F>
class AlongAxis final : public OpOf<AlongAxis<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    resolved_axis(node, node.attributes.integer("axis", -1), inputs[0].rank());
    return {inputs[0]};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Index size = call.output_shapes[0].elements();
    for_samples(call, 16 * size, [&](Index i) {
      each_line(call, [&](Index offset, Index stride, Index length) {
        F::forward(Line<const T>{call.inputs[0].at(i) + offset, stride}, Line<T>{results[0] + i * size + offset, stride},
                   length);
      });
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    const Index size = call.output_shapes[0].elements();
    for_samples(call, 16 * directions * size, [&](Index i) {
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        each_line(call, [&](Index offset, Index stride, Index length) {
          const Line<const T> from{cotangents[0] + row * size + offset, stride};
          if (is_zero(from, length)) return;
          F::apply(Line<const T>{call.outputs[0].at(i) + offset, stride}, from,
                   Line<T>{results[0] + row * size + offset, stride}, length, true);
        });
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Index size = call.output_shapes[0].elements();
    for_samples(call, 16 * directions * size, [&](Index i) {
      fill_zero(results[0] + i * directions * size, directions * size);
      for (Index r = 0; r < directions; ++r) {
        each_line(call, [&](Index offset, Index stride, Index length) {
          const Line<const T> from{tangents[0].at(i) + r * size + offset, stride};
          if (is_zero(from, length)) return;
          F::apply(Line<const T>{call.outputs[0].at(i) + offset, stride}, from,
                   Line<T>{results[0] + (i * directions + r) * size + offset, stride}, length, false);
        });
      }
    });
  }

 private:
  /// Calls use(offset, stride, length) for every line of one sample along the axis.
  template <class T, class Use>
  void each_line(const Call<T>& call, const Use& use) const {
    const Shape& shape = call.input_shapes[0];
    const Index axis = resolved_axis(call.node, call.node.attributes.integer("axis", -1), shape.rank());
    const Index length = shape[axis];
    if (length == 0) return;
    const Index inner = shape.elements(axis + 1, shape.rank());
    const Index outer = shape.elements(0, axis);
    for (Index o = 0; o < outer; ++o) {
      for (Index k = 0; k < inner; ++k) use(o * length * inner + k, inner, length);
    }
  }
};

}  // namespace

void add_softmax_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<AlongAxis<Softmax>>());
  table.push_back(std::make_unique<AlongAxis<LogSoftmax>>());
}

}  // namespace tangra::ops
