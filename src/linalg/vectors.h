#pragma once
#include "tangra/base/index.h"

namespace tangra::linalg {

/// Loops over long arrays on SIMD. Each entry is computed as written, without fused operations, so that bits do not depend
/// on the target; sums run in 32 lanes of fused multiply-adds that are then added in order.

/// to[e] += from[e].
template <class T>
void add(const T* from, Index count, T* to);

/// to[e] = (accumulate ? to[e] : 0) + factor * from[e]; `from` may be `to`.
template <class T>
void scale(T factor, const T* from, Index count, bool accumulate, T* to);

/// to[e] = (accumulate ? to[e] : 0) + slope[e] * from[e], where a slope of zero gives 0 whatever it meets; `from` may be `to`.
template <class T>
void scale_each(const T* slope, const T* from, Index count, bool accumulate, T* to);

/// The sum of a[e], and of a[e] b[e].
template <class T>
T sum(const T* a, Index count);
template <class T>
T dot(const T* a, const T* b, Index count);

#define TANGRA_DECLARE(T)                                              \
  extern template void add<T>(const T*, Index, T*);                    \
  extern template void scale<T>(T, const T*, Index, bool, T*);         \
  extern template void scale_each<T>(const T*, const T*, Index, bool, T*); \
  extern template T sum<T>(const T*, Index);                           \
  extern template T dot<T>(const T*, const T*, Index);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::linalg
