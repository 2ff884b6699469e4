#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tangra/report/suggestion.h"
#include "tangra/report/terminal.h"

namespace tangra::report {
namespace {

/// A picture's height, width and channels, where a sample is one.
struct Picture {
  Index channels = 1;
  Index height = 0;
  Index width = 0;
};

/// From (1, C, H, W), (1, H, W) or (1, n) with n a square.
std::optional<Picture> picture_of(const Shape& shape) {
  if (shape.rank() == 4) return Picture{shape[1], shape[2], shape[3]};
  if (shape.rank() == 3) return Picture{1, shape[1], shape[2]};
  if (shape.rank() != 2) return std::nullopt;
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(shape[1]))));
  if (side < 4 || side * side != shape[1]) return std::nullopt;
  return Picture{1, side, side};
}

/// One line a row, two characters a pixel; channels are averaged.
void show_picture(Page& page, const Array& sample) {
  const std::optional<Picture> picture = picture_of(sample.shape());
  if (!picture || 2 * picture->width > page.width() - 2 || picture->height > 64 ||
      !is_floating(sample.type()))
    return;
  const Tensor<double> values = sample.converted<double>();
  const auto [least, largest] = std::ranges::minmax(values);
  constexpr std::array unicode_shades = {" ", "░", "▒", "▓", "█"};
  constexpr std::array ascii_shades = {" ", ".", "+", "#", "@"};
  const auto& shades = page.unicode() ? unicode_shades : ascii_shades;
  const Index plane = picture->height * picture->width;
  for (Index y = 0; y < picture->height; ++y) {
    std::string line;
    for (Index x = 0; x < picture->width; ++x) {
      double sum = 0;
      for (Index c = 0; c < picture->channels; ++c) sum += values[c * plane + y * picture->width + x];
      const double mean = sum / static_cast<double>(picture->channels);
      const double share = largest > least ? (mean - least) / (largest - least) : 0;
      const char* shade = shades[static_cast<std::size_t>(std::lround(share * 4))];
      line += std::string(shade) + shade;
    }
    page.line(line);
  }
}

void show_classes(Page& page, const DataSetShown& shown) {
  if (shown.class_counts.empty()) return;
  page.heading("Classes");
  const Index most = std::ranges::max(shown.class_counts);
  Table table({{"label", Align::right}, {"class"}, {"samples", Align::right}, {""}});
  for (std::size_t k = 0; k < shown.class_counts.size(); ++k) {
    const Index count = shown.class_counts[k];
    const bool named = shown.info && k < shown.info->classes.size();
    const double share = most > 0 ? static_cast<double>(count) / static_cast<double>(most) : 0;
    table.add({std::to_string(k), named ? shown.info->classes[k] : "", grouped(count),
               bar(share, 24, page.unicode())});
  }
  page.table(table);
}

}  // namespace

std::string terminal(const DataSetList& list, const TerminalStyle& style) {
  Page page(style);
  page.title("Data sets");
  Table table({{"name"},
               {"samples", Align::right},
               {"test", Align::right, true},
               {"of", Align::left, true},
               {"where"},
               {"what", Align::left, true}});
  for (const data::DataSetInfo& set : list.sets) {
    const Shape sample(std::vector<Index>(set.training.begin() + 1, set.training.end()));
    table.add({set.name, grouped(set.training[0]), set.test ? grouped((*set.test)[0]) : "", sizes(sample),
               set.found.value_or("not here"), set.title});
  }
  page.table(table);
  page.gap();
  page.paragraph(
      "NAME is the training part, NAME:test the other. A file of yours does as well: .npy, .npz:key, .csv, "
      "IDX with or "
      "without .gz, CIFAR-10's .bin. Of a set that is not here, 'tangra data show NAME' tells how to get "
      "it.");
  return page.text();
}

std::string terminal(const DataSetShown& shown, const TerminalStyle& style) {
  Page page(style);
  page.title(shown.name);
  if (shown.info) {
    page.field("what", shown.info->title);
    page.field("training", sizes(shown.info->training));
    if (shown.info->test) page.field("test", sizes(*shown.info->test));
    page.field("licence", shown.info->licence);
    page.field("where", shown.info->found.value_or("not on this machine"));
    if (!shown.info->found) page.field("to get it", shown.info->how_to_get);
  }
  if (!shown.loaded) return page.text();
  page.field("shape",
             sizes(shown.shape) + (shown.shape.rank() == 4 ? " (samples, channels, height, width)" : ""));
  if (!shown.description.empty()) page.field("values", shown.description);
  show_classes(page, shown);
  if (shown.first.size() > 0) {
    const std::string label = shown.first_label ? ", label " + std::to_string(*shown.first_label) : "";
    page.heading("The first sample" + label);
    show_picture(page, shown.first);
  }
  return page.text();
}

}  // namespace tangra::report
