// Reductions over some axes of one input (attributes `axes`, empty for all, and `keepdims`). Each entry of
// the result is a function of a group of entries; a member of the family states its value and its slopes.
#include <cmath>
#include <limits>

#include "tangra/ops/loops.h"
#include "tangra/ops/maps.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// The entries that go into one entry of the result, in row-major order.
template <class T>
struct Group {
  const T* x;
  const T* sides;  ///< of the run that decides on which side of a kink an entry lies
  const Index* members;
  Index count;

  T operator[](Index k) const { return x[members[k]]; }
  T side(Index k) const { return sides[members[k]]; }
};

template <class T>
T sum_of(const Group<T>& group) {
  T sum = 0;
  for (Index k = 0; k < group.count; ++k) sum += group[k];
  return sum;
}

template <class T>
T sum_of_squares(const Group<T>& group) {
  T sum = 0;
  for (Index k = 0; k < group.count; ++k) sum += group[k] * group[k];
  return sum;
}

struct Sum {
  static constexpr std::string_view name = "ReduceSum";
  template <class T>
  static T value(const Group<T>& group) {
    return sum_of(group);
  }
  template <class T>
  static void slopes(const Group<T>& group, T, T* slope) {
    std::fill_n(slope, group.count, T(1));
  }
};

struct Mean {
  static constexpr std::string_view name = "ReduceMean";
  template <class T>
  static T value(const Group<T>& group) {
    return sum_of(group) / static_cast<T>(group.count);
  }
  template <class T>
  static void slopes(const Group<T>& group, T, T* slope) {
    std::fill_n(slope, group.count, 1 / static_cast<T>(group.count));
  }
};

struct SumSquare {
  static constexpr std::string_view name = "ReduceSumSquare";
  template <class T>
  static T value(const Group<T>& group) {
    return sum_of_squares(group);
  }
  template <class T>
  static void slopes(const Group<T>& group, T, T* slope) {
    for (Index k = 0; k < group.count; ++k) slope[k] = 2 * group[k];
  }
};

/// The Euclidean norm; the norm of 0 has derivative 0.
struct L2 {
  static constexpr std::string_view name = "ReduceL2";
  template <class T>
  static T value(const Group<T>& group) {
    return std::sqrt(sum_of_squares(group));
  }
  template <class T>
  static void slopes(const Group<T>& group, T y, T* slope) {
    for (Index k = 0; k < group.count; ++k) slope[k] = y == 0 ? T(0) : group[k] / y;
  }
};

/// The sum of absolute values; abs'(0) = 0.
struct L1 {
  static constexpr std::string_view name = "ReduceL1";
  static constexpr double kink = 0;
  template <class T>
  static T sign(T side) {
    return side > 0 ? T(1) : side < 0 ? T(-1) : T(0);
  }
  template <class T>
  static T value(const Group<T>& group) {
    T sum = 0;
    for (Index k = 0; k < group.count; ++k) {
      sum += group.side(k) == 0 ? std::abs(group[k]) : sign(group.side(k)) * group[k];
    }
    return sum;
  }
  template <class T>
  static void slopes(const Group<T>& group, T, T* slope) {
    for (Index k = 0; k < group.count; ++k) slope[k] = sign(group.side(k));
  }
};

/// The extremum of a group: the whole derivative goes to the first one. NaN wins.
template <class Order>
struct Extremum {
  static constexpr std::string_view name = Order::name;
  template <class T>
  static Index position(const Group<T>& group) {
    Index best = 0;
    for (Index k = 1; k < group.count; ++k) {
      const bool better = Order::is_before(group.side(k), group.side(best)) || std::isnan(group.side(k));
      if (better && !std::isnan(group.side(best))) best = k;
    }
    return best;
  }
  template <class T>
  static T value(const Group<T>& group) {
    return group.count == 0 ? T(Order::of_nothing) : group[position(group)];
  }
  template <class T>
  static void slopes(const Group<T>& group, T, T* slope) {
    fill_zero(slope, group.count);
    if (group.count > 0) slope[position(group)] = 1;
  }
  template <class T>
  static Choice choice(const Group<T>& group) {
    const Index best = position(group);
    double lead = std::numeric_limits<double>::infinity();
    for (Index k = 0; k < group.count; ++k) {
      const double distance = static_cast<double>(group.side(k)) - static_cast<double>(group.side(best));
      if (k != best) lead = std::min(lead, std::abs(distance));
    }
    return {group.members[best], lead};
  }
};

