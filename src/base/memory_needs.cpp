#include "tangra/base/memory_needs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tangra {

void MemoryNeeds::hold(std::size_t bytes, const std::string& what) {
  use(bytes, what);
  held_ += static_cast<long long>(bytes);
  if (bytes <= largest_) return;
  largest_ = bytes;
  largest_what_ = what;
}

void MemoryNeeds::give_back(std::size_t bytes) { held_ -= static_cast<long long>(bytes); }

void MemoryNeeds::use(std::size_t bytes, const std::string& what, std::size_t better) {
  const auto beside = [&](std::size_t own) {
    return static_cast<std::size_t>(std::max(0LL, held_ + static_cast<long long>(own)));
  };
  const bool held_is_larger = largest_ > bytes && held_ >= static_cast<long long>(largest_);
  if (what_.empty() || beside(bytes) > least_) what_ = held_is_larger ? largest_what_ : what;
  least_ = std::max(least_, beside(bytes));
  better_ = std::max(better_, beside(std::max(bytes, better)));
}

std::string enough_bytes(std::size_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 5) {
    value /= 1024;
    ++unit;
  }
  const int decimals = unit == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const double step = std::pow(10.0, -decimals);
  char text[32];
  // A product of a number of steps with 0.1 may round to a hair above the number itself.
  std::snprintf(text, sizeof(text), "%.*f %s", decimals, std::ceil(value / step - 1e-9) * step, units[unit]);
  return text;
}

}  // namespace tangra
