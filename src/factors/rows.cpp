// Explicit rows of the Jacobian: order (a) of docs/math.md, section 5, and all that is written out.
#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/factors/term.h"
#include "tangra/linalg/gemm.h"

namespace tangra::factors {
namespace {

using linalg::Engine;
using linalg::gemm;

/// C = (accumulate ? C : 0) + A B for any strides of C.
template <class T>
void multiply(const Context& context, MatrixView<const T> a, MatrixView<const T> b, bool accumulate, MatrixView<T> c) {
  if (c.column_stride == 1) return gemm<T>(context, Engine::fast, a, b, accumulate, c);
  if (c.row_stride == 1) return gemm<T>(context, Engine::fast, b.transposed(), a.transposed(), accumulate, c.transposed());
  auto product = Tensor<T>::uninitialized(Shape{c.rows, c.columns});
  gemm<T>(context, Engine::fast, a, b, false, matrix(product.data(), c.rows, c.columns));
  for (Index r = 0; r < c.rows; ++r) {
    for (Index k = 0; k < c.columns; ++k) c(r, k) = (accumulate ? c(r, k) : T(0)) + product[r * c.columns + k];
  }
}

/// One term, and where its rows go.
template <class T>
struct TermRows {
  const Term<T>& term;
  const RowTarget& target;
  const Context& context;

  T scale() const { return static_cast<T>(target.scale); }
  /// Entries of one entry of the first axis.
  Index inner() const { return term.place.shape.elements(1, term.place.shape.rank()); }
  Index entries() const { return (target.last - target.first) * inner(); }

  /// scale * right of a sample, in the memory of `scaled` where the scale is not 1.
  MatrixView<const T> right_of(Index sample, std::vector<T>& scaled) const {
    MatrixView<const T> right = term.right_of(sample);
    if (scale() == 1) return right;
    scaled.resize(static_cast<std::size_t>(right.rows * right.columns));
    for (std::size_t e = 0; e < scaled.size(); ++e) scaled[e] = scale() * right.data[e];
    right.data = scaled.data();
    return right;
  }

  void add_vector(Index row, const std::vector<Index>& places, T* to) const {
    const T* left = term.left->data() + row * term.place.shape.elements() + target.first * inner();
    for (std::size_t e = 0; e < places.size(); ++e) to[places[e]] += scale() * left[e];
  }

  void add_gathered(Index row, Index sample, T* to) const {
    const MatrixView<const T> left = term.left_of(row);
    const T* tokens = term.tokens_of(sample);
    for (Index d = 0; d < term.positions; ++d) {
      const auto token = static_cast<Index>(tokens[d]);
      if (token < target.first || token >= target.last) continue;
      T* line = to + target.place.offset + (token - target.first) * target.place.strides[0];
      for (Index e = 0; e < left.columns; ++e) line[e * target.place.strides[1]] += scale() * left(d, e);
    }
  }

  /// Channels [first, last) of one row: left^T right, group by group.
  void multiply_row(Index row, MatrixView<const T> right, bool accumulate, T* to) const {
    const MatrixView<const T> left = term.left_of(row);
    const Index fan_in = term.place.shape[1];
    const Index each = term.place.shape[0] / term.groups;
    for (Index channel = target.first; channel < target.last;) {
      const Index group = channel / each;
      const Index end = std::min(target.last, (group + 1) * each);
      multiply<T>(context, left.block(0, channel, left.rows, end - channel).transposed(),
                  right.block(0, group * fan_in, right.rows, fan_in), accumulate,
                  {to + target.place.offset + (channel - target.first) * target.place.strides[0], end - channel, fan_in,
                   target.place.strides[0], target.place.strides[1]});
      channel = end;
    }
  }

  /// All directions of a sample in one product, or in one for each channel with a fan-in of its own.
  void multiply_stacked(Index sample, Index directions, MatrixView<const T> right, bool accumulate, T* rows) const {
    const Index channels = term.place.shape[0];
    const Index fan_in = term.place.shape[1];
    const T* left = term.left->data() + sample * directions * channels * term.positions;
    if (term.groups == 1) {
      return gemm<T>(context, Engine::fast, matrix(left, directions * channels, term.positions), right, accumulate,
                     matrix(rows, directions * channels, fan_in));
    }
    for (Index c = 0; c < channels; ++c) {
      gemm<T>(context, Engine::fast, {left + c * term.positions, directions, term.positions, channels * term.positions, 1},
              right.block(0, c * fan_in, right.rows, fan_in), accumulate,
              {rows + c * fan_in, directions, fan_in, target.size, 1});
    }
  }

