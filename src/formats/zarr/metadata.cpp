#include "tangra/formats/zarr/metadata.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tangra/formats/sizes.h"

namespace tangra::formats {
namespace {

using Json = nlohmann::ordered_json;

constexpr bool little_endian = std::endian::native == std::endian::little;
constexpr Index most_axes = 32;
constexpr int deepest = 64;

/// One zarr.json, whose fields are asked for by name.
class Metadata {
 public:
  Metadata(const std::string& text, const std::string& where) : where_(where) {
    if (text.empty()) refuse(where_, "the file is empty", {}, "a JSON object as Zarr v3 has it");
    const auto watch = [&](int depth, Json::parse_event_t, Json&) {
      if (depth > deepest) refuse(where_, "the JSON is nested too deeply", {}, "what Zarr v3 has");
      return true;
    };
    try {
      json_ = Json::parse(text, watch);
    } catch (const Json::exception& error) {
      refuse(where_, "this is no JSON; the file may be cut short", error.what(),
             "a JSON object as Zarr v3 has it");
    }
    if (!json_.is_object()) malformed("zarr.json", json_, "a JSON object");
    const Json version = json_.value("zarr_format", Json());
    if (version != 3) malformed("zarr_format", version, "3");
    const Json kind = json_.value("node_type", Json());
    if (kind != "array" && kind != "group") malformed("node_type", kind, "array or group");
    group_ = kind == "group";
    check_fields();
  }

  bool group() const { return group_; }

  ZarrAttributes attributes() const {
    ZarrAttributes attributes;
    const Json object = json_.value("attributes", Json::object());
    if (!object.is_object()) malformed("attributes", object, "an object");
    for (const auto& [name, value] : object.items()) {
      attributes.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    }
    return attributes;
  }

  ZarrHeader header() const {
    if (group_) malformed("node_type", "group", "array");
    ZarrHeader header;
    header.type = type();
    header.shape = lengths("shape", field("shape"), 0);
    read_grid(header);
    read_key_encoding(header);
    read_codecs(header);
    header.fill = fill();
    header.dimension_names = dimension_names(header.shape.rank());
    header.attributes = attributes();
    return header;
  }

 private:
  [[noreturn]] void malformed(const std::string& field, const Json& got, const std::string& expected,
                              const std::string& cure = {}) const {
    refuse(where_, field + " is not what can be read here",
           got.is_null() ? "nothing" : got.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80),
           expected, cure);
  }

  /// Zarr wants a reader to refuse what it does not know, unless it is marked as dispensable.
  void check_fields() const {
    constexpr std::string_view known[] = {
        "zarr_format",         "node_type",  "shape",  "data_type",  "chunk_grid",
        "chunk_key_encoding",  "fill_value", "codecs", "attributes", "dimension_names",
        "storage_transformers"};
    for (const auto& [name, value] : json_.items()) {
      if (std::ranges::find(known, name) != std::end(known)) continue;
      if (value.is_null() || (value.is_object() && value.value("must_understand", Json(true)) == false))
        continue;
      malformed("the field " + name, value, "a field of Zarr v3");
    }
    const Json transformers = json_.value("storage_transformers", Json::array());
    if (!transformers.empty()) malformed("storage_transformers", transformers, "none");
  }

  const Json& field(const char* name) const {
    const auto found = json_.find(name);
    if (found == json_.end()) malformed(name, Json(), "the field");
    return *found;
  }

  DType type() const {
    const Json& name = field("data_type");
    if (name == "float32") return DType::float32;
    if (name == "float64") return DType::float64;
    malformed("data_type", name, "float32 or float64");
  }

  Shape lengths(const char* name, const Json& list, Index least) const {
    if (!list.is_array() || list.size() > static_cast<std::size_t>(most_axes))
      malformed(name, list, "a list of lengths");
    Shape shape;
    for (const Json& length : list) {
      if (!length.is_number_integer() || length.get<Index>() < least) {
        malformed(name, list, "whole numbers of " + std::to_string(least) + " or more");
      }
      shape.append(length.get<Index>());
    }
    return shape;
  }

  /// The named object {"name": .., "configuration": {..}}; its configuration.
  Json configuration(const char* name, const Json& object, const char* wanted) const {
    if (!object.is_object() || object.value("name", Json()) != wanted) malformed(name, object, wanted);
    Json inner = object.value("configuration", Json::object());
    if (!inner.is_object()) malformed(name, object, "a configuration");
    return inner;
  }

