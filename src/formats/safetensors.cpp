#include "tangra/formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "sizes.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/formats/input_file.h"

namespace tangra::formats {
namespace {

/// The types by their names in the header.
struct SafeTensorsType {
  std::string_view name;
  DType type;
};

constexpr SafeTensorsType safetensors_types[] = {
    {"F16", DType::float16}, {"F32", DType::float32}, {"F64", DType::float64}, {"I8", DType::int8},
    {"I16", DType::int16},   {"I32", DType::int32},   {"I64", DType::int64},   {"U8", DType::uint8},
    {"U16", DType::uint16},  {"U32", DType::uint32},  {"U64", DType::uint64},  {"BOOL", DType::boolean}};

using Json = nlohmann::ordered_json;

struct Entry {
  std::string key;
  DType type = DType::float32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : file_(path) {
    const Json header = parse(header_text());
    if (!header.is_object()) refuse(file_.name(), "the header is malformed", {}, "a JSON object");
    for (const auto& [key, value] : header.items()) {
      if (key == "__metadata__")
        read_metadata(value);
      else
        entries_.push_back(entry(key, value));
    }
    check_places();
  }

  const std::vector<Entry>& entries() const { return entries_; }
  std::map<std::string, std::string> metadata() const { return metadata_; }

  Array read(const Entry& entry) const {
    return Array(entry.type, entry.shape, [&](std::span<std::byte> target) {
      file_.read_at(data_offset_ + entry.begin, target);
      if constexpr (std::endian::native == std::endian::big) reverse_bytes(target, bytes_of(entry.type));
      check_booleans(entry.type, target, where(entry.key));
    });
  }

 private:
  std::string where(const std::string& key) const { return file_.name() + ":" + key; }

  std::string header_text() {
    constexpr std::uint64_t longest_header = 100'000'000;  // as the format's own library has it
    if (file_.size() == 0) refuse(file_.name(), "the file is empty", {}, "a .safetensors file");
    std::byte start[8];
    file_.read_at(0, start);
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;) length = length * 256 + std::to_integer<std::uint64_t>(start[i]);
    if (length > longest_header || length > file_.size() - 8) {
      refuse(file_.name(), "the header claims to be longer than it can be", std::to_string(length) + " bytes",
             "at most " + std::to_string(std::min(longest_header, file_.size() - 8)),
             "The file may be cut short, or not be a .safetensors file");
    }
    data_offset_ = 8 + length;
    std::string text(length, '\0');
    file_.read_at(8, std::as_writable_bytes(std::span(text)));
    return text;
  }

  Json parse(const std::string& text) const {
    std::set<std::string> seen;
    // The parser itself would let the last of two equal names win.
    const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
      if (depth > 3) refuse(file_.name(), "the header is malformed", "JSON nested too deeply");
      if (event == Json::parse_event_t::key && depth == 1 && !seen.insert(value.get<std::string>()).second) {
        refuse(where(value.get<std::string>()), "the name stands twice in the header");
      }
      return true;
    };
    try {
      return Json::parse(text, watch);
    } catch (const Json::exception& error) {
      refuse(file_.name(), "the header is malformed", error.what(), "a JSON object");
    }
  }

