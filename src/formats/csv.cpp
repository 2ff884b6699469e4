#include "tangra/formats/csv.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tangra/base/error.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/formats/input_file.h"
#include "tangra/formats/refuse.h"

namespace tangra::formats {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The separator that a line shows; ' ' stands for any run of blanks.
char separator_of(std::string_view line) {
  for (const char candidate : {';', ',', '\t'}) {
    if (line.find(candidate) != std::string_view::npos) return candidate;
  }
  return ' ';
}

void split(std::string_view line, char separator, std::vector<std::string_view>& fields) {
  fields.clear();
  while (true) {
    const auto end = line.find(separator);
    fields.push_back(trimmed(line.substr(0, end)));
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + 1);
    if (separator == ' ') line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
  }
}

std::optional<double> number_of(std::string_view field) {
  if (field.size() > 1 && field[0] == '+' && field[1] != '-') field.remove_prefix(1);
  double value = 0;
  const auto [end, code] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (code != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return value;
}

class CsvReader {
 public:
  explicit CsvReader(std::string name) : name_(std::move(name)) {}

  void line(std::string_view text, std::size_t number) {
    text = trimmed_line(text);
    if (text.empty() || text[0] == '#') return;
    if (separator_ == 0) separator_ = separator_of(text);
    split(text, separator_, fields_);
    if (first_ && is_header()) {
      first_ = false;
      return;
    }
    first_ = false;
    take(number);
  }

  Array finish() {
    if (rows_ == 0) refuse(name_, "the file holds no numbers", {}, "rows of numbers");
    return Array(
        DType::float64, Shape{rows_, static_cast<Index>(columns_)},
        [&](std::span<std::byte> target) { std::memcpy(target.data(), values_.data(), target.size()); });
  }

 private:
  /// Without blanks at the ends, but with tabs where they separate: an empty last field is an error, not
  /// nothing.
  std::string_view trimmed_line(std::string_view text) const {
    if (trimmed(text).empty()) return {};
    while (text.back() == '\r' || text.back() == ' ') text.remove_suffix(1);
    text.remove_prefix(text.find_first_not_of(' '));
    return text;
  }
  /// No field is a number, and one does not even begin like one: "1.5x" alone is a slip of the pen, not a
  /// name.
  bool is_header() const {
    bool names = false;
    for (const std::string_view field : fields_) {
      if (number_of(field)) return false;
      names = names ||
              (!field.empty() && std::string_view("+-.0123456789").find(field[0]) == std::string_view::npos);
    }
    return names;
  }
  void take(std::size_t number) {
    const std::string place = "line " + std::to_string(number);
    if (columns_ == 0) columns_ = fields_.size();
    if (fields_.size() != columns_) {
      refuse(name_, place + " has another number of columns than the lines before",
             std::to_string(fields_.size()), std::to_string(columns_));
    }
    for (std::size_t column = 0; column < columns_; ++column) {
      const std::optional<double> value = number_of(fields_[column]);
      if (!value) {
        refuse(name_, place + ", column " + std::to_string(column + 1) + " is not a number",
               fields_[column].empty() ? "nothing" : std::string(fields_[column].substr(0, 40)),
               "a number that fits into float64, with a point for the decimals");
      }
      values_.push_back(*value);
    }
    ++rows_;
  }

  std::string name_;
  char separator_ = 0;
  bool first_ = true;
  std::size_t columns_ = 0;
  Index rows_ = 0;
  std::vector<double> values_;
  std::vector<std::string_view> fields_;
};

}  // namespace

Array read_csv(const std::filesystem::path& path) {
  const InputFile file(path);
  if (file.size() == 0) refuse(file.name(), "the file is empty", {}, "rows of numbers");
  const std::string content = file.read_all();
  std::string_view text = content;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  CsvReader reader(file.name());
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    reader.line(text.substr(0, end), number);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return reader.finish();
}

void write_csv(const std::filesystem::path& path, const Array& array) {
  TANGRA_ENSURE(array.shape().rank() == 2);
  const Tensor<double> values = array.converted<double>();
  const Index columns = array.shape()[1];
  AtomicFile file(path);
  std::string line;
  for (Index i = 0; i < array.shape()[0]; ++i) {
    line.clear();
    for (Index c = 0; c < columns; ++c) {
      char text[32];
      const auto end = std::to_chars(std::begin(text), std::end(text), values[i * columns + c]);
      line.append(c == 0 ? "" : ",").append(text, end.ptr);
    }
    file.append(std::string_view(line += '\n'));
  }
  file.commit();
}

}  // namespace tangra::formats
