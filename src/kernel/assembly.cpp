#include "tangra/kernel/assembly.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "tangra/base/error.h"
#include "tangra/base/hash.h"
#include "tangra/base/memory_needs.h"
#include "tangra/kernel/budget.h"
#include "tangra/kernel/factor_blocks.h"
#include "tangra/kernel/not_finite.h"

namespace tangra::kernel {
namespace {

using factors::ContractionPlan;
using factors::FactorBlock;
using factors::FactorSource;
using factors::BlockCollector;
using factors::BlockFactors;
using linalg::Side;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Of all that decides which products are summed in which order.
std::uint64_t fingerprint(const ContractionPlan& plan) {
  Hash hash;
  const auto add = [&](auto number) { hash.add(static_cast<std::uint64_t>(number)); };
  add(plan.layout.planes);
  add(plan.layout.full);
  add(plan.layout.inner);
  for (const factors::Contraction& contraction : plan.contractions) {
    add(contraction.parameter);
    add(contraction.part);
    add(contraction.order);
    add(contraction.first);
    add(contraction.last);
    add(contraction.bias_term);
    for (const int term : contraction.terms) add(term);
  }
  return hash.value();
}

/// Computes the tiles of one kernel, group of blocks by group of blocks.
template <class T>
class Assembler {
 public:
  Assembler(const Assembly<T>& assembly, TileStore<T>& store, const Context& context)
      : assembly_(assembly),
        store_(store),
        context_(context),
        symmetric_(assembly.columns == nullptr),
        row_source_(*assembly.rows),
        column_source_(symmetric_ ? *assembly.rows : *assembly.columns),
        workspaces_(static_cast<std::size_t>(context.pool.size())) {
    block_ = assembly.block_samples > 0 ? assembly.block_samples
                                        : default_block_samples(assembly.layout, std::max(row_source_.samples(), column_source_.samples()));
    report_.block_samples = block_;
    report_.plan = plan_of(assembly);
    passes_.emplace_back(0, report_.plan.contractions.size());
  }

  AssemblyReport plan() {
    if (row_source_.samples() == 0 || column_source_.samples() == 0) return report_;
    const Index group = group_size();
    const Index row_blocks = blocks_of(row_source_);
    report_.groups = (row_blocks + group - 1) / group;
    report_.tiles = symmetric_ ? row_blocks * (row_blocks + 1) / 2 : row_blocks * blocks_of(column_source_);
    return report_;
  }

  AssemblyReport run() {
    if (row_source_.samples() == 0 || column_source_.samples() == 0) return report_;
    const Index group = group_size();
    const Index row_blocks = blocks_of(row_source_);
    const Index column_blocks = blocks_of(column_source_);
    store_.begin(grid());
    find_missing();
    report_.groups = (row_blocks + group - 1) / group;
    for (Index r = 0; r < row_blocks; r += group) {
      const Index row_end = std::min(row_blocks, r + group);
      const Index columns_end = symmetric_ ? row_end : column_blocks;
      Packed rows;
      for (Index c = 0; c < columns_end; c += group) {
        const std::vector<TilePlace> tiles = missing_within(r, row_end, c, std::min(columns_end, c + group));
        if (tiles.empty()) continue;
        sums_ = std::vector<Tensor<T>>(passes_.size() > 1 ? tiles.size() : 0);
        if (report_.groups > 1) ::malloc_trim(0);  // the last group's factors lie in the arenas of all threads
        for (pass_ = 0; pass_ < passes_.size(); ++pass_) {
          plan_ = report_.plan.part(passes_[pass_].first, passes_[pass_].second);
          Packed columns;
          if (passes_.size() > 1) rows.clear();
          const bool same = symmetric_ && c == r;
          // Where the first group of columns is the group of rows itself, one sweep serves both sides.
          if (same && rows.empty()) pack_both(r, row_end, rows, columns);
          else if (serves_both_sides()) pack_in_one_sweep(rows, columns);
          else columns = pack(column_source_, c, std::min(columns_end, c + group), Side::right);
          if (rows.empty()) rows = pack(row_source_, r, row_end, Side::left);
          contract(tiles, rows, r, columns, c);
        }
      }
    }
    return report_;
  }

 private:
  using Packed = std::vector<BlockFactors<T>>;
  using TilePlace = std::pair<Index, Index>;  // the block of its rows, the block of its columns

  struct Workspace {
    factors::ContractionWorkspace<T> contraction;
    Tensor<T> part;
    Tensor<T> total;
    Tensor<T> mirrored;
  };

