#pragma once
// Included by parse*.cpp alone: it brings in CLI11. Options of the commands that train.
#include "option_groups.h"
#include "tangra/run/training.h"

namespace tangra::cli {

inline void add_loss(CLI::App& app, train::LossKind& loss) {
  const auto use = [&loss](const std::string& text) {
    loss = choose<train::LossKind>(text, "--loss", {{"mse", train::LossKind::mse}, {"cross-entropy", train::LossKind::cross_entropy}});
  };
  on_text(app, "--loss", use, help::loss, "NAME")->required();
}

/// Options of a second set of samples, for tests.
inline void add_test_options(CLI::App& app, data::DataSpec& test) {
  const auto use_samples = [&test](const std::string& text) { test.samples = parse_range(text, "--samples2"); };
  app.add_option("--n2", test.n, "the first N samples of the test set")->type_name("N")->group("Data");
  on_text(app, "--samples2", use_samples, "samples of the test set", "a:b")->group("Data");
  app.add_option("--labels2", test.labels_file, "labels of the test set from a file")->type_name("FILE")->group("Data");
}

/// The second set with the first one's scaling.
inline data::DataSpec finished_test(const data::DataSpec& data, const data::DataSpec& test) {
  data::DataSpec second = data;
  second.source = test.source;
  second.n = test.n;
  second.samples = test.samples;
  second.labels_file = test.labels_file;
  return second;
}

inline void add_optimizer(CLI::App& app, train::OptimizerSpec& optimizer) {
  const auto use = [&optimizer](const std::string& text) {
    optimizer.method = choose<train::Method>(text, "--optimizer", {{"gd", train::Method::gd}, {"adam", train::Method::adam}});
  };
  on_text(app, "--optimizer", use, "gd (default): gradient descent; adam", "NAME");
  app.add_option("--lr", optimizer.rate, "the learning rate")->required()->type_name("R");
  app.add_option("--momentum", optimizer.momentum, "of gd, from 0 (default) up to and without 1")->type_name("M");
  app.add_option("--beta1", optimizer.beta1, "of adam; default 0.9")->type_name("B");
  app.add_option("--beta2", optimizer.beta2, "of adam; default 0.999")->type_name("B");
  app.add_option("--epsilon", optimizer.epsilon, "of adam; default 1e-8")->type_name("E");
}

inline void add_training_options(CLI::App& app, run::TrainSpec& spec) {
  add_loss(app, spec.loss);
  add_optimizer(app, spec.optimizer);
  app.add_option("--epochs", spec.epochs, "how often all samples are gone through")->required()->type_name("E");
  app.add_option("--batch-size", spec.batch_size, "samples a step; default all")->type_name("B");
  const auto use_seed = [&spec](const std::string& text) { spec.shuffle_seed = parse_seed(text, "--shuffle-seed"); };
  on_text(app, "--shuffle-seed", use_seed, "of the order of mini-batches; default 0", "N");
  const auto every = [&app](const std::string& name, Index& value, const std::string& description) {
    app.add_option(name, value, description)->type_name("E");
  };
  every("--evaluate-every", spec.evaluate_every, "epochs between scores of all samples; default 1");
  every("--kernel-every", spec.kernel_every, "epochs between looks at the kernel of some samples");
  app.add_option("--kernel-samples", spec.kernel_samples, "how many those are; default 100")->type_name("N");
  app.add_option("--reduce", spec.reduce, "of that kernel: trace (default), mean, sum, output=k")->type_name("R");
  app.add_option("--top", spec.top, "eigenvalues of it that are listed; default 5")->type_name("K");
  app.add_option("--bound-samples", spec.bound_samples,
                 "samples for the bound of the learning rate; default\n1000; 0: none is computed")
      ->type_name("N");
  every("--checkpoint-every", spec.checkpoint_every, "epochs between checkpoints, W.checkpoint.safetensors");
  app.add_flag("--resume", spec.resume, "go on from the checkpoint where there is one");
}

inline void add_linearise_options(CLI::App& app, run::LineariseSpec& spec) {
  add_loss(app, spec.loss);
  app.add_option("--lr", spec.rate, "the learning rate; default a tenth of what is stable")->type_name("R");
  app.add_option("--steps", spec.steps, "of gradient descent; default 1000")->type_name("S");
  app.add_option("--points", spec.points, "at how many of them both are compared; default 15")->type_name("K");
}

}  // namespace tangra::cli
