#pragma once
#include <string>
#include <vector>

namespace tangra::linalg {

/// The SIMD target that runs: the best of those compiled in that this processor has ("AVX3", "AVX2", "NEON",
/// "SCALAR"). The bits of gemm and compute_tile don't depend on it, their speed does.
std::string simd_target();

/// All that could run here, best first.
std::vector<std::string> simd_targets();

/// Makes `target` the one that runs in the whole process, for as long as this object lives: for tests and
/// benchmarks. Throws Error(usage) where it can't run here. Nothing that was packed before may be used under
/// another target.
class ScopedSimdTarget {
 public:
  explicit ScopedSimdTarget(const std::string& target);
  ~ScopedSimdTarget();
  ScopedSimdTarget(const ScopedSimdTarget&) = delete;
  ScopedSimdTarget& operator=(const ScopedSimdTarget&) = delete;
};

}  // namespace tangra::linalg
