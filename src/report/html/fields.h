#pragma once
// Not for other rooms: fields of a run's JSON, which may come from elsewhere. What is absent or of another
// kind is told as such and never throws.
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "section.h"
#include "tangra/report/page/text.h"

namespace tangra::report {

/// The value at a pointer ("/model/name"); null where there is none.
const Object& field(const Object& object, const std::string& pointer);
std::optional<double> number(const Object& object, const std::string& pointer);
/// Empty where it is no text.
std::string text(const Object& object, const std::string& pointer);
bool flag(const Object& object, const std::string& pointer);
/// Numbers of a list; NaN for entries that are none.
std::vector<double> numbers(const Object& object, const std::string& pointer);
/// The entries of a list; none where it is no list.
std::vector<Object> list(const Object& object, const std::string& pointer);

/// "12.345", or "not known".
std::string shown(std::optional<double> value, int digits = 6);
std::string shown_percent(std::optional<double> share);
std::string shown_count(std::optional<double> value);
std::string shown_seconds(std::optional<double> value);
std::string shown_bytes(std::optional<double> value);
/// "60 x 10" of a list of whole numbers.
std::string shown_shape(const Object& object, const std::string& pointer);

}  // namespace tangra::report
