#include "tangra/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace tangra {
namespace {

using Words = std::array<std::uint32_t, 4>;

/// The distance of z from the true quantile of p, relative to |z|: one Newton step in long double, with the C
/// library's error function. Near 1/2 the distance from 1/2 is compared, in the tails the tail itself, so
/// nothing cancels.
double relative_error(double p, double z) {
  const long double root = std::sqrt(2.0L);
  const long double exact = z;
  long double excess;
  if (std::fabs(z) < 1)
    excess = std::erf(exact / root) / 2 - (static_cast<long double>(p) - 0.5L);
  else if (z < 0)
    excess = std::erfc(-exact / root) / 2 - p;
  else
    excess = (1 - static_cast<long double>(p)) - std::erfc(exact / root) / 2;
  const long double density = std::exp(-exact * exact / 2) / std::sqrt(2 * std::acos(-1.0L));
  return static_cast<double>(std::fabs(excess / (density * exact)));
}

TEST(Rng, PhiloxGivesTheKnownAnswersOfRandom123) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, GivesTheSameBitsForEver) {
  const RandomStream zero(0, 0);
  EXPECT_EQ(zero.bits(0), 0xe169c58d6627e8d5U);
  EXPECT_EQ(zero.uniform(0), 0x1.c2d38b1acc4fdp-1);
  EXPECT_EQ(zero.normal(0), 0x1.2d769e93cb51fp+0);
  EXPECT_EQ(zero.bits(1), 0x5cb200dbf8e4cca4U);
  EXPECT_EQ(zero.normal(1), -0x1.69580971eeeebp-2);

  const RandomStream other(7, 3);
  const std::uint64_t far = std::uint64_t{1} << 40;
  EXPECT_EQ(other.bits(far), 0x686e4f6f4d33fe7fU);
  EXPECT_EQ(other.uniform(far), 0x1.a1b93dbd34cfep-2);
  EXPECT_EQ(other.normal(far), -0x1.dce8369978608p-3);
  EXPECT_EQ(other.normal(far + 2), 0x1.ae84a746d29fdp-1);

  EXPECT_EQ(normal_quantile(0.05), -0x1.a515209676abdp+0);
  EXPECT_EQ(normal_quantile(1e-5), -0x1.10f3f8843a3dap+2);
  EXPECT_EQ(normal_quantile(1e-13), -0x1.d652ace3a013p+2);
}

TEST(Rng, EveryBitOfSeedStreamAndIndexMatters) {
  std::set<std::uint64_t> seen{RandomStream(0, 0).bits(0)};
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t one = std::uint64_t{1} << bit;
    seen.insert(RandomStream(one, 0).bits(0));
    seen.insert(RandomStream(0, one).bits(0));
    seen.insert(RandomStream(0, 0).bits(one));
  }
  EXPECT_EQ(seen.size(), 1U + 3 * 64);
}

TEST(Rng, UniformIsAnOddMultipleInTheOpenInterval) {
  const RandomStream stream(11, 5);
  for (std::uint64_t i = 0; i < 1009; ++i) {
    const double u = stream.uniform(i);
    EXPECT_GT(u, 0);
    EXPECT_LT(u, 1);
    EXPECT_EQ(std::fmod(u * 0x1p53, 2.0), 1.0);
  }
}

TEST(Rng, QuantileIsAccurateEverywhere) {
  const RandomStream stream(1, 2);
  double worst = 0;
  for (std::uint64_t i = 0; i < 200003; ++i) {
    // Halving i mod 51 times reaches every scale of the tails.
    const double u = stream.uniform(i) * std::ldexp(1.0, -static_cast<int>(i % 51));
    const double p = (std::floor(u * 0x1p52) + 0.5) * 0x1p-52;
    worst = std::max(
        {worst, relative_error(p, normal_quantile(p)), relative_error(1 - p, normal_quantile(1 - p))});
  }
  EXPECT_LT(worst, 1e-15);  // as the header says; 0.82e-15 was measured
  EXPECT_LT(relative_error(0x1p-53, normal_quantile(0x1p-53)), 1e-15);
  EXPECT_LT(-normal_quantile(0x1p-53), 8.21);
}

TEST(Rng, QuantileIsOddAndMonotoneAcrossItsSeams) {
  EXPECT_EQ(normal_quantile(0.5), 0.0);
  const double tail = std::exp(-25.0);
  for (const double seam : {0.075, 0.925, tail, 1 - tail}) {
    const double step = 1e-6 * std::min(seam, 1 - seam);
    const double below = normal_quantile(std::nextafter(seam, 0.0) - step);
    const double above = normal_quantile(std::nextafter(seam, 1.0) + step);
    EXPECT_LT(below, above) << seam;
    EXPECT_NEAR(below, above, 1e-5) << seam;  // p / phi(z) is below 1, so z moves by less than 4e-6
  }
  const RandomStream stream(3, 1);
  for (std::uint64_t i = 0; i < 1009; ++i) {
    const double u = stream.uniform(i);
    EXPECT_EQ(normal_quantile(u), -normal_quantile(1 - u)) << u;
  }
}

TEST(Rng, NormalHasTheMomentsAndTailsOfTheNormalDistribution) {
  const RandomStream stream(2024, 17);
  constexpr int count = 400009;
  double sum = 0, square = 0, cube = 0, fourth = 0;
  int beyond_two = 0, beyond_four = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double z = stream.normal(i);
    sum += z;
    square += z * z;
    cube += z * z * z;
    fourth += z * z * z * z;
    beyond_two += std::fabs(z) > 2 ? 1 : 0;
    beyond_four += std::fabs(z) > 4 ? 1 : 0;
  }
  // Five standard errors of each mean: the variances of z, z^2, z^3, z^4 are 1, 2, 15, 96.
  const double unit = 5 / std::sqrt(static_cast<double>(count));
  EXPECT_NEAR(sum / count, 0, unit);
  EXPECT_NEAR(square / count, 1, unit * std::sqrt(2.0));
  EXPECT_NEAR(cube / count, 0, unit * std::sqrt(15.0));
  EXPECT_NEAR(fourth / count, 3, unit * std::sqrt(96.0));
  EXPECT_NEAR(beyond_two / static_cast<double>(count), std::erfc(std::sqrt(2.0)), unit * 0.21);
  EXPECT_NEAR(beyond_four, count * std::erfc(4 / std::sqrt(2.0)), 5 * std::sqrt(count * 6.4e-5));
}

TEST(Rng, NeighbouringEntriesAndStreamsAreUncorrelated) {
  constexpr int count = 100003;
  double next_entry = 0, next_stream = 0, next_seed = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double z = RandomStream(5, 0).normal(i);
    next_entry += z * RandomStream(5, 0).normal(i + 1);
    next_stream += z * RandomStream(5, 1).normal(i);
    next_seed += z * RandomStream(6, 0).normal(i);
  }
  const double bound = 5 / std::sqrt(static_cast<double>(count));  // five standard errors
  EXPECT_NEAR(next_entry / count, 0, bound);
  EXPECT_NEAR(next_stream / count, 0, bound);
  EXPECT_NEAR(next_seed / count, 0, bound);
}

}  // namespace
}  // namespace tangra
