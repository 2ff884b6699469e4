#include "tangra/base/hash.h"
#include "tangra/report/json_parts.h"

namespace tangra::report {
namespace {

Object arrays_of(const std::vector<run::NamedArray>& arrays) {
  Object list = Object::array();
  for (const run::NamedArray& entry : arrays) {
    list.push_back({{"name", entry.name},
                    {"shape", object_of(entry.array.shape())},
                    {"type", name_of(entry.array.type())}});
  }
  return list;
}

Object object_of(const data::DataSetInfo& set) {
  return {{"name", set.name},
          {"title", set.title},
          {"training", report::object_of(set.training)},
          {"test", set.test ? report::object_of(*set.test) : Object(nullptr)},
          {"classes", set.classes},
          {"licence", set.licence},
          {"found", set.found ? Object(*set.found) : Object(nullptr)},
          {"how_to_get", set.how_to_get}};
}

}  // namespace

std::string json(const run::SummaryResult& result) {
  Object object;
  object["command"] = "summary";
  object["model"] = object_of(result.model);
  object["layers"] = Object::array();
  for (const run::SummaryResult::Row& row : result.layers) {
    object["layers"].push_back({{"name", row.name},
                                {"operator", row.op},
                                {"shape", object_of(row.shape)},
                                {"parameters", row.parameters},
                                {"parameter_count", row.parameter_count}});
  }
  object["parameters"] = Object::array();
  for (const run::SummaryResult::ParameterRow& row : result.parameters) {
    object["parameters"].push_back({{"name", row.name},
                                    {"layer", row.layer},
                                    {"shape", object_of(row.shape)},
                                    {"type", name_of(row.type)},
                                    {"count", row.count},
                                    {"bytes", row.bytes},
                                    {"trainable", row.trainable},
                                    {"why", row.why}});
  }
  object["parameter_bytes"] = result.parameter_bytes;
  object["activation_bytes"] = result.activation_bytes;
  return written(object);
}

std::string json(const run::ArraysResult& result) {
  Object object;
  object["command"] = result.command;
  object["model"] = object_of(result.model);
  object["data"] = object_of(result.data);
  object["precision"] = result.precision;
  object["arrays"] = arrays_of(result.arrays);
  object["notes"] = result.notes;
  object["out"] = result.out.empty() ? Object(nullptr) : Object(result.out);
  add_provenance(object, result.provenance);
  return written(object);
}

std::string json(const run::VerifyRunResult& result) {
  const verify::VerifyResult& found = result.result;
  Object object;
  object["command"] = "verify";
  object["agree"] = found.agree;
  object["methods"] = found.methods;
  object["first_failure"] = found.first_failure.empty() ? Object(nullptr) : Object(found.first_failure);
  object["odd_one_out"] = found.odd_one_out.empty() ? Object(nullptr) : Object(found.odd_one_out);
  object["pairs"] = Object::array();
  for (const verify::PairResult& pair : found.pairs) {
    object["pairs"].push_back({{"parameter", pair.parameter},
                               {"first", pair.first},
                               {"second", pair.second},
                               {"what", pair.what},
                               {"difference", pair.difference},
                               {"bound", pair.bound},
                               {"agree", pair.agree},
                               {"largest_difference", pair.largest_difference},
                               {"largest_entry", pair.largest_entry},
                               {"at", Object::array({pair.plane, pair.row, pair.column})}});
  }
  object["differences"] = {{"steps", found.steps},
                           {"steps_skipped", found.steps_skipped},
                           {"entries_excluded", found.entries_excluded}};
  object["notes"] = found.notes;
  object["reduce"] = result.reduce;
  object["model"] = object_of(result.model);
  object["data"] = object_of(result.data);
  add_provenance(object, result.provenance);
  return written(object);
}

std::string json(const DataSetList& list) {
  Object object = {{"command", "data list"}, {"data_sets", Object::array()}};
  for (const data::DataSetInfo& set : list.sets) object["data_sets"].push_back(object_of(set));
  return written(object);
}

std::string json(const DataSetShown& shown) {
  Object object = {{"command", "data show"}, {"name", shown.name}};
  object["known_as"] = shown.info ? object_of(*shown.info) : Object(nullptr);
  if (shown.loaded) {
    object["shape"] = object_of(shown.shape);
    object["description"] = shown.description;
    object["fingerprint"] = hexadecimal(shown.fingerprint);
    object["class_counts"] = shown.class_counts.empty() ? Object(nullptr) : Object(shown.class_counts);
  } else {
    object["shape"] = nullptr;
  }
  return written(object);
}

}  // namespace tangra::report
