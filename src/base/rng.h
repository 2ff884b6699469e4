#pragma once
#include <array>
#include <cstdint>

namespace tangra {

/// The block function Philox 4x32-10: 128 random bits from a counter of 128 and a key of 64 (Salmon, Moraes,
/// Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Words are least significant first.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// The z with Phi(z) = p for the standard normal distribution: Wichura's algorithm AS 241 (PPND16; Applied
/// Statistics 37, 1988), with a logarithm of its own. 0 < p < 1; the relative error is below 1e-15. Only +,
/// -, *, / and the square root of IEEE 754 are used, so the bits are the same on every machine.
double normal_quantile(double p);

/// Counter-based random numbers: entry i of stream s under a seed is a pure function of (seed, s, i), and the
/// same bits on every machine. The seed is the key of Philox 4x32-10; index and stream are its counter.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}
  /// Uniform in the open interval (0, 1): an odd multiple of 2^-53, so 1/2 is the middle.
  double uniform(std::uint64_t index) const;
  /// Standard normal: the quantile of uniform(index), so at most 8.21 in size.
  double normal(std::uint64_t index) const;
  /// 64 random bits.
  std::uint64_t bits(std::uint64_t index) const;

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace tangra
