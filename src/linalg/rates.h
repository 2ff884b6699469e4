#pragma once
#include "tangra/base/context.h"

namespace tangra::linalg {

/// What this machine does in a second with all threads of a pool. Predicts times; nothing is decided by it.
struct Rates {
  double float32_multiply_adds = 0;  ///< of tiles
  double float64_multiply_adds = 0;
  double written_bytes = 0;  ///< to memory
};

/// What measure_rates() works in.
std::size_t measuring_rates_bytes(const Context& context);

/// Measures the rates in about 0.2 s.
Rates measure_rates(const Context& context);

}  // namespace tangra::linalg
