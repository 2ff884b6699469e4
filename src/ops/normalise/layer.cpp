// Normalisations by the mean and the variance of the sample itself: y = scale (x - mean) / sqrt(variance +
// epsilon)
// + bias over groups of entries that lie behind one another. A member of the family states its groups, and to
// which entries scale and bias belong.
#include <cmath>

#include "tangra/ops/loops.h"
#include "tangra/ops/maps.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

/// How the entries of x are divided, and the shape that scale and bias are broadcast from.
struct Layout {
  Index groups;
  Index length;  ///< entries of a group
  double epsilon;
  std::vector<Index> scale = {};  ///< the entry of scale for each entry of x
  std::vector<Index> bias = {};   ///< empty without a bias
};

/// What of a layout is made: the shapes alone say whether there is one, at any size.
enum class With { nothing, tables };

bool has(const Node& node, std::size_t input) {
  return node.inputs.size() > input && node.inputs[input] != no_id;
}

/// Over the axes from `axis` on; scale and bias broadcast to x.
struct OverLastAxes {
  static Layout layout(const Node& node, std::span<const Shape> inputs, bool biased, With with) {
    const Shape& x = inputs[0];
    const Index axis = resolved_axis(node, node.attributes.integer("axis", -1), x.rank());
    require_broadcasts_to(node, inputs[1], x, "the scale");
    Layout layout{.groups = x.elements(0, axis),
                  .length = x.elements(axis, x.rank()),
                  .epsilon = node.attributes.real("epsilon", 1e-5)};
    if (biased) require_broadcasts_to(node, inputs[2], x, "the bias");
    if (with == With::nothing) return layout;
    layout.scale = broadcast_entries(inputs[1], x);
    if (biased) layout.bias = broadcast_entries(inputs[2], x);
    return layout;
  }
};

/// Over the first axis, the channels, in `groups` pieces and over all that follows. Scale and bias have one
/// entry for each channel or one for each group.
struct OverChannels {
  static Layout layout(const Node& node, std::span<const Shape> inputs, Index groups, With with) {
    const Shape& x = inputs[0];
    const Index channels = x[0];
    if (groups < 1 || channels % groups != 0) {
      refuse(node, "the channels do not divide into the groups",
             std::to_string(channels) + " channels, " + std::to_string(groups) + " groups");
    }
    Layout layout{
        .groups = groups, .length = x.elements() / groups, .epsilon = node.attributes.real("epsilon", 1e-5)};
    const auto map = [&](const Shape& gain) {
      if (gain != Shape{channels} && gain != Shape{groups}) {
        refuse(node, "scale or bias does not fit the channels", to_string(gain), to_string(Shape{channels}));
      }
      if (with == With::nothing) return std::vector<Index>();
      std::vector<Index> entries(static_cast<std::size_t>(x.elements()));
      const Index share = x.elements() / std::max<Index>(1, gain[0]);
      for (std::size_t e = 0; e < entries.size(); ++e) entries[e] = static_cast<Index>(e) / share;
      return entries;
    };
    layout.scale = map(inputs[1]);
    layout.bias = map(inputs[2]);
    return layout;
  }
};

struct LayerNormalization {
  static constexpr std::string_view name = "LayerNormalization";
  static constexpr bool centred = true;
  static constexpr int least_inputs = 2;
  static constexpr int most_inputs = 3;
  static Layout layout(const Node& node, std::span<const Shape> inputs, With with) {
    return OverLastAxes::layout(node, inputs, has(node, 2), with);
  }
};

/// Without a mean: y = scale x / sqrt(mean of squares + epsilon).
struct RMSNormalization {
  static constexpr std::string_view name = "RMSNormalization";
  static constexpr bool centred = false;
  static constexpr int least_inputs = 2;
  static constexpr int most_inputs = 2;
  static Layout layout(const Node& node, std::span<const Shape> inputs, With with) {
    return OverLastAxes::layout(node, inputs, false, with);
  }
};

struct InstanceNormalization {
  static constexpr std::string_view name = "InstanceNormalization";
  static constexpr bool centred = true;
  static constexpr int least_inputs = 3;
  static constexpr int most_inputs = 3;
  static Layout layout(const Node& node, std::span<const Shape> inputs, With with) {
    return OverChannels::layout(node, inputs, inputs[0][0], with);
  }
};

struct GroupNormalization {
  static constexpr std::string_view name = "GroupNormalization";
  static constexpr bool centred = true;
  static constexpr int least_inputs = 3;
  static constexpr int most_inputs = 3;
  static Layout layout(const Node& node, std::span<const Shape> inputs, With with) {
    return OverChannels::layout(node, inputs, node.attributes.integer("num_groups", 0), with);
  }
};

/// One sample, normalised.
template <class T>
struct Normalised {
  std::vector<T> x;        ///< (x - mean) / deviation
  std::vector<T> inverse;  ///< 1 / deviation, by group
};

template <class T>
Normalised<T> normalised(const Layout& layout, bool centred, const T* x) {
  const auto count = static_cast<T>(layout.length);
  Normalised<T> result{std::vector<T>(static_cast<std::size_t>(layout.groups * layout.length)), {}};
  for (Index g = 0; g < layout.groups; ++g) {
    const T* from = x + g * layout.length;
    T* to = result.x.data() + g * layout.length;
    // The first entry goes first: what all entries have in common takes no digits from mean and variance.
    T mean = 0;
    for (Index e = 0; e < layout.length; ++e) mean += to[e] = centred ? from[e] - from[0] : from[e];
    mean = centred ? mean / count : T(0);
    T squares = 0;
    for (Index e = 0; e < layout.length; ++e) {
      to[e] -= mean;
      squares += to[e] * to[e];
    }
    const T inverse = 1 / std::sqrt(squares / count + static_cast<T>(layout.epsilon));
    for (Index e = 0; e < layout.length; ++e) to[e] *= inverse;
    result.inverse.push_back(inverse);
  }
  return result;
}

