#include "tangra/report/json_parts.h"

#include "tangra/base/hash.h"

namespace tangra::report {

Object object_of(const Shape& shape) {
  return shape.lengths();
}

Object object_of(const run::ModelSummary& model) {
  return {{"name", model.name},
          {"text", model.text},
          {"input", object_of(model.input)},
          {"output_name", model.output_name},
          {"output", object_of(model.output)},
          {"parameters", model.parameters},
          {"frozen", model.frozen}};
}

Object object_of(const run::DataSummary& data) {
  return {{"name", data.name},
          {"description", data.description},
          {"samples", data.samples},
          {"shape", object_of(data.shape)},
          {"labels", data.labels}};
}

void add_provenance(Object& object, const run::Provenance& provenance) {
  object["seconds"] = provenance.total_seconds;
  Object steps = Object::array();
  for (const auto& [name, seconds] : provenance.seconds)
    steps.push_back({{"step", name}, {"seconds", seconds}});
  object["steps"] = std::move(steps);
  object["peak_bytes"] = provenance.peak_bytes;
  object["memory_budget"] = provenance.memory_budget;
  object["threads"] = provenance.threads;
  object["machine"] = provenance.machine;
  object["simd_target"] = provenance.simd_target;
  object["version"] = provenance.version;
  object["model_fingerprint"] = hexadecimal(provenance.model_fingerprint);
  Object fingerprints = Object::array();
  for (const std::uint64_t value : provenance.data_fingerprints) fingerprints.push_back(hexadecimal(value));
  object["data_fingerprints"] = std::move(fingerprints);
}

std::string written(const Object& object) {
  // Names of files need not be UTF-8; JSON has to be.
  return object.dump(2, ' ', false, Object::error_handler_t::replace) + "\n";
}

}  // namespace tangra::report
