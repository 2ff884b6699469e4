// Reductions over some axes of one input (attributes `axes`, empty for all, and `keepdims`).
#include <cmath>

#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

struct Sum {
  static constexpr std::string_view name = "ReduceSum";
  template <class T>
  static void add(T& result, T x) { result += x; }
  template <class T>
  static T finish(T result, Index) { return result; }
  template <class T>
  static T slope(T, T, Index) { return 1; }
};

struct Mean {
  static constexpr std::string_view name = "ReduceMean";
  template <class T>
  static void add(T& result, T x) { result += x; }
  template <class T>
  static T finish(T result, Index count) { return result / static_cast<T>(count); }
  template <class T>
  static T slope(T, T, Index count) { return 1 / static_cast<T>(count); }
};

struct SumSquare {
  static constexpr std::string_view name = "ReduceSumSquare";
  template <class T>
  static void add(T& result, T x) { result += x * x; }
  template <class T>
  static T finish(T result, Index) { return result; }
  template <class T>
  static T slope(T x, T, Index) { return 2 * x; }
};

/// The Euclidean norm; the norm of 0 has derivative 0.
struct L2 {
  static constexpr std::string_view name = "ReduceL2";
  template <class T>
  static void add(T& result, T x) { result += x * x; }
  template <class T>
  static T finish(T result, Index) { return std::sqrt(result); }
  template <class T>
  static T slope(T x, T y, Index) { return y == 0 ? T(0) : x / y; }
};

/// For each entry of the input, the entry of the result that it goes into.
std::vector<Index> reduction_map(const Node& node, const Shape& input) {
  std::vector<bool> reduced(static_cast<std::size_t>(input.rank()), false);
  const std::vector<Index> axes = node.attributes.integers("axes", {});
  for (const Index axis : axes) reduced[static_cast<std::size_t>(resolved_axis(node, axis, input.rank()))] = true;
  if (axes.empty()) reduced.assign(reduced.size(), true);
  std::vector<Index> strides(reduced.size(), 0);
  Index stride = 1;
  for (std::size_t axis = reduced.size(); axis-- > 0;) {
    if (reduced[axis]) continue;
    strides[axis] = stride;
    stride *= input[static_cast<Index>(axis)];
  }
  std::vector<Index> map(static_cast<std::size_t>(input.elements()));
  std::vector<Index> position(reduced.size(), 0);
  Index to = 0;
  for (Index& entry : map) {
    entry = to;
    for (std::size_t axis = position.size(); axis-- > 0;) {
      to += strides[axis];
      if (++position[axis] < input[static_cast<Index>(axis)]) break;
      to -= strides[axis] * position[axis];
      position[axis] = 0;
    }
  }
  return map;
}

template <class F>
class Reduction final : public OpOf<Reduction<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    std::vector<bool> reduced(static_cast<std::size_t>(inputs[0].rank()), false);
    const std::vector<Index> axes = node.attributes.integers("axes", {});
    for (const Index axis : axes) reduced[static_cast<std::size_t>(resolved_axis(node, axis, inputs[0].rank()))] = true;
    if (axes.empty()) reduced.assign(reduced.size(), true);
    const bool keep = node.attributes.integer("keepdims", 1) != 0;
    Shape result;
    for (Index axis = 0; axis < inputs[0].rank(); ++axis) {
      if (!reduced[static_cast<std::size_t>(axis)]) result.append(inputs[0][axis]);
      else if (keep) result.append(1);
    }
    return {result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Facts facts(call);
    for_samples(call, 2 * facts.in, [&](Index i) {
      const T* x = call.inputs[0].at(i);
      T* y = results[0] + i * facts.out;
      fill_zero(y, facts.out);
      for (Index e = 0; e < facts.in; ++e) F::add(y[facts.to(e)], x[e]);
      for (Index e = 0; e < facts.out; ++e) y[e] = F::finish(y[e], facts.count);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    const Facts facts(call);
    for_samples(call, 4 * directions * facts.in, [&](Index i) {
      const T* x = call.inputs[0].at(i);
      const T* y = call.outputs[0].at(i);
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        for (Index e = 0; e < facts.in; ++e) {
          const Index to = facts.to(e);
          results[0][row * facts.in + e] += F::slope(x[e], y[to], facts.count) * cotangents[0][row * facts.out + to];
        }
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Facts facts(call);
    for_samples(call, 4 * directions * facts.in, [&](Index i) {
      const T* x = call.inputs[0].at(i);
      const T* y = call.outputs[0].at(i);
      for (Index r = 0; r < directions; ++r) {
        T* result = results[0] + (i * directions + r) * facts.out;
        fill_zero(result, facts.out);
        for (Index e = 0; e < facts.in; ++e) {
          const Index to = facts.to(e);
          result[to] += F::slope(x[e], y[to], facts.count) * tangents[0].at(i)[r * facts.in + e];
        }
      }
    });
  }

 private:
  struct Facts {
    template <class T>
    explicit Facts(const Call<T>& call)
        : map(reduction_map(call.node, call.input_shapes[0])),
          in(call.input_shapes[0].elements()),
          out(call.output_shapes[0].elements()),
          count(out == 0 ? 0 : in / out) {}
    Index to(Index entry) const { return map[static_cast<std::size_t>(entry)]; }

    std::vector<Index> map;
    Index in;
    Index out;
    Index count;  ///< entries that go into one of the result
  };
};

}  // namespace

void add_reduction_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<Reduction<Sum>>());
  table.push_back(std::make_unique<Reduction<Mean>>());
  table.push_back(std::make_unique<Reduction<SumSquare>>());
  table.push_back(std::make_unique<Reduction<L2>>());
}

}  // namespace tangra::ops
