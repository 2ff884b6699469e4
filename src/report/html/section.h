#pragma once
// Not for other rooms: what the page of a report is put together from.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tangra::report {

using Object = nlohmann::ordered_json;

/// The text as HTML shows it: markup characters as entities, control characters as '?', bytes that are no
/// UTF-8 as U+FFFD.
std::string escaped(std::string_view text);

/// A figure that is to be seen first.
struct Tile {
  std::string label;
  std::string value;
  std::string hint = {};  ///< a sentence
};

struct Heading {
  std::string text;
  bool number = false;  ///< its column is aligned to the right
};

enum class Mood { plain, good, bad };

/// One run, or one theme, as HTML. Every text is escaped here and nowhere else.
class Section {
 public:
  Section(std::string id, std::string_view kind, std::string_view title);

  void verdict(std::string_view text, std::string_view advice, Mood mood);
  void tiles(const std::vector<Tile>& tiles);
  void heading(std::string_view text);
  void paragraph(std::string_view text);
  void note(std::string_view text);
  void code(std::string_view text);
  /// Rows beyond `limit` become a line that tells their number.
  void table(const std::vector<Heading>& headings, const std::vector<std::vector<std::string>>& rows,
             std::size_t limit = 40);
  /// Labels with texts; empty texts are left out.
  void facts(const std::vector<std::pair<std::string, std::string>>& facts);
  /// A chart by Vega-Lite (or Vega, where the specification has "marks"). caption: what is seen; it is the
  /// chart's name for those who do not see it.
  void chart(Object specification, std::string_view title, std::string_view caption);
  /// What follows stands beside each other where there is room, until end().
  void begin_row() { html_ += "<div class=\"row\">\n"; }
  /// What follows is hidden until the reader opens it.
  void begin_details(std::string_view summary);
  void end_row() { html_ += "</div>\n"; }
  void end_details() { html_ += "</details>\n"; }

  const std::string& id() const { return id_; }
  const std::string& title() const { return title_; }
  std::string html() const { return html_ + "</section>\n"; }
  const std::vector<Object>& charts() const { return charts_; }

 private:
  std::string id_;
  std::string title_;
  std::string html_;
  std::vector<Object> charts_;
};

}  // namespace tangra::report
