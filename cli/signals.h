#pragma once
#include <atomic>

namespace tangra::cli {

/// From here on SIGINT, SIGTERM and SIGHUP set the flag below, once, and the first says so on standard error;
/// the second of a kind ends the program as usual. A signal that was ignored when the program began stays
/// ignored. A write to a closed pipe or beyond the limit of a file's size is an error, not a signal.
void install_signal_handlers();

/// Whether the user has asked to stop.
const std::atomic<bool>& cancelled();

}  // namespace tangra::cli
