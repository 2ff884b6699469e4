#pragma once
#include <memory>
#include <optional>

#include "tangra/train/checkpoint.h"
#include "tangra/train/objective.h"
#include "tangra/train/optimizer.h"

namespace tangra::train {

struct TrainingOptions {
  OptimizerSpec optimizer;
  Index epochs = 1;                ///< how many there will be in all: for progress
  Index batch_size = 0;            ///< samples a step; 0: all. The last step of an epoch takes what is left
  std::uint64_t shuffle_seed = 0;  ///< of the order of the samples; without mini-batches they are taken as they lie
};

/// Where training left the numbers.
struct Divergence {
  Index epoch = 0;   ///< counted from 1
  Index step = 0;    ///< over all epochs, counted from 1
  std::string what;  ///< in words
};

/// A network in training: its parameters, the optimiser's state, and how far it is. Data and options given, every bit is
/// a function of the parameters to begin with: not of threads, of evaluations in between, or of checkpoints from which
/// the training went on.
template <class T>
class Trainer {
 public:
  /// Context and samples are kept by reference. Throws what Program, Objective and check_labels throw.
  Trainer(std::shared_ptr<const Graph> graph, const Loss& loss, const Samples<T>& samples, const TrainingOptions& options,
          const Context& context);

  /// Goes once through all samples. Where a loss or a parameter stops being finite it ends there and says so; what the
  /// trainer holds is then of no use.
  std::optional<Divergence> run_epoch();

  Index epoch() const { return epoch_; }
  Index steps() const { return optimizer_.steps(); }
  /// At the parameters of the moment.
  const differentiate::Program<T>& program() const { return program_; }
  const Loss& loss() const { return loss_; }
  /// The loss on the samples that are trained on.
  const Objective<T>& objective() const { return objective_; }

  /// All parameters under their names, the frozen ones too.
  formats::NamedArrays parameters() const;
  /// Parameters, optimiser's state, epoch and step. `settings` are the caller's.
  Checkpoint checkpoint(std::map<std::string, std::string> settings) const;
  /// Takes up what checkpoint() gave. Throws Error(input) that names `path` where arrays are missing or do not fit.
  void restore(const Checkpoint& checkpoint, const std::filesystem::path& path);

 private:
  std::optional<Divergence> step(std::span<const Index> batch);

  std::shared_ptr<const Graph> graph_;
  const Context& context_;
  Loss loss_;
  const Samples<T>& samples_;
  TrainingOptions options_;
  factors::ParameterVectors<T> parameters_;
  factors::ParameterVectors<T> gradient_;
  Reservation memory_;
  Optimizer<T> optimizer_;
  differentiate::Program<T> program_;
  Objective<T> objective_;
  Index epoch_ = 0;
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace tangra::train
