// clang-format off
#include "tangra/linalg/simd/highway_targets.h"  // before Highway
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tangra/linalg/simd/micro_kernel_double.cpp"
#include "hwy/foreach_target.h"
#include "tangra/linalg/simd/micro_kernel-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace tangra::linalg::HWY_NAMESPACE {
const MicroKernels<double>& double_kernels() {
  return table<double>();
}
}  // namespace tangra::linalg::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tangra::linalg {
HWY_EXPORT(double_kernels);

template <>
const MicroKernels<double>& micro_kernels<double>() {
  return HWY_DYNAMIC_DISPATCH(double_kernels)();
}
}  // namespace tangra::linalg
#endif
