#include "tangra/factors/contraction.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/linalg/vectors.h"

namespace tangra::factors {
namespace {

using linalg::TilePart;
using linalg::TileProduct;

/// Entries of an explicit row that make one chain, and one group of chains.
constexpr Index chain_entries = 1024;
constexpr Index group_entries = 16 * chain_entries;
/// Groups for each thread whose sums wait to be added in their order.
constexpr int waiting_groups = 4;

/// Explicit rows as a matrix: row (i, f) of plane `plane`, columns (t, e).
template <class T>
struct RowsOfPlane {
  const T* data;
  Index samples;
  Index planes;
  Index full;
  Index plane;
  Index width;  ///< inner * size

  Index count() const { return samples * full; }
  /// Columns [first, first + length), as they lie or copied to `memory` where no stride leads from row to row.
  MatrixView<const T> columns(Index first, Index length, Tensor<T>& memory) const {
    if (planes == 1) return {data + first, count(), length, width, 1};
    if (full == 1) return {data + plane * width + first, count(), length, planes * width, 1};
    if (memory.size() < count() * length) memory = Tensor<T>::uninitialized(Shape{count() * length});
    for (Index row = 0; row < count(); ++row) {
      const Index from = (row / full * planes + plane) * full + row % full;
      std::copy_n(data + from * width + first, length, memory.data() + row * length);
    }
    return matrix<const T>(memory.data(), count(), length);
  }
};

template <class T>
RowsOfPlane<T> rows_of(const BlockFactors<T>& block, const ContractionPlan& plan, std::size_t contraction, Index plane) {
  const RowLayout& layout = plan.layout;
  return {block.operands[contraction].rows.get(), block.samples, layout.planes, layout.full, plane,
          layout.inner * plan.contractions[contraction].row_entries};
}

/// A run of an explicit contraction's inner product.
struct Group {
  std::size_t contraction;
  Index first;
  Index length;
};

template <class T>
class TileSum {
 public:
  TileSum(const ContractionPlan& plan, const BlockFactors<T>& rows, const BlockFactors<T>& columns, Index plane,
          TilePart which, MatrixView<T> tile, ContractionWorkspace<T>& workspace, const Context& context, bool divided)
      : plan_(plan),
        rows_(rows),
        columns_(columns),
        plane_(plane),
        which_(which),
        tile_(tile),
        workspace_(workspace),
        context_(context),
        divided_(divided && context.pool.size() > 1) {
    const auto workers = static_cast<std::size_t>(divided_ ? context.pool.size() : 1);
    if (workspace.workers.size() < workers) workspace.workers.resize(workers);
    const std::size_t waiting = workers == 1 ? 1 : workers * waiting_groups;
    if (workspace.partial.size() < waiting) workspace.partial.resize(waiting);
  }

  void run(int part, bool accumulate) {
    for (Index row = 0; !accumulate && row < tile_.rows; ++row) std::fill_n(&tile_(row, 0), tile_.columns, T(0));
    std::vector<Group> groups;
    for (std::size_t k = 0; k < plan_.contractions.size(); ++k) {
      const Contraction& contraction = plan_.contractions[k];
      if (contraction.part != part) continue;
      if (contraction.order == Order::explicit_rows) {
        list_groups(k, groups);
      } else {
        add(groups);
        if (contraction.order == Order::both_grams) add_streams(k);
        else add_pairs(k);
      }
    }
    add(groups);
  }

 private:
  void list_groups(std::size_t contraction, std::vector<Group>& groups) const {
    const Index width = rows_of(rows_, plan_, contraction, plane_).width;
    for (Index first = 0; first < width; first += group_entries) {
      groups.push_back({contraction, first, std::min(group_entries, width - first)});
    }
  }

  /// Adds all groups in their order and empties the list.
  void add(std::vector<Group>& groups) {
    const std::size_t batch = workspace_.partial.size();
    for (std::size_t first = 0; first < groups.size(); first += batch) {
      const std::size_t count = std::min(batch, groups.size() - first);
      const auto sum = [&](Index item, int worker) {
        const auto at = static_cast<std::size_t>(item);
        sum_group(groups[first + at], workspace_.partial[at], workspace_.workers[static_cast<std::size_t>(worker)]);
      };
      each(static_cast<Index>(count), sum);
      for (std::size_t k = 0; k < count; ++k) merge(groups[first + k], workspace_.partial[k]);
    }
    groups.clear();
  }

