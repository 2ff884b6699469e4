#pragma once
// How far two orders of contraction may part.
#include <string>
#include <vector>

#include "networks/properties.h"
#include "support/networks.h"

namespace tangra::test::networks {

/// By how much the kernel of n samples, [planes, n full, n full] for each parameter and in total, may differ
/// between two plans. Both read factors with the same bits, so what differs is how their products are
/// summed.
///
/// A sum of products that passes through n roundings is off by at most 8 sqrt(n) u S, u the unit roundoff and
/// S the same sum over absolute values, but for a chance of 2 exp(-32) an entry where roundings are
/// independent (Higham and Mary, SIAM J. Sci. Comput. 41, 2019, theorem 2.4). n adds up the lengths of the
/// sums that an order nests into each other.
template <class T>
std::vector<Tensor<double>> rounding_bounds(const SharedGraph& graph, const Tensor<T>& samples,
                                            const std::string& reduce,
                                            const std::vector<const factors::ContractionPlan*>& plans,
                                            const Context& context);

extern template std::vector<Tensor<double>> rounding_bounds<float>(
    const SharedGraph&, const Tensor<float>&, const std::string&,
    const std::vector<const factors::ContractionPlan*>&, const Context&);
extern template std::vector<Tensor<double>> rounding_bounds<double>(
    const SharedGraph&, const Tensor<double>&, const std::string&,
    const std::vector<const factors::ContractionPlan*>&, const Context&);

}  // namespace tangra::test::networks
