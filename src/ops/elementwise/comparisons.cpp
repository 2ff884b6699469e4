// Comparisons and connectives: 1 or 0, decided by the side (ops::Call::sides), with derivative 0 everywhere;
// and Where, which selects by them.
#include <cmath>

#include "binary.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// A relation of two entries.
template <class Relation>
struct Holds {
  static constexpr std::string_view name = Relation::name;
  template <class T>
  static T value(const Pair<T>& p, const Settings&) {
    return Relation::holds(p.side_a, p.side_b) ? T(1) : T(0);
  }
  template <class T>
  static T slope_a(const Pair<T>&, const Settings&) {
    return 0;
  }
  template <class T>
  static T slope_b(const Pair<T>&, const Settings&) {
    return 0;
  }
  template <class T>
  static Choice choice(const Pair<T>& p) {
    const double lead = std::abs(static_cast<double>(p.side_a) - static_cast<double>(p.side_b));
    return {Relation::holds(p.side_a, p.side_b) ? 1 : 0, lead};
  }
};

struct Equal {
  static constexpr std::string_view name = "Equal";
  template <class T>
  static bool holds(T a, T b) {
    return a == b;
  }
};

struct Less {
  static constexpr std::string_view name = "Less";
  template <class T>
  static bool holds(T a, T b) {
    return a < b;
  }
};

struct LessOrEqual {
  static constexpr std::string_view name = "LessOrEqual";
  template <class T>
  static bool holds(T a, T b) {
    return a <= b;
  }
};

struct Greater {
  static constexpr std::string_view name = "Greater";
  template <class T>
  static bool holds(T a, T b) {
    return a > b;
  }
};

struct GreaterOrEqual {
  static constexpr std::string_view name = "GreaterOrEqual";
  template <class T>
  static bool holds(T a, T b) {
    return a >= b;
  }
};

struct And {
  static constexpr std::string_view name = "And";
  template <class T>
  static bool holds(T a, T b) {
    return a != 0 && b != 0;
  }
};

struct Or {
  static constexpr std::string_view name = "Or";
  template <class T>
  static bool holds(T a, T b) {
    return a != 0 || b != 0;
  }
};

struct Xor {
  static constexpr std::string_view name = "Xor";
  template <class T>
  static bool holds(T a, T b) {
    return (a != 0) != (b != 0);
  }
};

/// Where(condition, a, b): a where the condition is not 0, else b. What is not selected is not touched, so an
/// infinite or undefined entry of the other side stays out.
class Where final : public OpOf<Where> {
 public:
  std::string_view name() const override { return "Where"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 3, 3);
    return {broadcast_inputs(node, inputs)};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Index size = call.output_shapes[0].elements();
    each_entry(call, 1, [&](Index i, Index, Index e, std::size_t chosen, Index from) {
      results[0][i * size + e] = call.inputs[chosen].at(i)[from];
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    const Index size = call.output_shapes[0].elements();
    each_entry(call, directions, [&](Index i, Index r, Index e, std::size_t chosen, Index from) {
      if (results[chosen] == nullptr) return;
      const Index row = i * directions + r;
      results[chosen][row * call.input_shapes[chosen].elements() + from] += cotangents[0][row * size + e];
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Index size = call.output_shapes[0].elements();
    each_entry(call, directions, [&](Index i, Index r, Index e, std::size_t chosen, Index from) {
      const Operand<T>& tangent = tangents[chosen];
      const Index entry = r * call.input_shapes[chosen].elements() + from;
      results[0][(i * directions + r) * size + e] = tangent ? tangent.at(i)[entry] : T(0);
    });
  }

 private:
  /// Calls use(sample, direction, entry of the result, chosen input, its entry).
  template <class T, class Use>
  static void each_entry(const Call<T>& call, Index directions, const Use& use) {
    const Index size = call.output_shapes[0].elements();
    const BroadcastMap condition(call.input_shapes[0], call.output_shapes[0]);
    const BroadcastMap a(call.input_shapes[1], call.output_shapes[0]);
    const BroadcastMap b(call.input_shapes[2], call.output_shapes[0]);
    for_samples(call, 4 * directions * size, [&](Index i) {
      const T* decides = call.sides[0].at(i);
      for (Index r = 0; r < directions; ++r) {
        for (Index e = 0; e < size; ++e) {
          const bool first = decides[condition(e)] != 0;
          use(i, r, e, std::size_t{first ? 1U : 2U}, first ? a(e) : b(e));
        }
      }
    });
  }
};

}  // namespace

void add_comparison_ops(std::vector<std::unique_ptr<Op>>& table) {
  add_binary<Holds<Equal>, Holds<Less>, Holds<LessOrEqual>, Holds<Greater>, Holds<GreaterOrEqual>, Holds<And>,
             Holds<Or>, Holds<Xor>>(table);
  table.push_back(std::make_unique<Where>());
}

}  // namespace tangra::ops
