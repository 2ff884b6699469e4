#include "support/support.h"

#include <gtest/gtest.h>
#include <stdlib.h>

namespace tangra::test {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tangra-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::optional<std::filesystem::path> shared_data() {
  if (const char* folder = getenv("TANGRA_TEST_DATA"); folder != nullptr) return folder;
  const std::filesystem::path beside = std::filesystem::path(TANGRA_PROJECT) / "../shared/data";
  if (std::filesystem::is_directory(beside)) return std::filesystem::canonical(beside);
  return std::nullopt;
}

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(ErrorKind::internal, {});
}

}  // namespace tangra::test
