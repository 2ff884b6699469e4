#pragma once
// Not for other rooms: evaluates what depends on no sample and on no parameter, as the shape arithmetic of
// exporters does.
#include <optional>
#include <span>
#include <vector>

#include "tangra/load/onnx/file_model.h"

namespace tangra::load::onnx {

/// How many entries all folded arrays may have together: a small file can ask for huge ones.
class FoldBudget {
 public:
  /// Throws Error(input), naming the node, where the shape is none or the sum would be too large.
  void take(const FileNode& node, const Shape& shape);

 private:
  Index left_ = Index{1} << 26;
};

/// What an operator of ONNX gives for constant inputs (null where absent).
struct FoldCall {
  const FileNode& node;
  std::span<const Array* const> inputs;
  Index opset;
  FoldBudget& budget;

  bool has(std::size_t input) const { return input < inputs.size() && inputs[input] != nullptr; }
  /// Throws Error(input) where the input is absent.
  const Array& operator[](std::size_t input) const;
};

using Fold = std::vector<Array> (*)(const FoldCall&);

/// The evaluator of this operator, or null: such a constant is left to the network. Real numbers are computed
/// in float64 and stay so: rounding to float32 is the last step of a run, not of the file.
Fold find_fold(const FileNode& node);

/// Throws Error(input) for a node of the file that does not fit.
[[noreturn]] void refuse_node(const FileNode& node, std::string what, std::string got = {},
                              std::string expected = {}, std::string cure = {});
/// The entries of an array of integers or truth values.
std::vector<Index> integers_of(const Array& array);
/// The entries of any array, as float64.
std::vector<double> reals_of(const Array& array);
/// Arrays from entries.
Array integer_array(Shape shape, std::span<const Index> entries, DType type = DType::int64);
Array real_array(Shape shape, std::span<const double> entries);
/// `axis` counted from the front.
Index axis_in(const FileNode& node, Index axis, Index rank);

/// Entries of the result by their running numbers in the source; -1 takes `fill` (one entry of the same
/// type).
Array picked(const Array& source, Shape shape, std::span<const Index> from, const Array* fill = nullptr);

/// The lengths of Split's parts along an axis of `length`: given, the attribute, or equal.
std::vector<Index> split_lengths(const FileNode& node, Index length, std::optional<std::vector<Index>> given);

/// The tables of the two sources.
Fold find_arithmetic_fold(std::string_view op);
Fold find_index_fold(std::string_view op);

/// The shape that ONNX's Reshape asks for. `wanted` has 0 for "as it is" (unless allow_zero) and -1 for "the
/// rest". Nothing where the numbers of entries differ.
std::optional<Shape> reshaped(const Shape& input, std::span<const Index> wanted, bool allow_zero);

}  // namespace tangra::load::onnx
