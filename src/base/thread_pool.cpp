#include "tangra/base/thread_pool.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace tangra {
namespace {

thread_local int current_worker = -1;

}  // namespace

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

struct ThreadPool::State {
  std::mutex call_mutex;  // held by the caller for the whole of a parallel_for
  std::mutex mutex;
  std::condition_variable work_there;
  std::condition_variable work_done;
  const std::function<void(Index, int)>* task = nullptr;
  Index count = 0;
  std::atomic<Index> next{0};
  std::uint64_t generation = 0;
  int busy = 0;
  std::exception_ptr failure;
  bool stopping = false;
  std::vector<std::jthread> workers;
  const pid_t process = getpid();

  void start(int total) {
    for (int worker = 1; worker < total; ++worker) workers.emplace_back([this, worker] { serve(worker); });
  }

  /// The child of a fork has none of the workers, and whoever held a mutex is gone with them: it starts afresh. The
  /// parent's state is given up, as it can neither be used nor destroyed there.
  static void renew_after_fork(std::unique_ptr<State>& state) {
    if (state->process == getpid()) return;
    const int total = static_cast<int>(state->workers.size()) + 1;
    static_cast<void>(state.release());
    state = std::make_unique<State>();
    state->start(total);
  }

  void take_items(int worker) {
    const int outer = std::exchange(current_worker, worker);
    for (Index item = next.fetch_add(1); item < count; item = next.fetch_add(1)) {
      try {
        (*task)(item, worker);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next.store(count);
      }
    }
    current_worker = outer;
  }

  void serve(int worker) {
    std::uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex);
        work_there.wait(lock, [&] { return stopping || generation != seen; });
        if (stopping) return;
        seen = generation;
      }
      take_items(worker);
      const std::lock_guard lock(mutex);
      if (--busy == 0) work_done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  state_->start(threads > 0 ? threads : usable_cores());
}

ThreadPool::~ThreadPool() {
  if (state_->process != getpid()) {
    static_cast<void>(state_.release());
    return;
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work_there.notify_all();
  state_->workers.clear();
}

int ThreadPool::size() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::parallel_for(Index count, const std::function<void(Index, int)>& task) {
  if (count <= 0) return;
  if (count == 1 && current_worker < 0) {  // a lone item may itself use the pool
    task(0, 0);
    return;
  }
  if (current_worker >= 0 || state_->workers.empty()) {
    const int worker = std::max(0, current_worker);
    const int outer = std::exchange(current_worker, worker);
    try {
      for (Index item = 0; item < count; ++item) task(item, worker);
    } catch (...) {
      current_worker = outer;
      throw;
    }
    current_worker = outer;
    return;
  }
  State::renew_after_fork(state_);
  State& state = *state_;
  const std::lock_guard call(state.call_mutex);
  {
    const std::lock_guard lock(state.mutex);
    state.task = &task;
    state.count = count;
    state.next.store(0);
    state.failure = nullptr;
    state.busy = static_cast<int>(state.workers.size());
    ++state.generation;
  }
  state.work_there.notify_all();
  state.take_items(0);
  std::unique_lock lock(state.mutex);
  state.work_done.wait(lock, [&] { return state.busy == 0; });
  state.task = nullptr;
  if (state.failure) std::rethrow_exception(std::exchange(state.failure, nullptr));
}

}  // namespace tangra
