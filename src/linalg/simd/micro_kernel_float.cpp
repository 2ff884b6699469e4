// clang-format off
#include "tangra/linalg/simd/highway_targets.h"  // before Highway
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tangra/linalg/simd/micro_kernel_float.cpp"
#include "hwy/foreach_target.h"
#include "tangra/linalg/simd/micro_kernel-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace tangra::linalg::HWY_NAMESPACE {
const MicroKernels<float>& float_kernels() {
  return table<float>();
}
}  // namespace tangra::linalg::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tangra::linalg {
HWY_EXPORT(float_kernels);

template <>
const MicroKernels<float>& micro_kernels<float>() {
  return HWY_DYNAMIC_DISPATCH(float_kernels)();
}
}  // namespace tangra::linalg
#endif
