#pragma once
#include <cstdint>

namespace tangra {

/// Counter-based random numbers (Philox 4x32-10; Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
/// 1, 2, 3", SC 2011): entry i of stream s under a seed is a pure function of (seed, s, i), and the same bits on every
/// machine.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}
  /// Uniform in the open interval (0, 1), a multiple of 2^-53 shifted by 2^-54.
  double uniform(std::uint64_t index) const;
  /// Standard normal, by the inverse of the distribution function (Wichura's algorithm AS 241, PPND16), evaluated with
  /// own polynomials: relative error below 1e-15.
  double normal(std::uint64_t index) const;
  /// 64 random bits.
  std::uint64_t bits(std::uint64_t index) const;

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace tangra
