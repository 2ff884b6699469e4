#pragma once
// Not for other rooms: the machine's rates, measured once and kept.
#include <filesystem>
#include <optional>

#include "tangra/linalg/rates.h"

namespace tangra::run {

/// The rates that an earlier run measured on this machine with as many threads.
std::optional<linalg::Rates> kept_rates(const Context& context);
/// The same, measured and kept in the user's cache folder (XDG_CACHE_HOME, else ~/.cache) where there are none. A folder
/// that cannot be written to costs a measurement each time, and nothing else.
linalg::Rates rates(const Context& context);

/// Bytes that a new file in this folder takes in a second until they are on its disk: kept as rates() are, for each file
/// system, else measured in 0.3 s by a file without a name. Nothing where the folder takes none.
std::optional<double> disk_rate(const std::filesystem::path& folder);

}  // namespace tangra::run
