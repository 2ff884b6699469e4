#pragma once
#include <nanobind/nanobind.h>

#include <atomic>
#include <functional>

#include "tangra/run/run.h"

namespace tangra::python {

/// Does `work` on a thread of its own, without Python's lock. The calling thread meanwhile listens for Ctrl-C and hands
/// progress on: progress(what, done, total), where it is not None, some times a second at most. What a signal handler or
/// `progress` raises stops the work by `cancelled` and is raised here once it has stopped.
void watch(nanobind::handle progress, std::atomic<bool>& cancelled, const std::function<void(const run::Caller&)>& work);

}  // namespace tangra::python
