#include "tangra/base/hash.h"

#include <array>
#include <cstdio>
#include <cstring>

namespace tangra {
namespace {

constexpr std::size_t chains = 8;
constexpr std::size_t stride = chains * sizeof(std::uint64_t);

std::uint64_t mixed(std::uint64_t state, std::uint64_t word) {
  std::uint64_t x = (state ^ word) * 0xd6e8feb86659fd93U;
  x ^= x >> 32;
  return x * 0xd6e8feb86659fd93U + 0x632be59bd9b4e019U;
}

}  // namespace

void Hash::add(std::uint64_t word) { state_ = mixed(state_, word); }

void Hash::add(const void* bytes, std::size_t count) {
  const auto* position = static_cast<const unsigned char*>(bytes);
  if (count >= 2 * stride) {
    // A step waits for the one before, so several chains go side by side: weights are hashed in every run.
    std::array<std::uint64_t, chains> states;
    for (std::size_t k = 0; k < chains; ++k) states[k] = state_ + k;
    for (; count >= stride; count -= stride, position += stride) {
      std::array<std::uint64_t, chains> words;
      std::memcpy(words.data(), position, stride);
      for (std::size_t k = 0; k < chains; ++k) states[k] = mixed(states[k], words[k]);
    }
    for (const std::uint64_t state : states) add(state);
  }
  for (; count >= 8; count -= 8, position += 8) {
    std::uint64_t word;
    std::memcpy(&word, position, 8);
    add(word);
  }
  if (count > 0) {
    std::uint64_t word = 0;
    std::memcpy(&word, position, count);
    add(word ^ (static_cast<std::uint64_t>(count) << 56));
  }
}

std::uint64_t Hash::value() const { return mixed(state_, state_ >> 29); }

std::string hexadecimal(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace tangra
