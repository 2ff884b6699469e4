// The whole page.
#include <algorithm>

#include "charts.h"
#include "runs.h"
#include "tangra/report/html.h"
#include "tangra/report/json.h"

namespace tangra::report {

// Made by CMake from files beside this one, and from Vega where it was found.
extern const unsigned char page_css[];
extern const std::size_t page_css_size;
extern const unsigned char page_js[];
extern const std::size_t page_js_size;
extern const unsigned char vega_js[];
extern const std::size_t vega_js_size;

namespace {

std::string_view text_of(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

struct Kind {
  const char* command;
  const char* name;
};

constexpr Kind kinds[] = {
    {"kernel", "Tangent kernel"},   {"spectrum", "Spectrum"}, {"predict", "Kernel regression"},
    {"infinite", "Infinite width"}, {"train", "Training"},    {"linearise", "Linearised training"},
    {"verify", "Verification"},     {"plan", "Plan"},         {"summary", "Network"},
    {"jacobian", "Jacobian"},       {"jvp", "J v"},           {"vjp", "uᵀ J"}};

std::string kind_of(const std::string& command) {
  const auto* const found =
      std::ranges::find_if(kinds, [&](const Kind& kind) { return command == kind.command; });
  return found == std::end(kinds) ? command : found->name;
}

struct Word {
  const char* term;
  const char* meaning;
};

constexpr Word words[] = {
    {"Tangent kernel (NTK)",
     "K(x, x') is the inner product of the gradients of the network's output at x and at x' by all "
     "parameters: how much a step that fits x moves the output at x'."},
    {"Jacobian", "All these gradients as the rows of a matrix J; K is J times its transpose."},
    {"Reduction",
     "What becomes of several outputs: trace sums K over equal outputs, mean divides that by their number, "
     "full keeps every pair."},
    {"Eigenvalue, spectrum",
     "Along an eigenvector of K training by gradient descent proceeds at a rate that is its eigenvalue: "
     "large ones are learned first."},
    {"Positive definite",
     "All eigenvalues are above 0, so the kernel can fit any labels. A tangent kernel has none below 0; "
     "where a computed one has, it is rounding or an error."},
    {"Bound of rounding",
     "How far computed eigenvalues may be off, from the arithmetic, the storage and the measured error of "
     "the entries."},
    {"Condition number",
     "The largest eigenvalue over the smallest: how unequal the rates of learning are, and how many digits a "
     "solve loses."},
    {"Effective rank", "How many eigenvalues carry most of the trace."},
    {"Alignment",
     "The cosine of the angle between K and the kernel that has 1 for two samples of a class: how well K "
     "knows the labels already. Centred: with the means taken out."},
    {"Ridge",
     "A number added to the diagonal of K before solving: it damps directions that the data hardly "
     "determine, as noise of that variance would."},
    {"Leave-one-out",
     "Every training sample predicted from all others; known in closed form without fitting anew."},
    {"Lazy regime",
     "Training in which the parameters hardly move, so that the network stays near its linearisation and K "
     "near what it was. Wide networks come near it."},
    {"Infinite width",
     "The limit of ever wider hidden layers, where the kernel no longer depends on the random weights and "
     "has a closed form."},
    {"Residual", "|K v - λ v| of a computed pair: a true eigenvalue lies at most so far from λ."}};

/// JSON that may stand within a script element.
std::string harmless_json(const Object& object) {
  std::string result;
  for (const char c : object.dump(-1, ' ', false, Object::error_handler_t::replace)) {
    if (c == '<')
      result += "\\u003c";
    else if (c == '>')
      result += "\\u003e";
    else if (c == '&')
      result += "\\u0026";
    else
      result += c;
  }
  return result;
}

std::vector<ReadRun> read_runs(const run::ReportResult& result) {
  std::vector<ReadRun> runs;
  for (const run::ReportRun& run : result.runs) {
    Object fields = Object::parse(run.json, nullptr, false);
    runs.push_back({.run = &run, .fields = fields.is_object() ? std::move(fields) : Object::object()});
  }
  return runs;
}

Section section_of(const ReadRun& read, const std::string& id, const std::vector<ReadRun>& all) {
  const run::ReportRun& run = *read.run;
  Section section(id, kind_of(run.command), run.name);
  show_origin(section, read.fields);
  if (run.command == "kernel")
    show_kernel(section, read, all);
  else if (run.command == "plan")
    show_plan(section, read);
  else if (run.command == "spectrum")
    show_spectrum(section, read.fields);
  else if (run.command == "predict")
    show_predict(section, read);
  else if (run.command == "infinite")
    show_infinite(section, read);
  else if (run.command == "train")
    show_train(section, read);
  else if (run.command == "linearise")
    show_linearise(section, read);
  else if (run.command == "verify")
    show_verify(section, read);
  else if (run.command == "summary")
    show_summary(section, read);
  else
    show_arrays(section, read);
  if (run.spectrum) {
    section.heading("Eigenvalues, computed for this report");
    show_spectrum(section, Object::parse(json(*run.spectrum)));
  }
  for (const std::string& note : run.notes) section.note(note);
  show_costs(section, read.fields);
  return section;
}

Section width_section(const run::WidthPlot& plot, const std::string& id) {
  Section section(id, "Over all runs", plot.what);
  std::string found;
  if (plot.slope) found = significant(plot.slope->slope, 4) + " ± " + significant(plot.slope->error, 2);
  section.tiles({{"slope", found, "log distance over log width; " + plot.expected},
                 {"networks", grouped(static_cast<Index>(plot.points.size()))}});
  section.chart(width_chart(plot, "distance"), "Distance over width",
                "Both axes are logarithmic. Each point is a network; the line has the slope found by least "
                "squares over the means of each width.");
  std::vector<std::vector<std::string>> rows;
  for (const run::WidthPlot::Point& point : plot.points)
    rows.push_back({grouped(point.width), significant(point.value, 5)});
  section.begin_details("The distances as numbers");
  section.table({{"width", true}, {"distance", true}}, rows, 200);
  section.end_details();
  return section;
}

Section overview(const std::vector<ReadRun>& runs, const std::vector<std::string>& left_out) {
  Section section("runs", "Contents", "Runs");
  std::vector<std::vector<std::string>> rows;
  for (const ReadRun& read : runs)
    rows.push_back({read.run->name, kind_of(read.run->command), headline(read)});
  section.table({{"run"}, {"what"}, {"in short"}}, rows, 200);
  for (const std::string& each : left_out) section.note("left out: " + each);
  return section;
}

/// The first cell of every row leads to the section of that run.
std::string with_links(std::string html, std::size_t count) {
  std::size_t at = html.find("<tbody>");
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t open = html.find("<tr><td>", at);
    if (open == std::string::npos) break;
    const std::size_t begin = open + 8, end = html.find("</td>", begin);
    const std::string link = "<a href=\"#run-" + std::to_string(k + 1) + "\">";
    html.insert(end, "</a>");
    html.insert(begin, link);
    at = end + link.size();
  }
  return html;
}

std::string glossary() {
  std::string html =
      "<section id=\"words\">\n<header><p class=\"kind\">Terms</p><h2>What the words mean</h2></header>\n<dl "
      "class=\"words\">\n";
  for (const Word& word : words)
    html += "<dt>" + escaped(word.term) + "</dt><dd>" + escaped(word.meaning) + "</dd>\n";
  return html + "</dl>\n</section>\n";
}

std::string head(const std::string& title) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
         "content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" "
         "content=\"tangra\">\n<link rel=\"icon\" href=\"data:,\">\n<title>" +
         escaped(title) + "</title>\n<style>\n" + std::string(text_of(page_css, page_css_size)) +
         "</style>\n</head>\n<body>\n";
}

std::string scripts(const Object& charts) {
  if (!has_charts() || charts.empty()) return {};
  return "<script type=\"application/json\" id=\"charts\">" + harmless_json(charts) +
         "</script>\n<script>\n(function(){\"use strict\";\n" + std::string(text_of(vega_js, vega_js_size)) +
         "\n})();\n</script>\n<script>\n" + std::string(text_of(page_js, page_js_size)) + "</script>\n";
}

}  // namespace

