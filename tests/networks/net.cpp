#include "networks/net.h"

#include <cmath>

namespace tangra::test::networks {
namespace {

Indices joined(Indices before, Index rows, const Indices& behind) {
  before.push_back(rows);
  before.insert(before.end(), behind.begin(), behind.end());
  return before;
}

}  // namespace

Net::Value Net::input(const Shape& sample, onnx::Type type) {
  std::vector<onnx::Axis> axes{how_.batch};
  for (const Index length : sample) axes.emplace_back(static_cast<int>(length));
  file_.input("x", axes, type);
  return "x";
}

Net::Value Net::parameter(const std::string& name, const Shape& shape, double size, double centre) {
  std::vector<float> entries(static_cast<std::size_t>(shape.elements()));
  for (float& entry : entries)
    entry = static_cast<float>(centre + size * (2 * random_.uniform(drawn_++) - 1));
  file_.initializer(onnx::reals(name, shape.lengths(), entries));
  return name;
}

Net::Value Net::weight(const std::string& name, const Shape& shape, Index fan_in) {
  return parameter(name, shape, std::sqrt(3.0 / static_cast<double>(fan_in)));
}

Net::Value Net::integers(const Indices& entries) {
  const auto value = onnx::integers("", {static_cast<Index>(entries.size())}, entries);
  return apply("Constant", {}, {attribute("value", value)});
}

Net::Value Net::scalar(float entry) {
  return apply("Constant", {}, {attribute("value", onnx::reals("", {}, {entry}))});
}

Net::Value Net::apply(const std::string& op, const std::vector<Value>& inputs, const Attributes& attributes) {
  return apply_many(op, inputs, 1, attributes).front();
}

std::vector<Net::Value> Net::apply_many(const std::string& op, const std::vector<Value>& inputs,
                                        std::size_t outputs, const Attributes& attributes) {
  std::vector<Value> results;
  for (std::size_t k = 0; k < outputs; ++k) results.push_back(fresh(op));
  file_.node(op, inputs, results, attributes);
  return results;
}

std::vector<Net::Value> Net::split(const Value& x, Index axis, const Indices& lengths) {
  return apply_many("Split", {x, integers(lengths)}, lengths.size(), {attribute("axis", axis)});
}

Net::Value Net::shape(const Indices& before, Index times, const Indices& behind) {
  if (how_.batch.length) return integers(joined(before, *how_.batch.length * times, behind));
  if (samples_.empty()) samples_ = apply("Gather", {apply("Shape", {"x"}), integers({0})});
  const Value rows = times == 1 ? samples_ : apply("Mul", {samples_, integers({times})});
  std::vector<Value> parts;
  if (!before.empty()) parts.push_back(integers(before));
  parts.push_back(rows);
  if (!behind.empty()) parts.push_back(integers(behind));
  return apply("Concat", parts, {attribute("axis", Index{0})});
}

Net::Value Net::reshaped(const Value& x, const Indices& before, Index times, const Indices& behind) {
  const bool open = !how_.batch.length && !how_.arithmetic;
  return apply("Reshape", {x, open ? integers(joined(before, -1, behind)) : shape(before, times, behind)});
}

Net::Value Net::transposed(const Value& x, const Indices& order) {
  return apply("Transpose", {x}, {attribute("perm", order)});
}

Net::Value Net::dense(const Value& x, const std::string& name, Index in, Index out) {
  const Value product = apply("MatMul", {x, weight(name + ".weight", {in, out}, in)});
  return sum(product, parameter(name + ".bias", {out}, 0.3));
}

Net::Value Net::gemm(const Value& x, const std::string& name, Index in, Index out) {
  const Value w = weight(name + ".weight", {out, in}, in);
  return apply("Gemm", {x, w, parameter(name + ".bias", {out}, 0.3)}, {attribute("transB", Index{1})});
}

Net::Value Net::conv(const Value& x, const std::string& name, const Shape& weights,
                     const Attributes& attributes, bool bias) {
  std::vector<Value> inputs{x, weight(name + ".weight", weights, weights.elements(1, weights.rank()))};
  if (bias) inputs.push_back(parameter(name + ".bias", {weights[0]}, 0.3));
  return apply("Conv", inputs, attributes);
}

Net::Value Net::batch_norm(const Value& x, const std::string& name, Index channels) {
  const Shape own{channels};
  return apply("BatchNormalization",
               {x, parameter(name + ".weight", own, 0.4, 1), parameter(name + ".bias", own, 0.3),
                parameter(name + ".running_mean", own, 0.3), parameter(name + ".running_var", own, 0.5, 1)});
}

Net::Value Net::layer_norm(const Value& x, const std::string& name, Index width) {
  const Shape own{width};
  return apply("LayerNormalization",
               {x, parameter(name + ".weight", own, 0.4, 1), parameter(name + ".bias", own, 0.3)});
}

}  // namespace tangra::test::networks