  /// `rows` by `columns` entries of memory that a worker keeps from tile to tile.
  static MatrixView<T> reused(Tensor<T>& memory, Index rows, Index columns) {
    if (memory.size() < rows * columns) memory = Tensor<T>::uninitialized(Shape{rows * columns});
    return matrix(memory.data(), rows, columns);
  }

  TileGrid grid() const {
    const Index full = assembly_.layout.full;
    return {.parts = assembly_.parts.count(), .planes = assembly_.layout.planes, .rows = row_source_.samples() * full,
            .columns = column_source_.samples() * full, .tile_rows = std::min(block_, row_source_.samples()) * full,
            .tile_columns = std::min(block_, column_source_.samples()) * full, .block_samples = block_,
            .symmetric = symmetric_, .plan = fingerprint(report_.plan)};
  }

  /// All tiles but those that the store has, of all parts and planes; and which blocks of factors they need.
  void find_missing() {
    for (Index r = 0; r < blocks_of(row_source_); ++r) {
      for (Index c = 0; c < (symmetric_ ? r + 1 : blocks_of(column_source_)); ++c) missing_.emplace_back(r, c);
    }
    report_.tiles = static_cast<Index>(missing_.size());
    if (store_.resumed()) leave_out_what_is_there();
    report_.tiles_found = report_.tiles - static_cast<Index>(missing_.size());
    rows_needed_.assign(static_cast<std::size_t>(blocks_of(row_source_)), 0);
    columns_needed_.assign(static_cast<std::size_t>(blocks_of(column_source_)), 0);
    for (const auto& [r, c] : missing_) {
      rows_needed_[static_cast<std::size_t>(r)] = 1;
      columns_needed_[static_cast<std::size_t>(c)] = 1;
    }
  }

  void leave_out_what_is_there() {
    std::vector<char> found(missing_.size(), 0);
    context_.pool.parallel_for(report_.tiles, [&](Index item, int worker) {
      context_.check_cancelled();
      found[static_cast<std::size_t>(item)] =
          has(missing_[static_cast<std::size_t>(item)], workspaces_[static_cast<std::size_t>(worker)]);
      if (worker == 0) context_.report("looking at chunks", static_cast<double>(item + 1), static_cast<double>(report_.tiles));
    });
    std::vector<TilePlace> missing;
    for (std::size_t item = 0; item < found.size(); ++item) {
      if (found[item] == 0) missing.push_back(missing_[item]);
    }
    missing_ = std::move(missing);
  }

  bool has(TilePlace place, Workspace& workspace) {
    const Index full = assembly_.layout.full;
    const Index row = place.first * block_;
    const Index column = place.second * block_;
    const MatrixView<T> tile = reused(workspace.part, std::min(block_, row_source_.samples() - row) * full,
                                      std::min(block_, column_source_.samples() - column) * full);
    for (int part = 0; part < assembly_.parts.count(); ++part) {
      for (Index plane = 0; plane < assembly_.layout.planes; ++plane) {
        if (!store_.have(part, plane, row * full, column * full, tile)) return false;
      }
    }
    return true;
  }

  std::vector<TilePlace> missing_within(Index row, Index row_end, Index column, Index column_end) const {
    std::vector<TilePlace> tiles;
    for (const auto& [r, c] : missing_) {
      if (row <= r && r < row_end && column <= c && c < column_end) tiles.emplace_back(r, c);
    }
    return tiles;
  }

  Index blocks_of(const FactorSource<T>& source) const { return (source.samples() + block_ - 1) / block_; }

  /// Blocks in a group: all where the factors of both sides fit into what may still be used, or where they do in a few
  /// passes, each over some of the parameters. Where not even one fits the blocks become smaller. No bit depends on that.
  Index group_size() {
    if (context_.memory.budget() == 0) return std::max(blocks_of(row_source_), blocks_of(column_source_));
    const FactorBlock<T> sample = row_source_.make(0, 0);
    for (;; block_ /= 2) {
      report_.block_samples = block_;
      const Index samples = std::min(block_, std::max(row_source_.samples(), column_source_.samples()));
      const Budget budget(sample, report_.plan, samples, sweep_bytes(row_source_, samples), tile_bytes(assembly_, samples), context_);
      const Index all = std::max(blocks_of(row_source_), blocks_of(column_source_));
      if (budget.fits(all, symmetric_)) return take_passes(budget.few_passes(all, symmetric_, sums_bytes(assembly_, all, samples)), all, budget);
      const Index fitting = budget.blocks();
      const std::vector<Range> passes = budget.passes(all, symmetric_, sums_bytes(assembly_, all, samples));
      // Groups of blocks are swept half as often as there are groups, passes as often as there are passes.
      const bool few = fitting < 1 || static_cast<Index>(passes.size()) <= (all + fitting - 1) / fitting / 2 + 1;
      if (fitting < all && !passes.empty() && few) return take_passes(passes, all, budget);
      if (fitting >= 1) return take_passes({}, std::min(all, fitting), budget);
      if (block_ > 1 && !assembly_.fixed_block) continue;
      const std::vector<Range> of_one = budget.passes(1, symmetric_ && all == 1, sums_bytes(assembly_, 1, samples));
      if (!of_one.empty()) return take_passes(of_one, 1, budget);
      throw Error(ErrorKind::memory,
                  {.what = assembly_.fixed_block ? "the factors of two blocks do not fit, whose size the kernel's file has fixed"
                                                 : "not even the factors of two samples fit",
                   .where = "--memory", .got = "a budget of " + human_bytes(context_.memory.budget()),
                   .expected = "at least " + enough_bytes(context_.memory.in_use() + budget.least(sums_bytes(assembly_, 1, samples))), .cure = {}});
    }
  }

