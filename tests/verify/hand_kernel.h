#pragma once
#include "tangra/verify/verify.h"

namespace tangra::verify::test {

/// What people get wrong.
enum class Mistake {
  none,
  bias_dropped,
  bias_twice,
  mean_over_outputs,
  mean_over_samples,
  slope_of_one_minus_output,  ///< s(z) s(1 - z) in place of s(z) (1 - s(z))
  transposed_weight,
  last_bias_missing,
};

/// The kernel of dense layers, each with a bias and a sigmoid, written down by hand. Parameters come as
/// weight, bias, weight, bias, ..; the reduction is `full` or `trace`.
class HandKernel final : public Method {
 public:
  explicit HandKernel(Mistake mistake) : mistake_(mistake) {}
  std::string name() const override { return "by hand"; }
  MethodResult run(const Problem& problem, const Context& context) const override;

 private:
  Mistake mistake_;
};

}  // namespace tangra::verify::test