  void add_outer(Index samples, Index directions, bool accumulate, T* rows) const {
    const bool by_channel = term.left_by_channel || term.positions == 1;
    const bool stacked = by_channel && target.is_whole() && target.last - target.first == term.place.shape[0] &&
                         (term.groups == 1 || term.groups == term.place.shape[0]);
    const auto add_sample = [&](Index i, int) {
      std::vector<T> memory;
      const MatrixView<const T> right = right_of(i, memory);
      if (stacked) return multiply_stacked(i, directions, right, accumulate, rows + i * directions * target.size);
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        multiply_row(row, right, accumulate, rows + row * target.size);
      }
    };
    if (samples >= context.pool.size()) return context.pool.parallel_for(samples, add_sample);
    for (Index i = 0; i < samples; ++i) add_sample(i, 0);
  }
};

/// The entries of a row that the target's entries go to.
std::vector<Index> places_of(const RowTarget& target) {
  Place part = target.place;
  if (part.shape.rank() > 0) part.shape[0] = target.last - target.first;
  return part.entries();
}

}  // namespace

RowTarget RowTarget::of_parameter(const Place& place, Index size) {
  return {.place = place, .size = size, .first = 0, .last = place.shape.rank() == 0 ? 1 : place.shape[0], .scale = place.scale};
}

RowTarget RowTarget::of_region(const Place& place, Index first, Index last) {
  RowTarget target{.place = place, .size = (last - first) * place.shape.elements(1, place.shape.rank()), .first = first,
                   .last = last, .scale = place.scale};
  target.place.offset = 0;
  target.place.strides = place.shape.strides();
  return target;
}

bool RowTarget::is_whole() const {
  return place.offset == 0 && place.strides == place.shape.strides() &&
         (last - first) * place.shape.elements(1, place.shape.rank()) == size;
}

template <class T>
void add_rows(const Term<T>& term, Index samples, Index directions, const RowTarget& target, bool accumulate, T* rows,
              const Context& context) {
  const bool whole = target.is_whole();
  TANGRA_ENSURE(accumulate || whole);
  const TermRows<T> own{term, target, context};
  if (term.form == Form::outer) return own.add_outer(samples, directions, accumulate, rows);
  const Index count = samples * directions;
  if (term.form == Form::vector && !accumulate && target.scale == 1 && term.place.shape.elements() == target.size) {
    std::copy_n(term.left->data(), count * target.size, rows);
    return;
  }
  if (!accumulate) std::fill_n(rows, count * target.size, T(0));
  const std::vector<Index> places = term.form == Form::vector ? places_of(target) : std::vector<Index>{};
  for (Index row = 0; row < count; ++row) {
    if (term.form == Form::vector) own.add_vector(row, places, rows + row * target.size);
    else own.add_gathered(row, row / directions, rows + row * target.size);
  }
}

template <class T>
void add_dense(const FactorBlock<T>& block, ParameterId parameter, T* jacobian, Index size, const Context& context) {
  for (const Term<T>& term : block.terms) {
    if (term.place.parameter != parameter) continue;
    add_rows(term, block.samples, block.directions, RowTarget::of_parameter(term.place, size), true, jacobian, context);
  }
}

template <class T>
void add_summed(const FactorBlock<T>& block, ParameterId parameter, T* gradient, const Context& context) {
  for (const Term<T>& term : block.terms) {
    if (term.place.parameter != parameter) continue;
    const RowTarget target = RowTarget::of_parameter(term.place, 0);
    const TermRows<T> own{term, target, context};
    const std::vector<Index> places = term.form == Form::vector ? places_of(target) : std::vector<Index>{};
    for (Index i = 0; i < block.samples; ++i) {
      std::vector<T> memory;
      const MatrixView<const T> right = term.form == Form::outer ? own.right_of(i, memory) : MatrixView<const T>{};
      for (Index row = i * block.directions; row < (i + 1) * block.directions; ++row) {
        if (term.form == Form::vector) own.add_vector(row, places, gradient);
        else if (term.form == Form::gather) own.add_gathered(row, i, gradient);
        else own.multiply_row(row, right, true, gradient);
      }
    }
  }
}

#define TANGRA_INSTANTIATE(T)                                                                                  \
  template void add_rows<T>(const Term<T>&, Index, Index, const RowTarget&, bool, T*, const Context&);        \
  template void add_dense<T>(const FactorBlock<T>&, ParameterId, T*, Index, const Context&);                  \
  template void add_summed<T>(const FactorBlock<T>&, ParameterId, T*, const Context&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
