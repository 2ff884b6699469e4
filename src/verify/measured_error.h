#pragma once
#include <vector>

#include "tangra/base/context.h"
#include "tangra/differentiate/basis.h"
#include "tangra/differentiate/program.h"
#include "tangra/kernel/reduction.h"

namespace tangra::verify {

/// The error of a kernel computed in float32, on the entries between a few of its samples.
struct MeasuredError {
  double largest_relative = 0;  ///< max |K32 - K64| / max |K64|; infinite where K64 is 0 and K32 is not
  double rms = 0;               ///< root mean square of K32 - K64, divided by that of K64
  double largest_entry = 0;     ///< max |K64|
  std::vector<Index> samples;   ///< rows that were recomputed, by their index in the data
  std::vector<Index> samples2;  ///< columns, where the kernel is between two sets
  /// In the space of parameters the entries that were compared, counted through all trainable ones.
  std::vector<Index> parameters;
  Index entries = 0;            ///< of the kernel that were compared
  /// Entries of the activations so close to a kink that float32's rounding may carry them across it.
  Index near_kinks = 0;
};

/// The columns of a kernel between two sets of samples.
struct SecondSet {
  const Tensor<float>& inputs;  ///< [N2, ..]
  const differentiate::Basis& basis;
};

/// Recomputes up to `count` samples of `inputs`, spread evenly (and as many of `second`), by the structured
/// way in float32, where every entry has the bits that it has in the whole kernel, and in float64 on the
/// sides of the kinks on which the float32 run stands: a relu that float32 puts on the other side is no
/// rounding error of the kernel; it is counted in near_kinks. `basis` has reduction.layout.directions() rows
/// and is asked with the samples' own indices. Throws Error(memory) where that does not fit, or where of
/// several samples sweeps would have to be made again and again to fit: fewer are measured sooner.
MeasuredError measure_error(const differentiate::Program<float>& program,
                            const differentiate::Program<double>& exact, const Tensor<float>& inputs,
                            ValueId of, const kernel::LoweredReduction& reduction,
                            const differentiate::Basis& basis, const Context& context,
                            const SecondSet* second = nullptr, Index count = 4);

/// The same for a kernel whose columns are vector products (differentiate::KernelProducts), against the
/// structured way in float64.
MeasuredError measure_product_error(const differentiate::Program<float>& program,
                                    const differentiate::Program<double>& exact, const Tensor<float>& inputs,
                                    ValueId of, const kernel::LoweredReduction& reduction,
                                    const differentiate::Basis& basis, const Context& context,
                                    const SecondSet* second = nullptr, Index count = 4);

/// The same for the Gram matrix of the activations `of`.
MeasuredError measure_conjugate_error(const differentiate::Program<float>& program,
                                      const differentiate::Program<double>& exact,
                                      const Tensor<float>& inputs, ValueId of, const Context& context,
                                      const Tensor<float>* inputs2 = nullptr, Index count = 4);

/// The same for the kernel in the space of parameters, J^T J, of a few samples alone, between up to 256
/// entries of the trainable parameters, spread evenly. What adding up many samples rounds away is not in it.
MeasuredError measure_parameter_space_error(const differentiate::Program<float>& program,
                                            const differentiate::Program<double>& exact,
                                            const Tensor<float>& inputs, ValueId of,
                                            const kernel::LoweredReduction& reduction,
                                            const differentiate::Basis& basis, const Context& context,
                                            Index count = 4);

}  // namespace tangra::verify
