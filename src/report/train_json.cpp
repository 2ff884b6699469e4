#include "tangra/report/json_parts.h"

namespace tangra::report {
namespace {

Object object_of(const train::Score& score) {
  return {{"loss", score.loss()}, {"accuracy", score.accuracy()}, {"correct", score.correct}, {"samples", score.samples}};
}

Object object_of(const train::OptimizerSpec& optimizer) {
  Object object = {{"name", train::name_of(optimizer.method)}, {"lr", optimizer.rate}};
  if (optimizer.method == train::Method::gd) {
    object["momentum"] = optimizer.momentum;
  } else {
    object["beta1"] = optimizer.beta1;
    object["beta2"] = optimizer.beta2;
    object["epsilon"] = optimizer.epsilon;
  }
  return object;
}

Object object_of(const run::RateBound& bound) {
  return {{"bound", bound.bound},
          {"largest_eigenvalue", bound.largest_eigenvalue},
          {"samples", bound.samples},
          {"converged", bound.converged},
          {"formula", bound.formula}};
}

Object object_of(const run::KernelMoment& moment) {
  return {{"epoch", moment.epoch},
          {"distance", moment.distance},
          {"alignment", moment.alignment},
          {"alignment_centred", moment.alignment_centred},
          {"label_alignment", moment.labels},
          {"label_alignment_centred", moment.labels_centred},
          {"trace", moment.trace},
          {"eigenvalues", moment.eigenvalues}};
}

Object text_or_null(const std::string& text) { return text.empty() ? Object(nullptr) : Object(text); }

}  // namespace

std::string json(const run::TrainResult& result) {
  const run::TrainSpec& spec = result.requested;
  Object object;
  object["command"] = "train";
  object["model"] = report::object_of(result.model);
  object["data"] = report::object_of(result.data);
  object["test"] = result.test ? report::object_of(*result.test) : Object(nullptr);
  object["loss"] = train::name_of(spec.loss);
  object["loss_description"] = result.loss;
  object["optimizer"] = object_of(spec.optimizer);
  object["batch_size"] = spec.batch_size > 0 ? spec.batch_size : result.data.samples;
  object["shuffle_seed"] = spec.shuffle_seed;
  object["precision"] = result.precision;
  object["rate_bound"] = result.bound ? object_of(*result.bound) : Object(nullptr);
  object["diverged"] = result.divergence.has_value();
  object["divergence"] = nullptr;
  if (result.divergence) {
    object["divergence"] = {{"epoch", result.divergence->epoch}, {"step", result.divergence->step}, {"what", result.divergence->what}};
  }
  object["epochs"] = Object::array();
  for (const run::EpochScore& score : result.scores) {
    object["epochs"].push_back({{"epoch", score.epoch},
                                {"steps", score.steps},
                                {"train", object_of(score.train)},
                                {"test", score.test ? object_of(*score.test) : Object(nullptr)}});
  }
  object["kernel"] = text_or_null(result.kernel);
  object["kernel_moments"] = Object::array();
  for (const run::KernelMoment& moment : result.moments) object["kernel_moments"].push_back(object_of(moment));
  object["resumed_from"] = result.resumed_from > 0 ? Object(result.resumed_from) : Object(nullptr);
  object["checkpoint"] = result.last_checkpoint > 0 ? Object(spec.checkpoint_path()) : Object(nullptr);
  object["checkpoint_epoch"] = result.last_checkpoint > 0 ? Object(result.last_checkpoint) : Object(nullptr);
  object["out"] = text_or_null(result.out);
  add_provenance(object, result.provenance);
  return written(object);
}

}  // namespace tangra::report
