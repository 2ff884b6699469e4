#include "tangra/factors/block.h"

#include <algorithm>

#include "tangra/base/error.h"

namespace tangra::factors {
namespace {

template <class T>
using Pair = typename BlockFactors<T>::Pair;

/// Samples [first, first + count) of a block.
struct Range {
  Index first;
  Index count;
};

/// left as the matrix of plane g: row (i, f), columns (t, c), at position d.
template <class T>
Tensor<T> gathered_left(const Term<T>& term, Range samples, const RowLayout& layout, Index plane, Index d) {
  const Index channels = term.place.shape[0];
  const Index directions = layout.directions();
  auto result = Tensor<T>::uninitialized({samples.count * layout.full, layout.inner * channels});
  T* to = result.data();
  for (Index i = samples.first; i < samples.first + samples.count; ++i) {
    for (Index r = 0; r < layout.full * layout.inner; ++r, to += channels) {
      const MatrixView<const T> left = term.left_of(i * directions + plane * layout.full * layout.inner + r);
      for (Index c = 0; c < channels; ++c) to[c] = left(d, c);
    }
  }
  return result;
}

template <class T>
Pair<T> pack_stream(const Term<T>& term, Range samples, Index position, const RowLayout& layout, linalg::Side side) {
  Pair<T> pair;
  pair.scale = term.place.scale;
  const Index width = layout.inner * term.place.shape[0];
  const Index rows = samples.count * layout.full;
  const T* left = term.left->data() + samples.first * layout.planes * layout.full * width;  // of one position
  for (Index plane = 0; plane < layout.planes; ++plane) {
    if (term.positions == 1 && layout.planes == 1) {
      pair.left.push_back(linalg::pack(side, matrix(left, rows, width)));
    } else if (term.positions == 1 && layout.full == 1) {
      pair.left.push_back(linalg::pack(side, MatrixView<const T>{left + plane * width, samples.count, width, layout.planes * width, 1}));
    } else {
      const Tensor<T> gathered = gathered_left(term, samples, layout, plane, position);
      pair.left.push_back(linalg::pack<T>(side, matrix(gathered.data(), rows, width)));
    }
  }
  const MatrixView<const T> right = term.right_of(samples.first);
  pair.right = linalg::pack_without_zeros<T>(side, {right.data + position * right.row_stride, samples.count, right.columns,
                                                    right.rows * right.columns, right.column_stride});
  return pair;
}

template <class T>
std::shared_ptr<Tensor<T>> memory_like(const Tensor<T>& piece, Index count, Index samples) {
  Shape shape = piece.shape();
  TANGRA_ENSURE(shape[0] == count);
  shape[0] = samples;
  return std::make_shared<Tensor<T>>(Tensor<T>::uninitialized(shape));
}

/// Matrices [rows, columns] in `memory` with the axes exchanged.
template <class T>
std::shared_ptr<const Tensor<T>> exchanged(const Tensor<T>& memory, Index count, Index rows, Index columns) {
  auto result = std::make_shared<Tensor<T>>(Tensor<T>::uninitialized(Shape{count, columns, rows}));
  for (Index k = 0; k < count; ++k) {
    const T* from = memory.data() + k * rows * columns;
    T* to = result->data() + k * rows * columns;
    for (Index c = 0; c < columns; ++c) {
      for (Index r = 0; r < rows; ++r) *to++ = from[r * columns + c];
    }
  }
  return result;
}

/// The term with its left factor by channel and its right one by position, as products of small matrices read them. The
/// rows of a table stay by position.
template <class T>
Term<T> laid_out(Term<T> term, Index samples, Index directions) {
  if (term.form != Form::outer) return term;
  const Index channels = term.place.shape[0];
  const Index fan_in = term.place.shape[1];
  if (!term.left_by_channel) {
    if (term.positions > 1) term.left = exchanged(*term.left, samples * directions, term.positions, channels);
    term.left_by_channel = true;
  }
  if (term.right != nullptr && term.right_by_channel) {
    term.right = exchanged(*term.right, samples, fan_in, term.positions);
    term.right_by_channel = false;
  }
  if (term.pixels != nullptr) {
    const Index pixels = term.pixel_map->pixels;
    term.pixels = exchanged(*term.pixels, samples, fan_in / term.pixel_map->tap_count(), pixels);
  }
  return term;
}

/// The term of some of a block's samples.
template <class T>
Term<T> of_samples(Term<T> term, Range range, Index samples) {
  for (auto* tensor : {&term.left, &term.right, &term.pixels}) {
    if (*tensor == nullptr) continue;
    const Index each = (*tensor)->size() / samples;
    auto own = std::make_shared<Tensor<T>>(Tensor<T>::uninitialized(Shape{range.count, each}));
    std::copy_n((*tensor)->data() + range.first * each, range.count * each, own->data());
    *tensor = std::move(own);
  }
  return term;
}

}  // namespace

template <class T>
std::shared_ptr<T> RowMemory<T>::take(Index samples, Index entries_per_sample) {
  const Index needed = samples * std::max(entries_per_sample, state_->expected);
  Tensor<T> memory;
  {
    const std::lock_guard lock(state_->mutex);
    auto& free = state_->free;
    const auto fitting = std::ranges::find_if(free, [&](const Tensor<T>& own) { return own.size() >= needed; });
    if (fitting != free.end()) {
      memory = std::move(*fitting);
      free.erase(fitting);
    } else {
      free.clear();
    }
  }
  if (memory.size() < needed) memory = Tensor<T>::uninitialized(Shape{needed});
  const auto owner = std::shared_ptr<Tensor<T>>(new Tensor<T>(std::move(memory)), [state = state_](Tensor<T>* own) {
    const std::unique_ptr<Tensor<T>> given(own);
    const std::lock_guard lock(state->mutex);
    state->free.push_back(std::move(*given));
  });
  return {owner, owner->data()};
}

template <class T>
BlockCollector<T>::BlockCollector(const ContractionPlan& plan, Index samples, RowMemory<T> memory)
    : plan_(plan),
      samples_(samples),
      contractions_of_(plan.term_parameters.size()),
      rows_(plan.contractions.size()),
      scales_(plan.contractions.size(), 1.0),
      terms_(plan.term_parameters.size()),
      pieces_(plan.term_parameters.size()) {
  for (std::size_t k = 0; k < plan.contractions.size(); ++k) {
    const Contraction& contraction = plan.contractions[k];
    for (const int term : contraction.terms) contractions_of_[static_cast<std::size_t>(term)].push_back(k);
  }
  const Index each = plan.explicit_entries();
  const std::shared_ptr<T> all = each == 0 ? nullptr : memory.take(samples, each);
  Index offset = 0;
  for (std::size_t k = 0; k < plan.contractions.size(); ++k) {
    if (plan.contractions[k].order != Order::explicit_rows) continue;
    rows_[k] = {all, all.get() + offset};
    offset += samples * plan.padded_row(k);
  }
}

template <class T>
void BlockCollector<T>::take(Index first, Index count, int index, Term<T> term, const Context& context) {
  bool kept = false;
  for (const std::size_t k : contractions_of_[static_cast<std::size_t>(index)]) {
    if (plan_.contractions[k].order == Order::explicit_rows) make_rows(first, count, index, k, term, context);
    else kept = true;
  }
  if (kept) keep(first, count, index, std::move(term));
}

template <class T>
void BlockCollector<T>::make_rows(Index first, Index count, int index, std::size_t k, const Term<T>& term,
                                  const Context& context) {
  const Contraction& contraction = plan_.contractions[k];
  const Index size = contraction.row_entries;
  RowTarget target = contraction.one_region ? RowTarget::of_region(term.place, contraction.first, contraction.last)
                                            : RowTarget::of_parameter(term.place, size);
  if (contraction.terms.size() == 1 && contraction.one_region) {  // the scale can wait
    const std::lock_guard lock(mutex_);
    scales_[k] = term.place.scale;
    target.scale = 1;
  }
  T* rows = rows_[k].get() + first * plan_.layout.directions() * size;
  const bool begins = index == contraction.terms.front();
  if (begins && !contraction.one_region) std::fill_n(rows, count * plan_.layout.directions() * size, T(0));
  add_rows(term, count, plan_.layout.directions(), target, !contraction.one_region || !begins, rows, context);
}

template <class T>
void BlockCollector<T>::keep(Index first, Index count, int index, Term<T> term) {
  const auto at = static_cast<std::size_t>(index);
  const Order order = plan_.contractions[contractions_of_[at].front()].order;
  if (order == Order::pixel_grams) term.right = nullptr;
  else term.pixels = nullptr;
  if (count == samples_) {
    terms_[at] = std::move(term);
    return;
  }
  auto& own = pieces_[at];
  const std::array parts{term.left, term.right, term.pixels};
  {
    const std::lock_guard lock(mutex_);
    if (own[0] == nullptr) {
      for (std::size_t k = 0; k < parts.size(); ++k) {
        if (parts[k] != nullptr) own[k] = memory_like(*parts[k], count, samples_);
      }
      terms_[at] = term;
      terms_[at].left = own[0];
      terms_[at].right = own[1];
      terms_[at].pixels = own[2];
    }
  }
  for (std::size_t k = 0; k < parts.size(); ++k) {
    if (parts[k] != nullptr) {
      std::copy_n(parts[k]->data(), parts[k]->size(), own[k]->data() + first * (own[k]->size() / samples_));
    }
  }
}

template <class T>
BlockFactors<T> BlockCollector<T>::packed(linalg::Side side, Index first, Index count) const {
  BlockFactors<T> result;
  result.samples = count;
  for (std::size_t k = 0; k < plan_.contractions.size(); ++k) {
    const Contraction& contraction = plan_.contractions[k];
    auto& operand = result.operands.emplace_back();
    if (rows_[k] != nullptr) operand.rows = {rows_[k], rows_[k].get() + first * plan_.layout.directions() * contraction.row_entries};
    operand.scale = scales_[k];
    for (const Stream& stream : contraction.streams) {
      operand.pairs.push_back(pack_stream(term(stream.term), {first, count}, stream.position, plan_.layout, side));
    }
    if (contraction.order != Order::position_grams && contraction.order != Order::pixel_grams) continue;
    operand.terms = laid_out_terms(k);
    if (count == samples_) continue;
    for (Term<T>& own : operand.terms) own = of_samples(std::move(own), {first, count}, samples_);
  }
  return result;
}

template <class T>
std::vector<Term<T>> BlockCollector<T>::laid_out_terms(std::size_t contraction) const {
  std::vector<Term<T>> terms;
  for (const int index : plan_.contractions[contraction].terms) {
    terms.push_back(laid_out(term(index), samples_, plan_.layout.directions()));
  }
  return terms;
}

template <class T>
BlockNeeds block_needs(const FactorBlock<T>& sample, const ContractionPlan& plan, linalg::Side side, Index samples) {
  BlockNeeds needs;
  const RowLayout& layout = plan.layout;
  const auto entries = [&](Index each) { return static_cast<std::size_t>(samples * each) * sizeof(T); };
  for (const Contraction& contraction : plan.contractions) {
    if (contraction.order != Order::both_grams) {
      // Terms are laid out for each side.
      const double each = (contraction.order == Order::explicit_rows ? 1 : 2) * contraction.cost.entries * static_cast<double>(samples);
      needs.shared += static_cast<std::size_t>(each) * sizeof(T);
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
  template class RowMemory<T>;              \
  template class BlockCollector<T>;         \
  template BlockNeeds block_needs<T>(const FactorBlock<T>&, const ContractionPlan&, linalg::Side, Index);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
