#include "heat_map.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tangra::run {
namespace {

constexpr Index most_pixels = 240;  // along a side

/// Which pixel each row (or column) of the matrix falls into, and where the classes lie.
struct Side {
  std::vector<Index> pixel;
  std::vector<HeatMap::Band> bands;
  Index pixels = 0;
};

Side side_of(Index count, const std::vector<Index>& labels) {
  Side side{.pixel = std::vector<Index>(static_cast<std::size_t>(count)),
            .bands = {},
            .pixels = std::min(count, most_pixels)};
  const auto samples = static_cast<Index>(labels.size());
  const bool sorted = samples > 0 && count % samples == 0;
  const Index rows_of_sample = sorted ? count / samples : 1;
  std::vector<Index> order(static_cast<std::size_t>(count / rows_of_sample));
  std::iota(order.begin(), order.end(), Index{0});
  const auto label = [&labels](Index sample) { return labels[static_cast<std::size_t>(sample)]; };
  if (sorted) std::ranges::stable_sort(order, {}, label);
  for (std::size_t place = 0; place < order.size(); ++place) {
    for (Index a = 0; a < rows_of_sample; ++a) {
      const Index row = static_cast<Index>(place) * rows_of_sample + a;
      side.pixel[static_cast<std::size_t>(order[place] * rows_of_sample + a)] = row * side.pixels / count;
    }
    if (!sorted) continue;
    const double begin = static_cast<double>(place) / static_cast<double>(samples);
    if (side.bands.empty() || side.bands.back().label != label(order[place]))
      side.bands.push_back({.label = label(order[place]), .begin = begin});
    side.bands.back().end = begin + 1.0 / static_cast<double>(samples);
  }
  return side;
}

/// Sums entries into pixels.
class Painter {
 public:
  Painter(Index rows, Index columns, const PictureLabels& labels)
      : rows_(side_of(rows, labels.rows)), columns_(side_of(columns, labels.columns)) {
    map_.rows = rows;
    map_.columns = columns;
    map_.height = rows_.pixels;
    map_.width = columns_.pixels;
    map_.pixels.assign(static_cast<std::size_t>(map_.height * map_.width), 0.0);
    counts_.assign(map_.pixels.size(), 0);
  }

  void add(Index row, Index column, double entry) {
    const Index y = rows_.pixel[static_cast<std::size_t>(row)],
                x = columns_.pixel[static_cast<std::size_t>(column)];
    const auto place = static_cast<std::size_t>(y * map_.width + x);
    map_.pixels[place] += entry;
    ++counts_[place];
  }

  HeatMap finish() {
    std::vector<double> known;
    for (std::size_t k = 0; k < map_.pixels.size(); ++k) {
      map_.pixels[k] = counts_[k] > 0 ? map_.pixels[k] / static_cast<double>(counts_[k])
                                      : std::numeric_limits<double>::quiet_NaN();
      if (std::isfinite(map_.pixels[k])) known.push_back(map_.pixels[k]);
    }
    if (!known.empty()) {
      std::ranges::sort(known);
      map_.low = known[known.size() * 2 / 100];
      map_.high = known[std::min(known.size() - 1, known.size() * 98 / 100)];
    }
    map_.row_bands = std::move(rows_.bands);
    map_.column_bands = std::move(columns_.bands);
    return std::move(map_);
  }

 private:
  Side rows_;
  Side columns_;
  HeatMap map_;
  std::vector<Index> counts_;
};

}  // namespace

HeatMap heat_map(const kernel::KernelFile& file, const PictureLabels& labels, const Context& context) {
  const Shape& shape = file.shape();
  const auto& pieces = file.pieces();
  const Index full = shape.rank() == 4 ? shape[1] : 1;
  const Index other_full = shape.rank() == 4 ? shape[3] : 1;
  Painter painter(shape[0] * full, shape[shape.rank() / 2] * other_full, labels);
  for (const kernel::KernelFile::Piece& piece : pieces) {
    context.check_cancelled();
    const Reservation memory(context.memory,
                             static_cast<std::size_t>(piece.rows * piece.columns) * sizeof(double),
                             "a piece of the kernel");
    auto entries = Tensor<double>::uninitialized(Shape{piece.rows, piece.columns});
    file.read(piece, matrix(entries.data(), piece.rows, piece.columns));
    for (Index r = 0; r < piece.rows; ++r) {
      for (Index c = 0; c < piece.columns; ++c) {
        const double entry = entries[r * piece.columns + c];
        painter.add(piece.row + r, piece.column + c, entry);
        if (piece.mirrored) painter.add(piece.column + c, piece.row + r, entry);
      }
    }
  }
  return painter.finish();
}

HeatMap heat_map(MatrixView<const double> matrix, const PictureLabels& labels) {
  Painter painter(matrix.rows, matrix.columns, labels);
  for (Index r = 0; r < matrix.rows; ++r) {
    for (Index c = 0; c < matrix.columns; ++c) painter.add(r, c, matrix(r, c));
  }
  return painter.finish();
}

}  // namespace tangra::run
