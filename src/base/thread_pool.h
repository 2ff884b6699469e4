#pragma once
#include <functional>
#include <memory>

#include "tangra/base/index.h"

namespace tangra {

/// Cores that this process may run on.
int usable_cores();

/// The only place of the project that knows threads. Workers wait between calls; one call runs at a time.
class ThreadPool {
 public:
  /// `threads` workers in all, the caller's thread among them; 0 means one for each core that may be used.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;

  /// Calls task(item, worker) for every item in [0, count), worker in [0, size()). Which worker gets which item is not
  /// fixed, so a task must not let its result depend on it. The first exception ends the handing out of items and is
  /// thrown to the caller. A call from inside a task runs on that worker alone.
  void parallel_for(Index count, const std::function<void(Index item, int worker)>& task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tangra
