#include "tangra/report/page/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tangra::report {
namespace {

constexpr Index axis_width = 9;

/// The decades that the picture spans.
struct Decades {
  int highest = 0;
  int lowest = 0;
};

Decades decades_of(const LogPlot& plot) {
  double largest = 0;
  double least = 0;
  for (const double value : plot.values) {
    const double size = std::abs(value);
    if (size == 0 || !std::isfinite(size)) continue;
    largest = std::max(largest, size);
    least = least == 0 ? size : std::min(least, size);
  }
  if (largest == 0) return {};
  // What is far below the floor is noise and need not be told apart.
  if (plot.floor > 0) least = std::max(least, plot.floor / 100);
  const int highest = static_cast<int>(std::ceil(std::log10(largest)));
  const int lowest = static_cast<int>(std::floor(std::log10(std::min(least, largest))));
  return {highest, std::min(lowest, highest - 1)};
}

/// Cells of a picture, each a character of one column.
class Canvas {
 public:
  Canvas(Index width, Index height) : width_(width), cells_(static_cast<std::size_t>(width * height), " ") {}
  void set(Index column, Index row, const char* mark) {
    cells_[static_cast<std::size_t>(row * width_ + column)] = mark;
  }
  std::string row(Index row) const {
    std::string text;
    for (Index c = 0; c < width_; ++c) text += cells_[static_cast<std::size_t>(row * width_ + c)];
    return text;
  }

 private:
  Index width_;
  std::vector<std::string> cells_;
};

Index row_of(double size, const Decades& decades, Index height) {
  const double share = (decades.highest - std::log10(size)) / (decades.highest - decades.lowest);
  return std::clamp<Index>(static_cast<Index>(std::lround(share * static_cast<double>(height - 1))), 0,
                           height - 1);
}

}  // namespace

std::vector<std::string> plot_lines(const LogPlot& plot) {
  const auto count = static_cast<Index>(plot.values.size());
  if (std::ranges::count_if(plot.values, [](double value) { return value != 0; }) < 3) return {};
  const Decades decades = decades_of(plot);
  const Index width = std::min(plot.width - axis_width, std::max<Index>(count, 24));
  Canvas canvas(width, plot.height);
  if (plot.floor > 0 && std::log10(plot.floor) >= decades.lowest) {
    const Index row = row_of(plot.floor, decades, plot.height);
    for (Index c = 0; c < width; ++c) canvas.set(c, row, plot.unicode ? "┄" : "-");
  }
  const char* positive = plot.unicode ? "•" : "*";
  const char* negative = plot.unicode ? "○" : "o";
  for (Index k = 0; k < count; ++k) {
    const double value = plot.values[static_cast<std::size_t>(k)];
    if (value == 0 || !std::isfinite(value)) continue;
    const Index column = count == 1 ? 0 : k * (width - 1) / (count - 1);
    canvas.set(column, row_of(std::abs(value), decades, plot.height), value > 0 ? positive : negative);
  }
  std::vector<std::string> lines;
  for (Index row = 0; row < plot.height; ++row) {
    std::string label;
    if (row == 0) label = fmt::format("1e{:+03d}", decades.highest);
    if (row == plot.height - 1) label = fmt::format("1e{:+03d}", decades.lowest);
    std::string line = fmt::format("{:>7} {}", label, plot.unicode ? "│" : "|") + canvas.row(row);
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace tangra::report
