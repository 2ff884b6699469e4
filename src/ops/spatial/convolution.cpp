// Conv and ConvTranspose with one to three spatial axes, as ONNX defines them, for one sample: x (C,
// spatial), weight (C', C / groups, kernel) of a convolution or (C, C' / groups, kernel) of a transposed one,
// and optionally a bias (C'). The one is the adjoint of the other, so both are products of a Correlation.
#include "tangra/ops/loops.h"
#include "tangra/ops/spatial/correlation.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

bool has_bias(const Node& node) {
  return node.inputs.size() == 3 && node.inputs[2] != no_id;
}

Index groups_of(const Node& node) {
  return node.attributes.integer("group", 1);
}

/// Checks what both operators share: that the weight's first two axes go with x, that the kernel is as said,
/// and that the bias has one entry a channel. `channels` are those of the result.
void check_operands(const Node& node, std::span<const Shape> inputs, Index channels) {
  const Shape& weight = inputs[1];
  const Shape kernel = spatial_part(weight, 2);
  const std::vector<Index> said = node.attributes.integers("kernel_shape", kernel.lengths());
  if (said != kernel.lengths()) {
    refuse(node, "kernel_shape does not fit the weight", to_string(Shape(said)), to_string(kernel));
  }
  if (has_bias(node) && inputs[2] != Shape{channels}) {
    refuse(node, "the bias does not fit the weight", to_string(inputs[2]), to_string(Shape{channels}));
  }
}

void check_ranks(const Node& node, std::span<const Shape> inputs) {
  require_inputs(node, inputs, 2, 3);
  require_image(node, inputs[0]);
  if (inputs[1].rank() != inputs[0].rank() + 1) {
    refuse(node, "the weight's rank does not fit the input", to_string(inputs[1]),
           std::to_string(inputs[0].rank() + 1) + " axes for an input " + to_string(inputs[0]));
  }
  for (const Index length : inputs[1]) {
    if (length < 1 || length >= Index{1} << 31) {
      refuse(node, "the weight has a length out of range", to_string(inputs[1]), "1 or more, below 2^31");
    }
  }
  if (groups_of(node) < 1 || groups_of(node) > inputs[0][0]) {
    refuse(node, "group is out of range", std::to_string(groups_of(node)),
           "1 to the input's " + std::to_string(inputs[0][0]) + " channels");
  }
}

/// result [n, R, C, size] = the bias' tangents, or 0.
template <class T>
void start_with(Rows<const T> bias, Index rows, Index channels, Index size, T* result) {
  if (bias.data == nullptr) return fill_zero(result, rows * channels * size);
  for (Index row = 0; row < rows; ++row) {
    for (Index c = 0; c < channels; ++c)
      std::fill_n(result + (row * channels + c) * size, size, bias.at(row)[c]);
  }
}

/// result [n, R, C] += the cotangents [n, R, C, size] summed over positions.
template <class T>
void pull_to_bias(const T* cotangents, Index rows, Index channels, Index size, T* result) {
  for (Index row = 0; row < rows * channels; ++row) {
    T sum = 0;
    for (Index d = 0; d < size; ++d) sum += cotangents[row * size + d];
    result[row] += sum;
  }
}

/// A convolution reads images and writes maps.
struct Forwards {
  static constexpr std::string_view name = "Conv";
  static constexpr bool transposed = false;

  static void check(const Node& node, std::span<const Shape> inputs) {
    const Index groups = groups_of(node);
    const Shape& weight = inputs[1];
    if (weight[1] * groups != inputs[0][0]) {
      refuse(node, "the input's channels do not fit the weight", std::to_string(inputs[0][0]),
             std::to_string(weight[1]) + " in each of " + std::to_string(groups) + " groups");
    }
    if (weight[0] % groups != 0) {
      refuse(node, "the weight's channels cannot be parted into groups", std::to_string(weight[0]),
             "a multiple of " + std::to_string(groups));
    }
    check_operands(node, inputs, weight[0]);
  }
  static Window window(const Node& node, std::span<const Shape> inputs) {
    return read_window(node, spatial_part(inputs[0], 1), spatial_part(inputs[1], 2));
  }
};

/// A transposed convolution reads maps and writes images.
struct Backwards {
  static constexpr std::string_view name = "ConvTranspose";
  static constexpr bool transposed = true;

