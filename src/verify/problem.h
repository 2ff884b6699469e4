#pragma once
#include <vector>

#include "tangra/differentiate/program.h"
#include "tangra/verify/verify.h"

namespace tangra::verify {

/// The parameters that are differentiated, in the graph's order.
std::vector<ParameterId> trainable_parameters(const Graph& graph);

/// Throws Error(input) where the parts of a problem do not fit together.
void check(const Problem& problem);

/// Direction `index` for a parameter of `size` entries: normal entries, of length 1 in the 2-norm. The same
/// for every method. (Not signs: few of them may all be alike, and a softmax takes away what shifts all
/// logits.)
std::vector<double> random_direction(std::uint64_t seed, ParameterId parameter, int index, Index size);

/// Multiply-adds of one sample's forward pass, about.
double forward_work(const differentiate::Program<double>& program);

/// The only input of the network, as forward() takes it.
template <class T>
std::vector<Tensor<T>> one_input(Tensor<T> input) {
  std::vector<Tensor<T>> inputs;
  inputs.push_back(std::move(input));
  return inputs;
}

/// The entries in another scalar type.
template <class T>
Tensor<T> converted(const Tensor<double>& from) {
  auto result = Tensor<T>::uninitialized(from.shape());
  for (Index e = 0; e < from.size(); ++e) result[e] = static_cast<T>(from[e]);
  return result;
}

std::unique_ptr<Method> structured_method(DType type);
std::unique_ptr<Method> jacobian_method(const VerifyOptions& options);
std::unique_ptr<Method> product_method(const VerifyOptions& options);
std::unique_ptr<Method> differences_method(const VerifyOptions& options);

}  // namespace tangra::verify