  /// Without passes: a single one.
  Index take_passes(const std::vector<Range>& passes, Index group, const Budget& budget) {
    if (!passes.empty()) passes_ = passes;
    const bool same = symmetric_ && group >= blocks_of(row_source_);
    const std::size_t sums = passes.empty() ? 0 : sums_bytes(assembly_, group, std::min(block_, row_source_.samples()));
    report_.factor_bytes = budget.needed(passes_, group, same) + sums;
    if (passes.empty()) return group;
    for (const auto& [first, last] : passes) {
      row_entries_ = std::max(row_entries_, report_.plan.part(first, last).explicit_entries());
    }
    row_memory_.expect(row_entries_);
    report_.passes = static_cast<Index>(passes.size());
    for (std::size_t pass = 0; pass < passes.size(); ++pass) {
      const std::string note = "; pass " + std::to_string(pass + 1) + " of " + std::to_string(passes.size()) + " for the memory";
      for (std::size_t k = passes[pass].first; k < passes[pass].second; ++k) report_.plan.contractions[k].reason += note;
    }
    return group;
  }

  /// Calls use(block index, block) for the needed blocks of [first, last), several at a time where there are several.
  template <class Needed, class Use>
  void for_blocks(const FactorSource<T>& source, Index first, Index last, const Needed& needed, const Use& use) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<SampleRange> ranges;
    std::vector<std::size_t> items;
    for (Index block = first; block < last; ++block) {
      if (!needed(static_cast<std::size_t>(block))) continue;
      ranges.emplace_back(block * block_, std::min(source.samples(), (block + 1) * block_));
      items.push_back(static_cast<std::size_t>(block - first));
    }
    collect_blocks<T>(source, plan_, ranges, context_,
                      [&](std::size_t k, const BlockCollector<T>& block) { use(items[k], block); }, row_memory_);
    report_.factor_seconds += seconds_since(start);
  }

  Packed pack(const FactorSource<T>& source, Index first, Index last, Side side) {
    Packed packed(static_cast<std::size_t>(last - first));
    const auto needed = [&](std::size_t block) { return (side == Side::left ? rows_needed_ : columns_needed_)[block] != 0; };
    for_blocks(source, first, last, needed,
               [&](std::size_t item, const BlockCollector<T>& block) { packed[item] = block.packed(side); });
    return packed;
  }

  void pack_both(Index first, Index last, Packed& rows, Packed& columns) {
    rows.resize(static_cast<std::size_t>(last - first));
    columns.resize(rows.size());
    const auto needed = [&](std::size_t block) { return rows_needed_[block] != 0 || columns_needed_[block] != 0; };
    for_blocks(row_source_, first, last, needed, [&](std::size_t item, const BlockCollector<T>& block) {
      rows[item] = block.packed(Side::left);
      columns[item] = block.packed(Side::right);
    });
  }

  /// Whether one sweep over few samples makes the factors of rows and columns: it reads the parameters once.
  bool serves_both_sides() const {
    if (symmetric_ || assembly_.both == nullptr || report_.tiles != 1) return false;
    const Index samples = row_source_.samples() + column_source_.samples();
    const std::size_t bytes = static_cast<std::size_t>(samples) * assembly_.both->bytes_per_sample();
    return samples <= assembly_.both->samples_at_once() && (context_.memory.budget() == 0 || 2 * bytes <= context_.memory.available());
  }

