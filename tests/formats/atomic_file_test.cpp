#include "tangra/formats/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "formats/files.h"
#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"

namespace tangra::formats {
namespace {

std::span<const std::byte> bytes_of_text(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(AtomicFile, AppearsOnlyWhenItIsComplete) {
  const test::TemporaryFolder folder;
  {
    AtomicFile file(folder / "a");
    file.pwrite(3, bytes_of_text("def"));
    file.pwrite(0, bytes_of_text("abc"));
    EXPECT_FALSE(std::filesystem::exists(folder / "a"));
    file.commit();
    EXPECT_EQ(test::read_bytes(folder / "a"), "abcdef");
  }
  EXPECT_EQ(test::read_bytes(folder / "a"), "abcdef");
  const auto permissions = std::filesystem::status(folder / "a").permissions();
  const mode_t mask = ::umask(0);
  ::umask(mask);
  EXPECT_EQ(static_cast<unsigned>(permissions), 0666U & ~mask);
}

TEST(AtomicFile, LeavesThingsAsTheyWereWithoutCommit) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a", "before");
  {
    AtomicFile file(folder / "a");
    file.append("after");
  }
  EXPECT_EQ(test::read_bytes(folder / "a"), "before");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  AtomicFile file(folder / "a");
  file.append("aft");
  file.append("er");
  file.commit();
  EXPECT_EQ(test::read_bytes(folder / "a"), "after");
}

TEST(AtomicFile, FollowsALinkAndKeepsIt) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "real", "before");
  std::filesystem::create_symlink(folder / "real", folder / "link");
  AtomicFile file(folder / "link");
  file.append("after");
  file.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(test::read_bytes(folder / "real"), "after");
}

TEST(AtomicFile, TakesLongNames) {
  const test::TemporaryFolder folder;
  AtomicFile file(folder / std::string(255, 'x'));
  file.commit();
  EXPECT_TRUE(std::filesystem::exists(folder / std::string(255, 'x')));
}

TEST(AtomicFile, RefusesPlacesThatCannotBeWritten) {
  const test::TemporaryFolder folder;
  const auto refused = [](const std::filesystem::path& target) {
    const Error error = test::error_of([&] { const AtomicFile file(target); });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return std::string(error.what());
  };
  EXPECT_NE(refused(folder / "none/a").find("folder"), std::string::npos);
  EXPECT_NE(refused(folder.path()).find("name of a folder"), std::string::npos);
  EXPECT_NE(refused(folder.path() / "").find("name of a folder"), std::string::npos);
  EXPECT_NE(refused("/dev/null").find("regular file"), std::string::npos);
  EXPECT_NE(refused("").find("name of a folder"), std::string::npos);
}

/// Lets no file grow beyond `bytes` for as long as it lives: what a full disk does, without filling one.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limited);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~SizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST(AtomicFile, SaysWhenTheDiskTakesNoMoreAndLeavesNothing) {
  const test::TemporaryFolder folder;
  const Array array = test::counting(DType::float64, Shape{10000});
  const SizeLimit limit(4096);
  const Error npy = test::error_of([&] { write_npy(folder / "a.npy", array); });
  EXPECT_EQ(npy.kind(), ErrorKind::input);
  EXPECT_EQ(npy.complaint().what, "the file cannot be written completely");
  const Error npz = test::error_of([&] { write_npz(folder / "a.npz", {{"x", array}}); });
  EXPECT_EQ(npz.complaint().what, "the file cannot be written completely");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace tangra::formats
