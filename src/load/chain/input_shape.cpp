#include "tangra/load/chain/input_shape.h"

#include <algorithm>

#include "tangra/load/chain/expressions.h"

namespace tangra::load {
namespace {

using Need = InputNeed::Kind;

/// What a part of the chain says of its input. Where that is nothing (any, flattens), its result has factor
/// times as many features.
struct Wish {
  InputNeed need;
  const LayerSpec* layer = nullptr;  ///< the one that says it
  Index factor = 1;

  bool decides() const { return need.kind != Need::any && need.kind != Need::flattens; }
};

Index times(Index a, Index b) {
  return a > most_entries / b ? most_entries : a * b;
}

Wish wish_of(const LayerSpec& layer);

/// The first layer that says something, as seen from in front of those before it.
Wish wish_of_chain(const LayerSpec& chain) {
  Wish sum;
  for (const LayerSpec& each : chain.layers) {
    Wish next = wish_of(each);
    const bool flat = sum.need.kind == Need::flattens;
    if (next.decides()) {
      const bool sized = next.need.kind == Need::features || next.need.kind == Need::entries;
      if (sized) next.need.size = std::max<Index>(1, next.need.size / sum.factor);
      // Of a shape in front of flatten, the layers behind it only know the number of entries.
      if (flat && sized) next.need.kind = Need::entries;
      if (flat && !sized) next.need.kind = Need::whole;
      return next;
    }
    sum.factor = times(sum.factor, next.factor);
    if (next.need.kind == Need::flattens) sum.need.kind = Need::flattens;
  }
  return sum;
}

Wish wish_of(const LayerSpec& layer) {
  if (layer.kind == LayerSpec::Kind::layer) return {.need = layer.layer->input(), .layer = &layer};
  if (layer.kind == LayerSpec::Kind::chain) return wish_of_chain(layer);
  const bool concatenates = layer.join.kind == Join::Kind::concatenate;
  Wish result;
  Index sum = 0;
  for (const LayerSpec& each : layer.layers) {
    const Wish branch = wish_of(each);
    if (branch.decides()) return branch;
    sum = concatenates ? std::min(most_entries, sum + branch.factor) : branch.factor;
    if (branch.need.kind == Need::flattens) result.need.kind = Need::flattens;
  }
  if (layer.kind == LayerSpec::Kind::skip && concatenates) sum = std::min(most_entries, sum + 1);
  result.factor = sum;
  return result;
}

[[noreturn]] void refuse_data(const Source& source, const LayerSpec& chain, const Wish& wish,
                              const std::optional<Shape>& data) {
  const LayerSpec& at = wish.layer != nullptr ? *wish.layer : chain;
  const std::string who =
      wish.layer != nullptr ? "layer " + at.path + " (" + at.type + ")" : "a layer such as Dense";
  const std::string example = wish.need.example.empty() ? "3,32,32" : wish.need.example;
  const std::string option = "--input-shape " + example;
  if (!data) {
    const bool open = wish.layer == nullptr;
    refuse(source, at.at,
           {.what = open ? "no layer tells the shape of the input, and no data do"
                         : who + " does not tell the whole shape of the input, and no data do",
            .where = {},
            .got = {},
            .expected = wish.need.words,
            .cure = "Give data, or the shape of one sample, as in " + option});
  }
  refuse(source, at.at,
         {.what = who + " cannot take the samples of the data as they are",
          .where = {},
          .got = "samples of shape " + to_string(*data),
          .expected = wish.need.words,
          .cure = "Say what shape they are to have, as in " + option});
}

/// The data's shape as an image; none where it is none.
std::optional<Shape> as_image(const Shape& data, const InputNeed& need) {
  if (need.axes == 0) return data.rank() >= 2 ? std::optional(data) : std::nullopt;
  if (data.rank() == need.axes + 1) return data;
  if (data.rank() == need.axes && need.size <= 1) return data.with_leading(1);
  return std::nullopt;
}

std::optional<Shape> fitted(const InputNeed& need, const std::optional<Shape>& data) {
  switch (need.kind) {
    case Need::entries:
      return data && data->elements() == need.size ? *data : Shape{need.size};
    case Need::features: {
      const bool tokens =
          data && data->rank() > 1 && data->back() == need.size && data->elements() != need.size;
      return tokens ? *data : Shape{need.size};
    }
    case Need::image:
      return data ? as_image(*data, need) : std::nullopt;
    default:
      return data;
  }
}

void check(const Source& source, const LayerSpec& chain, const Shape& shape, const char* what) {
  bool sound = !shape.empty();
  Index product = 1;
  for (const Index length : shape) {
    sound = sound && length > 0 && length <= most_entries / product;
    if (!sound) break;
    product *= length;
  }
  if (sound) return;
  refuse(source, chain.at,
         {.what = std::string(what) + " cannot be the input of the chain",
          .where = {},
          .got = to_string(shape),
          .expected = "at least one axis, between 1 and 2^31 entries",
          .cure = {}});
}

}  // namespace

Shape input_shape(const Source& source, const LayerSpec& chain, const ChainOptions& options) {
  if (options.shape) {
    check(source, chain, *options.shape, "this shape");
    return *options.shape;
  }
  if (options.input) check(source, chain, *options.input, "a sample of the data");
  const Wish wish = wish_of(chain);
  const std::optional<Shape> shape = fitted(wish.need, options.input);
  if (!shape) refuse_data(source, chain, wish, options.input);
  return *shape;
}

}  // namespace tangra::load
