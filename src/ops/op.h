#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
#include "tangra/linalg/gemm.h"
#include "tangra/model/graph.h"

namespace tangra::ops {

/// One array for a block of samples, as an operator sees it.
template <class T>
struct Operand {
  const T* data = nullptr;  ///< null where an optional input is absent or a direction is zero
  Index stride = 0;         ///< entries from one sample to the next; 0 where all samples share the array

  explicit operator bool() const { return data != nullptr; }
  const T* at(Index sample) const { return data + sample * stride; }
};

/// One node on a block of samples. `inputs` and `outputs` hold the values of the forward pass.
template <class T>
struct Call {
  const Context& context;
  linalg::Engine engine;
  const Node& node;
  std::span<const Shape> input_shapes;   ///< of one sample
  std::span<const Shape> output_shapes;  ///< of one sample
  Index samples;
  std::span<const Operand<T>> inputs;
  std::span<const Operand<T>> outputs;  ///< not there yet in a forward call
  /// The inputs that decide on which side of a kink an entry lies; as a rule the inputs themselves. A run in float64 that
  /// checks one in float32 takes that run's values here, so that both stand on the same side everywhere.
  std::span<const Operand<T>> sides;
};

/// The structured form of a use of a batch-free value A: with the matrix A' [c, k] that A is read as, for sample i and
/// cotangent a,  J[(i,a), (c,k)] = sum_d left[i,a,d,c] right[i,d,k]   (docs/math.md, equation 6).
template <class T>
struct OuterUse {
  Index positions = 0;  ///< D
  Index channels = 0;   ///< C
  Index fan_in = 0;     ///< K
  bool transposed = false;         ///< A is stored as (k, c)
  bool left_is_cotangent = false;  ///< left is the result's cotangent as it lies, `left` is empty
  bool right_is_input = false;     ///< right is input 0 as it lies, `right` is empty
  bool left_by_channel = false;    ///< left lies as [n, R, C, D]
  bool right_by_channel = false;   ///< right lies as [n, K, D]
  Tensor<T> left;                  ///< [n, R, D, C]
  Tensor<T> right;                 ///< [n, D, G K]
  Index groups = 1;                ///< G: channel c meets the K entries of its own group of right
  /// A is a table (c, k), right [n, D] has numbers of its rows and left is [n, R, D, K]:
  /// J[(i,a), (c,k)] = sum_d left[i,a,d,k] [right[i,d] = c].
  bool gathers = false;
  /// Where right is made of patches of input 0, which lies as (K / taps, pixels): the pixel of each (tap, position), -1 for
  /// none. No pixels: it is not.
  Index pixels = 0;
  std::vector<Index> pixel_taps = {};
};

/// A result that holds entries of one input, each at most once, times a number: entry (i1, .., im) is
/// scale * input[offset + i1 * strides[0] + ..].
struct View {
  int input = 0;
  Index offset = 0;
  std::vector<Index> strides;
  double scale = 1;
};

/// What a result that is one of several entries (a maximum) was taken from.
struct Choice {
  Index entry = 0;  ///< the number of the chosen entry in its input
  double lead = 0;  ///< by how much it is ahead of the next one; infinite where there is no other
};

/// An operator. All shapes are those of one sample; arrays of a block have the samples in front. In pull-back and
/// push-forward every sample has R directions (cotangents, tangents), so their arrays are [n, R, shape].
///
/// Every operator gives its pull-back to every differentiable input, batch-free ones too: there the result is one array
/// per sample and direction, the explicit row of the Jacobian. Structured uses are shortcuts beside it.
class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view name() const = 0;
  /// The shapes of the outputs. Throws Error(input) where the inputs or attributes do not fit.
  virtual std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const = 0;

  /// results[k]: [n, output k], every entry is written.
  virtual void forward(const Call<float>& call, std::span<float* const> results) const = 0;
  virtual void forward(const Call<double>& call, std::span<double* const> results) const = 0;

  /// Adds J^T cotangent to results[k] [n, R, input k] for each k that is not null. cotangents[k]: [n, R, output k], null
  /// where zero.
  virtual void pullback(const Call<float>& call, Index directions, std::span<const float* const> cotangents,
                        std::span<float* const> results) const = 0;
  virtual void pullback(const Call<double>& call, Index directions, std::span<const double* const> cotangents,
                        std::span<double* const> results) const = 0;
  /// Whether pullback() may be called with results[0] == cotangents[0]: it then puts J^T cotangent in its place, and adds to
  /// the other results as ever.
  virtual bool pulls_in_place(const Node& node) const;

