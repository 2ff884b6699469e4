// Explicit rows of the Jacobian: order (a) of docs/math.md, section 5, and all that is written out.
#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/factors/term.h"
#include "tangra/linalg/gemm.h"

namespace tangra::factors {
namespace {

using linalg::Engine;
using linalg::gemm;

/// The entries of the place lie side by side, row-major, and are all of a row with `size` entries.
bool is_whole(const Place& place, Index size) {
  return place.offset == 0 && place.shape.elements() == size && place.strides == place.shape.strides();
}

template <class T>
void add_vector(const T* left, const std::vector<Index>& entries, T scale, T* target) {
  for (std::size_t e = 0; e < entries.size(); ++e) target[entries[e]] += scale * left[e];
}

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

/// scale * right of a sample: [D, K], in the memory of `scaled` where the scale is not 1.
template <class T>
MatrixView<const T> scaled_right(const Term<T>& term, Index sample, T scale, std::vector<T>& scaled) {
  MatrixView<const T> right = term.right_of(sample);
  if (scale == 1) return right;
  const auto size = static_cast<std::size_t>(right.rows * right.columns);
  scaled.resize(size);
  for (std::size_t e = 0; e < size; ++e) scaled[e] = scale * right.data[e];
  right.data = scaled.data();
  return right;
}

template <class T>
void add_outer(const Term<T>& term, Index samples, Index directions, const Place& place, T scale, bool accumulate, T* rows,
               Index size, const Context& context) {
  const Index channels = place.shape[0];
  const Index fan_in = place.shape[1];
  // The directions of a sample are rows of one product where their channels follow one another.
  const bool stacked = (term.left_by_channel || term.positions == 1) && is_whole(place, size);
  const auto add_sample = [&](Index i, int) {
    std::vector<T> memory;
    const MatrixView<const T> right = scaled_right(term, i, scale, memory);
    if (stacked) {
      const Index height = directions * channels;
      return gemm<T>(context, Engine::fast, matrix(term.left->data() + i * height * term.positions, height, term.positions),
                     right, accumulate, matrix(rows + i * directions * size, height, fan_in));
    }
    for (Index row = i * directions; row < (i + 1) * directions; ++row) {
      multiply<T>(context, term.left_of(row).transposed(), right, accumulate,
                  {rows + row * size + place.offset, channels, fan_in, place.strides[0], place.strides[1]});
    }
  };
  if (samples >= context.pool.size()) return context.pool.parallel_for(samples, add_sample);
  for (Index i = 0; i < samples; ++i) add_sample(i, 0);
}

}  // namespace

template <class T>
void add_rows(const Term<T>& term, Index samples, Index directions, const Place& place, double scale, bool accumulate,
              T* rows, Index size, const Context& context) {
  const bool whole = is_whole(place, size);
  TANGRA_ENSURE(accumulate || whole);
  if (term.form == Form::outer) {
    return add_outer(term, samples, directions, place, static_cast<T>(scale), accumulate, rows, size, context);
  }
  const Index count = samples * directions;
  if (!accumulate && scale == 1) {
    std::copy_n(term.left->data(), count * size, rows);
    return;
  }
  if (!accumulate) std::fill_n(rows, count * size, T(0));
  const std::vector<Index> entries = place.entries();
  const auto own = static_cast<Index>(entries.size());
  for (Index row = 0; row < count; ++row) {
    add_vector(term.left->data() + row * own, entries, static_cast<T>(scale), rows + row * size);
  }
}

template <class T>
void add_dense(const FactorBlock<T>& block, ParameterId parameter, T* jacobian, Index size, const Context& context) {
  for (const Term<T>& term : block.terms) {
    if (term.place.parameter != parameter) continue;
    add_rows(term, block.samples, block.directions, term.place, term.place.scale, true, jacobian, size, context);
  }
}

template <class T>
void add_summed(const FactorBlock<T>& block, ParameterId parameter, T* gradient, const Context& context) {
  for (const Term<T>& term : block.terms) {
    const Place& place = term.place;
    if (place.parameter != parameter) continue;
    if (term.form == Form::vector) {
      const std::vector<Index> entries = place.entries();
      const auto size = static_cast<Index>(entries.size());
      for (Index row = 0; row < block.samples * block.directions; ++row) {
        add_vector(term.left->data() + row * size, entries, static_cast<T>(place.scale), gradient);
      }
      continue;
    }
    for (Index i = 0; i < block.samples; ++i) {
      std::vector<T> memory;
      const MatrixView<const T> right = scaled_right(term, i, static_cast<T>(place.scale), memory);
      for (Index row = i * block.directions; row < (i + 1) * block.directions; ++row) {
        multiply<T>(context, term.left_of(row).transposed(), right, true,
                    {gradient + place.offset, place.shape[0], place.shape[1], place.strides[0], place.strides[1]});
      }
    }
  }
}

#define TANGRA_INSTANTIATE(T)                                                                                             \
  template void add_rows<T>(const Term<T>&, Index, Index, const Place&, double, bool, T*, Index, const Context&);        \
  template void add_dense<T>(const FactorBlock<T>&, ParameterId, T*, Index, const Context&);                             \
  template void add_summed<T>(const FactorBlock<T>&, ParameterId, T*, const Context&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