struct Larger {
  static constexpr std::string_view name = "ReduceMax";
  static constexpr double of_nothing = -HUGE_VAL;
  template <class T>
  static bool is_before(T a, T b) {
    return a > b;
  }
};

struct Smaller {
  static constexpr std::string_view name = "ReduceMin";
  static constexpr double of_nothing = HUGE_VAL;
  template <class T>
  static bool is_before(T a, T b) {
    return a < b;
  }
};

/// The derivative is the product of the others, never a quotient, so zeros among the entries do no harm.
struct Product {
  static constexpr std::string_view name = "ReduceProd";
  template <class T>
  static T value(const Group<T>& group) {
    T product = 1;
    for (Index k = 0; k < group.count; ++k) product *= group[k];
    return product;
  }
  template <class T>
  static void slopes(const Group<T>& group, T, T* slope) {
    T before = 1;
    for (Index k = 0; k < group.count; ++k) {
      slope[k] = before;
      before *= group[k];
    }
    T behind = 1;
    for (Index k = group.count; k-- > 0;) {
      slope[k] *= behind;
      behind *= group[k];
    }
  }
};

struct LogSum {
  static constexpr std::string_view name = "ReduceLogSum";
  template <class T>
  static T value(const Group<T>& group) {
    return std::log(sum_of(group));
  }
  template <class T>
  static void slopes(const Group<T>& group, T, T* slope) {
    std::fill_n(slope, group.count, 1 / sum_of(group));
  }
};

/// log of the sum of exponentials, taken from the largest entry on: nothing overflows, and log1p keeps the
/// digits of the others where one entry dominates. The derivative is the softmax.
struct LogSumExp {
  static constexpr std::string_view name = "ReduceLogSumExp";
  template <class T>
  static Index largest(const Group<T>& group) {
    Index best = 0;
    for (Index k = 1; k < group.count; ++k) {
      if (group[k] > group[best]) best = k;
    }
    return best;
  }
  template <class T>
  static T others(const Group<T>& group, Index top) {
    T sum = 0;
    for (Index k = 0; k < group.count; ++k) {
      if (k != top) sum += std::exp(group[k] - group[top]);
    }
    return sum;
  }
  template <class T>
  static T value(const Group<T>& group) {
    if (group.count == 0) return T(-HUGE_VAL);
    const Index top = largest(group);
    return std::isinf(group[top]) ? group[top] : group[top] + std::log1p(others(group, top));
  }
  template <class T>
  static void slopes(const Group<T>& group, T, T* slope) {
    const Index top = largest(group);
    const T sum = 1 + others(group, top);
    for (Index k = 0; k < group.count; ++k) slope[k] = std::exp(group[k] - group[top]) / sum;
  }
};

/// The axes that are summed over.
std::vector<bool> reduced_axes(const Node& node, const Shape& input) {
  const std::vector<Index> axes = node.attributes.integers("axes", {});
  std::vector<bool> reduced(static_cast<std::size_t>(input.rank()), axes.empty());
  for (const Index axis : axes)
    reduced[static_cast<std::size_t>(resolved_axis(node, axis, input.rank()))] = true;
  return reduced;
}

