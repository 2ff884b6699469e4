#include "tangra/kernel/assembly.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "tangra/base/error.h"
#include "tangra/base/hash.h"
#include "tangra/kernel/factor_blocks.h"
#include "tangra/linalg/gemm.h"

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

[[noreturn]] void not_finite(Index row, Index column) {
  throw Error(ErrorKind::numerics,
              {.what = "the kernel is not finite", .where = "entry (" + std::to_string(row) + ", " + std::to_string(column) + ")",
               .got = "infinity or NaN", .expected = {},
               .cure = "The network's values overflow on these samples: scale the data (--scale, --normalize) or use "
                       "--precision float64"});
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
    report_.plan = factors::plan_contractions(row_source_.make(0, std::min<Index>(1, row_source_.samples())), assembly.layout,
                                              assembly.parts.part_of, assembly.sizes, assembly.explicit_rows);
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
        if (report_.groups > 1) ::malloc_trim(0);  // the last group's factors lie in the arenas of all threads
        Packed columns;
        const bool same = symmetric_ && c == r;
        // Where the first group of columns is the group of rows itself, one sweep serves both sides.
        if (same && rows.empty()) pack_both(r, row_end, rows, columns);
        else columns = pack(column_source_, c, std::min(columns_end, c + group), Side::right);
        if (rows.empty()) rows = pack(row_source_, r, row_end, Side::left);
        contract(tiles, rows, r, columns, c);
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

  /// Blocks in a group: all where the packed factors of both sides fit into what may still be used. Where not even one
  /// fits the blocks become smaller; the bits do not depend on that.
  Index group_size() {
    if (context_.memory.budget() == 0) return std::max(blocks_of(row_source_), blocks_of(column_source_));
    const FactorBlock<T> sample = row_source_.make(0, 1);
    for (;; block_ /= 2) {
      report_.block_samples = block_;
      const Index samples = std::min(block_, std::max(row_source_.samples(), column_source_.samples()));
      const auto needs = factors::block_needs(sample, report_.plan, Side::right, samples);
      const auto threads = static_cast<std::size_t>(context_.pool.size());
      const auto tile = static_cast<std::size_t>(samples * assembly_.layout.full) * static_cast<std::size_t>(samples * assembly_.layout.full) *
                        sizeof(T) * (symmetric_ ? 3U : 2U) * (assembly_.parts.with_total ? 2U : 1U);
      const std::size_t working = std::max(sweep_bytes(row_source_, samples) + needs.collected, tile) * threads;
      const std::size_t free = context_.memory.available();
      const std::size_t available = free - free / 16;  // what is freed and taken again leaves holes
      const std::size_t left = available > working ? available - working : 0;
      const Index all = std::max(blocks_of(row_source_), blocks_of(column_source_));
      const std::size_t together = static_cast<std::size_t>(all) * (2 * needs.packed + needs.shared);
      report_.factor_bytes = working + together;
      if (symmetric_ && together <= left) return all;
      const std::size_t each = 2 * (needs.packed + needs.shared);
      const auto fitting = static_cast<Index>(left / (each + 1));
      report_.factor_bytes = working + each * static_cast<std::size_t>(std::min(all, fitting));
      if (fitting >= 1) return std::min(all, fitting);
      if (block_ > 1 && !assembly_.fixed_block) continue;
      const std::size_t needed = (working + each) / 15 * 16 + 16;
      throw Error(ErrorKind::memory,
                  {.what = assembly_.fixed_block ? "the factors of two blocks do not fit, whose size the kernel's file has fixed"
                                                 : "not even the factors of two samples fit",
                   .where = "--memory", .got = "a budget of " + human_bytes(context_.memory.budget()),
                   .expected = "at least " + human_bytes(context_.memory.in_use() + needed), .cure = {}});
    }
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
    collect_blocks<T>(source, report_.plan, ranges, context_,
                      [&](std::size_t k, const BlockCollector<T>& block) { use(items[k], block); });
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

  void contract(const std::vector<TilePlace>& tiles, const Packed& rows, Index first_row, const Packed& columns,
                Index first_column) {
    const auto start = std::chrono::steady_clock::now();
    // Few tiles with long inner products: each is divided among the threads.
    const bool divided = static_cast<int>(tiles.size()) < 4 * context_.pool.size() && report_.plan.mostly_explicit();
    const auto compute = [&](Index item, int worker) {
      context_.check_cancelled();
      const auto [r, c] = tiles[static_cast<std::size_t>(item)];
      Workspace& workspace = workspaces_[static_cast<std::size_t>(worker)];
      for (Index plane = 0; plane < assembly_.layout.planes; ++plane) {
        write_tile(rows[static_cast<std::size_t>(r - first_row)], r, columns[static_cast<std::size_t>(c - first_column)], c,
                   plane, workspace, divided ? &context_.pool : nullptr);
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
    tiles_done_ += static_cast<Index>(tiles.size());
    report_.contract_seconds += seconds_since(start);
  }

  void write_tile(const BlockFactors<T>& rows, Index row_block, const BlockFactors<T>& columns, Index column_block, Index plane,
                  Workspace& workspace, ThreadPool* pool) {
    const Index full = assembly_.layout.full;
    const Index height = rows.samples * full;
    const Index width = columns.samples * full;
    const bool diagonal = symmetric_ && row_block == column_block;
    const MatrixView<T> tile = reused(workspace.part, height, width);
    const MatrixView<T> total = assembly_.parts.with_total ? reused(workspace.total, height, width) : MatrixView<T>{};
    if (assembly_.parts.with_total) std::fill_n(total.data, height * width, T(0));
    const Index row = row_block * block_ * full;
    const Index column = column_block * block_ * full;
    const auto parts = static_cast<int>(assembly_.parts.names.size());
    for (int part = 0; part < parts; ++part) {
      factors::contract_tile<T>(report_.plan, rows, columns, plane, part,
                                diagonal ? linalg::TilePart::lower : linalg::TilePart::full, tile, workspace.contraction, pool);
      finish_tile(tile, diagonal, row, column);
      if (assembly_.parts.with_total) {
        for (Index e = 0; e < height * width; ++e) total.data[e] += tile.data[e];
      }
      put(part, plane, row, column, tile, diagonal, workspace);
    }
    if (assembly_.parts.with_total) put(parts, plane, row, column, total, diagonal, workspace);
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
AssemblyReport assemble_self(const Assembly<T>& assembly, std::vector<Tensor<T>>& result, const Context& context) {
  const auto start = std::chrono::steady_clock::now();
  const FactorSource<T>& source = *assembly.rows;
  AssemblyReport report;
  const Index samples = source.samples();
  report.block_samples = std::max<Index>(1, std::min(samples, source.samples_at_once()));
  const FactorBlock<T> sample = source.make(0, std::min<Index>(1, samples));
  report.plan = factors::plan_contractions(sample, assembly.layout, assembly.parts.part_of, assembly.sizes);
  const Index entries = assembly.layout.planes * assembly.layout.full * assembly.layout.full;
  const auto parts = static_cast<int>(assembly.parts.names.size());
  result.clear();
  for (int part = 0; part < assembly.parts.count(); ++part) result.emplace_back(Shape{samples, entries});
  if (samples > 0 && context.memory.budget() > 0) {
    const auto needs = factors::block_needs(sample, report.plan, Side::right, 1);
    const std::size_t each = (source.bytes_per_sample() + needs.shared + needs.collected) * static_cast<std::size_t>(context.pool.size());
    const auto fitting = static_cast<Index>(context.memory.available() / (each + 1));
    if (fitting < 1) context.memory.take(each, "the factors of one sample");
    report.block_samples = std::min(report.block_samples, fitting);
  }
  std::vector<SampleRange> ranges;
  for (Index begin = 0; begin < samples; begin += report.block_samples) {
    ranges.emplace_back(begin, std::min(samples, begin + report.block_samples));
  }
  collect_blocks<T>(source, report.plan, ranges, context, [&](std::size_t k, const BlockCollector<T>& block) {
    const Index begin = ranges[k].first;
    for (int part = 0; part < parts; ++part) {
      T* own = result[static_cast<std::size_t>(part)].data() + begin * entries;
      factors::contract_self(report.plan, block, part, own);
      for (Index e = 0; e < block.samples() * entries; ++e) {
        own[e] /= static_cast<T>(assembly.divisor);
        if (!std::isfinite(own[e])) not_finite(begin + e / entries, begin + e / entries);
        if (assembly.parts.with_total) result.back()[begin * entries + e] += own[e];
      }
    }
  });
  report.factor_seconds = seconds_since(start);
  return report;
}

template <class T>
Tensor<T> assemble_parameter_space(const Assembly<T>& assembly, const Context& context) {
  TANGRA_ENSURE(assembly.layout.planes == 1 && assembly.layout.inner == 1);
  std::vector<Index> first(assembly.sizes.size(), -1);
  Index count = 0;
  for (std::size_t p = 0; p < first.size(); ++p) {
    if (assembly.parts.part_of[p] < 0) continue;
    first[p] = count;
    count += assembly.sizes[p];
  }
  const FactorSource<T>& source = *assembly.rows;
  const auto square = static_cast<std::size_t>(count) * static_cast<std::size_t>(count) * sizeof(T);
  const Reservation kernel(context.memory, square, "the kernel in parameter space, P x P with P = " + std::to_string(count));
  Tensor<T> result(Shape{count, count});
  constexpr Index block_samples = 64;
  constexpr Index strip = 256;
  for (Index begin = 0; begin < source.samples(); begin += block_samples) {
    context.check_cancelled();
    context.report("contracting", static_cast<double>(begin), static_cast<double>(source.samples()));
    const FactorBlock<T> block = source.make(begin, std::min(source.samples(), begin + block_samples));
    const Index rows = block.samples * block.directions;
    Tensor<T> jacobian(Shape{rows, count});
    for (std::size_t p = 0; p < first.size(); ++p) {
      if (first[p] < 0) continue;
      Tensor<T> own(Shape{rows, assembly.sizes[p]});
      factors::add_dense(block, static_cast<ParameterId>(p), own.data(), assembly.sizes[p], context);
      for (Index r = 0; r < rows; ++r) {
        std::copy_n(own.data() + r * assembly.sizes[p], assembly.sizes[p], jacobian.data() + r * count + first[p]);
      }
    }
    const MatrixView<const T> j = matrix<const T>(jacobian.data(), rows, count);
    for (Index p = 0; p < count; p += strip) {  // the lower triangle, strip by strip
      const Index height = std::min(strip, count - p);
      linalg::gemm<T>(context, linalg::Engine::fast, j.block(0, p, rows, height).transposed(), j.block(0, 0, rows, p + height),
                      true, {result.data() + p * count, height, p + height, count, 1});
    }
  }
  for (Index p = 0; p < count; ++p) {
    for (Index q = 0; q <= p; ++q) {
      if (!std::isfinite(result[p * count + q])) not_finite(p, q);
      result[q * count + p] = result[p * count + q];
    }
  }
  return result;
}

#define TANGRA_INSTANTIATE(T)                                                                             \
  template AssemblyReport assemble<T>(const Assembly<T>&, TileStore<T>&, const Context&);                \
  template AssemblyReport plan_assembly<T>(const Assembly<T>&, const Context&);                          \
  template AssemblyReport assemble_self<T>(const Assembly<T>&, std::vector<Tensor<T>>&, const Context&); \
  template Tensor<T> assemble_parameter_space<T>(const Assembly<T>&, const Context&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::kernel
