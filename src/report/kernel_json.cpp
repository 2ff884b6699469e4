#include <filesystem>

#include "tangra/base/error.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/report/json_parts.h"

namespace tangra::report {
namespace {

const char* name_of(run::By by) {
  return by == run::By::total ? "total" : by == run::By::layer ? "layer" : "parameter";
}

const char* name_of(run::Method method) {
  switch (method) {
    case run::Method::automatic:
      return "auto";
    case run::Method::structured:
      return "structured";
    case run::Method::jacobian:
      return "jacobian";
    case run::Method::product:
      break;
  }
  return "product";
}

const char* name_of(run::Precision precision) {
  switch (precision) {
    case run::Precision::automatic:
      return "auto";
    case run::Precision::float32:
      return "float32";
    case run::Precision::float64:
      break;
  }
  return "float64";
}

Object text_or_null(const std::string& text) {
  return text.empty() ? Object(nullptr) : Object(text);
}

Object selection(const data::DataSpec& data) {
  Object object = {{"source", data.source}, {"n", nullptr}, {"samples", nullptr}};
  if (data.n) object["n"] = *data.n;
  if (data.samples) object["samples"] = Object::array({data.samples->first, data.samples->second});
  object["scale"] = data.scale ? Object(*data.scale) : Object(nullptr);
  object["normalize"] = data.normalize ? Object(*data.normalize) : Object(nullptr);
  object["nhwc"] = data.nhwc;
  return object;
}

/// What was asked for, beside what was done.
Object requested(const run::KernelSpec& spec) {
  Object object;
  object["model"] = {{"text", spec.model.text},
                     {"init", text_or_null(spec.model.init)},
                     {"seed", spec.model.seed.value_or(0)},
                     {"parameterization", spec.model.parameterization},
                     {"weights", text_or_null(spec.model.weights)},
                     {"input_shape", spec.model.input_shape ? Object(spec.model.input_shape->lengths()) : Object(nullptr)},
                     {"params", text_or_null(spec.model.params)},
                     {"buffers", text_or_null(spec.model.buffers)}};
  object["data"] = selection(spec.data);
  object["data2"] = spec.data2 ? selection(*spec.data2) : Object(nullptr);
  object["reduce"] = text_or_null(spec.reduce);
  object["basis"] = text_or_null(spec.basis);
  object["by"] = name_of(spec.by);
  object["pairs"] = spec.pairs == run::Pairs::all ? "all" : "self";
  object["space"] = spec.space == run::Space::samples ? "samples" : "parameters";
  object["conjugate"] = text_or_null(spec.conjugate);
  object["method"] = name_of(spec.method);
  object["precision"] = name_of(spec.precision);
  object["resume"] = spec.existing == run::ExistingFile::resume;
  object["threads"] = spec.resources.threads;
  object["memory"] = spec.resources.memory;
  return object;
}

Object plan_of(const run::KernelResult& result) {
  Object plan = Object::array();
  for (const run::PlanRow& row : result.plan) {
    Object orders = Object::array();
    for (const run::OrderRow& order : row.orders) {
      orders.push_back({{"order", order.order}, {"multiply_adds", order.multiply_adds}, {"bytes", order.bytes}});
    }
    plan.push_back({{"parameter", row.parameter},
                    {"part", row.part},
                    {"order", row.order},
                    {"reason", row.reason},
                    {"multiply_adds", row.multiply_adds},
                    {"total_multiply_adds", row.total_multiply_adds},
                    {"bytes", row.bytes},
                    {"expected_seconds", row.seconds ? Object(*row.seconds) : Object(nullptr)},
                    {"orders", std::move(orders)}});
  }
  return plan;
}

Object expected_of(const run::KernelResult& result) {
  Object steps = Object::array();
  for (const run::ExpectedStep& step : result.expected) {
    steps.push_back({{"step", step.step},
                     {"multiply_adds", step.multiply_adds},
                     {"bytes", step.bytes},
                     {"seconds", step.seconds ? Object(*step.seconds) : Object(nullptr)}});
  }
  return steps;
}

Object measured_error_of(const run::KernelResult& result) {
  if (!result.measured_error) return nullptr;
  const verify::MeasuredError& error = *result.measured_error;
  return {{"largest_relative", error.largest_relative},
          {"rms", error.rms},
          {"largest_entry", error.largest_entry},
          {"samples", error.samples},
          {"samples2", error.samples2},
          {"parameters", error.parameters},
          {"entries", error.entries},
          {"near_kinks", error.near_kinks}};
}

/// Null where no statistics were taken (pairs of a sample with itself).
Object statistics_of(const run::KernelResult& result) {
  const run::KernelStatistics& statistics = result.statistics;
  if (statistics.corner.empty()) return nullptr;
  return {{"trace", statistics.trace},
          {"smallest_diagonal", statistics.smallest_diagonal},
          {"largest_diagonal", statistics.largest_diagonal},
          {"largest_entry", statistics.largest_entry},
          {"corner", statistics.corner}};
}

}  // namespace

std::string json(const run::KernelResult& result) {
  Object object;
  object["command"] = "kernel";
  object["shape"] = object_of(result.shape);
  object["axes"] = result.axes;
  object["reduce"] = result.reduce;
  object["conventions"] = result.conventions;
  object["precision"] = result.precision;
  object["method"] = result.method;
  object["parts"] = result.parts;
  object["part_traces"] = result.part_traces;
  object["model"] = object_of(result.model);
  object["data"] = object_of(result.data);
  object["data2"] = result.data2 ? object_of(*result.data2) : Object(nullptr);
  object["plan"] = plan_of(result);
  object["multiply_adds"] = result.multiply_adds;
  object["expected"] = expected_of(result);
  object["expected_peak_bytes"] = result.expected_peak_bytes > 0 ? Object(result.expected_peak_bytes) : Object(nullptr);
  object["block_samples"] = result.block_samples;
  object["groups"] = result.groups;
  object["measured_error"] = measured_error_of(result);
  object["not_measured"] = result.not_measured.empty() ? Object(nullptr) : Object(result.not_measured);
  object["statistics"] = statistics_of(result);
  object["out"] = text_or_null(result.out);
  object["triangle"] = text_or_null(result.triangle);
  object["resumed"] = result.resumed ? Object{{"tiles", result.resumed->tiles}, {"found", result.resumed->found}} : Object(nullptr);
  object["requested"] = requested(result.requested);
  add_provenance(object, result.provenance);
  return written(object);
}

std::string json(const run::PlanResult& result) {
  const run::KernelResult& kernel = result.kernel;
  const run::Prediction& predicted = result.predicted;
  Object object;
  object["command"] = "plan";
  object["shape"] = object_of(kernel.shape);
  object["axes"] = kernel.axes;
  object["reduce"] = kernel.reduce;
  object["precision"] = kernel.precision;
  object["method"] = kernel.method;
  object["parts"] = kernel.parts;
  object["model"] = object_of(kernel.model);
  object["data"] = object_of(kernel.data);
  object["data2"] = kernel.data2 ? object_of(*kernel.data2) : Object(nullptr);
  object["plan"] = plan_of(kernel);
  object["multiply_adds"] = kernel.multiply_adds;
  object["expected"] = expected_of(kernel);
  object["block_samples"] = kernel.block_samples;
  object["groups"] = kernel.groups;
  object["tiles"] = predicted.tiles;
  object["kernel_bytes"] = predicted.kernel_bytes;
  object["stored_bytes"] = predicted.stored_bytes;
  object["factor_bytes"] = predicted.factor_bytes;
  object["expected_seconds"] = {{"factors", predicted.factor_seconds},
                                {"contraction", predicted.contraction_seconds},
                                {"write", predicted.write_seconds},
                                {"total", predicted.seconds()}};
  object["expected_peak_bytes"] = predicted.peak_bytes;
  object["written_to"] = predicted.written_to;
  object["written_bytes_per_second"] = predicted.write_rate;
  object["multiply_adds_per_second"] = predicted.multiply_adds_rate;
  object["requested"] = requested(kernel.requested);
  add_provenance(object, kernel.provenance);
  // What the plan itself took is not to be taken for what it tells.
  for (const char* own : {"seconds", "steps", "peak_bytes"}) {
    object["planning"][own] = object[own];
    object.erase(own);
  }
  return written(object);
}

std::string beside(const std::string& kernel) { return kernel + ".json"; }

void check_beside(const run::KernelSpec& spec) {
  std::error_code ignored;
  if (spec.out.empty() || spec.existing != run::ExistingFile::refuse) return;
  if (!std::filesystem::exists(beside(spec.out), ignored)) return;
  throw Error(ErrorKind::usage, {.what = "the file exists",
                                 .where = beside(spec.out),
                                 .got = {},
                                 .expected = {},
                                 .cure = "Choose another name, or replace it with --force"});
}

void write_beside(const run::KernelResult& result) {
  if (result.out.empty()) return;
  std::error_code ignored;
  const bool nothing_done = result.resumed && result.resumed->found == result.resumed->tiles;
  if (nothing_done && std::filesystem::exists(beside(result.out), ignored)) return;  // it tells of the run that did it
  formats::AtomicFile file(beside(result.out));
  file.append(std::string_view(json(result)));
  file.commit();
}

}  // namespace tangra::report
