#pragma once
// Not for other rooms: pieces that several JSON objects share.
#include <nlohmann/json.hpp>
#include <string>

#include "tangra/report/json.h"

namespace tangra::report {

/// Keeps the order in which fields are added. Numbers that are not finite are written as null.
using Object = nlohmann::ordered_json;

Object object_of(const Shape& shape);
Object object_of(const run::ModelSummary& model);
Object object_of(const run::DataSummary& data);
/// Adds version, machine, threads, seconds, peak_bytes, fingerprints and so on.
void add_provenance(Object& object, const run::Provenance& provenance);
std::string written(const Object& object);

}  // namespace tangra::report
