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

Object object_of(const run::LinearisedView& view) {
  return {{"network", object_of(view.network)},
          {"linearised", object_of(view.linearised)},
          {"distance", view.distance},
          {"moved", view.moved}};
}

Object object_of(const std::optional<train::Divergence>& divergence) {
  if (!divergence) return nullptr;
  return {{"epoch", divergence->epoch}, {"step", divergence->step}, {"what", divergence->what}};
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
  object["divergence"] = object_of(result.divergence);
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

std::string json(const run::LineariseResult& result) {
  Object object;
  object["command"] = "linearise";
  object["model"] = report::object_of(result.model);
  object["data"] = report::object_of(result.data);
  object["test"] = report::object_of(result.test);
  object["loss"] = train::name_of(result.requested.loss);
  object["loss_description"] = result.loss;
  object["precision"] = result.precision;
  object["lr"] = result.rate;
  object["rate_bound"] = object_of(result.bound);
  object["diverged"] = result.divergence.has_value();
  object["divergence"] = object_of(result.divergence);
  object["largest_distance"] = result.largest_distance;
  object["largest_distance_test"] = result.largest_distance_test;
  object["kernel_distance"] = result.kernel_distance;
  object["parameter_distance"] = result.parameter_distance;
  object["moments"] = Object::array();
  for (const run::LinearisedMoment& moment : result.moments) {
    object["moments"].push_back({{"step", moment.step},
                                 {"time", moment.time},
                                 {"train", object_of(moment.train)},
                                 {"test", object_of(moment.test)}});
  }
  object["out"] = text_or_null(result.out);
  add_provenance(object, result.provenance);
  return written(object);
}

}  // namespace tangra::report