  void read_grid(ZarrHeader& header) const {
    const Json inner = configuration("chunk_grid", field("chunk_grid"), "regular");
    header.chunk = lengths("chunk_shape", inner.value("chunk_shape", Json()), 1);
    if (header.chunk.rank() != header.shape.rank() || header.shape.rank() == 0) {
      malformed("chunk_shape", inner.value("chunk_shape", Json()),
                "one length for each axis, one axis or more");
    }
    claimed_bytes(header.type, header.shape, where_);
    claimed_bytes(header.type, header.chunk, where_);
  }

  void read_key_encoding(ZarrHeader& header) const {
    const Json inner = configuration("chunk_key_encoding", field("chunk_key_encoding"), "default");
    const Json separator = inner.value("separator", Json("/"));
    if (separator != "/" && separator != ".") malformed("separator", separator, "/ or .");
    header.separator = separator.get<std::string>().front();
  }

  void read_codecs(ZarrHeader& header) const {
    const Json& codecs = field("codecs");
    const auto name_of_codec = [&](std::size_t k) {
      return codecs.size() > k && codecs[k].is_object() ? codecs[k].value("name", Json()) : Json();
    };
    const bool known = codecs.is_array() && name_of_codec(0) == "bytes" &&
                       (codecs.size() == 1 || (codecs.size() == 2 && name_of_codec(1) == "crc32c"));
    if (!known) {
      malformed("codecs", codecs, "bytes, or bytes and crc32c",
                "Save the array without compression and without shards, or as .npy");
    }
    const Json order = configuration("codecs", codecs[0], "bytes").value("endian", Json());
    if (order != "little" && order != "big") malformed("endian", order, "little or big");
    header.reversed = (order == "little") != little_endian;
    header.checked = codecs.size() == 2;
  }

  double fill() const {
    const Json& value = field("fill_value");
    if (value.is_number()) return value.get<double>();
    if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (value == "Infinity") return std::numeric_limits<double>::infinity();
    if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
    malformed("fill_value", value, "a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
  }

  std::vector<std::string> dimension_names(Index rank) const {
    const Json list = json_.value("dimension_names", Json());
    std::vector<std::string> names;
    if (list.is_null()) return names;
    if (!list.is_array() || list.size() != static_cast<std::size_t>(rank)) {
      malformed("dimension_names", list, "one name for each axis");
    }
    for (const Json& name : list) names.push_back(name.is_string() ? name.get<std::string>() : std::string());
    return names;
  }

  std::string where_;
  Json json_;
  bool group_ = false;
};

Json object_of(const ZarrAttributes& attributes) {
  Json object = Json::object();
  for (const auto& [name, value] : attributes) object[name] = value;
  return object;
}

std::string written(const Json& object) {
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json number_of(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

}  // namespace

ZarrHeader parse_zarr_array(const std::string& text, const std::string& where) {
  return Metadata(text, where).header();
}

ZarrNode parse_zarr_node(const std::string& text, const std::string& where) {
  const Metadata metadata(text, where);
  return {.group = metadata.group(), .attributes = metadata.attributes()};
}

std::string zarr_array_text(const ZarrHeader& header) {
  Json codecs = Json::array();
  const bool little = header.reversed != little_endian;
  codecs.push_back({{"name", "bytes"}, {"configuration", {{"endian", little ? "little" : "big"}}}});
  if (header.checked) codecs.push_back({{"name", "crc32c"}});
  Json object = {{"zarr_format", 3}, {"node_type", "array"}};
  object["shape"] = header.shape.lengths();
  object["data_type"] = name_of(header.type);
  object["chunk_grid"] = {{"name", "regular"}, {"configuration", {{"chunk_shape", header.chunk.lengths()}}}};
  object["chunk_key_encoding"] = {{"name", "default"},
                                  {"configuration", {{"separator", std::string(1, header.separator)}}}};
  object["fill_value"] = number_of(header.fill);
  object["codecs"] = std::move(codecs);
  if (!header.dimension_names.empty()) object["dimension_names"] = header.dimension_names;
  object["attributes"] = object_of(header.attributes);
  return written(object);
}

std::string zarr_group_text(const ZarrAttributes& attributes) {
  return written({{"zarr_format", 3}, {"node_type", "group"}, {"attributes", object_of(attributes)}});
}

}  // namespace tangra::formats
