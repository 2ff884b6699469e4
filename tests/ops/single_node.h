#pragma once
#include <vector>

#include "support/support.h"
#include "tangra/ops/op.h"

namespace tangra::ops::test {

/// One operator with one output on a block of samples, every input with the samples in front.
template <class T>
class SingleNode {
 public:
  SingleNode(const std::string& op, Attributes attributes, std::vector<Tensor<T>> inputs, int threads = 2,
             linalg::Engine engine = linalg::Engine::fast);

  const Shape& shape() const { return outputs_[0]; }
  Index samples() const { return inputs_[0].shape()[0]; }
  /// [n, shape]
  const Tensor<T>& forward() const { return result_; }
  /// For every input [n, R, shape]; cotangents: [n, R, shape of the output]. Every entry is added to `start`.
  std::vector<Tensor<T>> pullback(Index directions, const Tensor<T>& cotangents, T start = 0) const;
  /// [n, R, shape of the output]; tangents[k]: [n, R, shape], empty where zero.
  Tensor<T> pushforward(Index directions, const std::vector<Tensor<T>>& tangents) const;
  std::vector<Choice> choices() const { return op_.choices(call(&result_)); }

 private:
  Call<T> call(const Tensor<T>* result) const;

  tangra::test::TestContext context_;
  const Op& op_;
  linalg::Engine engine_;
  Node node_;
  std::vector<Tensor<T>> inputs_;
  std::vector<Shape> shapes_;
  std::vector<Shape> outputs_;
  std::vector<Operand<T>> operands_;
  Tensor<T> result_;
  std::vector<Operand<T>> out_;
};

extern template class SingleNode<float>;
extern template class SingleNode<double>;

/// Entries that are all different: uniform in [-1, 1].
template <class T>
Tensor<T> random_tensor(const Shape& shape, unsigned seed);
/// [1, shape] with these entries.
template <class T>
Tensor<T> one_sample(const Shape& shape, const std::vector<double>& entries);

extern template Tensor<float> random_tensor<float>(const Shape&, unsigned);
extern template Tensor<double> random_tensor<double>(const Shape&, unsigned);
extern template Tensor<float> one_sample<float>(const Shape&, const std::vector<double>&);
extern template Tensor<double> one_sample<double>(const Shape&, const std::vector<double>&);

/// The shape that the operator gives to these inputs.
Shape inferred(const std::string& op, const Attributes& attributes, const std::vector<Shape>& inputs);

template <class T>
std::vector<double> numbers(const Tensor<T>& tensor) {
  return {tensor.begin(), tensor.end()};
}

}  // namespace tangra::ops::test
