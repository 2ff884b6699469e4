#include <cmath>

#include "tangra/report/json_parts.h"

namespace tangra::report {
namespace {

Object or_null(const std::optional<double>& value) {
  return value ? Object(*value) : Object(nullptr);
}
Object or_null(const std::string& text) {
  return text.empty() ? Object(nullptr) : Object(text);
}

Object path_of(const run::PredictResult& result) {
  Object path = Object::array();
  for (const run::RidgeRow& row : result.path) {
    Object object = {{"ridge", row.ridge}, {"solved", row.solved}};
    object["degrees_of_freedom"] = row.solved ? Object(row.degrees_of_freedom) : Object(nullptr);
    object["training_error"] = row.solved ? Object(row.training_error) : Object(nullptr);
    object["leave_one_out"] = row.solved ? Object(row.leave_one_out) : Object(nullptr);
    object["leave_one_out_accuracy"] = or_null(row.leave_one_out_accuracy);
    object["accuracy"] = or_null(row.accuracy);
    path.push_back(std::move(object));
  }
  return path;
}

}  // namespace

std::string json(const run::PredictResult& result) {
  Object object;
  object["command"] = "predict";
  object["accuracy"] = or_null(result.accuracy);
  object["ridge"] = result.ridge;
  object["jitter"] = result.jitter;
  object["leave_one_out"] = or_null(result.leave_one_out);
  object["leave_one_out_accuracy"] = or_null(result.leave_one_out_accuracy);
  object["training_error"] = result.training_error;
  object["training_accuracy"] = or_null(result.training_accuracy);
  object["test_error"] = or_null(result.test_error);
  object["network_accuracy"] = or_null(result.network_accuracy);
  object["log_likelihood"] = or_null(result.log_likelihood);
  object["mean_variance"] = or_null(result.mean_variance);
  object["path"] = path_of(result);
  object["reduce"] = result.reduce;
  object["form"] = result.form;
  object["prior"] = result.prior;
  object["solver"] = result.solver;
  object["precision"] = result.precision;
  object["size"] = result.size;
  object["outputs"] = result.columns;
  object["mean_diagonal"] = result.mean_diagonal;
  object["converged"] = result.converged;
  object["message"] = or_null(result.message);
  object["iterations"] = result.iterations;
  object["solver_residuals"] = result.solver_residuals;
  object["model"] = object_of(result.model);
  object["train"] = object_of(result.train);
  object["test"] = object_of(result.test);
  object["out"] = or_null(result.out);
  add_provenance(object, result.provenance);
  return written(object);
}

std::string json(const run::InfiniteResult& result) {
  Object object;
  object["command"] = "infinite";
  object["kind"] = result.kind;
  object["shape"] = object_of(result.shape);
  object["conventions"] = result.conventions;
  object["layers"] = Object::array();
  for (const run::InfiniteResult::Layer& layer : result.layers) {
    object["layers"].push_back({{"name", layer.name},
                                {"in", layer.in},
                                {"out", layer.out},
                                {"sigma_w", layer.sigma_w},
                                {"sigma_b", layer.sigma_b},
                                {"activation", or_null(layer.activation)}});
  }
  object["statistics"] = {{"trace", result.statistics.trace},
                          {"smallest_diagonal", result.statistics.smallest_diagonal},
                          {"largest_diagonal", result.statistics.largest_diagonal},
                          {"largest_entry", result.statistics.largest_entry},
                          {"corner", result.statistics.corner}};
  object["comparison"] = nullptr;
  if (result.comparison) {
    object["comparison"] = {{"distance", result.comparison->distance},
                            {"largest", result.comparison->largest},
                            {"precision", result.comparison->precision}};
  }
  object["convergence"] = Object::array();
  for (const auto& [width, distance] : result.convergence) object["convergence"].push_back({{"width", width}, {"distance", distance}});
  object["slope"] = result.slope ? Object{{"slope", result.slope->slope}, {"error", result.slope->error}} : Object(nullptr);
  object["model"] = object_of(result.model);
  object["data"] = object_of(result.data);
  object["data2"] = result.data2 ? object_of(*result.data2) : Object(nullptr);
  object["out"] = or_null(result.out);
  add_provenance(object, result.provenance);
  return written(object);
}

}  // namespace tangra::report
