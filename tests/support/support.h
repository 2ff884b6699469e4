#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "tangra/base/context.h"
#include "tangra/base/error.h"

namespace tangra::test {

/// A folder that is there for as long as this object lives.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A pool, a ledger without budget, and the context of both.
struct TestContext {
  explicit TestContext(int threads = 2) : pool(threads), context{pool, memory} {}
  ThreadPool pool;
  MemoryLedger memory;
  Context context;
};

/// The folder with real data and models (TANGRA_TEST_DATA, or `shared/data` beside the checkout); none where it is absent.
std::optional<std::filesystem::path> shared_data();

/// The Error that `action` throws; fails the test where it throws none.
Error error_of(const std::function<void()>& action);

}  // namespace tangra::test