  void pack_in_one_sweep(Packed& rows, Packed& columns) {
    const auto start = std::chrono::steady_clock::now();
    report_.one_sweep = true;
    const Index first = row_source_.samples();
    const Index second = column_source_.samples();
    rows.resize(1);
    columns.resize(1);
    const auto pack = [&](std::size_t, const BlockCollector<T>& block) {
      context_.pool.parallel_for(2, [&](Index side, int) {
        if (side == 0) rows[0] = block.packed(Side::left, 0, first);
        else columns[0] = block.packed(Side::right, first, second);
      });
    };
    collect_blocks<T>(*assembly_.both, plan_, {{0, first + second}}, context_, pack, row_memory_);
    report_.factor_seconds += seconds_since(start);
  }

  void contract(const std::vector<TilePlace>& tiles, const Packed& rows, Index first_row, const Packed& columns,
                Index first_column) {
    const auto start = std::chrono::steady_clock::now();
    // Few tiles with long inner products: each is divided among the threads.
    const bool divided = static_cast<int>(tiles.size()) < 4 * context_.pool.size() && plan_.is_divisible();
    const auto compute = [&](Index item, int worker) {
      context_.check_cancelled();
      const auto [r, c] = tiles[static_cast<std::size_t>(item)];
      Workspace& workspace = workspaces_[static_cast<std::size_t>(worker)];
      T* sums = nullptr;
      if (!sums_.empty()) sums = sums_of(static_cast<std::size_t>(item), rows[static_cast<std::size_t>(r - first_row)], columns[static_cast<std::size_t>(c - first_column)]);
      for (Index plane = 0; plane < assembly_.layout.planes; ++plane) {
        write_tile(rows[static_cast<std::size_t>(r - first_row)], r, columns[static_cast<std::size_t>(c - first_column)], c,
                   plane, workspace, divided, sums);
      }
      if (worker == 0) {
        context_.report("contracting", static_cast<double>(tiles_done_ + item + 1), static_cast<double>(missing_.size()));
      }
    };
    if (divided) {
      for (Index item = 0; item < static_cast<Index>(tiles.size()); ++item) compute(item, 0);
    } else {
      context_.pool.parallel_for(static_cast<Index>(tiles.size()), compute);
    }
    if (pass_ + 1 == passes_.size()) tiles_done_ += static_cast<Index>(tiles.size());
    report_.contract_seconds += seconds_since(start);
  }

  /// The sums of a tile so far, [planes, parts, rows, columns].
  T* sums_of(std::size_t item, const BlockFactors<T>& rows, const BlockFactors<T>& columns) {
    const Index full = assembly_.layout.full;
    if (pass_ == 0) {
      const auto parts = static_cast<Index>(assembly_.parts.names.size());
      sums_[item] = Tensor<T>::uninitialized(Shape{assembly_.layout.planes * parts, rows.samples * full, columns.samples * full});
    }
    return sums_[item].data();
  }

  void write_tile(const BlockFactors<T>& rows, Index row_block, const BlockFactors<T>& columns, Index column_block, Index plane,
                  Workspace& workspace, bool divided, T* sums) {
    const Index full = assembly_.layout.full;
    const Index height = rows.samples * full;
    const Index width = columns.samples * full;
    const bool diagonal = symmetric_ && row_block == column_block;
    const bool last = pass_ + 1 == passes_.size();
    const MatrixView<T> total = assembly_.parts.with_total ? reused(workspace.total, height, width) : MatrixView<T>{};
    if (assembly_.parts.with_total) std::fill_n(total.data, height * width, T(0));
    const Index row = row_block * block_ * full;
    const Index column = column_block * block_ * full;
    const auto parts = static_cast<int>(assembly_.parts.names.size());
    for (int part = 0; part < parts; ++part) {
      const MatrixView<T> tile = sums == nullptr ? reused(workspace.part, height, width)
                                                 : matrix(sums + (plane * parts + part) * height * width, height, width);
      factors::contract_tile<T>(plan_, rows, columns, plane, part,
                                diagonal ? linalg::TilePart::lower : linalg::TilePart::full, pass_ > 0, tile,
                                workspace.contraction, context_, divided);
      if (!last) continue;
      finish_tile(tile, diagonal, row, column);
      if (assembly_.parts.with_total) {
        for (Index e = 0; e < height * width; ++e) total.data[e] += tile.data[e];
      }
      put(part, plane, row, column, tile, diagonal, workspace);
    }
    if (assembly_.parts.with_total && last) put(parts, plane, row, column, total, diagonal, workspace);
  }

