#include "section.h"

#include <algorithm>

#include "tangra/report/page/text.h"

namespace tangra::report {
namespace {

/// The length of the UTF-8 character at the beginning; 0 where the bytes are none.
std::size_t character_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  const auto follows = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  if (!std::ranges::all_of(text.substr(1, length - 1), follows)) return 0;
  const auto second = length > 1 ? static_cast<unsigned char>(text[1]) : 0U;
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool beyond = (lead == 0xED && second > 0x9F) || (lead == 0xF4 && second > 0x8F);
  return overlong || beyond ? 0 : length;
}

std::string element(std::string_view tag, std::string_view css, std::string_view text) {
  std::string html = "<" + std::string(tag);
  if (!css.empty()) html += " class=\"" + std::string(css) + "\"";
  return html + ">" + escaped(text) + "</" + std::string(tag) + ">";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string html;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const char c = text.front();
    if (length == 0)
      html += "\xEF\xBF\xBD";
    else if (length > 1)
      html += text.substr(0, length);
    else if (c == '&')
      html += "&amp;";
    else if (c == '<')
      html += "&lt;";
    else if (c == '>')
      html += "&gt;";
    else if (c == '"')
      html += "&quot;";
    else if (c == '\'')
      html += "&#39;";
    else if (c == '\n' || c == '\t')
      html += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      html += '?';
    else
      html += c;
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return html;
}

Section::Section(std::string id, std::string_view kind, std::string_view title)
    : id_(std::move(id)), title_(title) {
  html_ = "<section id=\"" + id_ + "\">\n<header>" + element("p", "kind", kind) + element("h2", "", title) +
          "</header>\n";
}

void Section::verdict(std::string_view text, std::string_view advice, Mood mood) {
  const char* css = mood == Mood::good ? "verdict good" : mood == Mood::bad ? "verdict bad" : "verdict";
  html_ += "<div class=\"" + std::string(css) + "\">" + element("p", "", text);
  if (!advice.empty()) html_ += element("p", "advice", advice);
  html_ += "</div>\n";
}

void Section::tiles(const std::vector<Tile>& tiles) {
  if (tiles.empty()) return;
  html_ += "<dl class=\"tiles\">\n";
  for (const Tile& tile : tiles) {
    html_ += "<div>" + element("dt", "", tile.label) + element("dd", "", tile.value);
    if (!tile.hint.empty()) html_ += element("dd", "hint", tile.hint);
    html_ += "</div>\n";
  }
  html_ += "</dl>\n";
}

void Section::heading(std::string_view text) {
  html_ += element("h3", "", text) + "\n";
}
void Section::paragraph(std::string_view text) {
  html_ += element("p", "", text) + "\n";
}
void Section::note(std::string_view text) {
  html_ += element("p", "note", text) + "\n";
}
void Section::code(std::string_view text) {
  html_ += "<pre>" + element("code", "", text) + "</pre>\n";
}

void Section::table(const std::vector<Heading>& headings, const std::vector<std::vector<std::string>>& rows,
                    std::size_t limit) {
  html_ += "<div class=\"scroll\"><table>\n<thead><tr>";
  for (const Heading& heading : headings)
    html_ += element("th", heading.number ? "number" : "", heading.text);
  html_ += "</tr></thead>\n<tbody>\n";
  for (std::size_t r = 0; r < std::min(limit, rows.size()); ++r) {
    html_ += "<tr>";
    for (std::size_t c = 0; c < rows[r].size(); ++c)
      html_ += element("td", headings[c].number ? "number" : "", rows[r][c]);
    html_ += "</tr>\n";
  }
  html_ += "</tbody></table></div>\n";
  if (rows.size() > limit)
    note("and " + grouped(static_cast<Index>(rows.size() - limit)) +
         " more rows, which stand in the run's .json");
}

void Section::facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  html_ += "<dl class=\"facts\">\n";
  for (const auto& [label, text] : facts) {
    if (!text.empty()) html_ += element("dt", "", label) + element("dd", "", text) + "\n";
  }
  html_ += "</dl>\n";
}

void Section::chart(Object specification, std::string_view title, std::string_view caption) {
  html_ += "<figure>" + element("p", "chart-title", title) +
           "<div class=\"chart\" role=\"img\" aria-label=\"" + escaped(title) + "\" id=\"" + id_ + "-chart-" +
           std::to_string(charts_.size()) + "\"></div>" + element("figcaption", "", caption) + "</figure>\n";
  charts_.push_back(std::move(specification));
}

void Section::begin_details(std::string_view summary) {
  html_ += "<details>" + element("summary", "", summary) + "\n";
}

}  // namespace tangra::report
