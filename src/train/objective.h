#pragma once
#include <span>
#include <vector>

#include "tangra/differentiate/program.h"
#include "tangra/factors/apply.h"
#include "tangra/train/loss.h"

namespace tangra::train {

/// Samples with labels, in the type of the computation.
template <class T>
struct Samples {
  Tensor<T> inputs;           ///< [N, shape of the network's input]
  std::vector<Index> labels;  ///< [N], each below Loss::classes()
  Index count() const { return inputs.shape()[0]; }
};

/// Losses summed over samples, and how many samples were classified rightly.
struct Score {
  double loss_sum = 0;
  Index correct = 0;
  Index samples = 0;

  double loss() const { return loss_sum / static_cast<double>(samples); }
  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(samples); }
};

/// The mean loss of a network over samples, and its gradient by the trainable parameters.
///
/// Blocks of samples are as large as shapes allow; neither the bits of a score nor those of a gradient depend on the
/// threads or the memory. Needs memory for one block of factors with one direction.
template <class T>
class Objective {
 public:
  /// All are kept by reference. Throws Error(memory) where not even a block fits the budget.
  Objective(const differentiate::Program<T>& program, const Loss& loss, const Samples<T>& samples, const Context& context);

  /// The score of all samples, by forward sweeps.
  Score score() const;
  /// The value that the loss is a function of, for all samples: [N, O].
  Tensor<double> outputs() const;
  /// gradient[p] [1, size of p] = d (mean loss over the samples `batch`) / d parameter p, by a forward and one reverse
  /// sweep with one cotangent a sample, d loss / d outputs. Returns the score of the batch at the same parameters. Where
  /// that is not finite, the gradient is of no use.
  Score gradient(std::span<const Index> batch, factors::ParameterVectors<T>& gradient) const;

 private:
  Tensor<T> gathered(std::span<const Index> chosen) const;
  std::vector<Index> all() const;

  const differentiate::Program<T>& program_;
  const Loss& loss_;
  const Samples<T>& samples_;
  const Context& context_;
  Index block_ = 1;  ///< samples that are swept together
  Reservation memory_;
};

/// Zeros for the gradient of a network: [1, size] for a trainable parameter, [1, 0] for a frozen one.
template <class T>
factors::ParameterVectors<T> zeros_for(const Graph& graph);

extern template class Objective<float>;
extern template class Objective<double>;
extern template factors::ParameterVectors<float> zeros_for<float>(const Graph&);
extern template factors::ParameterVectors<double> zeros_for<double>(const Graph&);

}  // namespace tangra::train
