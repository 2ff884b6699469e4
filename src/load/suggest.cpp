#include "tangra/load/suggest.h"

#include <algorithm>
#include <vector>

namespace tangra::load {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Twice Levenshtein's distance, where another case of the same letter costs half a change.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = 2 * j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = 2 * i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : lower(a[i - 1]) == lower(b[j - 1]) ? 1 : 2;
      const std::size_t best = std::min({diagonal + change, row[j] + 2, row[j - 1] + 2});
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view name, std::span<const std::string_view> known) {
  constexpr std::size_t longest = 64;
  if (name.size() > longest) return {};
  std::string_view best;
  std::size_t least =
      2 * std::max<std::size_t>(std::min<std::size_t>(2, name.size() / 2), name.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t d = distance(name, candidate);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best.empty() ? std::string{} : "Did you mean " + std::string(best) + "?";
}

}  // namespace tangra::load
