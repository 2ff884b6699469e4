#include "tangra/report/page/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tangra::report {
namespace {

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

/// The bytes of the first `width` columns.
std::size_t bytes_of_columns(std::string_view text, Index width) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (starts_character(text[at]) && width-- == 0) break;
  }
  return at;
}

bool plain_in_shell(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_./:,=+@%").find(c) != std::string_view::npos;
}

/// In single quotes where the shell would read something else.
std::string quoted(std::string_view word) {
  if (!word.empty() && std::ranges::all_of(word, plain_in_shell)) return std::string(word);
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

}  // namespace

Index display_width(std::string_view text) {
  return static_cast<Index>(std::ranges::count_if(text, starts_character));
}

std::string printable(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = c == '\n' || c == '\t' ? ' ' : '?';
  }
  return result;
}

std::string fit(std::string_view text, Index width, bool unicode) {
  if (display_width(text) <= width) return std::string(text);
  const std::string_view mark = unicode ? "…" : "..";
  const Index room = std::max<Index>(width - display_width(mark), 0);
  return std::string(text.substr(0, bytes_of_columns(text, room))) + std::string(mark);
}

std::vector<std::string> wrap(std::string_view text, Index width) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t end = bytes_of_columns(text, width);
    if (end < text.size() && text[end] != ' ') {
      const std::size_t blank = text.substr(0, end).rfind(' ');
      if (blank != std::string_view::npos && blank > 0) end = blank;
    }
    std::string_view line = text.substr(0, end);
    while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(end);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  }
  if (lines.empty()) lines.emplace_back();
  return lines;
}

std::vector<std::string> command_lines(const std::vector<CommandWord>& words, Index width) {
  constexpr Index continuation = 2;  // " \\"
  std::vector<std::string> lines;
  std::string line;
  const auto add = [&](std::string_view piece, bool within_quotes, Index room_behind) {
    if (!line.empty() &&
        display_width(line) + 1 + display_width(piece) + room_behind + continuation > width) {
      lines.push_back(line + (within_quotes ? "" : " \\"));
      line = "   ";
    }
    line += (line.empty() ? "" : " ") + std::string(piece);
  };
  for (std::size_t w = 0; w < words.size(); ++w) {
    const std::string text = quoted(words[w].text);
    // An option stands on the same line as its value.
    const bool with_value = text.front() == '-' && w + 1 < words.size();
    const Index room_behind = with_value ? 1 + display_width(quoted(words[w + 1].text)) : 0;
    std::size_t begin = 0;
    while (begin <= text.size()) {
      const std::size_t end =
          words[w].blanks_may_break ? std::min(text.find(' ', begin), text.size()) : text.size();
      add(std::string_view(text).substr(begin, end - begin), begin > 0, room_behind);
      begin = end + 1;
    }
  }
  lines.push_back(line);
  return lines;
}

std::string grouped(Index count) {
  std::string digits = std::to_string(count);
  const std::size_t first = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string significant(double value, int digits) {
  if (value == 0) return "0";
  return fmt::format("{:.{}g}", value, digits);
}

std::string duration(double seconds) {
  if (!(seconds >= 0)) return "?";
  if (seconds < 0.9995) return fmt::format("{:.3g} ms", seconds * 1e3);
  if (seconds < 99.95) return fmt::format("{:.3g} s", seconds);
  const auto whole = static_cast<Index>(std::lround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string sizes(const Shape& shape) {
  if (shape.empty()) return "a single number";
  std::string text;
  for (const Index length : shape) text += (text.empty() ? "" : " x ") + grouped(length);
  return text;
}

std::string plural(Index count, std::string_view word) {
  return grouped(count) + " " + std::string(word) + (count == 1 ? "" : "s");
}

}  // namespace tangra::report