bool has_charts() {
  return vega_js_size > 1;
}

std::string html(const run::ReportResult& result) {
  const std::vector<ReadRun> runs = read_runs(result);
  const bool single = runs.size() == 1;
  const std::string title = single ? kind_of(runs.front().run->command) + ", " + runs.front().run->name
                                   : grouped(static_cast<Index>(runs.size())) + " runs of tangra";
  std::vector<Section> sections;
  for (std::size_t k = 0; k < result.plots.size(); ++k)
    sections.push_back(width_section(result.plots[k], "widths-" + std::to_string(k + 1)));
  for (std::size_t k = 0; k < runs.size(); ++k)
    sections.push_back(section_of(runs[k], "run-" + std::to_string(k + 1), runs));
  Object charts = Object::object();
  std::string body;
  if (!single || !result.left_out.empty())
    body += with_links(overview(runs, result.left_out).html(), runs.size());
  for (const Section& section : sections) {
    body += section.html();
    for (std::size_t k = 0; k < section.charts().size(); ++k)
      charts[section.id() + "-chart-" + std::to_string(k)] = section.charts()[k];
  }
  std::string page =
      head(title) + "<div class=\"top\">\n<h1>" +
      escaped(single ? kind_of(runs.front().run->command) : title) + "</h1>\n<p class=\"lead\">" +
      escaped(single ? headline(runs.front()) : "Kernels of neural networks, and what follows from them") +
      "</p>\n</div>\n<main>\n";
  if (!has_charts() && !charts.empty())
    page +=
        "<p class=\"note\">This program was built without Vega, so there are no charts; all numbers stand in "
        "tables. scripts/install.sh brings Vega, then build anew.</p>\n";
  page += body + glossary() + "</main>\n<footer>Made by tangra " + escaped(result.provenance.version) +
          ". The page needs no network and no other file.</footer>\n";
  return page + scripts(charts) + "</body>\n</html>\n";
}

std::string json(const run::ReportResult& result) {
  Object object;
  object["command"] = "report";
  object["out"] = result.out.empty() ? Object(nullptr) : Object(result.out);
  object["charts"] = has_charts();
  object["runs"] = Object::array();
  for (const ReadRun& read : read_runs(result)) {
    object["runs"].push_back({{"name", read.run->name},
                              {"command", read.run->command},
                              {"headline", headline(read)},
                              {"picture", read.run->picture.has_value()},
                              {"notes", read.run->notes}});
  }
  object["plots"] = Object::array();
  for (const run::WidthPlot& plot : result.plots) {
    object["plots"].push_back({{"what", plot.what},
                               {"networks", plot.points.size()},
                               {"slope", plot.slope ? Object(plot.slope->slope) : Object(nullptr)},
                               {"slope_error", plot.slope ? Object(plot.slope->error) : Object(nullptr)}});
  }
  object["left_out"] = result.left_out;
  object["seconds"] = result.provenance.total_seconds;
  object["version"] = result.provenance.version;
  return object.dump(2, ' ', false, Object::error_handler_t::replace) + "\n";
}

}  // namespace tangra::report
