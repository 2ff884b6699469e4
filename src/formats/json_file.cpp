#include "tangra/formats/json_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tangra/formats/input_file.h"
#include "tangra/formats/refuse.h"

namespace tangra::formats {

struct JsonFile::State {
  std::string name;
  nlohmann::json object;

  /// Null where the field is absent.
  const nlohmann::json* find(const std::string& pointer) const {
    const nlohmann::json::json_pointer place(pointer);
    if (!object.contains(place)) return nullptr;
    const nlohmann::json& value = object.at(place);
    return value.is_null() ? nullptr : &value;
  }
  [[noreturn]] void malformed(const std::string& pointer, const std::string& expected) const {
    refuse(name, "the field " + pointer + " is malformed", {}, expected);
  }
};

JsonFile::JsonFile(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  const InputFile file(path);
  state_->name = file.name();
  state_->object = nlohmann::json::parse(file.read_all(), nullptr, false);
  if (!state_->object.is_object()) {
    refuse(state_->name, "this is no JSON object; the file may be cut short", {},
           "what tangra wrote beside a result");
  }
}

JsonFile::~JsonFile() = default;

std::optional<double> JsonFile::number(const std::string& pointer) const {
  const nlohmann::json* value = state_->find(pointer);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) state_->malformed(pointer, "a number");
  return value->get<double>();
}

std::optional<std::string> JsonFile::text(const std::string& pointer) const {
  const nlohmann::json* value = state_->find(pointer);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) state_->malformed(pointer, "a text");
  return value->get<std::string>();
}

std::optional<std::vector<Index>> JsonFile::integers(const std::string& pointer) const {
  const nlohmann::json* value = state_->find(pointer);
  if (value == nullptr) return std::nullopt;
  const auto whole = [](const nlohmann::json& entry) { return entry.is_number_integer(); };
  if (!value->is_array() || !std::ranges::all_of(*value, whole))
    state_->malformed(pointer, "a list of whole numbers");
  return value->get<std::vector<Index>>();
}

}  // namespace tangra::formats
