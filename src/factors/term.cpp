#include "tangra/factors/term.h"

#include "tangra/base/strides.h"

namespace tangra::factors {

std::vector<Index> Place::entries() const { return strided_entries(shape, strides, offset); }

std::optional<Place> Place::as_matrix() const {
  if (shape.rank() == 2) return *this;
  if (shape.rank() < 2) return std::nullopt;
  Index merged = 1;
  Index stride = 1;
  for (Index axis = shape.rank() - 1; axis > 0; --axis) {
    if (shape[axis] == 1) continue;
    const Index own = strides[static_cast<std::size_t>(axis)];
    if (merged == 1) stride = own;
    else if (own != stride * merged) return std::nullopt;
    merged *= shape[axis];
  }
  Place matrix = *this;
  matrix.shape = {shape[0], merged};
  matrix.strides = {strides[0], stride};
  return matrix;
}

namespace {

template <class T>
void add_vector(const Term<T>& term, Index row, T* target, const std::vector<Index>& entries) {
  const T scale = static_cast<T>(term.place.scale);
  const auto size = static_cast<Index>(entries.size());
  const T* left = term.left->data() + row * size;
  for (Index e = 0; e < size; ++e) target[entries[static_cast<std::size_t>(e)]] += scale * left[e];
}

template <class T>
void add_outer(const Term<T>& term, Index sample, Index row, T* target) {
  const Place& place = term.place;
  const Index channels = place.shape[0];
  const Index fan_in = place.shape[1];
  const T scale = static_cast<T>(place.scale);
  for (Index d = 0; d < term.positions; ++d) {
    const T* left = term.left->data() + (row * term.positions + d) * channels;
    const T* right = term.right->data() + (sample * term.positions + d) * fan_in;
    for (Index c = 0; c < channels; ++c) {
      T* line = target + place.offset + c * place.strides[0];
      const T factor = scale * left[c];
      for (Index k = 0; k < fan_in; ++k) line[k * place.strides[1]] += factor * right[k];
    }
  }
}

}  // namespace

template <class T>
void add_dense(const FactorBlock<T>& block, ParameterId parameter, T* jacobian, Index size) {
  for (const Term<T>& term : block.terms) {
    if (term.place.parameter != parameter) continue;
    const std::vector<Index> entries = term.form == Form::vector ? term.place.entries() : std::vector<Index>{};
    for (Index row = 0; row < block.samples * block.directions; ++row) {
      T* target = jacobian + row * size;
      if (term.form == Form::vector) add_vector(term, row, target, entries);
      else add_outer(term, row / block.directions, row, target);
    }
  }
}

template <class T>
void add_summed(const FactorBlock<T>& block, ParameterId parameter, T* gradient) {
  for (const Term<T>& term : block.terms) {
    if (term.place.parameter != parameter) continue;
    const std::vector<Index> entries = term.form == Form::vector ? term.place.entries() : std::vector<Index>{};
    for (Index row = 0; row < block.samples * block.directions; ++row) {
      if (term.form == Form::vector) add_vector(term, row, gradient, entries);
      else add_outer(term, row / block.directions, row, gradient);
    }
  }
}

template void add_summed<float>(const FactorBlock<float>&, ParameterId, float*);
template void add_summed<double>(const FactorBlock<double>&, ParameterId, double*);
template void add_dense<float>(const FactorBlock<float>&, ParameterId, float*, Index);
template void add_dense<double>(const FactorBlock<double>&, ParameterId, double*, Index);

}  // namespace tangra::factors
