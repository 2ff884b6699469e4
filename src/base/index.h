#pragma once
#include <cstdint>

namespace tangra {

/// Every count and position of array entries: 64 bits, signed, so that N * O * P never overflows unseen.
using Index = std::int64_t;

}  // namespace tangra
