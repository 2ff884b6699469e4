#include "tangra/factors/apply.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"
#include "tangra/linalg/vectors.h"

namespace tangra::factors {
namespace {

using linalg::Engine;
using linalg::gemm;

/// Entries of an intermediate product that are made at once: 16 MiB of floats.
constexpr Index chunk_entries = Index{1} << 22;

/// One term, and how the directions of its rows enter.
template <class T>
struct TermCall {
  const FactorBlock<T>& block;
  const Term<T>& term;
  const RowLayout& layout;
  Index plane;
  Index columns;  ///< b
  const Context& context;

  Index vectors() const { return layout.inner * columns; }
  Index direction(Index f, Index t) const { return (plane * layout.full + f) * layout.inner + t; }
  T scale() const { return static_cast<T>(term.place.scale); }
  /// Samples for which an intermediate product of `entries` each fits a chunk.
  Index samples_at_once(Index entries) const {
    return std::clamp<Index>(chunk_entries / std::max<Index>(1, entries), 1, std::max<Index>(1, block.samples));
  }
};

/// Explicit rows: left [n, R, size]. Rows of one direction, one for each sample.
template <class T>
MatrixView<const T> rows_of_direction(const TermCall<T>& call, Index direction) {
  const Index size = call.term.place.shape.elements();
  return {call.term.left->data() + direction * size, call.block.samples, size, call.block.directions * size, 1};
}

/// The entries that the place speaks of lie side by side from the parameter's first.
bool is_whole(const Place& place, Index size) {
  return place.offset == 0 && place.shape.elements() == size && place.strides == place.shape.strides();
}

/// Adds rows [V, entries of the place] to a parameter's vectors [V, size].
template <class T>
void scatter(const Place& place, const Tensor<T>& rows, Index vectors, Index size, T* target) {
  const std::vector<Index> entries = place.entries();
  const auto count = static_cast<Index>(entries.size());
  for (Index v = 0; v < vectors; ++v) {
    for (Index e = 0; e < count; ++e) target[v * size + entries[static_cast<std::size_t>(e)]] += rows[v * count + e];
  }
}

/// A parameter's vectors [V, size] at the entries of the place: [V, entries].
template <class T>
Tensor<T> gathered(const Place& place, const T* source, Index vectors, Index size) {
  const std::vector<Index> entries = place.entries();
  const auto count = static_cast<Index>(entries.size());
  auto rows = Tensor<T>::uninitialized(Shape{vectors, count});
  for (Index v = 0; v < vectors; ++v) {
    for (Index e = 0; e < count; ++e) rows[v * count + e] = source[v * size + entries[static_cast<std::size_t>(e)]];
  }
  return rows;
}

template <class T>
void vector_transposed(const TermCall<T>& call, MatrixView<const T> x, T* rows) {
  const Index size = call.term.place.shape.elements();
  const auto scaled = [&](Index f) {
    auto weights = Tensor<T>::uninitialized(Shape{call.columns, call.block.samples});
    for (Index b = 0; b < call.columns; ++b) {
      for (Index i = 0; i < call.block.samples; ++i) {
        weights[b * call.block.samples + i] = call.scale() * x(i * call.layout.full + f, b);
      }
    }
    return weights;
  };
  for (Index f = 0; f < call.layout.full; ++f) {
    const Tensor<T> weights = scaled(f);
    for (Index t = 0; t < call.layout.inner; ++t) {
      gemm<T>(call.context, Engine::fast, matrix(weights.data(), call.columns, call.block.samples),
              rows_of_direction(call, call.direction(f, t)), true, matrix(rows + t * call.columns * size, call.columns, size));
    }
  }
}

template <class T>
void vector_product(const TermCall<T>& call, const T* rows, MatrixView<T> y) {
  const Index size = call.term.place.shape.elements();
  Tensor<T> sums(Shape{call.block.samples, call.columns});
  for (Index f = 0; f < call.layout.full; ++f) {
    std::ranges::fill(sums, T(0));
    for (Index t = 0; t < call.layout.inner; ++t) {
      gemm<T>(call.context, Engine::fast, rows_of_direction(call, call.direction(f, t)),
              matrix(rows + t * call.columns * size, call.columns, size).transposed(), true,
              matrix(sums.data(), call.block.samples, call.columns));
    }
    for (Index i = 0; i < call.block.samples; ++i) {
      for (Index b = 0; b < call.columns; ++b) y(i * call.layout.full + f, b) += call.scale() * sums[i * call.columns + b];
    }
  }
}

/// result[d, (t, b, c)] = scale * sum_f left[i, (f, t), d, c] x[(i, f), b] for one sample.
template <class T>
void weigh_directions(const TermCall<T>& call, Index sample, MatrixView<const T> x, T* result) {
  const Index positions = call.term.positions;
  const Index channels = call.term.place.shape[0];
  const Index width = call.vectors() * channels;
  std::fill_n(result, positions * width, T(0));
  for (Index t = 0; t < call.layout.inner; ++t) {
    for (Index f = 0; f < call.layout.full; ++f) {
      const Index row = sample * call.block.directions + call.direction(f, t);
      const MatrixView<const T> left = call.term.left_of(row);
      for (Index b = 0; b < call.columns; ++b) {
        const T factor = call.scale() * x(sample * call.layout.full + f, b);
        T* target = result + (t * call.columns + b) * channels;
        for (Index d = 0; d < positions; ++d) {
          for (Index c = 0; c < channels; ++c) target[d * width + c] += factor * left(d, c);
        }
      }
    }
  }
}

/// right of the samples [begin, begin + count), one below the other: [count * D, K].
template <class T>
MatrixView<const T> stacked_right(const TermCall<T>& call, Index begin, Index count, Tensor<T>& memory) {
  const Index positions = call.term.positions;
  const Index width = call.term.groups * call.term.place.shape[1];
  if (!call.term.right_by_channel) {
    return matrix(call.term.right->data() + begin * positions * width, count * positions, width);
  }
  memory = Tensor<T>::uninitialized(Shape{count * positions, width});
  T* to = memory.data();
  for (Index i = begin; i < begin + count; ++i) {
    const MatrixView<const T> right = call.term.right_of(i);
    for (Index d = 0; d < positions; ++d) {
      for (Index k = 0; k < width; ++k) *to++ = right(d, k);
    }
  }
  return matrix<const T>(memory.data(), count * positions, width);
}

/// Calls use(first row (t, b, c), rows, first column of the right factor) for rows that meet the same entries of it: all of
/// them, or a group's channels of one vector.
template <class T, class Use>
void each_group(const TermCall<T>& call, const Use& use) {
  const Index channels = call.term.place.shape[0];
  if (call.term.groups == 1) return use(Index{0}, call.vectors() * channels, Index{0});
  const Index own = channels / call.term.groups;
  for (Index v = 0; v < call.vectors(); ++v) {
    for (Index g = 0; g < call.term.groups; ++g) use(v * channels + g * own, own, g * call.term.place.shape[1]);
  }
}

template <class T>
void outer_transposed(const TermCall<T>& call, MatrixView<const T> x, T* rows) {
  const Index positions = call.term.positions;
  const Index fan_in = call.term.place.shape[1];
  const Index width = call.vectors() * call.term.place.shape[0];
  const Index step = call.samples_at_once(positions * width);
  auto weighed = Tensor<T>::uninitialized(Shape{step * positions, width});
  Tensor<T> memory;
  for (Index begin = 0; begin < call.block.samples; begin += step) {
    const Index count = std::min(step, call.block.samples - begin);
    call.context.pool.parallel_for(count, [&](Index i, int) {
      weigh_directions(call, begin + i, x, weighed.data() + i * positions * width);
    });
    const MatrixView<const T> left = matrix<const T>(weighed.data(), count * positions, width);
    const MatrixView<const T> right = stacked_right(call, begin, count, memory);
    each_group(call, [&](Index first, Index height, Index column) {
      gemm<T>(call.context, Engine::fast, left.block(0, first, left.rows, height).transposed(),
              right.block(0, column, right.rows, fan_in), true, matrix(rows + first * fan_in, height, fan_in));
    });
  }
}

/// y[(i, f), b] += scale * sum_{t,d,c} left[i, (f, t), d, c] product[d, (t, b, c)] for one sample.
template <class T>
void sum_directions(const TermCall<T>& call, Index sample, const T* product, MatrixView<T> y) {
  const Index positions = call.term.positions;
  const Index channels = call.term.place.shape[0];
  const Index width = call.vectors() * channels;
  for (Index f = 0; f < call.layout.full; ++f) {
    for (Index b = 0; b < call.columns; ++b) {
      T sum = 0;
      for (Index t = 0; t < call.layout.inner; ++t) {
        const Index row = sample * call.block.directions + call.direction(f, t);
        const MatrixView<const T> left = call.term.left_of(row);
        const T* right = product + (t * call.columns + b) * channels;
        for (Index d = 0; d < positions; ++d) {
          for (Index c = 0; c < channels; ++c) sum += left(d, c) * right[d * width + c];
        }
      }
      y(sample * call.layout.full + f, b) += call.scale() * sum;
    }
  }
}

template <class T>
void outer_product(const TermCall<T>& call, const T* rows, MatrixView<T> y) {
  const Index positions = call.term.positions;
  const Index fan_in = call.term.place.shape[1];
  const Index width = call.vectors() * call.term.place.shape[0];
  const Index step = call.samples_at_once(positions * width);
  auto product = Tensor<T>::uninitialized(Shape{step * positions, width});
  Tensor<T> memory;
  for (Index begin = 0; begin < call.block.samples; begin += step) {
    const Index count = std::min(step, call.block.samples - begin);
    const MatrixView<const T> right = stacked_right(call, begin, count, memory);
    const MatrixView<T> result = matrix(product.data(), count * positions, width);
    each_group(call, [&](Index first, Index height, Index column) {
      gemm<T>(call.context, Engine::fast, right.block(0, column, right.rows, fan_in),
              matrix(rows + first * fan_in, height, fan_in).transposed(), false, result.block(0, first, result.rows, height));
    });
    call.context.pool.parallel_for(count, [&](Index i, int) {
      sum_directions(call, begin + i, product.data() + i * positions * width, y);
    });
  }
}

/// Calls use(sample, row f, summed index t, entries of left at d, first entry of the table's row that the token names).
template <class T, class Use>
void each_token(const TermCall<T>& call, const Use& use) {
  const Index width = call.term.place.shape[1];
  for (Index i = 0; i < call.block.samples; ++i) {
    const T* tokens = call.term.tokens_of(i);
    for (Index f = 0; f < call.layout.full; ++f) {
      for (Index t = 0; t < call.layout.inner; ++t) {
        const T* left = call.term.left_of(i * call.block.directions + call.direction(f, t)).data;
        for (Index d = 0; d < call.term.positions; ++d) {
          use(i, f, t, left + d * width, static_cast<Index>(tokens[d]) * width);
        }
      }
    }
  }
}

template <class T>
void gather_transposed(const TermCall<T>& call, MatrixView<const T> x, T* rows) {
  const Index size = call.term.place.shape.elements();
  each_token(call, [&](Index i, Index f, Index t, const T* left, Index first) {
    for (Index b = 0; b < call.columns; ++b) {
      linalg::scale(call.scale() * x(i * call.layout.full + f, b), left, call.term.place.shape[1], true,
                    rows + (t * call.columns + b) * size + first);
    }
  });
}

template <class T>
void gather_product(const TermCall<T>& call, const T* rows, MatrixView<T> y) {
  const Index size = call.term.place.shape.elements();
  each_token(call, [&](Index i, Index f, Index t, const T* left, Index first) {
    for (Index b = 0; b < call.columns; ++b) {
      y(i * call.layout.full + f, b) +=
          call.scale() * linalg::dot(left, rows + (t * call.columns + b) * size + first, call.term.place.shape[1]);
    }
  });
}

}  // namespace

template <class T>
ParameterVectors<T> parameter_vectors(const std::vector<Index>& sizes, Index vectors) {
  ParameterVectors<T> result;
  for (const Index size : sizes) result.emplace_back(Shape{vectors, size});
  return result;
}

template <class T>
void add_transposed_product(const FactorBlock<T>& block, const RowLayout& layout, Index plane, MatrixView<const T> x,
                            ParameterVectors<T>& w, const Context& context) {
  TANGRA_ENSURE(x.rows == block.samples * layout.full && block.directions == layout.directions());
  for (const Term<T>& term : block.terms) {
    const TermCall<T> call{block, term, layout, plane, x.columns, context};
    Tensor<T>& own = w[static_cast<std::size_t>(term.place.parameter)];
    const Index size = own.shape()[1];
    const bool whole = is_whole(term.place, size);
    Tensor<T> apart;
    if (!whole) apart = Tensor<T>(Shape{call.vectors(), term.place.shape.elements()});
    T* rows = whole ? own.data() : apart.data();
    if (term.form == Form::vector) vector_transposed(call, x, rows);
    else if (term.form == Form::gather) gather_transposed(call, x, rows);
    else outer_transposed(call, x, rows);
    if (!whole) scatter(term.place, apart, call.vectors(), size, own.data());
  }
}

template <class T>
void add_product(const FactorBlock<T>& block, const RowLayout& layout, Index plane, const ParameterVectors<T>& w,
                 MatrixView<T> y, const Context& context) {
  TANGRA_ENSURE(y.rows == block.samples * layout.full && block.directions == layout.directions());
  for (const Term<T>& term : block.terms) {
    const TermCall<T> call{block, term, layout, plane, y.columns, context};
    const Tensor<T>& own = w[static_cast<std::size_t>(term.place.parameter)];
    const Index size = own.shape()[1];
    const bool whole = is_whole(term.place, size);
    Tensor<T> apart;
    if (!whole) apart = gathered(term.place, own.data(), call.vectors(), size);
    const T* rows = whole ? own.data() : apart.data();
    if (term.form == Form::vector) vector_product(call, rows, y);
    else if (term.form == Form::gather) gather_product(call, rows, y);
    else outer_product(call, rows, y);
  }
}

#define TANGRA_INSTANTIATE(T)                                                                                  \
  template ParameterVectors<T> parameter_vectors<T>(const std::vector<Index>&, Index);                         \
  template void add_transposed_product<T>(const FactorBlock<T>&, const RowLayout&, Index, MatrixView<const T>, \
                                          ParameterVectors<T>&, const Context&);                               \
  template void add_product<T>(const FactorBlock<T>&, const RowLayout&, Index, const ParameterVectors<T>&,     \
                               MatrixView<T>, const Context&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
