#pragma once
// What must hold for every network, small ones of ours and trained ones from elsewhere.
#include <memory>
#include <string>
#include <vector>

#include "tangra/base/tensor.h"
#include "tangra/factors/plan.h"
#include "tangra/model/graph.h"

namespace tangra::test::networks {

using SharedGraph = std::shared_ptr<const Graph>;

/// The first output for a block of samples [n, shape].
template <class T>
Tensor<T> outputs_of(const SharedGraph& graph, Tensor<T> samples);

/// Structured factors, the explicit Jacobian by pull-back, forward mode and finite differences give the same
/// kernel, for each parameter. At most one derivative in ten may be at a kink, where no difference tells it.
void expect_every_way_agrees(const SharedGraph& graph, const Tensor<double>& samples,
                             const std::string& reduce);

/// Orders of contraction that can be asked for.
using Orders = std::vector<factors::Order>;
inline const Orders every_order = {factors::Order::both_grams, factors::Order::explicit_rows,
                                   factors::Order::position_grams, factors::Order::pixel_grams};

/// A sample alone has the outputs that it has among the others and, in the orders that are picked for all of
/// them as in each of `orders`, its kernel with itself for each parameter: the same bits.
template <class T>
void expect_samples_alone(const SharedGraph& graph, const Tensor<T>& samples, const std::string& reduce,
                          const Orders& orders);

/// In the orders that are picked for a sample alone, too, it has that kernel, within what other orders round
/// otherwise (rounding.h).
template <class T>
void expect_samples_near(const SharedGraph& graph, const Tensor<T>& samples, const std::string& reduce);

/// Whatever order is asked for, the kernel for each parameter is that by explicit rows, within what other
/// orders round otherwise; orders that do not apply are explicit rows.
template <class T>
void expect_orders_agree(const SharedGraph& graph, const Tensor<T>& samples, const std::string& reduce);

/// One, two and five threads give the same bits, for each parameter.
void expect_no_trace_of_threads(const SharedGraph& graph, const Tensor<float>& samples,
                                const std::string& reduce);

template <class T>
void expect_same(const Tensor<T>& a, const Tensor<T>& b, const std::string& what);

extern template void expect_samples_alone<float>(const SharedGraph&, const Tensor<float>&,
                                                 const std::string&, const Orders&);
extern template void expect_samples_alone<double>(const SharedGraph&, const Tensor<double>&,
                                                  const std::string&, const Orders&);
extern template void expect_samples_near<float>(const SharedGraph&, const Tensor<float>&, const std::string&);
extern template void expect_samples_near<double>(const SharedGraph&, const Tensor<double>&,
                                                 const std::string&);
extern template void expect_orders_agree<float>(const SharedGraph&, const Tensor<float>&, const std::string&);
extern template void expect_orders_agree<double>(const SharedGraph&, const Tensor<double>&,
                                                 const std::string&);
extern template void expect_same<float>(const Tensor<float>&, const Tensor<float>&, const std::string&);
extern template void expect_same<double>(const Tensor<double>&, const Tensor<double>&, const std::string&);
extern template Tensor<float> outputs_of<float>(const SharedGraph&, Tensor<float>);
extern template Tensor<double> outputs_of<double>(const SharedGraph&, Tensor<double>);

}  // namespace tangra::test::networks
