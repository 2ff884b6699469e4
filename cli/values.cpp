#include "values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace tangra::cli {
namespace {

/// Reads a number at the beginning of the text and takes it off.
template <class T>
bool take_number(std::string_view& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

/// Bytes of a unit; 0 for an unknown one.
double bytes_of_unit(std::string_view unit) {
  constexpr auto units = std::to_array<std::pair<std::string_view, double>>({{"", 1},
                                                                             {"B", 1},
                                                                             {"kB", 1e3},
                                                                             {"MB", 1e6},
                                                                             {"GB", 1e9},
                                                                             {"TB", 1e12},
                                                                             {"KiB", 0x1p10},
                                                                             {"MiB", 0x1p20},
                                                                             {"GiB", 0x1p30},
                                                                             {"TiB", 0x1p40}});
  for (const auto& [name, bytes] : units) {
    if (unit == name) return bytes;
  }
  return 0;
}

}  // namespace

std::size_t parse_bytes(const std::string& text, std::string_view option) {
  std::string_view rest = text;
  double number = 0;
  const bool is_number = take_number(rest, number);
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const double bytes = number * bytes_of_unit(rest);
  if (is_number && std::isfinite(bytes) && bytes >= 1 && bytes < 0x1p62)
    return static_cast<std::size_t>(bytes);
  throw Error(ErrorKind::usage, {.what = "this is not an amount of memory",
                                 .where = std::string(option),
                                 .got = text,
                                 .expected = "a number and one of B, kB, MB, GB, KiB, MiB, GiB, such as 4GiB",
                                 .cure = {}});
}

std::pair<Index, Index> parse_range(const std::string& text, std::string_view option) {
  std::string_view rest = text;
  Index begin = 0;
  Index end = 0;
  if (take_number(rest, begin) && rest.starts_with(':')) {
    rest.remove_prefix(1);
    if (take_number(rest, end) && rest.empty() && begin >= 0 && begin < end) return {begin, end};
  }
  throw Error(ErrorKind::usage, {.what = "these are not samples a:b, from a up to and without b",
                                 .where = std::string(option),
                                 .got = text,
                                 .expected = "two numbers with 0 <= a < b, such as 100:200",
                                 .cure = {}});
}

Shape parse_shape(const std::string& text, std::string_view option) {
  std::string_view rest = text;
  Shape shape;
  for (Index length = 0; take_number(rest, length) && length > 0; rest.remove_prefix(1)) {
    shape.append(length);
    if (rest.empty()) return shape;
    if (!rest.starts_with(',')) break;
  }
  throw Error(ErrorKind::usage, {.what = "this is not the shape of a sample",
                                 .where = std::string(option),
                                 .got = text.empty() ? "nothing" : text,
                                 .expected = "lengths above 0 with commas between them, such as 1,28,28",
                                 .cure = {}});
}

std::uint64_t parse_seed(const std::string& text, std::string_view option) {
  std::string_view rest = text;
  std::uint64_t seed = 0;
  if (take_number(rest, seed) && rest.empty()) return seed;
  throw Error(ErrorKind::usage, {.what = "this is not a seed",
                                 .where = std::string(option),
                                 .got = text.empty() ? "nothing" : text,
                                 .expected = "a whole number from 0 to 18446744073709551615",
                                 .cure = {}});
}

std::vector<std::string> parse_names(const std::string& text, std::string_view option) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string_view name = std::string_view(text).substr(begin, end - begin);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (name.empty()) {
      throw Error(ErrorKind::usage, {.what = "a name is empty",
                                     .where = std::string(option),
                                     .got = "'" + text + "'",
                                     .expected = "names with commas between them",
                                     .cure = {}});
    }
    names.emplace_back(name);
    begin = end + 1;
  }
  return names;
}

void refuse_choice(const std::string& text, std::string_view option, const std::string& choices) {
  throw Error(ErrorKind::usage, {.what = "there is no such choice",
                                 .where = std::string(option),
                                 .got = text.empty() ? "nothing" : text,
                                 .expected = "one of " + choices,
                                 .cure = {}});
}

}  // namespace tangra::cli
