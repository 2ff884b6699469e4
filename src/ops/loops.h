#pragma once
#include <algorithm>

#include "tangra/ops/op.h"

namespace tangra::ops {

/// Calls body(sample) for every sample of the call, on several threads where the work (in scalar operations a sample)
/// is worth it. Samples are independent, so the bits do not depend on the split.
template <class T, class Body>
void for_samples(const Call<T>& call, Index work, const Body& body) {
  constexpr Index worth_a_task = 1 << 16;
  const Index chunk = std::max<Index>(1, worth_a_task / std::max<Index>(1, work));
  const Index tasks = (call.samples + chunk - 1) / chunk;
  if (tasks <= 1) {
    for (Index i = 0; i < call.samples; ++i) body(i);
    return;
  }
  call.context.pool.parallel_for(tasks, [&](Index task, int) {
    const Index end = std::min(call.samples, (task + 1) * chunk);
    for (Index i = task * chunk; i < end; ++i) body(i);
  });
}

template <class T>
void fill_zero(T* target, Index count) {
  std::fill_n(target, count, T(0));
}

}  // namespace tangra::ops
