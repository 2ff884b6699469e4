#include "ops/single_node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace tangra::ops::test {
namespace {

Node node_of(const std::string& op, Attributes attributes, std::size_t inputs) {
  Node node{.op = op, .name = "node", .attributes = std::move(attributes), .inputs = {}, .outputs = {0}};
  for (std::size_t k = 0; k < inputs; ++k) node.inputs.push_back(static_cast<ValueId>(k));
  return node;
}

template <class T>
Tensor<T> poisoned(const Shape& shape) {
  auto tensor = Tensor<T>::uninitialized(shape);
  std::fill(tensor.begin(), tensor.end(), static_cast<T>(std::nan("")));
  return tensor;
}

}  // namespace

template <class T>
SingleNode<T>::SingleNode(const std::string& op, Attributes attributes, std::vector<Tensor<T>> inputs,
                          int threads, linalg::Engine engine)
    : context_(threads),
      op_(*find_op(op)),
      engine_(engine),
      node_(node_of(op, std::move(attributes), inputs.size())),
      inputs_(std::move(inputs)) {
  for (const Tensor<T>& input : inputs_) {
    Shape shape;
    for (Index axis = 1; axis < input.shape().rank(); ++axis) shape.append(input.shape()[axis]);
    operands_.push_back({input.data(), input.shape()[0] == 1 ? 0 : shape.elements()});
    shapes_.push_back(std::move(shape));
  }
  outputs_ = op_.infer(node_, shapes_);
  result_ = poisoned<T>(outputs_[0].with_leading(samples()));
  std::vector<T*> results{result_.data()};
  op_.forward(call(nullptr), results);
  out_ = {{result_.data(), outputs_[0].elements()}};
}

template <class T>
Call<T> SingleNode<T>::call(const Tensor<T>* result) const {
  return {.context = context_.context,
          .engine = engine_,
          .node = node_,
          .input_shapes = shapes_,
          .output_shapes = outputs_,
          .samples = samples(),
          .inputs = operands_,
          .outputs = result == nullptr ? std::span<const Operand<T>>{} : out_,
          .sides = operands_};
}

template <class T>
std::vector<Tensor<T>> SingleNode<T>::pullback(Index directions, const Tensor<T>& cotangents,
                                               T start) const {
  std::vector<Tensor<T>> results;
  std::vector<T*> pointers;
  for (const Shape& shape : shapes_) {
    results.emplace_back(shape.with_leading(directions).with_leading(samples()));
    std::ranges::fill(results.back(), start);
    pointers.push_back(results.back().data());
  }
  std::vector<const T*> from{cotangents.data()};
  op_.pullback(call(&result_), directions, from, pointers);
  return results;
}

template <class T>
Tensor<T> SingleNode<T>::pushforward(Index directions, const std::vector<Tensor<T>>& tangents) const {
  Tensor<T> result = poisoned<T>(outputs_[0].with_leading(directions).with_leading(samples()));
  std::vector<Operand<T>> operands;
  for (std::size_t k = 0; k < tangents.size(); ++k) {
    if (tangents[k].size() == 0)
      operands.push_back({});
    else
      operands.push_back({tangents[k].data(), directions * shapes_[k].elements()});
  }
  std::vector<T*> results{result.data()};
  op_.pushforward(call(&result_), directions, operands, results);
  return result;
}

template <class T>
Tensor<T> random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Tensor<T> tensor(shape);
  for (T& entry : tensor) entry = static_cast<T>(uniform(random));
  return tensor;
}

template <class T>
Tensor<T> one_sample(const Shape& shape, const std::vector<double>& entries) {
  Tensor<T> tensor(shape.with_leading(1));
  EXPECT_EQ(tensor.size(), static_cast<Index>(entries.size()));
  std::transform(entries.begin(), entries.end(), tensor.begin(),
                 [](double entry) { return static_cast<T>(entry); });
  return tensor;
}

Shape inferred(const std::string& op, const Attributes& attributes, const std::vector<Shape>& inputs) {
  return find_op(op)->infer(node_of(op, attributes, inputs.size()), inputs)[0];
}

template class SingleNode<float>;
template class SingleNode<double>;
template Tensor<float> random_tensor<float>(const Shape&, unsigned);
template Tensor<double> random_tensor<double>(const Shape&, unsigned);
template Tensor<float> one_sample<float>(const Shape&, const std::vector<double>&);
template Tensor<double> one_sample<double>(const Shape&, const std::vector<double>&);

}  // namespace tangra::ops::test
