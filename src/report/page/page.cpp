#include "tangra/report/page/page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace tangra::report {
namespace {

constexpr Index indent = 2;
constexpr Index label_width = 13;
constexpr Index between_columns = 2;
constexpr Index readable = 9;  // columns of a text that is cut
constexpr Index left_out = -1;

std::string blanks(Index count) {
  return std::string(static_cast<std::size_t>(std::max<Index>(count, 0)), ' ');
}

}  // namespace

std::vector<Index> Table::natural_widths() const {
  std::vector<Index> result;
  for (const Column& column : columns_) result.push_back(display_width(column.heading));
  for (const std::vector<std::string>& row : rows_) {
    for (std::size_t c = 0; c < row.size(); ++c) result[c] = std::max(result[c], display_width(row[c]));
  }
  return result;
}

/// The columns' widths; left_out for those that are not shown.
std::vector<Index> Table::widths(Index width) const {
  std::vector<Index> result = natural_widths();
  const auto sum = [&](Index most_of_text) {
    Index total = -between_columns;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (result[c] == left_out) continue;
      total += between_columns +
               (columns_[c].align == Align::left ? std::min(result[c], most_of_text) : result[c]);
    }
    return total;
  };
  for (std::size_t c = columns_.size(); c-- > 0 && sum(readable) > width;) {
    if (columns_[c].expendable) result[c] = left_out;
  }
  const auto cut = [&](Align align, Index least) {
    while (sum(width) > width) {
      std::size_t widest = columns_.size();
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        const bool may = columns_[c].align == align && result[c] > least;
        if (may && (widest == columns_.size() || result[c] >= result[widest])) widest = c;
      }
      if (widest == columns_.size()) break;
      --result[widest];
    }
  };
  cut(Align::left, readable);
  cut(Align::left, 3);
  cut(Align::right, 3);
  return result;
}

std::string Table::line(const std::vector<std::string>& cells, const std::vector<Index>& widths,
                        bool unicode) const {
  std::string text;
  bool first = true;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    if (widths[c] == left_out) continue;
    const std::string cell = fit(cells[c], widths[c], unicode);
    const std::string space = blanks(widths[c] - display_width(cell));
    if (!std::exchange(first, false)) text += blanks(between_columns);
    text += columns_[c].align == Align::left ? cell + space : space + cell;
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::vector<std::string> Table::lines(Index width, bool unicode, std::size_t limit) const {
  const std::vector<Index> columns = widths(width);
  std::vector<std::string> result;
  std::vector<std::string> headings;
  for (const Column& column : columns_) headings.push_back(column.heading);
  if (std::ranges::any_of(headings, [](const std::string& text) { return !text.empty(); })) {
    result.push_back(line(headings, columns, unicode));
  }
  const std::size_t shown = std::min(limit, rows_.size());
  for (std::size_t r = 0; r < shown; ++r) result.push_back(line(rows_[r], columns, unicode));
  const auto left = static_cast<Index>(rows_.size() - shown);
  if (left > 0) result.push_back(fit("... and " + grouped(left) + " more; --json lists all", width, unicode));
  return result;
}

Page::Page(const TerminalStyle& style) : style_(style) {
  style_.width = std::max<Index>(style_.width, 40);
}

std::string Page::toned(std::string_view text, Tone tone) const {
  if (!style_.colour || tone == Tone::plain) return std::string(text);
  const char* code = tone == Tone::strong ? "\x1b[1m" : tone == Tone::good ? "\x1b[32m" : "\x1b[1;31m";
  return code + std::string(text) + "\x1b[0m";
}

void Page::title(std::string_view text) {
  for (const std::string& line : wrap(printable(text), style_.width))
    text_ += toned(line, Tone::strong) + '\n';
}

void Page::heading(std::string_view text) {
  gap();
  title(text);
}

void Page::field(std::string_view label, std::string_view text, Tone tone) {
  std::string head = blanks(indent) + std::string(label);
  head += blanks(std::max<Index>(indent + label_width - display_width(head), 1));
  for (const std::string& line : wrap(printable(text), style_.width - indent - label_width)) {
    text_ += head + toned(line, tone) + '\n';
    head = blanks(indent + label_width);
  }
}

void Page::paragraph(std::string_view text, Tone tone) {
  for (const std::string& line : wrap(printable(text), style_.width - indent)) {
    text_ += blanks(indent) + toned(line, tone) + '\n';
  }
}

void Page::table(const Table& table, std::size_t limit) {
  for (const std::string& line : table.lines(style_.width - indent, style_.unicode, limit)) {
    text_ += blanks(indent) + printable(line) + '\n';
  }
}

void Page::line(std::string_view text) {
  std::string line = blanks(indent) + fit(printable(text), style_.width - indent, style_.unicode);
  line.erase(line.find_last_not_of(' ') + 1);
  text_ += line + '\n';
}

void Page::command(const std::vector<CommandWord>& words) {
  for (const std::string& line : command_lines(words, style_.width - indent))
    text_ += blanks(indent) + line + '\n';
}

std::string bar(double share, Index width, bool unicode) {
  const double filled = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) * static_cast<double>(width) : 0;
  std::string text;
  if (!unicode) {
    text.assign(static_cast<std::size_t>(std::lround(filled)), '#');
  } else {
    constexpr std::array eighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto steps = static_cast<std::size_t>(std::lround(filled * 8));
    for (std::size_t full = 0; full < steps / 8; ++full) text += "█";
    text += eighths[steps % 8];
  }
  return text + blanks(width - display_width(text));
}

}  // namespace tangra::report
