#pragma once
#include <atomic>

namespace tangra::cli {

/// From here on SIGINT and SIGTERM set the flag below, once; the second of a kind ends the program as usual.
/// A signal that was ignored when the program began stays ignored. A write to a closed pipe is an error, not
/// a signal.
void install_signal_handlers();

/// Whether the user has asked to stop.
const std::atomic<bool>& cancelled();

}  // namespace tangra::cli
