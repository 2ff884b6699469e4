// clang-format off
#include "tangra/linalg/simd/highway_targets.h"  // before Highway
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tangra/linalg/vectors.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on
#include <array>
#include <cmath>

#include "tangra/linalg/simd/vector_kernels.h"
#include "tangra/linalg/vectors.h"

HWY_BEFORE_NAMESPACE();
namespace tangra::linalg::HWY_NAMESPACE {
namespace {

constexpr Index sum_lanes = 32;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
// The scalar twin. Highway's own scalar MulAdd rounds twice.
template <class T>
void add_all(const T* from, Index count, T* to) {
  for (Index e = 0; e < count; ++e) to[e] += from[e];
}
template <class T>
void scale_all(T factor, const T* from, Index count, bool accumulate, T* to) {
  for (Index e = 0; e < count; ++e) to[e] = (accumulate ? to[e] : T(0)) + factor * from[e];
}
template <class T>
void scale_each_all(const T* slope, const T* from, Index count, bool accumulate, T* to) {
  for (Index e = 0; e < count; ++e) to[e] = (accumulate ? to[e] : T(0)) + (slope[e] == 0 ? T(0) : slope[e] * from[e]);
}
template <class T>
T dot_all(const T* a, const T* b, Index count) {
  std::array<T, sum_lanes> sums{};
  for (Index e = 0; e < count; ++e) {
    T& lane = sums[static_cast<std::size_t>(e % sum_lanes)];
    lane = std::fma(a[e], b == nullptr ? T(1) : b[e], lane);
  }
  T total = 0;
  for (const T lane : sums) total += lane;
  return total;
}
#else
namespace hn = hwy::HWY_NAMESPACE;

/// Calls use(d, e) for whole vectors at e, then for the entries behind them one by one.
template <class T, class Use>
HWY_INLINE void each_vector(Index count, const Use& use) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> one;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  Index e = 0;
  for (; e + lanes <= count; e += lanes) use(d, e);
  for (; e < count; ++e) use(one, e);
}

template <class T>
void add_all(const T* from, Index count, T* to) {
  each_vector<T>(count, [&](auto d, Index e) HWY_ATTR { hn::StoreU(hn::Add(hn::LoadU(d, to + e), hn::LoadU(d, from + e)), d, to + e); });
}
template <class T>
void scale_all(T factor, const T* from, Index count, bool accumulate, T* to) {
  each_vector<T>(count, [&](auto d, Index e) HWY_ATTR {
    const auto own = hn::Mul(hn::Set(d, factor), hn::LoadU(d, from + e));
    hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, to + e), own) : own, d, to + e);
  });
}
template <class T>
void scale_each_all(const T* slope, const T* from, Index count, bool accumulate, T* to) {
  each_vector<T>(count, [&](auto d, Index e) HWY_ATTR {
    const auto own = hn::LoadU(d, slope + e);
    const auto scaled = hn::IfThenElseZero(hn::Ne(own, hn::Zero(d)), hn::Mul(own, hn::LoadU(d, from + e)));
    hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, to + e), scaled) : scaled, d, to + e);
  });
}
template <class T>
T dot_all(const T* a, const T* b, Index count) {
  const hn::ScalableTag<T> d;
  constexpr Index lanes = HWY_LANES(T);
  constexpr Index vectors = sum_lanes / lanes;
  hn::Vec<hn::ScalableTag<T>> sums[vectors];
  for (auto& own : sums) own = hn::Zero(d);
  Index e = 0;
  for (; e + sum_lanes <= count; e += sum_lanes) {
    for (Index v = 0; v < vectors; ++v) {
      const auto own = hn::LoadU(d, a + e + v * lanes);
      sums[v] = b == nullptr ? hn::Add(own, sums[v]) : hn::MulAdd(own, hn::LoadU(d, b + e + v * lanes), sums[v]);
    }
  }
  T by_lane[sum_lanes];
  for (Index v = 0; v < vectors; ++v) hn::StoreU(sums[v], d, by_lane + v * lanes);
  for (Index l = 0; e < count; ++e, ++l) by_lane[l] = std::fma(a[e], b == nullptr ? T(1) : b[e], by_lane[l]);
  T total = 0;
  for (const T lane : by_lane) total += lane;
  return total;
}
#endif

}  // namespace

const VectorKernels<float>& float_vector_kernels() {
  static constexpr VectorKernels<float> table{&add_all<float>, &scale_all<float>, &scale_each_all<float>, &dot_all<float>};
  return table;
}
const VectorKernels<double>& double_vector_kernels() {
  static constexpr VectorKernels<double> table{&add_all<double>, &scale_all<double>, &scale_each_all<double>,
                                               &dot_all<double>};
  return table;
}

}  // namespace tangra::linalg::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tangra::linalg {
HWY_EXPORT(float_vector_kernels);
HWY_EXPORT(double_vector_kernels);

namespace {

template <class T>
const VectorKernels<T>& kernels() {
  if constexpr (sizeof(T) == sizeof(float)) return HWY_DYNAMIC_DISPATCH(float_vector_kernels)();
  else return HWY_DYNAMIC_DISPATCH(double_vector_kernels)();
}

}  // namespace

template <class T>
void add(const T* from, Index count, T* to) {
  kernels<T>().add(from, count, to);
}
template <class T>
void scale(T factor, const T* from, Index count, bool accumulate, T* to) {
  kernels<T>().scale(factor, from, count, accumulate, to);
}
template <class T>
void scale_each(const T* slope, const T* from, Index count, bool accumulate, T* to) {
  kernels<T>().scale_each(slope, from, count, accumulate, to);
}
template <class T>
T sum(const T* a, Index count) {
  return kernels<T>().dot(a, nullptr, count);
}
template <class T>
T dot(const T* a, const T* b, Index count) {
  return kernels<T>().dot(a, b, count);
}

#define TANGRA_INSTANTIATE(T)                                            \
  template void add<T>(const T*, Index, T*);                             \
  template void scale<T>(T, const T*, Index, bool, T*);                  \
  template void scale_each<T>(const T*, const T*, Index, bool, T*);      \
  template T sum<T>(const T*, Index);                                    \
  template T dot<T>(const T*, const T*, Index);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::linalg
#endif
