#include "tangra/factors/contraction.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"

namespace tangra::factors {
namespace {

/// Adds the rows of an outer term to J [n, R, C K], over the entries of its region in their order: for every row
/// left^T [C, D] right [D, K].
template <class T>
void add_outer_rows(const Term<T>& term, Index rows, Index directions, T* jacobian, const Context& context) {
  const Index channels = term.place.shape[0];
  const Index fan_in = term.place.shape[1];
  const T scale = static_cast<T>(term.place.scale);
  context.pool.parallel_for(rows, [&](Index row, int) {
    const T* right = term.right->data() + row / directions * term.positions * fan_in;
    const MatrixView<const T> left = matrix(term.left->data() + row * term.positions * channels, term.positions, channels);
    T* target = jacobian + row * channels * fan_in;
    linalg::gemm<T>(context, linalg::Engine::fast, left.transposed(), matrix(right, term.positions, fan_in), true,
                    matrix(target, channels, fan_in));
    if (scale == 1) return;
    for (Index e = 0; e < channels * fan_in; ++e) target[e] *= scale;
  });
}

/// The explicit rows of a contraction's terms: [n, R, size] over the region where all speak of the same entries, over
/// the whole parameter otherwise. Shares the memory of a single explicit term.
template <class T>
std::shared_ptr<const Tensor<T>> explicit_rows(const FactorBlock<T>& block, const Contraction& contraction,
                                               const std::vector<Index>& sizes, const Context& context, double& scale) {
  const auto term = [&](int index) -> const Term<T>& { return block.terms[static_cast<std::size_t>(index)]; };
  const Term<T>& first = term(contraction.terms.front());
  scale = 1;
  if (contraction.terms.size() == 1 && first.form == Form::vector) {
    scale = first.place.scale;
    return first.left;
  }
  FactorBlock<T> chosen{.samples = block.samples, .directions = block.directions, .terms = {}};
  bool one_region = true;
  for (const int index : contraction.terms) {
    chosen.terms.push_back(term(index));
    one_region = one_region && term(index).place.same_entries(first.place);
  }
  const Index all_rows = block.samples * block.directions;
  if (contraction.terms.size() == 1 && first.form == Form::outer) {
    auto rows = std::make_shared<Tensor<T>>(Shape{block.samples, block.directions, first.place.shape.elements()});
    add_outer_rows(first, all_rows, block.directions, rows->data(), context);
    return rows;
  }
  Index size = sizes[static_cast<std::size_t>(contraction.parameter)];
  if (one_region) {
    size = first.place.shape.elements();
    for (Term<T>& use : chosen.terms) {
      use.place.offset = 0;
      use.place.strides = use.place.shape.strides();
    }
  }
  auto rows = std::make_shared<Tensor<T>>(Shape{block.samples, block.directions, size});
  add_dense(chosen, contraction.parameter, rows->data(), size);
  return rows;
}

/// left as the matrix of plane g: row (i, f), columns (t, c), at position d.
template <class T>
Tensor<T> gathered_left(const Term<T>& term, const FactorBlock<T>& block, const RowLayout& layout, Index plane, Index d) {
  const Index channels = term.place.shape[0];
  auto result = Tensor<T>::uninitialized({block.samples * layout.full, layout.inner * channels});
  T* to = result.data();
  for (Index i = 0; i < block.samples; ++i) {
    for (Index r = 0; r < layout.full * layout.inner; ++r, to += channels) {
      const Index row = i * block.directions + plane * layout.full * layout.inner + r;
      std::copy_n(term.left->data() + (row * term.positions + d) * channels, channels, to);
    }
  }
  return result;
}

/// Rows [n, planes, full, inner * size] as the matrix of one plane where it lies in one piece or with a stride.
template <class T>
MatrixView<const T> plane_view(const Tensor<T>& rows, Index samples, const RowLayout& layout, Index plane, Index size) {
  const Index width = layout.inner * size;
  if (layout.planes == 1) return matrix(rows.data(), samples * layout.full, width);
  TANGRA_ENSURE(layout.full == 1);
  return {rows.data() + plane * width, samples, width, layout.planes * width, 1};
}

template <class T>
std::vector<linalg::Packed<T>> pack_rows(const Tensor<T>& rows, Index samples, const RowLayout& layout, Index size,
                                         linalg::Side side) {
  std::vector<linalg::Packed<T>> packed;
  for (Index plane = 0; plane < layout.planes; ++plane) {
    if (layout.planes == 1 || layout.full == 1) {
      packed.push_back(linalg::pack(side, plane_view(rows, samples, layout, plane, size)));
      continue;
    }
    const Index width = layout.inner * size;
    auto copy = Tensor<T>::uninitialized({samples * layout.full, width});
    for (Index i = 0; i < samples; ++i) {
      std::copy_n(rows.data() + (i * layout.planes + plane) * layout.full * width, layout.full * width,
                  copy.data() + i * layout.full * width);
    }
    packed.push_back(linalg::pack<T>(side, matrix(copy.data(), samples * layout.full, width)));
  }
  return packed;
}

template <class T>
typename PackedBlock<T>::Pair pack_stream(const FactorBlock<T>& block, const Stream& stream, const RowLayout& layout,
                                          linalg::Side side) {
  const Term<T>& term = block.terms[static_cast<std::size_t>(stream.term)];
  typename PackedBlock<T>::Pair pair;
  pair.scale = term.place.scale;
  const Index channels = term.place.shape[0];
  const Index fan_in = term.place.shape[1];
  if (term.positions == 1) {
    pair.left = pack_rows(*term.left, block.samples, layout, channels, side);
  } else {
    for (Index plane = 0; plane < layout.planes; ++plane) {
      const Tensor<T> left = gathered_left(term, block, layout, plane, stream.position);
      pair.left.push_back(linalg::pack<T>(side, matrix(left.data(), left.shape()[0], left.shape()[1])));
    }
  }
  pair.right = linalg::pack<T>(side, {term.right->data() + stream.position * fan_in, block.samples, fan_in,
                                      term.positions * fan_in, 1});
  return pair;
}

}  // namespace

template <class T>
std::size_t PackedBlock<T>::bytes() const {
  std::size_t sum = 0;
  for (const auto& pairs : contractions) {
    for (const Pair& pair : pairs) {
      for (const auto& left : pair.left) sum += left.bytes();
      sum += pair.right.bytes();
    }
  }
  return sum;
}

template <class T>
PackingNeeds packing_needs(const FactorBlock<T>& sample, const ContractionPlan& plan, const std::vector<Index>& sizes,
                           linalg::Side side, Index samples) {
  PackingNeeds needs;
  const RowLayout& layout = plan.layout;
  const auto of_rows = [&](Index size) {
    return static_cast<std::size_t>(layout.planes) *
           linalg::Packed<T>::bytes_needed(side, samples * layout.full, layout.inner * size);
  };
  for (const Contraction& contraction : plan.contractions) {
    const Place& place = sample.terms[static_cast<std::size_t>(contraction.terms.front())].place;
    if (contraction.order == Order::both_grams) {
      needs.packed += contraction.streams.size() * (of_rows(place.shape[0]) + linalg::Packed<T>::bytes_needed(side, samples, place.shape[1]));
      continue;
    }
    const Index size = contraction.terms.size() == 1 ? place.shape.elements() : sizes[static_cast<std::size_t>(contraction.parameter)];
    needs.packed += of_rows(size);
    needs.temporary = std::max(needs.temporary, static_cast<std::size_t>(samples * layout.directions() * size) * sizeof(T));
  }
  return needs;
}

template <class T>
PackedBlock<T> pack_block(const FactorBlock<T>& block, const ContractionPlan& plan, const std::vector<Index>& sizes,
                          linalg::Side side, const Context& context) {
  PackedBlock<T> packed;
  packed.samples = block.samples;
  for (const Contraction& contraction : plan.contractions) {
    auto& pairs = packed.contractions.emplace_back();
    if (contraction.order == Order::both_grams) {
      for (const Stream& stream : contraction.streams) pairs.push_back(pack_stream(block, stream, plan.layout, side));
      continue;
    }
    typename PackedBlock<T>::Pair pair;
    const auto rows = explicit_rows(block, contraction, sizes, context, pair.scale);
    const Index size = block.samples * block.directions == 0 ? 0 : rows->size() / (block.samples * block.directions);
    pair.left = pack_rows(*rows, block.samples, plan.layout, size, side);
    pairs.push_back(std::move(pair));
  }
  return packed;
}

template <class T>
std::vector<linalg::TileProduct<T>> tile_products(const ContractionPlan& plan, const PackedBlock<T>& rows,
                                                  const PackedBlock<T>& columns, Index plane, int part) {
  std::vector<linalg::TileProduct<T>> products;
  for (std::size_t k = 0; k < plan.contractions.size(); ++k) {
    const Contraction& contraction = plan.contractions[k];
    if (contraction.part != part) continue;
    for (const auto& left : rows.contractions[k]) {
      for (const auto& right : columns.contractions[k]) {
        linalg::TileProduct<T> product;
        product.u = &left.left[static_cast<std::size_t>(plane)];
        product.v = &right.left[static_cast<std::size_t>(plane)];
        if (contraction.order == Order::both_grams) {
          product.x = &left.right;
          product.y = &right.right;
          product.x_repeat = plan.layout.full;
          product.y_repeat = plan.layout.full;
        }
        product.scale = static_cast<T>(left.scale * right.scale);
        product.constant = static_cast<T>(contraction.constant);
        products.push_back(product);
      }
    }
  }
  return products;
}

namespace {

/// result [planes, full, full] += scale * (sum over inner and e of a[..] b[..]) * weight, for one sample.
template <class T>
void add_self_gram(const RowLayout& layout, const T* a, Index a_stride, const T* b, Index b_stride, Index size,
                   T factor, T* result) {
  for (Index g = 0; g < layout.planes; ++g) {
    for (Index f = 0; f < layout.full; ++f) {
      for (Index f2 = 0; f2 < layout.full; ++f2, ++result) {
        T sum = 0;
        for (Index t = 0; t < layout.inner; ++t) {
          const T* left = a + ((g * layout.full + f) * layout.inner + t) * a_stride;
          const T* right = b + ((g * layout.full + f2) * layout.inner + t) * b_stride;
          for (Index e = 0; e < size; ++e) sum += left[e] * right[e];
        }
        *result += factor * sum;
      }
    }
  }
}

template <class T>
void add_self_streams(const FactorBlock<T>& block, const Contraction& contraction, const RowLayout& layout, Index sample,
                      T* result) {
  for (const Stream& one : contraction.streams) {
    for (const Stream& other : contraction.streams) {
      const Term<T>& a = block.terms[static_cast<std::size_t>(one.term)];
      const Term<T>& b = block.terms[static_cast<std::size_t>(other.term)];
      const Index channels = a.place.shape[0];
      const Index fan_in = a.place.shape[1];
      const T* x = a.right->data() + (sample * a.positions + one.position) * fan_in;
      const T* y = b.right->data() + (sample * b.positions + other.position) * fan_in;
      T dot = 0;
      for (Index k = 0; k < fan_in; ++k) dot += x[k] * y[k];
      add_self_gram(layout, a.left->data() + (sample * block.directions * a.positions + one.position) * channels,
                    a.positions * channels,
                    b.left->data() + (sample * block.directions * b.positions + other.position) * channels,
                    b.positions * channels, channels,
                    static_cast<T>(a.place.scale * b.place.scale) * (dot + static_cast<T>(contraction.constant)), result);
    }
  }
}

}  // namespace

template <class T>
void contract_self(const FactorBlock<T>& block, const ContractionPlan& plan, const std::vector<Index>& sizes, int part,
                   T* result, const Context& context) {
  const Index entries = plan.layout.planes * plan.layout.full * plan.layout.full;
  for (const Contraction& contraction : plan.contractions) {
    if (contraction.part != part) continue;
    if (contraction.order == Order::both_grams) {
      for (Index i = 0; i < block.samples; ++i) add_self_streams(block, contraction, plan.layout, i, result + i * entries);
      continue;
    }
    double scale = 1;
    const auto rows = explicit_rows(block, contraction, sizes, context, scale);
    const Index size = block.samples == 0 ? 0 : rows->size() / (block.samples * block.directions);
    for (Index i = 0; i < block.samples; ++i) {
      const T* own = rows->data() + i * block.directions * size;
      add_self_gram(plan.layout, own, size, own, size, size, static_cast<T>(scale * scale), result + i * entries);
    }
  }
}

#define TANGRA_INSTANTIATE(T)                                                                                        \
  template struct PackedBlock<T>;                                                                                    \
  template PackingNeeds packing_needs<T>(const FactorBlock<T>&, const ContractionPlan&, const std::vector<Index>&,   \
                                         linalg::Side, Index);                                                       \
  template PackedBlock<T> pack_block<T>(const FactorBlock<T>&, const ContractionPlan&, const std::vector<Index>&,    \
                                        linalg::Side, const Context&);                                               \
  template std::vector<linalg::TileProduct<T>> tile_products<T>(const ContractionPlan&, const PackedBlock<T>&,       \
                                                                const PackedBlock<T>&, Index, int);                  \
  template void contract_self<T>(const FactorBlock<T>&, const ContractionPlan&, const std::vector<Index>&, int, T*, \
                                 const Context&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