  /// Calls body(item, worker), on all threads where the tile is divided among them.
  template <class Body>
  void each(Index count, const Body& body) const {
    if (divided_) return context_.pool.parallel_for(count, body);
    for (Index item = 0; item < count; ++item) body(item, 0);
  }

  /// For each pair of samples products of small matrices.
  void add_pairs(std::size_t contraction) {
    const auto& left = rows_.operands[contraction].terms;
    const auto& right = columns_.operands[contraction].terms;
    const Index step = divided_ ? std::max<Index>(1, rows_.samples / (4 * context_.pool.size())) : rows_.samples;
    each((rows_.samples + step - 1) / step, [&](Index item, int worker) {
      const PairTile<T> pairs{.layout = plan_.layout, .order = plan_.contractions[contraction].order, .plane = plane_,
                              .first = item * step, .last = std::min(rows_.samples, (item + 1) * step),
                              .columns = columns_.samples, .lower = which_ == TilePart::lower, .tile = tile_,
                              .context = context_};
      contract_pairs(pairs, left, right, workspace_.workers[static_cast<std::size_t>(worker)].pairs);
    });
  }

  void sum_group(const Group& group, Tensor<T>& partial, typename ContractionWorkspace<T>::Worker& worker) const {
    if (partial.size() < tile_.rows * tile_.columns) partial = Tensor<T>::uninitialized(Shape{tile_.rows * tile_.columns});
    const RowsOfPlane<T> left = rows_of(rows_, plan_, group.contraction, plane_);
    const RowsOfPlane<T> right = rows_of(columns_, plan_, group.contraction, plane_);
    for (Index done = 0; done < group.length; done += chain_entries) {
      const Index length = std::min(chain_entries, group.length - done);
      worker.left.assign(linalg::Side::left, left.columns(group.first + done, length, worker.gathered));
      worker.right.assign(linalg::Side::right, right.columns(group.first + done, length, worker.gathered));
      TileProduct<T> product;
      product.u = &worker.left;
      product.v = &worker.right;
      linalg::compute_tile<T>({&product, 1}, done > 0, which_, matrix(partial.data(), tile_.rows, tile_.columns), worker.tile);
    }
  }

  void merge(const Group& group, const Tensor<T>& partial) {
    const T scale = static_cast<T>(rows_.operands[group.contraction].scale * columns_.operands[group.contraction].scale);
    for (Index row = 0; row < tile_.rows; ++row) {
      const Index width = which_ == TilePart::lower ? std::min(row + 1, tile_.columns) : tile_.columns;
      T* to = &tile_(row, 0);
      const T* from = partial.data() + row * tile_.columns;
      for (Index c = 0; c < width; ++c) to[c] += scale * from[c];
    }
  }

  void add_streams(std::size_t contraction) {
    std::vector<TileProduct<T>> products;
    for (const auto& left : rows_.operands[contraction].pairs) {
      for (const auto& right : columns_.operands[contraction].pairs) {
        TileProduct<T> product;
        product.u = &left.left[static_cast<std::size_t>(plane_)];
        product.v = &right.left[static_cast<std::size_t>(plane_)];
        product.x = &left.right;
        product.y = &right.right;
        product.x_repeat = plan_.layout.full;
        product.y_repeat = plan_.layout.full;
        product.scale = static_cast<T>(left.scale * right.scale);
        product.constant = static_cast<T>(plan_.contractions[contraction].constant);
        products.push_back(product);
      }
    }
    linalg::compute_tile<T>(products, true, which_, tile_, workspace_.workers.front().tile);
  }

