#pragma once
#include <vector>

#include "tangra/verify/scales.h"

namespace tangra::verify {

/// Compares what two methods found, entry by entry.
///
/// Two kernels of a parameter may differ, at rows i and j, by
///
///     tolerance * max |K|  +  l_i v_j + l_j v_i + v_i v_j  +  the smallest normal number,
///
/// the larger tolerance of the two methods (Method::tolerance) times the largest entry of either kernel, the
/// error of a product of rows, and what underflows. There l is the length of a row of J, v the length of its
/// error. v is the sum over both methods of safety * (u / 2^-24) * the float32 noise of scales.h, u the
/// method's unit roundoff, and of the method's own estimate (MethodResult::row_errors). Where J cancels to
/// nothing, max |K| and l do too, and v alone judges. For healthy networks v is some 1e-15 l and the first
/// summand decides; noise that is as large as J itself, the worst that float32 can show, makes of v no more
/// than 16 * 2^-29 l a method, so that a relative error of 1e-6 in the largest entry is found whatever
/// happens. The bound of `total` has the sum over the parameters.
class Comparison {
 public:
  Comparison(const Problem& problem, const Scales& scales) : problem_(problem), scales_(scales) {}

  struct Side {
    const Method& method;
    const MethodResult& result;
  };

  PairResult kernels(std::size_t parameter, const Side& first, const Side& second) const;
  PairResult totals(const Side& first, const Side& second) const;
  /// J v along random directions; both must have them.
  PairResult along_random(std::size_t parameter, const Side& first, const Side& second) const;

 private:
  double row_error(std::size_t parameter, const Side& side, Index row) const;
  Tensor<double> error_of_products(std::size_t parameter, const Side& first, const Side& second) const;

  const Problem& problem_;
  const Scales& scales_;
};

}  // namespace tangra::verify