  /// Mirrors a diagonal tile, divides, and looks for what is not finite.
  void finish_tile(MatrixView<T> tile, bool diagonal, Index row, Index column) const {
    const T divisor = static_cast<T>(assembly_.divisor);
    for (Index r = 0; r < tile.rows; ++r) {
      const Index width = diagonal ? r + 1 : tile.columns;
      T sum = 0;  // NaN and infinity both survive a sum of products with 0
      for (Index c = 0; c < width; ++c) {
        T& entry = tile(r, c);
        if (divisor != 1) entry /= divisor;
        sum += entry * 0;
        if (diagonal) tile(c, r) = entry;
      }
      if (sum != 0 || std::isnan(sum)) not_finite(row + r, column);
    }
  }

  void put(int part, Index plane, Index row, Index column, MatrixView<T> tile, bool diagonal, Workspace& workspace) {
    store_.write(part, plane, row, column, tile);
    if (!symmetric_ || diagonal || !store_.both_triangles()) return;
    const MatrixView<T> mirrored = reused(workspace.mirrored, tile.columns, tile.rows);
    constexpr Index step = 16;  // both sides of a transposition stay in the cache
    for (Index r0 = 0; r0 < tile.rows; r0 += step) {
      for (Index c = 0; c < tile.columns; ++c) {
        for (Index r = r0; r < std::min(tile.rows, r0 + step); ++r) mirrored(c, r) = tile(r, c);
      }
    }
    store_.write(part, plane, column, row, mirrored);
  }

  const Assembly<T>& assembly_;
  TileStore<T>& store_;
  const Context& context_;
  bool symmetric_;
  const FactorSource<T>& row_source_;
  const FactorSource<T>& column_source_;
  Index block_ = 0;
  AssemblyReport report_;
  std::vector<Range> passes_;  ///< over the contractions
  std::size_t pass_ = 0;
  ContractionPlan plan_;         ///< of this pass
  factors::RowMemory<T> row_memory_;
  Index row_entries_ = 0;        ///< explicit ones of a sample in the longest pass
  std::vector<Tensor<T>> sums_;  ///< by tile, where there are several passes
  std::vector<Workspace> workspaces_;
  std::vector<TilePlace> missing_;
  std::vector<char> rows_needed_;  // by block
  std::vector<char> columns_needed_;
  Index tiles_done_ = 0;
};

}  // namespace

Index default_block_samples(const factors::RowLayout& layout, Index samples) {
  // A multiple of the panel heights (14 and 32, 6 and 16) while a tile of float32 stays within the second-level cache.
  constexpr Index rows = 448;
  const Index full = std::max<Index>(1, layout.full);
  const bool few = samples * full <= 6 * rows;  // smaller tiles keep all threads busy
  return std::max<Index>(1, (few ? rows / 2 : rows) / full);
}

template <class T>
AssemblyReport assemble(const Assembly<T>& assembly, TileStore<T>& store, const Context& context) {
  return Assembler<T>(assembly, store, context).run();
}

template <class T>
AssemblyReport plan_assembly(const Assembly<T>& assembly, const Context& context) {
  struct Nowhere final : TileStore<T> {
    void write(int, Index, Index, Index, MatrixView<const T>) override {}
    void finish() override {}
  } nowhere;
  return Assembler<T>(assembly, nowhere, context).plan();
}

template <class T>
PredictedWork predicted_work(const Assembly<T>& assembly, const AssemblyReport& report) {
  const factors::SampleCounts counts{.rows = assembly.rows->samples(),
                                     .columns = assembly.columns == nullptr ? 0 : assembly.columns->samples()};
  // A group of rows meets all groups of columns, half of them where K is symmetric; the first two share a sweep there.
  const auto groups = static_cast<double>(report.groups);
  const double again = assembly.columns == nullptr ? (groups - 1) / 2 * static_cast<double>(counts.rows)
                                                   : (groups - 1) * static_cast<double>(counts.columns);
  const double sweeps = (counts.sweeps() + again) * static_cast<double>(report.passes);
  const factors::SweepWork each = assembly.rows->work_per_sample();
  const auto times = [&](const factors::Work& work) {
    return factors::Work{.multiply_adds = work.multiply_adds * sweeps, .bytes = work.bytes * sweeps};
  };
  return {.forward = times(each.forward), .reverse = times(each.reverse), .packing = report.plan.packing(counts, sizeof(T)),
          .contraction = report.plan.contraction(counts, sizeof(T))};
}

#define TANGRA_INSTANTIATE(T)                                                              \
  template AssemblyReport assemble<T>(const Assembly<T>&, TileStore<T>&, const Context&); \
  template AssemblyReport plan_assembly<T>(const Assembly<T>&, const Context&);           \
  template PredictedWork predicted_work<T>(const Assembly<T>&, const AssemblyReport&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::kernel