  static void check(const Node& node, std::span<const Shape> inputs) {
    const Index groups = groups_of(node);
    const Shape& weight = inputs[1];
    if (weight[0] != inputs[0][0] || weight[0] % groups != 0) {
      refuse(node, "the input's channels do not fit the weight", std::to_string(inputs[0][0]),
             std::to_string(weight[0]) + ", in " + std::to_string(groups) + " groups of the same size");
    }
    check_operands(node, inputs, weight[1] * groups);
  }
  static Window window(const Node& node, std::span<const Shape> inputs) {
    return read_transposed_window(node, spatial_part(inputs[0], 1), spatial_part(inputs[1], 2));
  }
};

/// The lengths of one call.
struct Extent {
  Window window;
  Index groups;
  Index channels;         ///< of the result
  Index in, out, weight;  ///< entries of one sample
  Index size;             ///< entries of one channel of the result

  template <class Kind>
  static Extent of(const Node& node, std::span<const Shape> inputs, const Kind&) {
    const Window window = Kind::window(node, inputs);
    const Index groups = groups_of(node);
    const Index channels = Kind::transposed ? inputs[1][1] * groups : inputs[1][0];
    const Index size = Kind::transposed ? window.image_size() : window.position_count();
    return {window, groups, channels, inputs[0].elements(), channels * size, inputs[1].elements(), size};
  }
};

template <class Kind>
class Convolution final : public OpOf<Convolution<Kind>> {
 public:
  std::string_view name() const override { return Kind::name; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    check_ranks(node, inputs);
    Kind::check(node, inputs);
    const Extent extent = Extent::of(node, inputs, Kind{});
    const Window& window = extent.window;
    return {channels_and(extent.channels, Kind::transposed ? window.image : window.positions,
                         inputs[0].rank() - 1)};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Extent extent = Extent::of(call.node, call.input_shapes, Kind{});
    Rows<const T> bias;
    if (has_bias(call.node)) bias = {call.inputs[2].data, call.inputs[2].stride, 0, 1};
    start_with<T>(bias, call.samples, extent.channels, extent.size, results[0]);
    apply<T>(products(call, extent), call.samples, {call.inputs[0].data, call.inputs[0].stride, 0, 1},
             {call.inputs[1].data, call.inputs[1].stride, 0, 1}, {results[0], extent.out, 0, 1});
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    const Extent extent = Extent::of(call.node, call.input_shapes, Kind{});
    const Correlation<T> core = products(call, extent);
    const Index R = directions;
    const Index rows = call.samples * R;
    const Rows<const T> g{cotangents[0], R * extent.out, extent.out, R};
    if (results[0] != nullptr) {
      const Rows<const T> weights{call.inputs[1].data, call.inputs[1].stride, 0, R};
      const Rows<T> to{results[0], R * extent.in, extent.in, R};
      if constexpr (Kind::transposed)
        core.correlate(rows, g, weights, true, to);
      else
        core.spread(rows, g, weights, to);
    }
    if (results[1] != nullptr) {
      const Operand<T>& x = call.inputs[0];
      if constexpr (Kind::transposed) {
        core.add_weights(rows, 1, g, {x.data, x.stride, 0, R},
                         {results[1], R * extent.weight, extent.weight, R});
      } else {
        core.add_weights(call.samples, R, {x.data, x.stride, 0, 1}, {cotangents[0], R * extent.out, 0, 1},
                         {results[1], R * extent.weight, 0, 1});
      }
    }
    if (results.size() == 3 && results[2] != nullptr) {
      pull_to_bias(cotangents[0], rows, extent.channels, extent.size, results[2]);
    }
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Extent extent = Extent::of(call.node, call.input_shapes, Kind{});
    const Correlation<T> core = products(call, extent);
    const Index R = directions;
    const Index rows = call.samples * R;
    const Rows<T> to{results[0], R * extent.out, extent.out, R};
    const auto tangent = [&](std::size_t k, Index size) {
      return Rows<const T>{tangents[k].data, tangents[k].stride, size, R};
    };
    const auto value = [&](std::size_t k) {
      return Rows<const T>{call.inputs[k].data, call.inputs[k].stride, 0, R};
    };
    const bool moved_bias = tangents.size() == 3 && tangents[2];
    start_with<T>(moved_bias ? tangent(2, extent.channels) : Rows<const T>{}, rows, extent.channels,
                  extent.size, results[0]);
    if (tangents[0]) apply<T>(core, rows, tangent(0, extent.in), value(1), to);
    if (tangents[1]) apply<T>(core, rows, value(0), tangent(1, extent.weight), to);
  }

