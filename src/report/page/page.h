#pragma once
// Not for other rooms: what the tables for people are put together from.
#include <string>
#include <string_view>
#include <vector>

#include "tangra/report/style.h"
#include "tangra/report/page/text.h"

namespace tangra::report {

enum class Align { left, right };

struct Column {
  std::string heading;
  Align align = Align::left;
  bool expendable = false;  ///< left out where the page is too narrow
};

/// Cells in aligned columns. Where they do not fit the page, expendable columns are left out, the last one
/// first; then text is cut, the widest column first, and numbers last of all.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  /// Rows beyond `limit` become one line that tells their number.
  std::vector<std::string> lines(Index width, bool unicode, std::size_t limit) const;

 private:
  std::vector<Index> natural_widths() const;
  std::vector<Index> widths(Index width) const;
  std::string line(const std::vector<std::string>& cells, const std::vector<Index>& widths,
                   bool unicode) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

enum class Tone { plain, strong, good, bad };

/// A report for people, line by line; no line is wider than the style says, but for commands that can be
/// pasted.
class Page {
 public:
  explicit Page(const TerminalStyle& style);

  void title(std::string_view text);
  /// A heading behind an empty line.
  void heading(std::string_view text);
  /// "  label     text", the text wrapped beside the label.
  void field(std::string_view label, std::string_view text, Tone tone = Tone::plain);
  void paragraph(std::string_view text, Tone tone = Tone::plain);
  void table(const Table& table, std::size_t limit = 60);
  /// A line as it is, cut to the width.
  void line(std::string_view text);
  void command(const std::vector<CommandWord>& words);
  void gap() { text_ += '\n'; }

  Index width() const { return style_.width; }
  bool unicode() const { return style_.unicode; }
  const std::string& text() const { return text_; }

 private:
  std::string toned(std::string_view text, Tone tone) const;

  TerminalStyle style_;
  std::string text_;
};

/// A bar of `width` columns, filled from the left to `share` of it (0 to 1).
std::string bar(double share, Index width, bool unicode);

}  // namespace tangra::report
