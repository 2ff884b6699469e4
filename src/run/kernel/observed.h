#pragma once
// Not for other rooms: what is told of a kernel in a table, seen while its tiles pass.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tangra/kernel/tile_store.h"
#include "tangra/run/session.h"

namespace tangra::run {

inline constexpr Index corner_size = 4;

/// Passes tiles on, where there is somebody to pass them to, and keeps what is told of a kernel in a table: its diagonal,
/// its corner, its largest entry.
template <class T>
class Observed final : public kernel::TileStore<T> {
 public:
  /// `file` is what the inner store writes to; its description goes when it is begun anew.
  Observed(kernel::TileStore<T>* inner, int parts, Index planes, Index rows, Index columns, std::string file = {})
      : inner_(inner),
        file_(std::move(file)),
        rows_(std::min(rows, corner_size)),
        columns_(std::min(columns, corner_size)),
        last_(parts - 1),
        side_(std::min(rows, columns)) {
    diagonals_.assign(static_cast<std::size_t>(parts), std::vector<double>(static_cast<std::size_t>(planes * side_), 0.0));
    corner_.assign(static_cast<std::size_t>(rows_), std::vector<double>(static_cast<std::size_t>(columns_), 0.0));
  }

  void begin(const kernel::TileGrid& grid) override {
    inner_->begin(grid);
    if (!inner_->resumed()) remove_companion(file_);
  }
  bool resumed() const override { return inner_->resumed(); }
  bool both_triangles() const override { return inner_->both_triangles(); }
  bool have(int part, Index plane, Index row, Index column, MatrixView<T> tile) override {
    if (!inner_->have(part, plane, row, column, tile)) return false;
    observe(part, plane, row, column, tile);
    return true;
  }
  void write(int part, Index plane, Index row, Index column, MatrixView<const T> tile) override {
    if (inner_ != nullptr) inner_->write(part, plane, row, column, tile);
    observe(part, plane, row, column, tile);
  }
  void finish() override {}

  void observe(int part, Index plane, Index row, Index column, MatrixView<const T> tile) {
    T largest = 0;
    for (Index r = 0; r < tile.rows; ++r) {
      const Index on_diagonal = row + r - column;
      if (on_diagonal >= 0 && on_diagonal < tile.columns) {
        diagonals_[static_cast<std::size_t>(part)][static_cast<std::size_t>(plane * side_ + row + r)] = tile(r, on_diagonal);
      }
      if (part != last_) continue;
      for (Index c = 0; c < tile.columns; ++c) largest = std::max(largest, std::abs(tile(r, c)));
      for (Index c = 0; plane == 0 && row + r < rows_ && c < tile.columns && column + c < columns_; ++c) {
        corner_[static_cast<std::size_t>(row + r)][static_cast<std::size_t>(column + c)] = tile(r, c);
      }
    }
    const std::lock_guard lock(mutex_);
    largest_ = std::max(largest_, static_cast<double>(largest));
  }

  /// What it keeps, in bytes.
  std::size_t bytes() const { return diagonals_.size() * (diagonals_.empty() ? 0 : diagonals_.front().size()) * sizeof(double); }

  void describe(KernelResult& result) const {
    for (const auto& diagonal : diagonals_) {
      double trace = 0;
      for (const double entry : diagonal) trace += entry;
      result.part_traces.push_back(trace);
    }
    const auto& last = diagonals_.back();
    result.statistics.trace = result.part_traces.back();
    if (!last.empty()) {
      result.statistics.smallest_diagonal = *std::ranges::min_element(last);
      result.statistics.largest_diagonal = *std::ranges::max_element(last);
    }
    result.statistics.largest_entry = largest_;
    result.statistics.corner = corner_;
  }

 private:
  kernel::TileStore<T>* inner_;
  std::string file_;
  Index rows_;
  Index columns_;
  int last_;    ///< the part that the table shows: the total
  Index side_;  ///< of the diagonal
  std::vector<std::vector<double>> diagonals_;
  std::vector<std::vector<double>> corner_;
  double largest_ = 0;
  std::mutex mutex_;
};

}  // namespace tangra::run