  /// results[k] [n, R, output k] = J tangents. tangents[k]: [n, R, input k], or [R, input k] with stride 0 for a
  /// direction that all samples share.
  virtual void pushforward(const Call<float>& call, Index directions, std::span<const Operand<float>> tangents,
                           std::span<float* const> results) const = 0;
  virtual void pushforward(const Call<double>& call, Index directions, std::span<const Operand<double>> tangents,
                           std::span<double* const> results) const = 0;

  /// Whether input `input` of the node, where it is batch-free, is used in the outer form.
  virtual bool has_outer_form(const Node& node, std::span<const Shape> inputs, int input) const;
  virtual OuterUse<float> outer_use(const Call<float>& call, Index directions, const float* cotangent, int input) const;
  virtual OuterUse<double> outer_use(const Call<double>& call, Index directions, const double* cotangent,
                                     int input) const;
  /// Multiply-adds of the forward pass on one sample, about. The pull-back to an input takes as many for each direction.
  virtual double multiply_adds(const Node& node, std::span<const Shape> inputs, const Shape& output) const;
  /// Entries of `left` and `right` that outer_use makes for one sample with R directions.
  virtual Index outer_entries(const Node& node, std::span<const Shape> inputs, int input, Index directions) const;
  /// Whether the pull-back to input `input` is the cotangent as it lies, so that no copy is needed.
  virtual bool passes_cotangent(const Node& node, std::span<const Shape> inputs, int input) const;
  /// The result as a view of one input where it is one. `constant(k)` gives the number that input k holds where that is
  /// a constant of one entry.
  virtual std::optional<View> view(const Node& node, std::span<const Shape> inputs,
                                   std::span<const std::optional<double>> constants) const;
  /// The same for any output of an operator that has several.
  virtual std::optional<View> view_of_output(const Node& node, std::span<const Shape> inputs,
                                             std::span<const std::optional<double>> constants, int output) const;
  /// The points of input 0 where the derivative jumps; empty for smooth operators.
  virtual std::vector<double> kinks(const Node& node) const;
  /// For operators that choose among entries of `sides`, the choice behind each entry of [n, output 0]; empty for all
  /// others. The derivative jumps where another entry is chosen.
  virtual std::vector<Choice> choices(const Call<float>& call) const;
  virtual std::vector<Choice> choices(const Call<double>& call) const;
};

/// The operator with this name, or nullptr.
const Op* find_op(std::string_view name);
/// The names of all operators, sorted.
std::vector<std::string_view> op_names();

/// Writes both scalars' overloads of Op from one set of templates: Derived has run_forward, run_pullback and
/// run_pushforward with the signatures of Op, as templates on the scalar, and run_choices where it chooses.
template <class Derived>
class OpOf : public Op {
 public:
  void forward(const Call<float>& call, std::span<float* const> results) const override {
    self().template run_forward<float>(call, results);
  }
  void forward(const Call<double>& call, std::span<double* const> results) const override {
    self().template run_forward<double>(call, results);
  }
  void pullback(const Call<float>& call, Index directions, std::span<const float* const> cotangents,
                std::span<float* const> results) const override {
    self().template run_pullback<float>(call, directions, cotangents, results);
  }
  void pullback(const Call<double>& call, Index directions, std::span<const double* const> cotangents,
                std::span<double* const> results) const override {
    self().template run_pullback<double>(call, directions, cotangents, results);
  }
  void pushforward(const Call<float>& call, Index directions, std::span<const Operand<float>> tangents,
                   std::span<float* const> results) const override {
    self().template run_pushforward<float>(call, directions, tangents, results);
  }
  void pushforward(const Call<double>& call, Index directions, std::span<const Operand<double>> tangents,
                   std::span<double* const> results) const override {
    self().template run_pushforward<double>(call, directions, tangents, results);
  }
  std::vector<Choice> choices(const Call<float>& call) const override { return choices_of(call); }
  std::vector<Choice> choices(const Call<double>& call) const override { return choices_of(call); }

 private:
  template <class T>
  std::vector<Choice> choices_of(const Call<T>& call) const {
    if constexpr (requires { self().template run_choices<T>(call); }) return self().template run_choices<T>(call);
    else return {};
  }
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

/// Throws Error(input) for a node whose inputs or attributes do not fit.
[[noreturn]] void refuse(const Node& node, std::string what, std::string got = {}, std::string expected = {});
/// Throws unless the node has between `least` and `most` inputs, all of the first `least` present.
void require_inputs(const Node& node, std::span<const Shape> inputs, int least, int most);
/// `axis` counted from the front, in [0, rank). Throws Error(input) otherwise.
Index resolved_axis(const Node& node, Index axis, Index rank);

}  // namespace tangra::ops