/// line := (1 / deviation) (1 - x x^T / n) (line - its mean), the Jacobian of one group's normalised entries,
/// which is symmetric (without the mean where the group was not centred).
template <class T>
void apply_jacobian(const Layout& layout, bool centred, const T* x, T inverse, T* line) {
  const auto count = static_cast<T>(layout.length);
  T mean = 0;
  for (Index e = 0; centred && e < layout.length; ++e) mean += line[e];
  mean /= count;
  T along = 0;
  for (Index e = 0; e < layout.length; ++e) {
    line[e] -= mean;
    along += line[e] * x[e];
  }
  along /= count;
  for (Index e = 0; e < layout.length; ++e) line[e] = inverse * (line[e] - along * x[e]);
}

template <class F>
class Normalisation final : public OpOf<Normalisation<F>> {
 public:
  std::string_view name() const override { return F::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, F::least_inputs, F::most_inputs);
    if (inputs[0].rank() < 1) refuse(node, "the input is a scalar", to_string(inputs[0]), "one axis or more");
    F::layout(node, inputs, With::nothing);
    return {inputs[0]};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_sample(call, 1, [&](Index i, const Layout& layout, const Normalised<T>& unit) {
      const T* scale = call.inputs[1].at(i);
      T* y = results[0] + i * std::ssize(unit.x);
      for (std::size_t e = 0; e < unit.x.size(); ++e) y[e] = unit.x[e] * scale[layout.scale[e]];
      for (std::size_t e = 0; e < layout.bias.size(); ++e) y[e] += call.inputs[2].at(i)[layout.bias[e]];
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    each_sample(call, directions, [&](Index i, const Layout& layout, const Normalised<T>& unit) {
      const T* scale = call.inputs[1].at(i);
      const std::size_t size = unit.x.size();
      std::vector<T> line(size);
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        const T* from = cotangents[0] + row * std::ssize(unit.x);
        if (results[0] != nullptr) {
          for (std::size_t e = 0; e < size; ++e) line[e] = from[e] * scale[layout.scale[e]];
          apply_jacobians(layout, unit, line);
          for (std::size_t e = 0; e < size; ++e) results[0][row * std::ssize(unit.x) + Index(e)] += line[e];
        }
        if (results[1] != nullptr) {
          T* to = results[1] + row * call.input_shapes[1].elements();
          for (std::size_t e = 0; e < size; ++e) to[layout.scale[e]] += unit.x[e] * from[e];
        }
        if (results.size() > 2 && results[2] != nullptr) {
          T* to = results[2] + row * call.input_shapes[2].elements();
          for (std::size_t e = 0; e < layout.bias.size(); ++e) to[layout.bias[e]] += from[e];
        }
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    each_sample(call, directions, [&](Index i, const Layout& layout, const Normalised<T>& unit) {
      const T* scale = call.inputs[1].at(i);
      const std::size_t size = unit.x.size();
      std::vector<T> line(size);
      for (Index r = 0; r < directions; ++r) {
        T* to = results[0] + (i * directions + r) * std::ssize(unit.x);
        fill_zero(to, std::ssize(unit.x));
        if (tangents[0]) {
          std::copy_n(tangents[0].at(i) + r * std::ssize(unit.x), size, line.begin());
          apply_jacobians(layout, unit, line);
          for (std::size_t e = 0; e < size; ++e) to[e] += line[e] * scale[layout.scale[e]];
        }
        if (tangents[1]) {
          const T* from = tangents[1].at(i) + r * call.input_shapes[1].elements();
          for (std::size_t e = 0; e < size; ++e) to[e] += unit.x[e] * from[layout.scale[e]];
        }
        if (tangents.size() > 2 && tangents[2]) {
          const T* from = tangents[2].at(i) + r * call.input_shapes[2].elements();
          for (std::size_t e = 0; e < layout.bias.size(); ++e) to[e] += from[layout.bias[e]];
        }
      }
    });
  }

 private:
  template <class T>
  static void apply_jacobians(const Layout& layout, const Normalised<T>& unit, std::vector<T>& line) {
    for (Index g = 0; g < layout.groups; ++g) {
      apply_jacobian(layout, F::centred, unit.x.data() + g * layout.length,
                     unit.inverse[static_cast<std::size_t>(g)], line.data() + g * layout.length);
    }
  }

  template <class T, class Use>
  static void each_sample(const Call<T>& call, Index directions, const Use& use) {
    const Layout layout = F::layout(call.node, call.input_shapes, With::tables);
    for_samples(call, 8 * (1 + directions) * call.output_shapes[0].elements(),
                [&](Index i) { use(i, layout, normalised(layout, F::centred, call.inputs[0].at(i))); });
  }
};

}  // namespace

void add_layer_normalisation_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<Normalisation<LayerNormalization>>());
  table.push_back(std::make_unique<Normalisation<RMSNormalization>>());
  table.push_back(std::make_unique<Normalisation<InstanceNormalization>>());
  table.push_back(std::make_unique<Normalisation<GroupNormalization>>());
}

}  // namespace tangra::ops
