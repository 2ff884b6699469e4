#include "widths.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace tangra::run {
namespace {

/// A number in a text.
struct Number {
  std::size_t at = 0;
  std::size_t length = 0;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The numbers of every "n => m" in a chain.
std::vector<std::pair<Number, Number>> arrows(const std::string& chain) {
  std::vector<std::pair<Number, Number>> found;
  for (std::size_t at = chain.find("=>"); at != std::string::npos; at = chain.find("=>", at + 2)) {
    std::size_t end = at, begin = at + 2;
    while (end > 0 && chain[end - 1] == ' ') --end;
    Number before{.at = end, .length = 0};
    while (before.at > 0 && is_digit(chain[before.at - 1])) --before.at, ++before.length;
    while (begin < chain.size() && chain[begin] == ' ') ++begin;
    Number behind{.at = begin, .length = 0};
    while (begin + behind.length < chain.size() && is_digit(chain[begin + behind.length])) ++behind.length;
    if (before.length > 0 && behind.length > 0) found.emplace_back(before, behind);
  }
  return found;
}

std::string chain_of(const formats::JsonFile& file) {
  return file.text("/model/text").value_or("");
}

}  // namespace

std::string with_hidden_width(const std::string& chain, Index width) {
  const auto found = arrows(chain);
  std::string result;
  std::size_t copied = 0;
  const auto replace = [&](const Number& number) {
    result += chain.substr(copied, number.at - copied) + std::to_string(width);
    copied = number.at + number.length;
  };
  for (std::size_t k = 0; k < found.size(); ++k) {
    if (k > 0) replace(found[k].first);
    if (k + 1 < found.size()) replace(found[k].second);
  }
  return result + chain.substr(copied);
}

Index hidden_width(const std::string& chain) {
  const auto found = arrows(chain);
  Index least = 0;
  for (std::size_t k = 0; k + 1 < found.size(); ++k) {
    const Number& number = found[k].second;
    if (number.length > 9) return 0;
    const Index width = std::stoll(chain.substr(number.at, number.length));
    least = k == 0 ? width : std::min(least, width);
  }
  return least;
}

WidthSlope slope_of(const std::vector<std::pair<Index, double>>& values) {
  struct Sums {
    double count = 0, total = 0;
  };
  std::map<Index, Sums> by_width;
  for (const auto& [width, value] : values) {
    by_width[width].count += 1;
    by_width[width].total += std::log(value);
  }
  if (by_width.size() < 2) return {};
  double x_mean = 0, y_mean = 0;
  for (const auto& [width, sums] : by_width) {
    x_mean += std::log(static_cast<double>(width)) / static_cast<double>(by_width.size());
    y_mean += sums.total / sums.count / static_cast<double>(by_width.size());
  }
  double xx = 0, xy = 0;
  for (const auto& [width, sums] : by_width) {
    const double x = std::log(static_cast<double>(width)) - x_mean;
    xx += x * x;
    xy += x * (sums.total / sums.count - y_mean);
  }
  WidthSlope result{.slope = xy / xx, .error = 0};
  // Every value scatters about the line by itself; a width's mean by 1 / sqrt(count) of that.
  double scatter = 0, variance = 0;
  for (const auto& [width, value] : values) {
    const double miss =
        std::log(value) - y_mean - result.slope * (std::log(static_cast<double>(width)) - x_mean);
    scatter += miss * miss;
  }
  scatter /= std::max(1.0, static_cast<double>(values.size()) - 2);
  for (const auto& [width, sums] : by_width) {
    const double x = std::log(static_cast<double>(width)) - x_mean;
    variance += x * x / (xx * xx) * scatter / sums.count;
  }
  result.error = std::sqrt(variance);
  return result;
}

std::vector<WidthPlot> width_plots(const Descriptions& descriptions) {
  WidthPlot infinite{
      .what = "Distance of finite networks' kernels from the closed form of infinite width, |K - T| / |T|",
      .expected = "theory: -1/2",
      .points = {},
      .slope = {}};
  WidthPlot lazy{
      .what =
          "Largest distance of networks from their linearisation while they train, on the training samples",
      .expected = "theory: -1/2",
      .points = {},
      .slope = {}};
  const auto add = [](WidthPlot& plot, Index width, std::optional<double> value) {
    if (width > 0 && value && *value > 0 && std::isfinite(*value))
      plot.points.push_back({.width = width, .value = *value});
  };
  Index infinite_runs = 0;
  for (const auto& file : descriptions) {
    if (!file) continue;
    const auto command = file->text("/command");
    if (command == "infinite") {
      const std::size_t before = infinite.points.size();
      add(infinite, hidden_width(chain_of(*file)), file->number("/comparison/distance"));
      for (int k = 0; file->number("/convergence/" + std::to_string(k) + "/width"); ++k) {
        const std::string row = "/convergence/" + std::to_string(k);
        const double width = *file->number(row + "/width");
        if (width >= 1 && width < 1e9)
          add(infinite, static_cast<Index>(width), file->number(row + "/distance"));
      }
      if (infinite.points.size() > before) ++infinite_runs;
    } else if (command == "linearise") {
      add(lazy, hidden_width(chain_of(*file)), file->number("/largest_distance"));
    }
  }
  if (infinite_runs < 2) infinite.points.clear();  // the run's own section has the plot
  std::vector<WidthPlot> plots;
  for (WidthPlot* plot : {&infinite, &lazy}) {
    std::ranges::stable_sort(plot->points, {}, &WidthPlot::Point::width);
    if (plot->points.empty() || plot->points.front().width == plot->points.back().width) continue;
    std::vector<std::pair<Index, double>> values;
    for (const WidthPlot::Point& point : plot->points) values.emplace_back(point.width, point.value);
    plot->slope = slope_of(values);
    plots.push_back(std::move(*plot));
  }
  return plots;
}

}  // namespace tangra::run