  const ContractionPlan& plan_;
  const BlockFactors<T>& rows_;
  const BlockFactors<T>& columns_;
  Index plane_;
  TilePart which_;
  MatrixView<T> tile_;
  ContractionWorkspace<T>& workspace_;
  const Context& context_;
  bool divided_;
};

template <class T>
T dot(const T* a, Index a_stride, const T* b, Index b_stride, Index size) {
  if (a_stride == 1 && b_stride == 1) return linalg::dot(a, b, size);
  T sum = 0;
  for (Index e = 0; e < size; ++e) sum += a[e * a_stride] * b[e * b_stride];
  return sum;
}

/// result [planes, full, full] += factor * (sum over inner and e of a[..] b[..]) for one sample; direction r at
/// r * step, entry e at e * stride.
template <class T>
void add_self_gram(const RowLayout& layout, const T* a, Index a_step, Index a_stride, const T* b, Index b_step, Index b_stride,
                   Index size, T factor, T* result) {
  for (Index g = 0; g < layout.planes; ++g) {
    for (Index f = 0; f < layout.full; ++f) {
      for (Index f2 = 0; f2 < layout.full; ++f2, ++result) {
        T sum = 0;
        for (Index t = 0; t < layout.inner; ++t) {
          const Index one = (g * layout.full + f) * layout.inner + t;
          const Index other = (g * layout.full + f2) * layout.inner + t;
          sum += dot(a + one * a_step, a_stride, b + other * b_step, b_stride, size);
        }
        *result += factor * sum;
      }
    }
  }
}

template <class T>
void add_self_streams(const BlockCollector<T>& block, const Contraction& contraction, const RowLayout& layout, Index sample,
                      T* result) {
  for (const Stream& one : contraction.streams) {
    for (const Stream& other : contraction.streams) {
      const Term<T>& a = block.term(one.term);
      const Term<T>& b = block.term(other.term);
      const MatrixView<const T> x = a.right_of(sample);
      const MatrixView<const T> y = b.right_of(sample);
      const MatrixView<const T> left = a.left_of(sample * layout.directions());
      const MatrixView<const T> right = b.left_of(sample * layout.directions());
      const T gram = dot(&x(one.position, 0), x.column_stride, &y(other.position, 0), y.column_stride, x.columns);
      add_self_gram(layout, &left(one.position, 0), left.rows * left.columns, left.column_stride, &right(other.position, 0),
                    right.rows * right.columns, right.column_stride, left.columns,
                    static_cast<T>(a.place.scale * b.place.scale) * (gram + static_cast<T>(contraction.constant)), result);
    }
  }
}

template <class T>
void add_self_pairs(const ContractionPlan& plan, std::size_t contraction, const BlockCollector<T>& block, T* result,
                    const Context& context) {
  const RowLayout& layout = plan.layout;
  const Index square = layout.full * layout.full;
  const std::vector<Term<T>> terms = block.laid_out_terms(contraction);
  PairWorkspace<T> workspace;
  for (Index i = 0; i < block.samples(); ++i) {
    for (Index plane = 0; plane < layout.planes; ++plane) {
      T* own = result + (i * layout.planes + plane) * square;
      contract_pair<T>({.layout = layout, .order = plan.contractions[contraction].order, .plane = plane, .first = i,
                        .last = i + 1, .columns = block.samples(), .lower = false, .tile = {}, .context = context},
                       terms, terms, i, i, matrix(own, layout.full, layout.full), workspace);
    }
  }
}

}  // namespace

template <class T>
void contract_tile(const ContractionPlan& plan, const BlockFactors<T>& rows, const BlockFactors<T>& columns, Index plane,
                   int part, TilePart which, bool accumulate, MatrixView<T> tile, ContractionWorkspace<T>& workspace,
                   const Context& context, bool divided) {
  TANGRA_ENSURE(tile.column_stride == 1 && tile.rows == rows.samples * plan.layout.full &&
                tile.columns == columns.samples * plan.layout.full);
  TileSum<T>(plan, rows, columns, plane, which, tile, workspace, context, divided).run(part, accumulate);
}

template <class T>
void contract_self(const ContractionPlan& plan, const BlockCollector<T>& block, int part, T* result,
                   const Context& context) {
  const RowLayout& layout = plan.layout;
  const Index entries = layout.planes * layout.full * layout.full;
  for (std::size_t k = 0; k < plan.contractions.size(); ++k) {
    const Contraction& contraction = plan.contractions[k];
    if (contraction.part != part) continue;
    if (contraction.order != Order::both_grams && contraction.order != Order::explicit_rows) {
      add_self_pairs(plan, k, block, result, context);
      continue;
    }
    for (Index i = 0; i < block.samples(); ++i) {
      T* own = result + i * entries;
      if (contraction.order == Order::both_grams) {
        add_self_streams(block, contraction, layout, i, own);
        continue;
      }
      const Index size = contraction.row_entries;
      const T* rows = block.rows(k) + i * layout.directions() * size;
      const T scale = static_cast<T>(block.scale(k) * block.scale(k));
      add_self_gram(layout, rows, size, Index{1}, rows, size, Index{1}, size, scale, own);
    }
  }
}

#define TANGRA_INSTANTIATE(T)                                                                                          \
  template void contract_tile<T>(const ContractionPlan&, const BlockFactors<T>&, const BlockFactors<T>&, Index, int,  \
                                 TilePart, bool, MatrixView<T>, ContractionWorkspace<T>&, const Context&, bool);      \
  template void contract_self<T>(const ContractionPlan&, const BlockCollector<T>&, int, T*, const Context&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