  /// Every weight meets every position of a map once.
  double multiply_adds(const Node& node, std::span<const Shape> inputs, const Shape&) const override {
    const Extent extent = Extent::of(node, inputs, Kind{});
    return static_cast<double>(extent.weight * extent.window.position_count());
  }
  bool has_outer_form(const Node& node, std::span<const Shape>, int input) const override {
    return input == 1 && (groups_of(node) == 1 || !Kind::transposed);
  }
  Index outer_entries(const Node& node, std::span<const Shape> inputs, int, Index directions) const override {
    const Extent extent = Extent::of(node, inputs, Kind{});
    const Index positions = extent.window.position_count();
    const Index patches = positions * inputs[1].elements(1, inputs[1].rank()) * extent.groups;
    if (Kind::transposed) return directions * patches;
    return extent.window.is_identity() ? 0 : patches;
  }
  OuterUse<float> outer_use(const Call<float>& call, Index directions, const float* g, int) const override {
    return use(call, directions, g);
  }
  OuterUse<double> outer_use(const Call<double>& call, Index directions, const double* g,
                             int) const override {
    return use(call, directions, g);
  }

  bool passes_cotangent(const Node& node, std::span<const Shape> inputs, int input) const override {
    return input == 2 && Extent::of(node, inputs, Kind{}).size == 1;
  }

 private:
  template <class T>
  static Correlation<T> products(const Call<T>& call, const Extent& extent) {
    const Index in = call.input_shapes[0][0];
    return {call.context,
            call.engine,
            extent.window,
            Kind::transposed ? extent.channels : in,
            Kind::transposed ? in : extent.channels,
            extent.groups};
  }

  /// Adds the convolution of x and weights to the results.
  template <class T>
  static void apply(const Correlation<T>& core, Index rows, Rows<const T> x, Rows<const T> weights,
                    Rows<T> to) {
    if constexpr (Kind::transposed)
      core.spread(rows, x, weights, to);
    else
      core.correlate(rows, x, weights, true, to);
  }

  /// The weight [M, K] is the matrix (c, k) of a convolution. That of a transposed one is (k, c): its patches
  /// are those of the cotangent.
  template <class T>
  static OuterUse<T> use(const Call<T>& call, Index directions, const T* g) {
    const Extent extent = Extent::of(call.node, call.input_shapes, Kind{});
    const Correlation<T> core = products(call, extent);
    const Index D = extent.window.position_count();
    const Index M = call.input_shapes[1][0];
    const Index K = extent.weight / M;
    const Index n = call.samples;
    const Index R = directions;
    const Rows<const T> x{call.inputs[0].data, call.inputs[0].stride, 0, 1};
    const Rows<const T> cotangents{g, R * extent.out, extent.out, R};
    OuterUse<T> result{.positions = D,
                       .channels = Kind::transposed ? K : M,
                       .fan_in = Kind::transposed ? M : K,
                       .transposed = Kind::transposed,
                       .left_is_cotangent = false,
                       .right_is_input = false,
                       .left = {},
                       .right = {}};
    if constexpr (Kind::transposed) {
      result.left = core.patches(n * R, cotangents, {n, R, D, K});
      result.right_is_input = x.sample_stride == extent.in;
      result.right_by_channel = result.right_is_input;
      if (!result.right_is_input) result.right = core.transposed_maps(n, x, {n, D, M});
    } else {
      result.right_is_input = extent.window.is_identity() && x.sample_stride == extent.in;
      if (!result.right_is_input) result.right = core.patches_by_channel(n, x, {n, extent.groups * K, D});
      result.right_by_channel = true;
      result.groups = extent.groups;
      if (extent.groups == 1 && x.sample_stride == extent.in && !extent.window.is_identity()) {
        result.pixels = extent.window.image_size();
        result.pixel_taps = pixels_of(extent.window);
      }
      result.left_is_cotangent = true;
      result.left_by_channel = true;
    }
    return result;
  }
};

}  // namespace

void add_conv_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<Convolution<Forwards>>());
  table.push_back(std::make_unique<Convolution<Backwards>>());
}

}  // namespace tangra::ops
