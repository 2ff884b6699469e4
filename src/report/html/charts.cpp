#include "charts.h"

#include <algorithm>
#include <cmath>

#include "tangra/report/page/text.h"

namespace tangra::report {
namespace {

constexpr int height = 260;
constexpr std::size_t most_points = 500;  // of eigenvalues

Object quantitative(const std::string& name, const std::string& title, bool log) {
  Object scale = {{"type", log ? "log" : "linear"}, {"nice", true}};
  if (!log) scale["zero"] = false;
  Object axis = {{"title", title}};
  if (log) {
    axis["format"] = "~g";
    axis["labelOverlap"] = true;
    axis["tickCount"] = 6;
  }
  return {{"field", name}, {"type", "quantitative"}, {"scale", std::move(scale)}, {"axis", std::move(axis)}};
}

bool drawable(double value, bool log) {
  return std::isfinite(value) && (!log || value > 0);
}

/// The ranks to draw of `count`, from 0: all of a few, else ever wider apart.
std::vector<std::size_t> thinned(std::size_t count) {
  std::vector<std::size_t> ranks;
  for (std::size_t k = 0; k < std::min(count, most_points); ++k) {
    // Every leading rank, then ever wider steps, and the last one.
    const double share = static_cast<double>(k) / static_cast<double>(most_points - 1);
    const auto spread =
        static_cast<std::size_t>(std::lround(std::pow(static_cast<double>(count), share))) - 1;
    const std::size_t rank = count > most_points ? std::max(k, spread) : k;
    if (ranks.empty() || rank > ranks.back()) ranks.push_back(rank);
  }
  return ranks;
}

Object in_layers(Object data, Object layers) {
  return {{"height", height}, {"data", {{"values", std::move(data)}}}, {"layer", std::move(layers)}};
}

Object tooltip(const std::string& name, const std::string& title) {
  return {{"field", name}, {"type", "quantitative"}, {"title", title}, {"format", ".5~g"}};
}

}  // namespace

Object line_chart(const std::vector<Line>& lines, const Axes& axes) {
  Object values = Object::array(), names = Object::array();
  for (const Line& line : lines) {
    names.push_back(line.name);
    for (std::size_t k = 0; k < std::min(line.x.size(), line.y.size()); ++k) {
      if (drawable(line.x[k], axes.x_log) && drawable(line.y[k], axes.y_log))
        values.push_back({{"x", line.x[k]}, {"y", line.y[k]}, {"line", line.name}});
    }
  }
  Object y = quantitative("y", axes.y, axes.y_log);
  if (axes.percent) y["axis"]["format"] = ".3~%";
  Object colour = {{"field", "line"}, {"type", "nominal"}, {"sort", names}, {"title", nullptr}};
  colour["legend"] = lines.size() > 1 ? Object{{"orient", "top"}, {"symbolType", "stroke"}, {"columns", 3}}
                                      : Object(nullptr);
  Object mark = {{"type", "line"}, {"strokeWidth", 2}, {"interpolate", "linear"}};
  mark["point"] = axes.marks ? Object{{"size", 28}} : Object(false);
  return {{"height", height},
          {"data", {{"values", std::move(values)}}},
          {"mark", std::move(mark)},
          {"encoding",
           {{"x", quantitative("x", axes.x, axes.x_log)},
            {"y", std::move(y)},
            {"color", std::move(colour)},
            {"tooltip",
             {{{"field", "line"}, {"type", "nominal"}, {"title", "line"}},
              tooltip("x", axes.x),
              tooltip("y", axes.y)}}}}};
}

Object eigenvalue_chart(const std::vector<double>& eigenvalues, double bound) {
  Object values = Object::array();
  bool negative = false;
  for (const std::size_t rank : thinned(eigenvalues.size())) {
    const double value = eigenvalues[rank];
    if (!drawable(std::abs(value), true)) continue;
    negative = negative || value < 0;
    values.push_back({{"rank", rank + 1},
                      {"size", std::abs(value)},
                      {"value", value},
                      {"sign", value > 0 ? "positive" : "negative, by size"}});
  }
  Object colour = {
      {"field", "sign"},
      {"type", "nominal"},
      {"title", nullptr},
      {"scale", {{"domain", {"positive", "negative, by size"}}, {"range", {"$first", "$second"}}}}};
  colour["legend"] = negative ? Object{{"orient", "top"}} : Object(nullptr);
  Object rank = quantitative("rank", "rank", true);
  rank["scale"]["nice"] = false;
  rank["scale"]["padding"] = 10;
  Object layers = Object::array();
  layers.push_back({{"mark", {{"type", "point"}, {"filled", true}, {"size", 26}, {"opacity", 0.85}}},
                    {"encoding",
                     {{"x", std::move(rank)},
                      {"y", quantitative("size", "eigenvalue", true)},
                      {"color", std::move(colour)},
                      {"tooltip", {tooltip("rank", "rank"), tooltip("value", "eigenvalue")}}}}});
  if (bound > 0) {
    layers.push_back({{"data", {{"values", {{{"size", bound}}}}}},
                      {"mark", {{"type", "rule"}, {"strokeDash", {4, 4}}, {"color", "$muted"}}},
                      {"encoding", {{"y", {{"field", "size"}, {"type", "quantitative"}}}}}});
    layers.push_back(
        {{"data", {{"values", {{{"size", bound}, {"text", "bound of rounding"}}}}}},
         {"mark",
          {{"type", "text"}, {"align", "left"}, {"baseline", "bottom"}, {"dy", -4}, {"color", "$muted"}}},
         {"encoding",
          {{"x", {{"value", 6}}},
           {"y", {{"field", "size"}, {"type", "quantitative"}}},
           {"text", {{"field", "text"}}}}}});
  }
  return in_layers(std::move(values), std::move(layers));
}

Object density_chart(const std::vector<double>& edges, const std::vector<double>& counts) {
  Object values = Object::array();
  for (std::size_t k = 0; k + 1 < edges.size() && k < counts.size(); ++k) {
    if (drawable(edges[k], true) && drawable(edges[k + 1], true) && drawable(counts[k], true))
      values.push_back({{"from", edges[k]}, {"to", edges[k + 1]}, {"count", counts[k]}, {"floor", 0}});
  }
  return {{"height", height},
          {"data", {{"values", std::move(values)}}},
          {"mark", {{"type", "rect"}, {"color", "$first"}, {"stroke", "$paper"}, {"strokeWidth", 0.5}}},
          {"encoding",
           {{"x", quantitative("from", "eigenvalue", true)},
            {"x2", {{"field", "to"}}},
            {"y", {{"field", "count"}, {"type", "quantitative"}, {"axis", {{"title", "eigenvalues"}}}}},
            {"y2", {{"field", "floor"}}},
            {"tooltip", {tooltip("from", "from"), tooltip("to", "to"), tooltip("count", "eigenvalues")}}}}};
}

Object share_chart(const std::vector<std::string>& names, const std::vector<double>& shares) {
  Object values = Object::array();
  for (std::size_t k = 0; k < std::min(names.size(), shares.size()); ++k) {
    if (std::isfinite(shares[k]))
      values.push_back(
          {{"name", names[k]}, {"share", shares[k]}, {"text", significant(100 * shares[k], 3) + " %"}});
  }
  const Object y = {{"field", "name"},
                    {"type", "nominal"},
                    {"sort", nullptr},
                    {"axis", {{"title", nullptr}, {"labelLimit", 170}}}};
  const Object x = {{"field", "share"},
                    {"type", "quantitative"},
                    {"axis", {{"title", "share of the trace"}, {"format", ".3~%"}}}};
  Object layers = Object::array();
  layers.push_back({{"mark", {{"type", "bar"}, {"color", "$first"}, {"cornerRadiusEnd", 2}}},
                    {"encoding", {{"x", x}, {"y", y}}}});
  layers.push_back({{"mark", {{"type", "text"}, {"align", "left"}, {"dx", 5}, {"color", "$ink"}}},
                    {"encoding", {{"x", x}, {"y", y}, {"text", {{"field", "text"}}}}}});
  Object result = in_layers(std::move(values), std::move(layers));
  result["height"] = 26 * std::max<std::size_t>(names.size(), 1);
  return result;
}

namespace {

/// Ticks of a heat map's side: at the middle of every class.
Object class_axis(const std::vector<run::HeatMap::Band>& bands, const char* orient, const char* scale,
                  Index count) {
  Object axis = {{"orient", orient}, {"scale", scale}, {"ticks", false}, {"domain", false}, {"grid", false}};
  if (bands.empty()) {
    axis["values"] = {0, 1};
    axis["title"] = "samples in the order of the data, " + grouped(count);
    axis["labels"] = false;
    return axis;
  }
  Object places = Object::array(), names = Object::object();
  std::string words = "''";
  for (const run::HeatMap::Band& band : bands) {
    const double middle = (band.begin + band.end) / 2;
    places.push_back(middle);
    words.insert(0, "abs(datum.value - " + Object(middle).dump() + ") < 1e-9 ? '" +
                        std::to_string(band.label) + "' : ");
  }
  axis["values"] = std::move(places);
  axis["title"] = "class";
  axis["labelOverlap"] = true;
  axis["encode"] = {{"labels", {{"update", {{"text", {{"signal", std::move(words)}}}}}}}};
  return axis;
}

Object borders(const std::vector<run::HeatMap::Band>& bands, const char* scale, bool vertical) {
  Object values = Object::array();
  for (std::size_t k = 1; k < bands.size(); ++k) values.push_back(bands[k].begin);
  Object place = {{vertical ? "x" : "y", {{"scale", scale}, {"field", "data"}}},
                  {vertical ? "y" : "x", {{"value", 0}}},
                  {vertical ? "y2" : "x2", {{"signal", vertical ? "height" : "width"}}},
                  {"stroke", {{"value", "$paper"}}},
                  {"strokeOpacity", {{"value", 0.45}}},
                  {"strokeWidth", {{"value", 0.7}}}};
  return {{"data", std::move(values)}, {"mark", std::move(place)}};
}

}  // namespace

Object heat_chart(const run::HeatMap& map) {
  constexpr double steps = 999;
  Object grid = Object::array();
  const double span = map.high > map.low ? map.high - map.low : 1;
  for (const double pixel : map.pixels) {
    const double place = std::isfinite(pixel) ? std::clamp((pixel - map.low) / span, 0.0, 1.0) : 0;
    grid.push_back(static_cast<int>(std::lround(place * steps)));
  }
  const Object rows = borders(map.row_bands, "y", false), columns = borders(map.column_bands, "x", true);
  Object spec = {{"square", map.width == map.height},
                 {"autosize", {{"type", "fit"}, {"contains", "padding"}}}};
  spec["data"] = {{{"name", "map"},
                   {"values", {{{"width", map.width}, {"height", map.height}, {"values", std::move(grid)}}}}},
                  {{"name", "rows"}, {"values", rows.at("data")}},
                  {{"name", "columns"}, {"values", columns.at("data")}}};
  const auto shades = Object{"$shade0", "$shade1", "$shade2", "$shade3", "$shade4"};
  spec["scales"] = {
      {{"name", "x"}, {"type", "linear"}, {"domain", {0, 1}}, {"range", "width"}},
      {{"name", "y"}, {"type", "linear"}, {"domain", {0, 1}}, {"range", {0, {{"signal", "height"}}}}},
      {{"name", "step"}, {"type", "linear"}, {"domain", {0, steps}}, {"range", shades}},
      {{"name", "entry"}, {"type", "linear"}, {"domain", {map.low, map.low + span}}, {"range", shades}}};
  spec["axes"] = {class_axis(map.column_bands, "bottom", "x", map.columns),
                  class_axis(map.row_bands, "left", "y", map.rows)};
  spec["legends"] = {{{"fill", "entry"},
                      {"orient", "bottom"},
                      {"type", "gradient"},
                      {"title", "entry of K"},
                      {"format", ".3~g"},
                      {"direction", "horizontal"}}};
  Object marks = Object::array();
  marks.push_back({{"type", "image"},
                   {"from", {{"data", "map"}}},
                   {"encode",
                    {{"update",
                      {{"x", {{"value", 0}}},
                       {"y", {{"value", 0}}},
                       {"width", {{"signal", "width"}}},
                       {"height", {{"signal", "height"}}},
                       {"aspect", {{"value", false}}},
                       {"smooth", {{"value", false}}}}}}},
                   {"transform",
                    {{{"type", "heatmap"},
                      {"field", "datum"},
                      {"color", {{"expr", "scale('step', datum.$value)"}}},
                      {"opacity", 1}}}}});
  for (const auto& [name, border] :
       {std::pair<const char*, const Object&>{"rows", rows}, {"columns", columns}})
    marks.push_back(
        {{"type", "rule"}, {"from", {{"data", name}}}, {"encode", {{"update", border.at("mark")}}}});
  spec["marks"] = std::move(marks);
  return spec;
}

Object width_chart(const run::WidthPlot& plot, const std::string& label) {
  Object values = Object::array(), fit = Object::array();
  double x = 0, y = 0;
  for (const run::WidthPlot::Point& point : plot.points) {
    values.push_back({{"width", point.width}, {"value", point.value}});
    x += std::log(static_cast<double>(point.width)) / static_cast<double>(plot.points.size());
    y += std::log(point.value) / static_cast<double>(plot.points.size());
  }
  for (const Index width : {plot.points.front().width, plot.points.back().width}) {
    const double slope = plot.slope ? plot.slope->slope : 0;
    fit.push_back(
        {{"width", width}, {"value", std::exp(y + slope * (std::log(static_cast<double>(width)) - x))}});
  }
  Object across = quantitative("width", "width of the hidden layers", true),
         up = quantitative("value", label, true);
  for (Object* axis : {&across, &up}) (*axis)["scale"]["nice"] = false, (*axis)["scale"]["padding"] = 12;
  Object layers = Object::array();
  layers.push_back(
      {{"mark", {{"type", "point"}, {"filled", true}, {"size", 40}, {"color", "$first"}}},
       {"encoding",
        {{"x", across}, {"y", up}, {"tooltip", {tooltip("width", "width"), tooltip("value", "value")}}}}});
  layers.push_back({{"data", {{"values", std::move(fit)}}},
                    {"mark", {{"type", "line"}, {"color", "$second"}, {"strokeWidth", 2}}},
                    {"encoding", {{"x", across}, {"y", up}}}});
  return in_layers(std::move(values), std::move(layers));
}

}  // namespace tangra::report
