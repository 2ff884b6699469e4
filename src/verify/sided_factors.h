#pragma once
#include <algorithm>

#include "tangra/differentiate/network_factors.h"
#include "tangra/verify/problem.h"

namespace tangra::verify {

/// The factors of a network computed in T on the sides of the kinks on which its run in U stands. Source:
/// differentiate::NetworkFactors or ActivationFactors, of which `rest` are the last arguments.
template <class T, class U, template <class> class Source = differentiate::NetworkFactors>
class SidedFactors final : public factors::FactorSource<T> {
 public:
  template <class... Rest>
  SidedFactors(const differentiate::Program<T>& program, const Tensor<T>& inputs,
               const differentiate::Program<U>& sides, const Tensor<U>& side_inputs, ValueId of,
               const Rest&... rest)
      : own_(program, inputs, of, rest...), sides_(sides, side_inputs, of, rest...) {}

  Index samples() const override { return own_.samples(); }
  Index directions() const override { return own_.directions(); }
  factors::FactorBlock<T> make(Index begin, Index end) const override {
    return own_.make_on_sides(begin, end, sides_.activations(begin, end).template converted<T>());
  }
  std::size_t bytes_per_sample() const override {
    return own_.bytes_per_sample() + 2 * sides_.bytes_per_sample();
  }

 private:
  Source<T> own_;
  Source<U> sides_;
};

/// Entries of each parameter, frozen ones too, as kernel::Assembly takes them.
inline std::vector<Index> parameter_sizes(const Graph& graph) {
  std::vector<Index> sizes;
  for (const Parameter& parameter : graph.parameters) sizes.push_back(parameter.data.size());
  return sizes;
}

}  // namespace tangra::verify
