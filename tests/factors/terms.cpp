#include "terms.h"

#include <cmath>
#include <random>

namespace tangra::test {
namespace {

using factors::Form;
using factors::Place;
using factors::Term;

template <class T>
std::shared_ptr<Tensor<T>> random_tensor(const Shape& shape, std::mt19937& random) {
  auto tensor = std::make_shared<Tensor<T>>(shape);
  for (T& entry : *tensor) entry = static_cast<T>(static_cast<double>(random()) / 2147483648.0 - 1);
  return tensor;
}

/// Two channels of six pixels; two taps at four positions, one of them partly in the padding.
factors::PixelMap pixel_map() { return {.pixels = 6, .positions = 4, .taps = {0, 1, 3, 4, -1, 2, 5, 0}}; }

template <class T>
void add_patches(Term<T>& term, Index samples, std::mt19937& random) {
  const factors::PixelMap map = pixel_map();
  const auto pixels = random_tensor<T>({samples, 2, map.pixels}, random);
  auto right = std::make_shared<Tensor<T>>(Shape{samples, 4, map.positions});
  for (Index i = 0; i < samples; ++i) {
    for (Index k = 0; k < 4; ++k) {
      for (Index d = 0; d < map.positions; ++d) {
        const Index pixel = map.taps[static_cast<std::size_t>(k % 2 * map.positions + d)];
        if (pixel >= 0) (*right)[(i * 4 + k) * map.positions + d] = (*pixels)[(i * 2 + k / 2) * map.pixels + pixel];
      }
    }
  }
  term.right = right;
  term.pixels = pixels;
  term.pixel_map = std::make_shared<const factors::PixelMap>(map);
}

template <class T>
std::shared_ptr<const Tensor<T>> sliced(const std::shared_ptr<const Tensor<T>>& all, Index samples, Index begin, Index end) {
  if (all == nullptr) return nullptr;
  Shape shape = all->shape();
  shape[0] = end - begin;
  auto part = std::make_shared<Tensor<T>>(shape);
  std::copy_n(all->data() + begin * (all->size() / samples), part->size(), part->data());
  return part;
}

/// Entry (r, c) of the term's Jacobian in the shape of its place, for row (i, a).
template <class T>
double entry_of(const Term<T>& term, Index i, Index row, Index r, Index c, bool absolute) {
  const auto value = [&](T x) { return absolute ? std::abs(static_cast<double>(x)) : static_cast<double>(x); };
  const Index columns = term.place.shape[1];
  if (term.form == Form::vector) return value((*term.left)[row * term.place.shape.elements() + r * columns + c]);
  double sum = 0;
  for (Index d = 0; d < term.positions; ++d) {
    if (term.form == Form::gather) {
      if (static_cast<Index>(term.tokens_of(i)[d]) == r) sum += value((*term.left)[(row * term.positions + d) * columns + c]);
      continue;
    }
    const Index channels = term.place.shape[0];
    const Index column = r / (channels / term.groups) * columns + c;
    const Index width = term.groups * columns;
    const Index left = term.left_by_channel ? r * term.positions + d : d * channels + r;
    const Index right = term.right_by_channel ? column * term.positions + d : d * width + column;
    sum += value((*term.left)[row * term.positions * channels + left]) * value((*term.right)[i * term.positions * width + right]);
  }
  return sum;
}

}  // namespace

std::string name_of(Use use) {
  static const char* const names[] = {"vector", "dense", "tokenwise", "convolution", "grouped", "depthwise", "table"};
  return names[static_cast<int>(use)];
}

Place whole_place(bool transposed) {
  if (transposed) return {.parameter = 0, .offset = 0, .shape = {6, 4}, .strides = {1, 6}, .scale = 1};
  return {.parameter = 0, .offset = 0, .shape = {6, 4}, .strides = {4, 1}, .scale = 1};
}

template <class T>
Term<T> random_term(Use use, Place place, Index samples, Index directions, unsigned seed) {
  std::mt19937 random(seed);
  const Index channels = place.shape[0];
  const Index fan_in = place.shape[1];
  Term<T> term;
  term.place = std::move(place);
  term.form = use == Use::vector ? Form::vector : use == Use::table ? Form::gather : Form::outer;
  const auto shaped = [&](Index positions, Index groups, bool by_channel) {
    term.positions = positions;
    term.groups = groups;
    term.left_by_channel = by_channel;
    term.right_by_channel = by_channel;
    term.left = random_tensor<T>({samples, directions, positions, channels}, random);
    term.right = random_tensor<T>({samples, positions, groups * fan_in}, random);
  };
  switch (use) {
    case Use::vector: term.left = random_tensor<T>({samples, directions, channels * fan_in}, random); break;
    case Use::dense: shaped(1, 1, false); break;
    case Use::tokenwise: shaped(3, 1, false); break;
    case Use::convolution:
      shaped(4, 1, true);
      add_patches(term, samples, random);
      break;
    case Use::grouped: shaped(5, 2, true); break;
    case Use::depthwise: shaped(5, channels, true); break;
    case Use::table: {
      term.positions = 7;
      term.left = random_tensor<T>({samples, directions, 7, fan_in}, random);
      auto tokens = std::make_shared<Tensor<T>>(Shape{samples, 7});
      for (T& token : *tokens) token = static_cast<T>(random() % static_cast<unsigned>(channels));
      term.right = tokens;
      break;
    }
  }
  return term;
}

template <class T>
Term<T> rows_of(const Term<T>& term, Index samples, Index begin, Index end) {
  Term<T> part = term;
  part.left = sliced(term.left, samples, begin, end);
  part.right = sliced(term.right, samples, begin, end);
  part.pixels = sliced(term.pixels, samples, begin, end);
  return part;
}

template <class T>
factors::FactorBlock<T> rows_of(const factors::FactorBlock<T>& block, Index begin, Index end) {
  factors::FactorBlock<T> part{.samples = end - begin, .directions = block.directions, .terms = {}};
  for (const Term<T>& term : block.terms) part.terms.push_back(rows_of(term, block.samples, begin, end));
  return part;
}

template <class T>
std::vector<double> naive_jacobian(const factors::FactorBlock<T>& block, ParameterId parameter, Index size, bool absolute) {
  std::vector<double> jacobian(static_cast<std::size_t>(block.samples * block.directions * size), 0);
  for (const Term<T>& term : block.terms) {
    const Place& place = term.place;
    if (place.parameter != parameter) continue;
    for (Index row = 0; row < block.samples * block.directions; ++row) {
      for (Index r = 0; r < place.shape[0]; ++r) {
        for (Index c = 0; c < place.shape[1]; ++c) {
          const Index entry = place.offset + r * place.strides[0] + c * place.strides[1];
          const double scale = absolute ? std::abs(place.scale) : place.scale;
          jacobian[static_cast<std::size_t>(row * size + entry)] +=
              scale * entry_of(term, row / block.directions, row, r, c, absolute);
        }
      }
    }
  }
  return jacobian;
}

#define TANGRA_INSTANTIATE(T)                                                                              \
  template factors::Term<T> random_term<T>(Use, factors::Place, Index, Index, unsigned);                   \
  template factors::Term<T> rows_of<T>(const factors::Term<T>&, Index, Index, Index);                      \
  template factors::FactorBlock<T> rows_of<T>(const factors::FactorBlock<T>&, Index, Index);               \
  template std::vector<double> naive_jacobian<T>(const factors::FactorBlock<T>&, ParameterId, Index, bool);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::test