template <class F>
class Reduction final : public OpOf<Reduction<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    const std::vector<bool> reduced = reduced_axes(node, inputs[0]);
    const bool keep = node.attributes.integer("keepdims", 1) != 0;
    Shape result;
    for (Index axis = 0; axis < inputs[0].rank(); ++axis) {
      if (!reduced[static_cast<std::size_t>(axis)])
        result.append(inputs[0][axis]);
      else if (keep)
        result.append(1);
    }
    return {result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Groups groups(call.node, call.input_shapes[0]);
    for_samples(call, 4 * groups.entries, [&](Index i) {
      for (Index g = 0; g < groups.number; ++g)
        results[0][i * groups.number + g] = F::value(groups.get(call, i, g));
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    each_slope(call, directions,
               [&](const Groups& groups, Index i, Index g, const Index* members, const T* slope) {
                 for (Index row = i * directions; row < (i + 1) * directions; ++row) {
                   const T from = cotangents[0][row * groups.number + g];
                   T* to = results[0] + row * groups.entries;
                   for (Index k = 0; k < groups.count; ++k) to[members[k]] += scaled(slope[k], from);
                 }
               });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    each_slope(call, directions,
               [&](const Groups& groups, Index i, Index g, const Index* members, const T* slope) {
                 for (Index r = 0; r < directions; ++r) {
                   const T* from = tangents[0].at(i) + r * groups.entries;
                   T sum = 0;
                   for (Index k = 0; k < groups.count; ++k) sum += scaled(slope[k], from[members[k]]);
                   results[0][(i * directions + r) * groups.number + g] = sum;
                 }
               });
  }

  std::vector<double> kinks(const Node&) const override {
    if constexpr (requires { F::kink; })
      return {F::kink};
    else
      return {};
  }

  template <class T>
  std::vector<Choice> run_choices(const Call<T>& call) const {
    std::vector<Choice> result;
    if constexpr (requires(Group<T> group) { F::choice(group); }) {
      const Groups groups(call.node, call.input_shapes[0]);
      for (Index i = 0; groups.count > 0 && i < call.samples; ++i) {
        for (Index g = 0; g < groups.number; ++g) result.push_back(F::choice(groups.get(call, i, g)));
      }
    }
    return result;
  }

 private:
  /// The input's entries sorted by the entry of the result that they go into.
  struct Groups {
    Groups(const Node& node, const Shape& input) : entries(input.elements()) {
      const std::vector<bool> reduced = reduced_axes(node, input);
      const std::vector<Index> strides = input.strides();
      Shape order;  // the axes that stay, then those that go
      std::vector<Index> steps;
      for (const bool goes : {false, true}) {
        for (std::size_t axis = 0; axis < reduced.size(); ++axis) {
          if (reduced[axis] != goes) continue;
          order.append(input[static_cast<Index>(axis)]);
          steps.push_back(strides[axis]);
          (goes ? count : number) *= input[static_cast<Index>(axis)];
        }
      }
      members = strided_entries(order, steps);
    }
    template <class T>
    Group<T> get(const Call<T>& call, Index sample, Index g) const {
      return {call.inputs[0].at(sample), call.sides[0].at(sample), members.data() + g * count, count};
    }

    Index entries;
    Index number = 1;  ///< of groups
    Index count = 1;   ///< of entries in a group
    std::vector<Index> members;
  };

  /// Calls use(groups, sample, group, its members, its slopes) for every group; the slopes are found once for
  /// a sample.
  template <class T, class Use>
  static void each_slope(const Call<T>& call, Index directions, const Use& use) {
    const Groups groups(call.node, call.input_shapes[0]);
    for_samples(call, 4 * directions * groups.entries, [&](Index i) {
      std::vector<T> slope(static_cast<std::size_t>(groups.count));
      for (Index g = 0; g < groups.number; ++g) {
        const Group<T> group = groups.get(call, i, g);
        F::slopes(group, call.outputs[0].at(i)[g], slope.data());
        use(groups, i, g, group.members, slope.data());
      }
    });
  }
};

template <class... Functions>
void add_all(std::vector<std::unique_ptr<Op>>& table) {
  (table.push_back(std::make_unique<Reduction<Functions>>()), ...);
}

}  // namespace

void add_reduction_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_all<Sum, Mean, SumSquare, L2, L1, Extremum<Larger>, Extremum<Smaller>, Product, LogSum, LogSumExp>(
      table);
}

}  // namespace tangra::ops
