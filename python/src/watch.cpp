#include "watch.h"

#include <nanobind/stl/string.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace tangra::python {
namespace {

namespace nb = nanobind;

constexpr std::chrono::milliseconds between_looks{50};

struct Report {
  std::string what;
  double done = 0;
  double total = 0;
};

/// What the working thread tells the one that waits for it.
class Desk final : public Progress {
 public:
  void report(std::string_view what, double done, double total) override {
    const std::lock_guard lock(mutex_);
    latest_ = Report{.what = std::string(what), .done = done, .total = total};
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_one();
  }
  /// Whether the work is finished; waits for it no longer than until the next look.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, between_looks, [&] { return finished_; });
  }
  std::optional<Report> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(latest_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Report> latest_;
  bool finished_ = false;
};

void hand_on(nb::handle progress, Desk& desk) {
  if (const auto report = desk.take(); report && !progress.is_none()) progress(report->what, report->done, report->total);
}

}  // namespace

void watch(nb::handle progress, std::atomic<bool>& cancelled, const std::function<void(const run::Caller&)>& work) {
  cancelled = false;
  Desk desk;
  std::exception_ptr failure;
  std::exception_ptr raised;
  {
    const nb::gil_scoped_release unlocked;
    const std::jthread worker([&] {
      try {
        work({.progress = progress.is_none() ? nullptr : &desk, .cancelled = &cancelled});
      } catch (...) {
        failure = std::current_exception();
      }
      desk.finish();
    });
    while (!desk.wait()) {
      if (raised) continue;
      const nb::gil_scoped_acquire locked;
      try {
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
        hand_on(progress, desk);
      } catch (...) {
        raised = std::current_exception();
        cancelled = true;
      }
    }
  }
  if (raised) std::rethrow_exception(raised);
  if (failure) std::rethrow_exception(failure);
  hand_on(progress, desk);
}

}  // namespace tangra::python
