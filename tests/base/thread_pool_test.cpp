#include "tangra/base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "support/support.h"

namespace tangra {
namespace {

TEST(ThreadPool, GivesOutEveryItemOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<std::atomic<int>> seen(1003);
    pool.parallel_for(1003, [&](Index item, int worker) {
      EXPECT_LT(worker, pool.size());
      ++seen[static_cast<std::size_t>(item)];
    });
    for (const auto& count : seen) EXPECT_EQ(count, 1);
  }
}

TEST(ThreadPool, ThrowsToTheCallerWhatATaskThrows) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.parallel_for(100, [](Index item, int) { if (item == 37) throw std::runtime_error("37"); }),
               std::runtime_error);
  std::atomic<int> count{0};
  pool.parallel_for(10, [&](Index, int) { ++count; });
  EXPECT_EQ(count, 10);
}

TEST(ThreadPool, RunsANestedCallOnTheWorkerItself) {
  ThreadPool pool(3);
  std::atomic<int> count{0};
  pool.parallel_for(7, [&](Index, int outer) {
    pool.parallel_for(11, [&](Index, int inner) {
      EXPECT_EQ(inner, outer);
      ++count;
    });
  });
  EXPECT_EQ(count, 77);
}

/// The child has none of the parent's workers: it would wait for them for ever.
TEST(ThreadPool, WorksInTheChildOfAFork) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer knows no threads that begin after a fork";
#endif
  auto pool = std::make_unique<ThreadPool>(3);
  std::atomic<int> count{0};
  pool->parallel_for(50, [&](Index, int) { ++count; });
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // ends a child that waits
    pool->parallel_for(50, [&](Index, int) { ++count; });
    pool.reset();
    _exit(count == 100 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  pool->parallel_for(50, [&](Index, int) { ++count; });
  EXPECT_EQ(count, 100);
}

/// A pool that the child only destroys.
TEST(ThreadPool, IsDestroyedInTheChildOfAFork) {
  auto pool = std::make_unique<ThreadPool>(3);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    pool.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(MemoryLedger, HoldsItsBudget) {
  MemoryLedger ledger(1000);
  {
    const Reservation first(ledger, 600, "the first");
    EXPECT_EQ(ledger.available(), 400U);
    const Error error = test::error_of([&] { const Reservation second(ledger, 500, "the second"); });
    EXPECT_EQ(error.kind(), ErrorKind::memory);
    EXPECT_NE(std::string(error.what()).find("the second"), std::string::npos);
  }
  EXPECT_EQ(ledger.in_use(), 0U);
  EXPECT_EQ(ledger.peak(), 600U);
}

}  // namespace
}  // namespace tangra
