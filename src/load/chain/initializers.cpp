#include "tangra/load/chain/initializers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>

#include "tangra/base/error.h"
#include "tangra/base/rng.h"
#include "tangra/load/suggest.h"

namespace tangra::load {
namespace {

constexpr auto names =
    std::to_array<std::string_view>({"ones", "glorot_uniform", "normal", "lecun", "he", "pytorch"});

/// A distribution as spread * (a standard one).
struct Distribution {
  enum class Kind { constant, uniform, normal };  // 1, U(-1, 1), N(0, 1)
  Kind kind = Kind::constant;
  double spread = 1;
};

Distribution distribution_of(const Draw& what) {
  using Kind = Distribution::Kind;
  const auto fan_in = static_cast<double>(what.fan_in);
  const auto fan_out = static_cast<double>(what.fan_out);
  switch (what.initializer) {
    case Initializer::ones:
      return {Kind::constant, 1};
    case Initializer::normal:
      return {Kind::normal, 1};
    case Initializer::pytorch:
      return {Kind::uniform, 1 / std::sqrt(fan_in)};
    default:
      break;
  }
  if (what.bias) return {Kind::constant, 0};
  switch (what.initializer) {
    case Initializer::lecun:
      return {Kind::normal, 1 / std::sqrt(fan_in)};
    case Initializer::he:
      return {Kind::normal, std::sqrt(2 / fan_in)};
    default:
      return {Kind::uniform, std::sqrt(6 / (fan_in + fan_out))};
  }
}

}  // namespace

std::span<const std::string_view> initializer_names() {
  return names;
}

std::string_view name_of(Initializer initializer) {
  return names[static_cast<std::size_t>(initializer)];
}

Initializer initializer_of(std::string_view name, std::string_view where) {
  const auto* found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<Initializer>(found - names.begin());
  std::string known;
  for (const std::string_view each : names) known += (known.empty() ? "" : ", ") + std::string(each);
  throw Error(ErrorKind::usage, {.what = "there is no such initialiser",
                                 .where = std::string(where),
                                 .got = std::string(name),
                                 .expected = "one of " + known,
                                 .cure = did_you_mean(name, names)});
}

Array draw(const Draw& what) try {
  const Distribution distribution = distribution_of(what);
  const RandomStream stream(what.seed, what.stream);
  Tensor<float> entries = Tensor<float>::uninitialized(what.shape);
  for (Index i = 0; i < entries.size(); ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    double standard = 1;
    if (distribution.kind == Distribution::Kind::uniform) standard = 2 * stream.uniform(at) - 1;
    if (distribution.kind == Distribution::Kind::normal) standard = stream.normal(at);
    entries[i] = static_cast<float>(distribution.spread * standard);
  }
  return Array(entries);
} catch (const std::bad_alloc&) {
  throw Error(ErrorKind::memory, {.what = "there is not enough memory for a parameter",
                                  .where = {},
                                  .got = to_string(what.shape),
                                  .expected = {},
                                  .cure = {}});
}

}  // namespace tangra::load
