#pragma once
// Writes whole networks as ONNX files, as exporters do: layer by layer, with random weights.
#include <string>
#include <vector>

#include "load/onnx/file.h"
#include "tangra/base/rng.h"
#include "tangra/base/shape.h"

namespace tangra::test::networks {

using onnx::attribute;
using Indices = std::vector<Index>;

/// How the axis of the samples stands in the file.
struct Export {
  onnx::Axis batch = "N";  ///< open under a name, or a number
  bool arithmetic =
      false;  ///< what a Reshape goes to is put together from Shape, Gather and Concat; else N is -1
};

/// A file under construction. Values are named after their operators, parameters as in PyTorch.
class Net {
 public:
  using Value = std::string;
  using Attributes = std::vector<onnx::Message>;

  explicit Net(Export how, Index opset = 17) : how_(std::move(how)), file_(opset) {}

  /// "x": (N, sample).
  Value input(const Shape& sample, onnx::Type type = onnx::float32);
  /// Entries uniform in centre +- size.
  Value parameter(const std::string& name, const Shape& shape, double size, double centre = 0);
  /// A weight: of variance 1 / fan_in.
  Value weight(const std::string& name, const Shape& shape, Index fan_in);
  /// Constant nodes: integers, and one real number.
  Value integers(const Indices& entries);
  Value scalar(float entry);
  Value apply(const std::string& op, const std::vector<Value>& inputs, const Attributes& attributes = {});
  std::vector<Value> apply_many(const std::string& op, const std::vector<Value>& inputs, std::size_t outputs,
                                const Attributes& attributes = {});
  std::vector<Value> split(const Value& x, Index axis, const Indices& lengths);

  /// x as (before, times * N, behind).
  Value reshaped(const Value& x, const Indices& before, Index times, const Indices& behind);
  Value reshaped(const Value& x, const Indices& sample) { return reshaped(x, {}, 1, sample); }
  Value transposed(const Value& x, const Indices& order);
  /// (before, times * N, behind) as a value.
  Value shape(const Indices& before, Index times, const Indices& behind);

  /// NAME.weight (in, out) by MatMul, and NAME.bias by Add.
  Value dense(const Value& x, const std::string& name, Index in, Index out);
  /// NAME.weight (out, in) and NAME.bias by Gemm, for rows (N, in).
  Value gemm(const Value& x, const std::string& name, Index in, Index out);
  /// NAME.weight (out, in / groups, kernel) and NAME.bias.
  Value conv(const Value& x, const std::string& name, const Shape& weight, const Attributes& attributes = {},
             bool bias = true);
  Value batch_norm(const Value& x, const std::string& name, Index channels);
  Value layer_norm(const Value& x, const std::string& name, Index width);
  /// Both paths' sum.
  Value sum(const Value& a, const Value& b) { return apply("Add", {a, b}); }

  /// The file with `y` as its output.
  std::string finish(const Value& y) { return file_.output(y).bytes(); }

 private:
  Value fresh(const std::string& stem) { return stem + "_" + std::to_string(++values_); }

  Export how_;
  onnx::File file_;
  int values_ = 0;
  RandomStream random_{2026, 0};
  std::uint64_t drawn_ = 0;
  Value samples_;  ///< the value that holds N, once there is one
};

}  // namespace tangra::test::networks
