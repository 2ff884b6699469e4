#include "tangra/formats/zarr/new_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include "tangra/formats/refuse.h"

namespace tangra::formats {
namespace {

namespace fs = std::filesystem;

/// Where the folder lies in truth: a link keeps pointing to it.
fs::path resolved(const fs::path& target) {
  std::error_code ignored;
  fs::path path = fs::is_symlink(target, ignored) ? fs::weakly_canonical(target, ignored) : target;
  if (path.filename().empty()) path = path.parent_path();
  if (path.empty()) refuse(target.string(), "a folder is to be made here", "no name", "the name of a folder");
  return path;
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) refuse_system(folder.string(), "the folder cannot be opened", errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  refuse(folder.string(), "another run is writing into this folder", {}, {},
         "Wait for it, or write to another name");
}

FolderLock::FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

NewFolder::NewFolder(const fs::path& target) : target_(resolved(target)) {
  static std::atomic<unsigned> counter{0};
  const std::string stem = target_.filename().string().substr(0, 200);
  int made = -1;
  do {
    const std::string suffix = std::to_string(::getpid()) + "-" + std::to_string(counter++);
    temporary_ = target_.parent_path() / ("." + stem + "." + suffix + ".part");
    made = ::mkdir(temporary_.c_str(), 0777);
  } while (made != 0 && errno == EEXIST);
  if (made != 0) refuse_system(target_.string(), "the folder cannot be made", errno);
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void NewFolder::commit() {
  // Where there is a folder of this name the two change their names at once, and the destructor removes the
  // old one.
  if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) return;
  std::error_code ignored;
  if (errno != ENOENT && fs::exists(target_, ignored))
    fs::remove_all(target_, ignored);  // it knows no exchange
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    refuse_system(target_.string(), "the folder cannot get its name", errno);
  }
  temporary_.clear();
}

}  // namespace tangra::formats
