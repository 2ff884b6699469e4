#include "tangra/kernel/kernel_operator.h"

#include <algorithm>

#include "tangra/base/error.h"

namespace tangra::kernel {
namespace {

using factors::FactorBlock;
using factors::FactorSource;
using factors::ParameterVectors;
using factors::Term;

/// Samples of a block where memory does not ask for fewer.
constexpr Index most_samples = 448;

template <class T>
std::size_t bytes_of(const FactorBlock<T>& block) {
  std::size_t bytes = 0;
  for (const Term<T>& term : block.terms) {
    bytes += term.left->bytes() + (term.right != nullptr ? term.right->bytes() : 0);
  }
  return bytes;
}

/// J^T x and, while a product runs, as much again.
template <class T>
std::size_t vector_bytes(Index entries) {
  return 2 * static_cast<std::size_t>(entries) * sizeof(T);
}

template <class T>
Index blocks_of(const FactorSource<T>& source, Index block) {
  return (source.samples() + block - 1) / block;
}

template <class T>
Tensor<T> rows_in(MatrixView<const double> x, Index first, Index count) {
  auto rows = Tensor<T>::uninitialized(Shape{count, x.columns});
  for (Index r = 0; r < count; ++r) {
    for (Index b = 0; b < x.columns; ++b) rows[r * x.columns + b] = static_cast<T>(x(first + r, b));
  }
  return rows;
}

}  // namespace

template <class T>
KernelOperator<T>::KernelOperator(OperatorSpec<T> spec, const Context& context) : spec_(std::move(spec)) {
  TANGRA_ENSURE(spec_.plane >= 0 && spec_.plane < spec_.layout.planes);
  const FactorBlock<T> sample = spec_.rows->make(0, std::min<Index>(1, spec_.rows->samples()));
  std::vector<bool> has_term(spec_.sizes.size(), false);
  for (const Term<T>& term : sample.terms) has_term[static_cast<std::size_t>(term.place.parameter)] = true;
  for (std::size_t p = 0; p < has_term.size(); ++p) {
    if (!has_term[p]) spec_.sizes[p] = 0;
    parameters_ += spec_.sizes[p];
  }
  const std::size_t each = spec_.rows->bytes_per_sample() * static_cast<std::size_t>(context.pool.size());
  const auto fitting = static_cast<Index>(std::min<std::size_t>(context.memory.available() / (4 * each + 1), most_samples));
  block_ = std::min(std::max<Index>(1, fitting), std::max<Index>(1, std::max(spec_.rows->samples(), symmetric() ? 0 : spec_.columns->samples())));
  working_ = Reservation(context.memory, static_cast<std::size_t>(block_) * each, "the factors of a block of samples");
  keep(sample, context);
}

template <class T>
void KernelOperator<T>::keep(const FactorBlock<T>& sample, const Context& context) {
  const auto samples = static_cast<std::size_t>(spec_.rows->samples() + (symmetric() ? 0 : spec_.columns->samples()));
  const std::size_t bytes = bytes_of(sample) * samples;
  if (sample.samples == 0 || bytes > context.memory.available() / 2) return;
  kept_ = Reservation(context.memory, bytes, "the factors of all samples");
  row_blocks_ = make(*spec_.rows, {}, 0, blocks_of(*spec_.rows, block_), context);
  if (!symmetric()) column_blocks_ = make(*spec_.columns, {}, 0, blocks_of(*spec_.columns, block_), context);
}

/// Blocks [first, last) of a source, those of `kept` where there are any. The terms share their tensors.
template <class T>
typename KernelOperator<T>::Blocks KernelOperator<T>::make(const FactorSource<T>& source, const Blocks& kept, Index first,
                                                           Index last, const Context& context) const {
  if (!kept.empty()) return {kept.begin() + first, kept.begin() + last};
  Blocks blocks(static_cast<std::size_t>(last - first));
  context.pool.parallel_for(last - first, [&](Index item, int) {
    context.check_cancelled();
    const Index begin = (first + item) * block_;
    blocks[static_cast<std::size_t>(item)] = source.make(begin, std::min(source.samples(), begin + block_));
  });
  return blocks;
}

template <class T>
void KernelOperator<T>::transposed_product(MatrixView<const double> x, ParameterVectors<T>& w, const Context& context) const {
  const FactorSource<T>& source = column_source();
  const Blocks& kept = symmetric() ? row_blocks_ : column_blocks_;
  const Index count = blocks_of(source, block_);
  for (Index first = 0; first < count; first += context.pool.size()) {
    const Index last = std::min<Index>(count, first + context.pool.size());
    Index row = first * block_ * spec_.layout.full;
    for (const FactorBlock<T>& block : make(source, kept, first, last, context)) {
      context.check_cancelled();
      const Tensor<T> rows = rows_in<T>(x, row, block.samples * spec_.layout.full);
      factors::add_transposed_product<T>(block, spec_.layout, spec_.plane, matrix(rows.data(), rows.shape()[0], x.columns), w,
                                         context);
      row += rows.shape()[0];
    }
  }
}

template <class T>
void KernelOperator<T>::product(const ParameterVectors<T>& w, MatrixView<double> y, const Context& context) const {
  context.pool.parallel_for(blocks_of(*spec_.rows, block_), [&](Index item, int) {
    context.check_cancelled();
    const FactorBlock<T> block = std::move(make(*spec_.rows, row_blocks_, item, item + 1, context).front());
    Tensor<T> rows(Shape{block.samples * spec_.layout.full, y.columns});
    factors::add_product<T>(block, spec_.layout, spec_.plane, w, matrix(rows.data(), rows.shape()[0], y.columns), context);
    const Index row = item * block_ * spec_.layout.full;
    for (Index r = 0; r < rows.shape()[0]; ++r) {
      for (Index b = 0; b < y.columns; ++b) {
        y(row + r, b) = static_cast<double>(rows[r * y.columns + b]) / spec_.divisor;
      }
    }
  });
}

template <class T>
void KernelOperator<T>::apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const {
  TANGRA_ENSURE(x.rows == columns() && y.rows == rows() && x.columns == y.columns);
  if (rows() == 0 || x.columns == 0) return;
  const std::size_t each = vector_bytes<T>(parameters_ * spec_.layout.inner);
  const auto fitting = static_cast<Index>(std::min<std::size_t>(context.memory.available() / (each + 1), 1U << 20U));
  const Index step = std::clamp<Index>(fitting, 1, x.columns);
  const Reservation memory(context.memory, each * static_cast<std::size_t>(step), "vectors in the space of the parameters");
  for (Index first = 0; first < x.columns; first += step) {
    const Index count = std::min(step, x.columns - first);
    ParameterVectors<T> w = factors::parameter_vectors<T>(spec_.sizes, spec_.layout.inner * count);
    transposed_product(x.block(0, first, x.rows, count), w, context);
    product(w, y.block(0, first, y.rows, count), context);
  }
}

template <class T>
std::size_t operator_memory(const FactorSource<T>& source, Index entries, const Context& context) {
  const std::size_t block = source.bytes_per_sample() * static_cast<std::size_t>(context.pool.size());
  return block + vector_bytes<T>(entries);
}

template std::size_t operator_memory<float>(const FactorSource<float>&, Index, const Context&);
template std::size_t operator_memory<double>(const FactorSource<double>&, Index, const Context&);
template class KernelOperator<float>;
template class KernelOperator<double>;

}  // namespace tangra::kernel
