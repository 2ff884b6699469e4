#include "tangra/base/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace tangra {
namespace {

std::uint64_t hash_of(const unsigned char* bytes, std::size_t count) {
  Hash hash;
  hash.add(bytes, count);
  return hash.value();
}

TEST(Hash, ChangesWithEveryBitAndTheLength) {
  for (const std::size_t count : {1, 7, 8, 63, 64, 127, 128, 129, 200, 256}) {
    std::vector<unsigned char> bytes(count, 0);
    std::set<std::uint64_t> seen{hash_of(bytes.data(), count)};
    for (std::size_t bit = 0; bit < 8 * count; ++bit) {
      bytes[bit / 8] ^= static_cast<unsigned char>(1U << bit % 8);
      seen.insert(hash_of(bytes.data(), count));
      bytes[bit / 8] ^= static_cast<unsigned char>(1U << bit % 8);
    }
    EXPECT_EQ(seen.size(), 8 * count + 1) << count;
  }
  const std::array<unsigned char, 1000> zeros{};
  std::set<std::uint64_t> lengths;
  for (std::size_t count = 0; count <= zeros.size(); ++count) lengths.insert(hash_of(zeros.data(), count));
  EXPECT_EQ(lengths.size(), zeros.size() + 1);
}

TEST(Hash, ChangesWithTheOrder) {
  std::vector<unsigned char> bytes(512, 0);
  std::set<std::uint64_t> seen;
  for (std::size_t first = 0; first < 512; first += 8) {
    for (std::size_t second = first + 8; second < 512; second += 8) {
      bytes[first] = 1;
      bytes[second] = 2;
      seen.insert(hash_of(bytes.data(), bytes.size()));
      std::swap(bytes[first], bytes[second]);
      seen.insert(hash_of(bytes.data(), bytes.size()));
      bytes[first] = bytes[second] = 0;
    }
  }
  EXPECT_EQ(seen.size(), 64 * 63);
}

TEST(Hash, IsThatOfTheBytesWhereverTheyLie) {
  std::vector<unsigned char> memory(400);
  for (std::size_t k = 0; k < 300; ++k) memory[k] = static_cast<unsigned char>(7 * k);
  const std::uint64_t expected = hash_of(memory.data(), 300);
  for (std::size_t shift = 1; shift < 64; ++shift) {
    std::vector<unsigned char> moved(400);
    std::copy_n(memory.begin(), 300, moved.begin() + static_cast<std::ptrdiff_t>(shift));
    EXPECT_EQ(hash_of(moved.data() + shift, 300), expected) << shift;
  }
}

}  // namespace
}  // namespace tangra
