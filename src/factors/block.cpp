#include "tangra/factors/block.h"

#include <algorithm>

#include "tangra/base/error.h"

namespace tangra::factors {
namespace {

template <class T>
using Pair = typename BlockFactors<T>::Pair;

/// left as the matrix of plane g: row (i, f), columns (t, c), at position d.
template <class T>
Tensor<T> gathered_left(const Term<T>& term, Index samples, const RowLayout& layout, Index plane, Index d) {
  const Index channels = term.place.shape[0];
  const Index directions = layout.directions();
  auto result = Tensor<T>::uninitialized({samples * layout.full, layout.inner * channels});
  T* to = result.data();
  for (Index i = 0; i < samples; ++i) {
    for (Index r = 0; r < layout.full * layout.inner; ++r, to += channels) {
      const MatrixView<const T> left = term.left_of(i * directions + plane * layout.full * layout.inner + r);
      for (Index c = 0; c < channels; ++c) to[c] = left(d, c);
    }
  }
  return result;
}

template <class T>
Pair<T> pack_stream(const Term<T>& term, Index samples, Index position, const RowLayout& layout, linalg::Side side) {
  Pair<T> pair;
  pair.scale = term.place.scale;
  const Index width = layout.inner * term.place.shape[0];
  for (Index plane = 0; plane < layout.planes; ++plane) {
    if (term.positions == 1 && layout.planes == 1) {
      pair.left.push_back(linalg::pack(side, matrix(term.left->data(), samples * layout.full, width)));
    } else if (term.positions == 1 && layout.full == 1) {
      const MatrixView<const T> rows{term.left->data() + plane * width, samples, width, layout.planes * width, 1};
      pair.left.push_back(linalg::pack(side, rows));
    } else {
      const Tensor<T> left = gathered_left(term, samples, layout, plane, position);
      pair.left.push_back(linalg::pack<T>(side, matrix(left.data(), samples * layout.full, width)));
    }
  }
  const MatrixView<const T> first = term.right_of(0);
  pair.right = linalg::pack<T>(side, {first.data + position * first.row_stride, samples, first.columns,
                                      first.rows * first.columns, first.column_stride});
  return pair;
}

template <class T>
std::shared_ptr<Tensor<T>> memory_like(const Tensor<T>& piece, Index count, Index samples) {
  Shape shape = piece.shape();
  TANGRA_ENSURE(shape[0] == count);
  shape[0] = samples;
  return std::make_shared<Tensor<T>>(Tensor<T>::uninitialized(shape));
}

}  // namespace

template <class T>
BlockCollector<T>::BlockCollector(const ContractionPlan& plan, Index samples)
    : plan_(plan), samples_(samples), rows_(plan.contractions.size()), scales_(plan.contractions.size(), 1.0) {
  for (std::size_t k = 0; k < plan.contractions.size(); ++k) {
    const Contraction& contraction = plan.contractions[k];
    for (const int term : contraction.terms) {
      if (contraction_of_.size() <= static_cast<std::size_t>(term)) contraction_of_.resize(static_cast<std::size_t>(term) + 1, -1);
      contraction_of_[static_cast<std::size_t>(term)] = static_cast<int>(k);
    }
    if (contraction.order != Order::explicit_rows) continue;
    rows_[k] = std::make_shared<Tensor<T>>(
        Tensor<T>::uninitialized({samples, plan.layout.directions(), contraction.row_entries}));
  }
  terms_.resize(contraction_of_.size());
  left_.resize(contraction_of_.size());
  right_.resize(contraction_of_.size());
}

template <class T>
void BlockCollector<T>::take(Index first, Index count, int index, Term<T> term, const Context& context) {
  if (static_cast<std::size_t>(index) >= contraction_of_.size()) return;
  const int owner = contraction_of_[static_cast<std::size_t>(index)];
  if (owner < 0) return;
  const auto k = static_cast<std::size_t>(owner);
  const Contraction& contraction = plan_.contractions[k];
  if (contraction.order != Order::explicit_rows) return keep(first, count, index, std::move(term));
  const Index directions = plan_.layout.directions();
  T* rows = rows_[k]->data() + first * directions * contraction.row_entries;
  Place place = term.place;
  if (contraction.one_region) {
    place.offset = 0;
    place.strides = place.shape.strides();
  }
  const bool lone = contraction.terms.size() == 1 && contraction.one_region;
  if (lone) {
    const std::lock_guard lock(mutex_);
    scales_[k] = term.place.scale;
  }
  const bool begins = index == contraction.terms.front();
  if (begins && !contraction.one_region) std::fill_n(rows, count * directions * contraction.row_entries, T(0));
  add_rows(term, count, directions, place, lone ? 1.0 : term.place.scale, !contraction.one_region || !begins, rows,
           contraction.row_entries, context);
}

template <class T>
void BlockCollector<T>::keep(Index first, Index count, int index, Term<T> term) {
  const auto at = static_cast<std::size_t>(index);
  if (count == samples_) {
    terms_[at] = std::move(term);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (left_[at] == nullptr) {
      left_[at] = memory_like(*term.left, count, samples_);
      if (term.right != nullptr) right_[at] = memory_like(*term.right, count, samples_);
      terms_[at] = term;
      terms_[at].left = left_[at];
      terms_[at].right = right_[at];
    }
  }
  const auto copy = [&](const Tensor<T>& piece, Tensor<T>& all) {
    std::copy_n(piece.data(), piece.size(), all.data() + first * (all.size() / samples_));
  };
  copy(*term.left, *left_[at]);
  if (term.right != nullptr) copy(*term.right, *right_[at]);
}

template <class T>
BlockFactors<T> BlockCollector<T>::packed(linalg::Side side) const {
  BlockFactors<T> result;
  result.samples = samples_;
  for (std::size_t k = 0; k < plan_.contractions.size(); ++k) {
    auto& operand = result.operands.emplace_back();
    operand.rows = rows_[k];
    operand.scale = scales_[k];
    for (const Stream& stream : plan_.contractions[k].streams) {
      operand.pairs.push_back(pack_stream(term(stream.term), samples_, stream.position, plan_.layout, side));
    }
  }
  return result;
}

template <class T>
BlockNeeds block_needs(const FactorBlock<T>& sample, const ContractionPlan& plan, linalg::Side side, Index samples) {
  BlockNeeds needs;
  const RowLayout& layout = plan.layout;
  const auto entries = [&](Index each) { return static_cast<std::size_t>(samples * each) * sizeof(T); };
  for (const Contraction& contraction : plan.contractions) {
    if (contraction.order == Order::explicit_rows) {
      needs.shared += entries(layout.directions() * contraction.row_entries);
      continue;
    }
    const Shape& shape = sample.terms[static_cast<std::size_t>(contraction.terms.front())].place.shape;
    for (std::size_t k = 0; k < contraction.streams.size(); ++k) {
      const std::size_t left = linalg::Packed<T>::bytes_needed(side, samples * layout.full, layout.inner * shape[0]);
      needs.packed += static_cast<std::size_t>(layout.planes) * left + linalg::Packed<T>::bytes_needed(side, samples, shape[1]);
      needs.collected += entries(layout.directions() * shape[0] + shape[1]);
    }
  }
  return needs;
}

#define TANGRA_INSTANTIATE(T)               \
  template class BlockCollector<T>;         \
  template BlockNeeds block_needs<T>(const FactorBlock<T>&, const ContractionPlan&, linalg::Side, Index);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
