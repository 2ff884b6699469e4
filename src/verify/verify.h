#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/differentiate/basis.h"
#include "tangra/kernel/reduction.h"
#include "tangra/model/graph.h"

namespace tangra::verify {

/// The kernel that is computed in several ways: of a set of samples with itself, parameter by parameter.
struct Problem {
  std::shared_ptr<const Graph> graph;
  Tensor<double> inputs;  ///< [N, shape of the input]
  ValueId of = no_id;     ///< the value that is differentiated; O entries a sample
  kernel::LoweredReduction reduction;
  differentiate::Basis basis;  ///< the cotangents: reduction.layout.directions() rows over O outputs
};

/// The problem without a basis of the user's own: the rows are sums of unit vectors, as the reduction says.
Problem problem_of(std::shared_ptr<const Graph> graph, Tensor<double> inputs, ValueId of,
                   const kernel::Reduction& reduction);

struct VerifyOptions {
  /// The type in which the structured method computes, float32 or float64.
  DType structured = DType::float64;
  /// Multiply-adds that one parameter may cost in `product` and in `differences` entry by entry. A parameter
  /// beyond it is pushed along the rows of the explicit Jacobian, K e = J (J^T e), and along random
  /// directions.
  double work_limit = 2e9;
  /// Random directions for such parameters, and for the rounding noise of forward sweeps.
  int directions = 3;
  std::uint64_t seed = 0;
};

/// What a method found. Lists go by trainable parameter, in the graph's order.
struct MethodResult {
  std::vector<Tensor<double>> kernels;  ///< [planes, N * full, N * full], divided as the reduction says
  Tensor<double> total;                 ///< the sum over the parameters; empty: verify() adds the kernels up
  /// J v along the random directions v of random_direction(): [directions, N * R]; empty where not made.
  std::vector<Tensor<double>> along_random;
  /// The method's own estimate of the error of a row of J, |dJ_row| in the 2-norm: [N * R]; empty: none
  /// beyond rounding.
  std::vector<Tensor<double>> row_errors;
  Index steps = 0;             ///< finite differences taken, one for each direction, step size and sample
  Index steps_skipped = 0;     ///< of these, such as cross a kink or leave the domain
  Index entries_excluded = 0;  ///< derivatives (of a sample by an entry) for which no step works
  std::vector<std::string> notes;
};

/// A way to compute the kernel of a problem.
class Method {
 public:
  virtual ~Method() = default;
  virtual std::string name() const = 0;
  /// Whether it would be right to the last digit in real arithmetic.
  virtual bool exact() const { return true; }
  /// Of the type that it computes in.
  virtual double unit_roundoff() const { return 0x1p-53; }
  /// May throw Error(numerics), which counts as a disagreement with every other method.
  virtual MethodResult run(const Problem& problem, const Context& context) const = 0;

  /// The error, relative to the largest entry, that is granted on healthy networks: 1e-12 in float64, 1e-5 in
  /// float32, 1e-7 for finite differences.
  double tolerance() const { return !exact() ? 1e-7 : unit_roundoff() > 1e-12 ? 1e-5 : 1e-12; }
};

/// `structured`: factors and tiles, what `tangra kernel` runs. `jacobian`: the explicit Jacobian by pull-back
/// and its Gram matrix in plain loops. `product`: push-forward column by column. `differences`: central
/// finite differences. The last three compute in float64 and use neither the factors nor the packed products.
std::vector<std::unique_ptr<Method>> default_methods(const VerifyOptions& options = {});

/// Two methods compared for one parameter. An entry agrees where its difference is within its bound
/// (compare.h).
struct PairResult {
  std::string parameter;  ///< or "total"
  std::string first;
  std::string second;
  std::string what;               ///< "kernel", or "directional derivatives"
  double difference = 0;          ///< at the entry that is worst against its bound; NaN where an entry is
  double bound = 0;               ///< at the same entry
  double worst_ratio = 0;         ///< difference / bound there
  double largest_difference = 0;  ///< over all entries
  double largest_entry = 0;       ///< of either method, in absolute value
  Index plane = 0;
  Index row = 0;
  Index column = 0;
  bool agree = false;
};

struct VerifyResult {
  bool agree = false;
  std::vector<std::string> methods;
  std::vector<PairResult> pairs;  ///< parameter by parameter in the graph's order, "total" last
  Index steps = 0;
  Index steps_skipped = 0;
  Index entries_excluded = 0;
  /// "0.bias: structured and differences part: ..."; empty where all agree.
  std::string first_failure;
  std::string failed_parameter;
  /// The method that parts from all others at that parameter while those agree; empty where there is no such
  /// one.
  std::string odd_one_out;
  std::vector<std::string> notes;
};

/// Bytes that verify() takes at least, from shapes: the explicit Jacobian in float64, which all ways but `structured` hold, beside
/// what they compare.
std::size_t least_memory(const Problem& problem);

/// Runs every method and compares every pair of them, for each trainable parameter and for their sum.
/// Disagreement is a result, not an exception. Throws Error(input) for a problem that does not fit together
/// and Error(memory) where the explicit Jacobian, N * R * P numbers, does not fit: take fewer samples.
VerifyResult verify(const Problem& problem, std::span<const std::unique_ptr<Method>> methods,
                    const VerifyOptions& options, const Context& context);

}  // namespace tangra::verify
