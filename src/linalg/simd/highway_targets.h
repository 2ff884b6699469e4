// Which SIMD targets are compiled: those with a fused multiply-add, and a scalar twin. To be included before
// Highway.
#pragma once
#define HWY_DISABLED_TARGETS                                                                         \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_PPC8 | \
   HWY_WASM | HWY_WASM_EMU256 | HWY_RVV)