  void read_metadata(const Json& value) {
    if (!value.is_object())
      refuse(where("__metadata__"), "the metadata are malformed", {}, "an object of strings");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string())
        refuse(where("__metadata__"), "the metadata are malformed", {}, "an object of strings");
      metadata_[key] = text.get<std::string>();
    }
  }

  std::uint64_t natural(const Json& value, const std::string& key) const {
    if (!value.is_number_unsigned())
      refuse(where(key), "a length or offset is no whole number", value.dump(), "0 or more");
    return value.get<std::uint64_t>();
  }

  Entry entry(const std::string& key, const Json& value) const {
    const bool complete = value.is_object() && value.size() == 3 && value.contains("dtype") &&
                          value["dtype"].is_string() && value.contains("shape") &&
                          value["shape"].is_array() && value.contains("data_offsets") &&
                          value["data_offsets"].is_array() && value["data_offsets"].size() == 2;
    if (!complete)
      refuse(where(key), "the entry is malformed", {}, "dtype, shape and a pair of data_offsets");
    Entry result;
    result.key = key;
    result.type = type(value["dtype"].get<std::string>(), key);
    for (const Json& length : value["shape"]) {
      const std::uint64_t natural_length = natural(length, key);
      result.shape.append(natural_length > INT64_MAX ? -1 : static_cast<Index>(natural_length));
    }
    result.begin = natural(value["data_offsets"][0], key);
    result.end = natural(value["data_offsets"][1], key);
    const std::uint64_t room = file_.size() - data_offset_;
    if (result.begin > result.end || result.end > room) {
      refuse(where(key), "the offsets leave the file",
             std::to_string(result.begin) + " to " + std::to_string(result.end),
             "within 0 to " + std::to_string(room));
    }
    const std::uint64_t bytes = claimed_bytes(result.type, result.shape, where(key));
    if (result.end - result.begin != bytes) {
      refuse(where(key), "offsets and shape disagree", std::to_string(result.end - result.begin) + " bytes",
             std::to_string(bytes) + " for " + std::string(name_of(result.type)) + " " +
                 to_string(result.shape));
    }
    return result;
  }

  DType type(const std::string& name, const std::string& key) const {
    for (const SafeTensorsType& known : safetensors_types) {
      if (known.name == name) return known.type;
    }
    refuse(where(key), "the array has a type that cannot be used", name.substr(0, 40),
           "F16, F32, F64, I8 to I64, U8 to U64 or BOOL",
           "Convert it, for instance to F32, and save it again");
  }

  /// The arrays have to follow each other without gaps and overlaps up to the end of the file.
  void check_places() const {
    std::vector<const Entry*> order;
    for (const Entry& entry : entries_) order.push_back(&entry);
    std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
      return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
    });
    std::uint64_t place = 0;
    for (const Entry* entry : order) {
      if (entry->begin != place) {
        refuse(where(entry->key),
               entry->begin < place ? "the array overlaps another" : "there is a gap before the array",
               "offset " + std::to_string(entry->begin), std::to_string(place));
      }
      place = entry->end;
    }
    if (place != file_.size() - data_offset_) {
      refuse(file_.name(), "the file is longer than its header says",
             std::to_string(file_.size() - data_offset_) + " bytes",
             std::to_string(place) + " bytes behind the header");
    }
  }

  InputFile file_;
  std::uint64_t data_offset_ = 0;
  std::vector<Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// The order of the arrays in the data: wide types first, so that each is aligned to its own width.
std::vector<std::size_t> data_order(const NamedArrays& arrays) {
  std::vector<std::size_t> order(arrays.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return bytes_of(arrays[a].second.type()) > bytes_of(arrays[b].second.type());
  });
  return order;
}

std::string header_of(const NamedArrays& arrays, const std::map<std::string, std::string>& metadata,
                      const std::vector<std::size_t>& order, const std::string& where) {
  std::vector<std::uint64_t> offsets(arrays.size());
  std::uint64_t place = 0;
  for (const std::size_t i : order) {
    offsets[i] = place;
    place += arrays[i].second.bytes();
  }
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string> seen{"__metadata__"};
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const auto& [key, array] = arrays[i];
    if (!seen.insert(key).second) refuse(where + ":" + key, "two arrays have this name");
    std::string type;
    for (const SafeTensorsType& known : safetensors_types) {
      if (known.type == array.type()) type = known.name;
    }
    header[key] = {{"dtype", type},
                   {"shape", array.shape().lengths()},
                   {"data_offsets", {offsets[i], offsets[i] + array.bytes()}}};
  }
  try {
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    refuse(where, "a name or the metadata cannot be written", "bytes that are not UTF-8", "UTF-8");
  }
}

}  // namespace

std::vector<std::string> safetensors_keys(const std::filesystem::path& path) {
  const Reader reader(path);
  std::vector<std::string> keys;
  for (const Entry& entry : reader.entries()) keys.push_back(entry.key);
  return keys;
}

SafeTensors read_safetensors(const std::filesystem::path& path) {
  const Reader reader(path);
  SafeTensors result;
  for (const Entry& entry : reader.entries()) result.arrays.emplace_back(entry.key, reader.read(entry));
  result.metadata = reader.metadata();
  return result;
}

Array read_safetensors(const std::filesystem::path& path, const std::string& key) {
  const Reader reader(path);
  for (const Entry& entry : reader.entries()) {
    if (entry.key == key) return reader.read(entry);
  }
  std::string names;
  for (std::size_t i = 0; i < reader.entries().size() && i < 20; ++i) {
    names += (i > 0 ? ", " : "") + reader.entries()[i].key;
  }
  if (reader.entries().size() > 20) names += ", ...";
  refuse(path.string() + ":" + key, "the file has no array of this name",
         names.empty() ? "no arrays at all" : names);
}

void write_safetensors(const std::filesystem::path& path, const NamedArrays& arrays,
                       const std::map<std::string, std::string>& metadata) {
  const std::vector<std::size_t> order = data_order(arrays);
  const std::string header = header_of(arrays, metadata, order, path.string());
  AtomicFile file(path);
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>((header.size() >> (8 * i)) & 0xff);
  file.append(length + header);
  for (const std::size_t i : order) {
    const Array& array = arrays[i].second;
    if constexpr (std::endian::native == std::endian::big) {
      std::vector<std::byte> bytes(array.data(), array.data() + array.bytes());
      reverse_bytes(bytes, bytes_of(array.type()));
      file.append(bytes);
    } else {
      file.append(std::span(array.data(), array.bytes()));
    }
  }
  file.commit();
}

}  // namespace tangra::formats
