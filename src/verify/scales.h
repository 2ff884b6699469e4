#pragma once
#include <string>
#include <vector>

#include "tangra/verify/problem.h"

namespace tangra::verify {

/// How large the rows of J are, and how much rounding makes of them, by trainable parameter.
struct Scales {
  std::vector<Tensor<double>> lengths;  ///< |J_row| in the 2-norm: [N * R]
  /// The largest |dJ_row| that rounding to float32 makes, over all rows: reverse sweeps against float64, and
  /// forward sweeps along random directions.
  std::vector<double> single_noise;
  std::vector<std::string> notes;
};

/// Rounding is measured, not bounded: |J| alone does not show what cancels inside the sweeps (a bias before a
/// softmax whose outputs are summed has J = 0 out of terms of order 1). A float32 run on the same sides of
/// all kinks shows it, and float64 makes 2^-29 of that. One run may cancel to 0 by chance where J is one
/// number, so the same is done for a few networks and samples close by, and the largest noise taken. Where
/// float32 overflows, 2^-15 of |J| stands in.
Scales measure_scales(const Problem& problem, const VerifyOptions& options, const Context& context);

}  // namespace tangra::verify
