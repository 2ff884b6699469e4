#include "tangra/load/chain/source.h"

#include <algorithm>
#include <vector>

namespace tangra::load {
namespace {

/// The characters of a part of the text, each fit to be printed: control characters as blanks, bytes that are
/// no UTF-8 as question marks.
std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length == 0)
      result.emplace_back("?");
    else if (byte < 0x20 || byte == 0x7f)
      result.emplace_back(" ");
    else
      result.emplace_back(text.substr(at, length));
    at += std::max<std::size_t>(1, length);
  }
  return result;
}

std::string joined(const std::vector<std::string>& parts, std::size_t first, std::size_t last) {
  std::string result;
  for (std::size_t i = first; i < last; ++i) result += parts[i];
  return result;
}

/// The line around `begin` (the first byte of the line and the one behind its last) and the number of the
/// line.
struct Line {
  Extent extent;
  std::size_t number = 1;
};

Line line_at(std::string_view text, std::size_t begin) {
  const std::string_view before = text.substr(0, begin);
  const std::size_t previous = before.rfind('\n');
  const std::size_t next = text.find('\n', begin);
  return {.extent = {previous == std::string_view::npos ? 0 : previous + 1,
                     next == std::string_view::npos ? text.size() : next},
          .number = 1 + static_cast<std::size_t>(std::ranges::count(before, '\n'))};
}

/// The line in which the part begins, and below it a mark under the part. Of a long line only the
/// surroundings.
std::string picture(std::string_view text, Extent at, Extent line) {
  constexpr std::size_t before = 50;
  constexpr std::size_t width = 90;
  const std::vector<std::string> all = characters(text.substr(line.begin, line.end - line.begin));
  const std::size_t column = characters(text.substr(line.begin, at.begin - line.begin)).size();
  const std::size_t end = std::min(at.end, line.end);
  const std::size_t marked =
      end > at.begin ? characters(text.substr(at.begin, end - at.begin)).size() : std::size_t{1};

  const std::size_t first = column > before ? column - before : 0;
  const std::size_t last = std::min(all.size(), first + width);
  const std::string dots = first > 0 ? "..." : "";
  const std::size_t tail = std::min(marked, std::max(last, column + 1) - column) - 1;
  return "\n    " + dots + joined(all, first, last) + (last < all.size() ? "..." : "") + "\n    " +
         std::string(dots.size() + column - first, ' ') + "^" + std::string(tail, '~');
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t k) {
    return at + k < text.size() ? static_cast<unsigned char>(text[at + k]) : std::size_t{0};
  };
  const std::size_t lead = byte(0);
  if (at >= text.size()) return 0;
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  for (std::size_t k = 1; k < length; ++k) {
    if (byte(k) < 0x80 || byte(k) > 0xBF) return 0;
  }
  // Longer forms than needed, the halves of UTF-16 pairs, and what lies beyond U+10FFFF.
  const std::size_t second = byte(1);
  const bool outside = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                       (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
  return outside ? 0 : length;
}

std::string excerpt(const Source& source, Extent at) {
  constexpr std::size_t most = 60;
  if (at.begin >= source.text.size()) return "the end of the text";
  // A character has at most 4 bytes, so what is cut away here would not be shown anyway.
  const std::size_t bytes = std::min(std::max(at.end, at.begin + 1) - at.begin, 4 * (most + 1));
  const std::vector<std::string> all = characters(source.text.substr(at.begin, bytes));
  return all.size() <= most ? joined(all, 0, all.size()) : joined(all, 0, most - 3) + "...";
}

void refuse(const Source& source, Extent at, Complaint complaint) {
  refuse(source, source.kind, at, std::move(complaint));
}

void refuse(const Source& source, ErrorKind kind, Extent at, Complaint complaint) {
  at.begin = std::min(at.begin, source.text.size());
  const Line line = line_at(source.text, at.begin);
  const std::size_t column =
      1 + characters(source.text.substr(line.extent.begin, at.begin - line.extent.begin)).size();
  complaint.where = source.name + ":" + std::to_string(line.number) + ":" + std::to_string(column);
  if (complaint.cure.empty()) complaint.cure = "It is here:";
  complaint.cure += picture(source.text, at, line.extent);
  throw Error(kind, complaint);
}

}  // namespace tangra::load
