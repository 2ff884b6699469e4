#pragma once
// Not for other rooms: what the system tells of memory.
#include <cstddef>

namespace tangra::run {

/// Bytes that may still be had, here and in the control group that the process lives in; 0 where nothing is known.
std::size_t free_memory();
/// What the process holds in memory now, and the most that it ever held.
std::size_t resident_memory();
std::size_t peak_memory();

}  // namespace tangra::run
