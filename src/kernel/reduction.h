#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tangra/factors/contraction.h"

namespace tangra::kernel {

/// What happens to one axis of the outputs on its way into a kernel.
enum class AxisReduction {
  full,      ///< kept on both sides: K[.., a, .., b]
  trace,     ///< summed over a = b
  diagonal,  ///< kept, a = b: one kernel for each a
  sum,       ///< summed over a and b: the kernel of the summed outputs
  output,    ///< one index alone
};

/// A reduction of the outputs, by axis or, as the command line names them, one for all axes.
struct Reduction {
  std::vector<AxisReduction> axes;  ///< one entry stands for all axes
  std::vector<Index> selected;      ///< for `output`: an index into the flat outputs, or one index for each axis
  bool mean = false;                ///< the trace divided by the number of directions that it sums

  bool is(AxisReduction kind) const { return axes.size() == 1 && axes.front() == kind; }
};

/// "full", "trace", "mean", "diagonal", "sum", "output=3" or "output=1,2" (also "output=(1,2)"). Throws Error(usage).
Reduction parse_reduction(std::string_view text);
std::string to_string(const Reduction& reduction);

/// A reduction worked out for certain outputs: which sums of outputs to differentiate, and how they enter the kernel.
struct LoweredReduction {
  factors::RowLayout layout;
  std::vector<std::vector<Index>> members;  ///< for each direction the flat outputs that it sums
  double divisor = 1;                       ///< of every entry at the end (`mean`)
  bool keeps_planes = false;                ///< the kernel has an axis of planes (diagonal)
  bool keeps_full = false;                  ///< the kernel has axes of outputs (full)

  /// The shape of a kernel of n1 by n2 samples: (n1, F, n2, F) for full, (D, n1, n2) for diagonal, (n1, n2) else.
  Shape kernel_shape(Index n1, Index n2) const;
  /// The names of those axes: "samples", "outputs", "samples2", "outputs2".
  std::vector<std::string> kernel_axes() const;
  /// The shape for pairs of a sample with itself: (n), (n, D) or (n, F, F).
  Shape self_shape(Index n) const;
};

/// `outputs` is the shape of one sample's output, or (R,) where R rows of a basis take its place. Throws Error(usage)
/// where the reduction does not fit the axes or an index lies outside.
LoweredReduction lower(const Reduction& reduction, const Shape& outputs);

}  // namespace tangra::kernel
