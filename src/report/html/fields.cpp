#include "fields.h"

#include "tangra/base/context.h"

namespace tangra::report {
namespace {

constexpr double largest_count = 0x1p53;

bool is_count(std::optional<double> value) {
  return value && std::abs(*value) <= largest_count;
}

}  // namespace

const Object& field(const Object& object, const std::string& pointer) {
  static const Object nothing;
  const Object::json_pointer place(pointer);
  return object.contains(place) ? object.at(place) : nothing;
}

std::optional<double> number(const Object& object, const std::string& pointer) {
  const Object& value = field(object, pointer);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

std::string text(const Object& object, const std::string& pointer) {
  const Object& value = field(object, pointer);
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool flag(const Object& object, const std::string& pointer) {
  const Object& value = field(object, pointer);
  return value.is_boolean() && value.get<bool>();
}

std::vector<double> numbers(const Object& object, const std::string& pointer) {
  std::vector<double> values;
  const Object& found = field(object, pointer);
  if (!found.is_array()) return values;
  for (const Object& value : found) values.push_back(value.is_number() ? value.get<double>() : std::nan(""));
  return values;
}

std::vector<Object> list(const Object& object, const std::string& pointer) {
  const Object& found = field(object, pointer);
  return found.is_array() ? std::vector<Object>(found.begin(), found.end()) : std::vector<Object>();
}

std::string shown(std::optional<double> value, int digits) {
  return value ? significant(*value, digits) : "not known";
}

std::string shown_percent(std::optional<double> share) {
  return share ? significant(100 * *share, 4) + " %" : "not known";
}

std::string shown_count(std::optional<double> value) {
  return is_count(value) ? grouped(static_cast<Index>(*value)) : shown(value);
}

std::string shown_seconds(std::optional<double> value) {
  return value && *value < 1e12 ? duration(*value) : shown(value);
}

std::string shown_bytes(std::optional<double> value) {
  return is_count(value) && *value >= 0 ? human_bytes(static_cast<std::size_t>(*value)) : shown(value);
}

std::string shown_shape(const Object& object, const std::string& pointer) {
  std::string result;
  for (const double length : numbers(object, pointer))
    result += (result.empty() ? "" : " × ") + shown_count(length);
  return result;
}

}  // namespace tangra::report
