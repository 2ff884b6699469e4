#pragma once
// Not for other rooms: the machine's rates, measured once and kept.
#include <optional>

#include "tangra/linalg/rates.h"

namespace tangra::run {

/// The rates that an earlier run measured on this machine with as many threads.
std::optional<linalg::Rates> kept_rates(const Context& context);
/// The same, measured and kept in the user's cache folder (XDG_CACHE_HOME, else ~/.cache) where there are none. A folder
/// that cannot be written to costs a measurement each time, and nothing else.
linalg::Rates rates(const Context& context);

}  // namespace tangra::run
