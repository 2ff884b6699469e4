#include "tangra/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "tangra/base/error.h"

namespace tangra::train {
namespace {

/// Entries that one task moves.
constexpr Index chunk = Index{1} << 16U;

void require(bool holds, const char* option, double value, const char* expected) {
  if (holds) return;
  throw Error(ErrorKind::usage, {.what = "this number is out of its range", .where = option, .got = std::to_string(value),
                                 .expected = expected, .cure = {}});
}

/// Calls use(p, begin, end) for pieces of all tensors, on the pool.
template <class T, class Use>
void for_pieces(const factors::ParameterVectors<T>& tensors, const Context& context, const Use& use) {
  for (std::size_t p = 0; p < tensors.size(); ++p) {
    const Index size = tensors[p].size();
    context.pool.parallel_for((size + chunk - 1) / chunk, [&](Index item, int) {
      use(p, item * chunk, std::min(size, (item + 1) * chunk));
    });
  }
}

template <class T>
factors::ParameterVectors<T> zeros_like(const factors::ParameterVectors<T>& tensors) {
  factors::ParameterVectors<T> zeros;
  for (const Tensor<T>& tensor : tensors) zeros.emplace_back(tensor.shape());
  return zeros;
}

}  // namespace

void OptimizerSpec::validate() const {
  require(std::isfinite(rate) && rate > 0, "--lr", rate, "a positive number");
  require(momentum >= 0 && momentum < 1, "--momentum", momentum, "0 or more, less than 1");
  require(momentum == 0 || method == Method::gd, "--momentum", momentum, "nothing with adam, which has moments of its own");
  require(beta1 >= 0 && beta1 < 1, "--beta1", beta1, "0 or more, less than 1");
  require(beta2 >= 0 && beta2 < 1, "--beta2", beta2, "0 or more, less than 1");
  require(std::isfinite(epsilon) && epsilon > 0, "--epsilon", epsilon, "a positive number");
}

std::string name_of(Method method) { return method == Method::gd ? "gd" : "adam"; }

template <class T>
Optimizer<T>::Optimizer(const OptimizerSpec& spec, const Vectors& like) : spec_(spec) {
  if (spec.method == Method::adam) {
    state_.emplace_back("first", zeros_like(like));
    state_.emplace_back("second", zeros_like(like));
  } else if (spec.momentum > 0) {
    state_.emplace_back("momentum", zeros_like(like));
  }
}

template <class T>
void Optimizer<T>::step(Vectors& parameters, const Vectors& gradient, const Context& context) {
  ++steps_;
  const T rate = static_cast<T>(spec_.rate);
  if (spec_.method == Method::gd) {
    const T momentum = static_cast<T>(spec_.momentum);
    for_pieces<T>(gradient, context, [&](std::size_t p, Index begin, Index end) {
      for (Index e = begin; e < end; ++e) {
        T direction = gradient[p][e];
        if (!state_.empty()) direction = state_[0].second[p][e] = momentum * state_[0].second[p][e] + direction;
        parameters[p][e] -= rate * direction;
      }
    });
    return;
  }
  const auto t = static_cast<double>(steps_);
  const T beta1 = static_cast<T>(spec_.beta1);
  const T beta2 = static_cast<T>(spec_.beta2);
  const T rest1 = static_cast<T>(1 - spec_.beta1);
  const T rest2 = static_cast<T>(1 - spec_.beta2);
  const T correction1 = static_cast<T>(1 - std::pow(spec_.beta1, t));
  const T correction2 = static_cast<T>(1 - std::pow(spec_.beta2, t));
  const T epsilon = static_cast<T>(spec_.epsilon);
  for_pieces<T>(gradient, context, [&](std::size_t p, Index begin, Index end) {
    T* first = state_[0].second[p].data();
    T* second = state_[1].second[p].data();
    for (Index e = begin; e < end; ++e) {
      const T g = gradient[p][e];
      first[e] = beta1 * first[e] + rest1 * g;
      second[e] = beta2 * second[e] + rest2 * g * g;
      parameters[p][e] -= rate * (first[e] / correction1) / (std::sqrt(second[e] / correction2) + epsilon);
    }
  });
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace tangra::train
