#include "tangra/base/tensor.h"

#include <sys/mman.h>

#include <cstdint>

#include "tangra/base/error.h"

namespace tangra {

void advise_large_pages(void* memory, std::size_t bytes) {
  constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
  constexpr std::size_t worth_it = 16 * page;
  if (bytes < worth_it) return;
  const std::uintptr_t first = (reinterpret_cast<std::uintptr_t>(memory) + page - 1) / page * page;
  const std::uintptr_t last = (reinterpret_cast<std::uintptr_t>(memory) + bytes) / page * page;
  // A hint: where the system has no large pages the memory works as it is.
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

void ensure_same_elements(const Shape& a, const Shape& b) { TANGRA_ENSURE(a.elements() == b.elements()); }

}  // namespace tangra
