#pragma once
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "tangra/base/index.h"
#include "tangra/base/thread_pool.h"

namespace tangra {

/// Counts the large allocations of a run against its budget. Safe to use from any thread.
class MemoryLedger {
 public:
  /// `budget` in bytes; 0 means none.
  explicit MemoryLedger(std::size_t budget = 0) : budget_(budget) {}
  std::size_t budget() const { return budget_; }
  std::size_t in_use() const { return in_use_.load(); }
  std::size_t peak() const { return peak_.load(); }
  /// What may still be taken; the largest std::size_t without a budget.
  std::size_t available() const;
  /// Throws Error(memory), naming `purpose`, where the budget would be exceeded.
  void take(std::size_t bytes, std::string_view purpose);
  void give_back(std::size_t bytes);

 private:
  std::size_t budget_;
  std::atomic<std::size_t> in_use_{0};
  std::atomic<std::size_t> peak_{0};
};

/// Bytes taken from a ledger for as long as this object lives.
class Reservation {
 public:
  Reservation() = default;
  Reservation(MemoryLedger& ledger, std::size_t bytes, std::string_view purpose);
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

 private:
  MemoryLedger* ledger_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Told how far a run is. Called from the thread that called the library, never from a worker.
class Progress {
 public:
  virtual ~Progress() = default;
  /// `done` of `total` units of the step `what`.
  virtual void report(std::string_view what, double done, double total) = 0;
};

/// What a computation is given beside its operands. Passed down, never global.
struct Context {
  ThreadPool& pool;
  MemoryLedger& memory;
  Progress* progress = nullptr;
  const std::atomic<bool>* cancelled = nullptr;

  /// Throws Error(interrupted) when the caller has asked to stop.
  void check_cancelled() const;
  void report(std::string_view what, double done, double total) const {
    if (progress != nullptr) progress->report(what, done, total);
  }
};

/// "3.4 GiB", for messages.
std::string human_bytes(std::size_t bytes);

}  // namespace tangra
