#pragma once
#include <vector>

#include "tangra/verify/problem.h"

namespace tangra::verify {

/// The Jacobian by every trainable parameter, explicit rows [N * R, size], sample by sample through
/// ReverseTargets::explicit_parameters. With `sides` all samples stand on that program's sides of the kinks.
template <class T>
std::vector<Tensor<T>> explicit_jacobian(const differentiate::Program<T>& program, const Problem& problem,
                                         const Context& context,
                                         const differentiate::Program<double>* sides = nullptr);

/// Memory of the explicit Jacobian in float64, taken from the ledger.
Reservation reserve_jacobian(const Problem& problem, const Context& context);

/// K [planes, N * full, N * full] of rows [N * R, size], in plain loops.
Tensor<double> gram(const Tensor<double>& rows, const Problem& problem, const Context& context);

/// K from G = J J'^T between all rows, [N * R, N * R].
Tensor<double> reduced(const Tensor<double>& products, const Problem& problem);

extern template std::vector<Tensor<float>> explicit_jacobian<float>(const differentiate::Program<float>&,
                                                                    const Problem&, const Context&,
                                                                    const differentiate::Program<double>*);
extern template std::vector<Tensor<double>> explicit_jacobian<double>(const differentiate::Program<double>&,
                                                                      const Problem&, const Context&,
                                                                      const differentiate::Program<double>*);

}  // namespace tangra::verify
