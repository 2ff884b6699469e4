#pragma once
#include <functional>

#include "tangra/run/result.h"
#include "tangra/run/run.h"
#include "tangra/train/trainer.h"

namespace tangra::run {

/// tangra train
struct TrainSpec {
  load::ModelSpec model;
  data::DataSpec data;                 ///< with labels
  std::optional<data::DataSpec> test;  ///< scored beside it, never trained on
  train::LossKind loss = train::LossKind::mse;
  train::OptimizerSpec optimizer;
  Index epochs = 0;
  Index batch_size = 0;            ///< samples a step; 0: all
  std::uint64_t shuffle_seed = 0;  ///< of the order of mini-batches
  Index evaluate_every = 1;        ///< epochs between scores of all samples
  Index kernel_every = 0;          ///< epochs between looks at the kernel; 0: none
  Index kernel_samples = 100;      ///< how many training samples it is of, evenly spread
  std::string reduce = "trace";    ///< of that kernel: trace, mean, sum or output=k
  Index top = 5;                   ///< how many of its eigenvalues are listed
  Index bound_samples = 1000;      ///< most samples for the bound of the learning rate, evenly spread; 0: no bound
  Index checkpoint_every = 0;      ///< epochs between checkpoints; 0: none
  bool resume = false;             ///< from the checkpoint beside `out`, where there is one
  Precision precision = Precision::automatic;
  std::string out;  ///< .safetensors or .npz: the weights at the end
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  /// Throws Error(usage) for what contradicts itself, before anything is read.
  void validate() const;
  /// FILE.checkpoint.safetensors beside FILE.safetensors; empty where `out` is.
  std::string checkpoint_path() const;
};

/// The largest learning rate at which gradient descent on the loss's quadratic model is stable, at the first parameters:
/// 2 / lambda, times 1 + momentum for the heavy ball (Polyak, 1964). lambda is the largest eigenvalue of the
/// Gauss-Newton matrix of the mean loss, J^T H J / n, with H the second derivative of the loss by the outputs: the identity
/// for mse, so that lambda is that of the kernel over n; diag(p) - p p^T for cross-entropy of a softmax p.
struct RateBound {
  double largest_eigenvalue = 0;
  double bound = 0;
  Index samples = 0;      ///< n; fewer than all: an estimate
  bool converged = true;  ///< of the eigenvalue, to a residual of 1e-4 of it
  std::string formula = {};  ///< in words
};

/// The kernel of a fixed set of samples at one moment of training.
struct KernelMoment {
  Index epoch = 0;
  double distance = 0;           ///< |K - K_0|_F / |K_0|_F
  double alignment = 0;          ///< <K, K_0> / (|K| |K_0|)
  double alignment_centred = 0;  ///< the same of H K H and H K_0 H, H = 1 - ones / n
  double labels = 0;             ///< <K, Y Y^T> / (|K| |Y Y^T|), Y one-hot
  double labels_centred = 0;
  double trace = 0;
  std::vector<double> eigenvalues = {};  ///< the largest, largest first
};

/// What is known of a network at the end of an epoch; epoch 0 is before the first step.
struct EpochScore {
  Index epoch = 0;
  Index steps = 0;
  train::Score train;
  std::optional<train::Score> test = {};
};

struct TrainResult {
  TrainSpec requested;
  ModelSummary model;
  DataSummary data;
  std::optional<DataSummary> test;
  std::string loss;  ///< in words
  std::string precision;
  std::optional<RateBound> bound;
  std::vector<EpochScore> scores;
  std::string kernel;  ///< in words: which kernel the moments are of
  std::vector<KernelMoment> moments;
  std::optional<train::Divergence> divergence;  ///< then no file was written or replaced since the last checkpoint
  Index resumed_from = 0;                       ///< the epoch of the checkpoint; 0: none
  Index last_checkpoint = 0;                    ///< the epoch of the newest checkpoint; 0: none
  std::vector<NamedArray> weights;              ///< at the end, by parameter, where no file was asked for
  std::string out;                              ///< what was written
  Provenance provenance;
};

/// tangra linearise
struct LineariseSpec {
  load::ModelSpec model;
  data::DataSpec data;  ///< trained on; with labels, as the next
  data::DataSpec test;
  train::LossKind loss = train::LossKind::mse;
  double rate = 0;     ///< the learning rate; 0: a tenth of the bound
  Index steps = 1000;  ///< of gradient descent with all samples
  Index points = 15;   ///< at how many of them both are compared
  Precision precision = Precision::float64;  ///< of the network; the linearised one is trained in float64
  std::string out;                           ///< .npz: the outputs of both at these steps
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  /// Throws Error(usage) for what contradicts itself, before anything is read.
  void validate() const;
};

/// A set of samples as the network and its linearisation f_0 + J (theta - theta_0) see it after as many steps.
struct LinearisedView {
  train::Score network;
  train::Score linearised;
  double distance = 0;  ///< sqrt(sum_i |f_i - g_i|^2 / N): f of the network, g of the linearisation
  double moved = 0;     ///< the same between g and the outputs before the first step
};

struct LinearisedMoment {
  Index step = 0;
  double time = 0;  ///< steps times the rate
  LinearisedView train;
  LinearisedView test;
};

struct LineariseResult {
  LineariseSpec requested;
  ModelSummary model;
  DataSummary data;
  DataSummary test;
  std::string loss;  ///< in words
  std::string precision;
  RateBound bound;
  double rate = 0;  ///< as used
  std::vector<LinearisedMoment> moments;
  double largest_distance = 0;       ///< of the moments, on the training samples
  double largest_distance_test = 0;  ///< the same on the test samples
  double kernel_distance = 0;        ///< |K - K_0|_F / |K_0|_F of the full kernel at the last step
  double parameter_distance = 0;     ///< |theta - theta_0| / |theta_0| at the last step
  std::optional<train::Divergence> divergence;  ///< of the network; nothing is told of later steps
  std::vector<NamedArray> arrays;    ///< as written to the file; where none was asked for and nothing diverged
  std::string out;
  Provenance provenance;
};

/// Trains the network by gradient descent with all samples, and beside it the network linearised in its parameters at the
/// start: by the closed form of gradient descent for mse, step by step on the kernel for cross-entropy. The full kernel of
/// the training samples has to fit the memory. Throws tangra::Error.
LineariseResult run_linearise(const LineariseSpec& spec, const Caller& caller = {});

/// Called before the first step.
using BoundObserver = std::function<void(const RateBound&)>;

/// Trains, and writes weights and checkpoints. Divergence is a field of the result. Throws tangra::Error.
TrainResult run_train(const TrainSpec& spec, const Caller& caller = {}, const BoundObserver& on_bound = {});

}  // namespace tangra::run
