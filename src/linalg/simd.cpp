#include "tangra/linalg/simd.h"

// clang-format off
#include "tangra/linalg/simd/highway_targets.h"  // before Highway
#include "hwy/highway.h"
#include "tangra/base/error.h"
// clang-format on

namespace tangra::linalg {
namespace {

/// Every target that the micro-kernels have and this processor runs, the best (the lowest bit) first.
std::vector<std::int64_t> runnable() {
  std::vector<std::int64_t> found;
  const std::int64_t runs = hwy::SupportedTargets() | HWY_STATIC_TARGET;
  for (std::int64_t left = runs & HWY_TARGETS; left != 0; left &= left - 1) found.push_back(left & -left);
  return found;
}

void choose(std::int64_t mock) {
  hwy::SetSupportedTargetsForTest(mock);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

std::string simd_target() {
  return hwy::TargetName(runnable().front());
}

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (const std::int64_t target : runnable()) names.emplace_back(hwy::TargetName(target));
  return names;
}

ScopedSimdTarget::ScopedSimdTarget(const std::string& target) {
  choose(0);
  for (const std::int64_t candidate : runnable()) {
    if (hwy::TargetName(candidate) != target) continue;
    choose(candidate);
    return;
  }
  throw Error(ErrorKind::usage, {.what = "this SIMD target does not run here",
                                 .where = {},
                                 .got = target,
                                 .expected = "one of simd_targets()",
                                 .cure = {}});
}

ScopedSimdTarget::~ScopedSimdTarget() {
  choose(0);
}

}  // namespace tangra::linalg
