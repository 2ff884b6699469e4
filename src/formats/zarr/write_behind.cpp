#include "tangra/formats/zarr/write_behind.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "tangra/formats/refuse.h"

namespace tangra::formats {
namespace {

/// Some tenths of a second of an ordinary disk, in chunks of a megabyte; far from the number of files a process may open.
constexpr std::size_t most_files = 64;

}  // namespace

WriteBehind::~WriteBehind() {
  for (const File& file : files_) ::close(file.descriptor);
}

void WriteBehind::add(int descriptor, std::filesystem::path file) {
  ::sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
  File oldest{};
  {
    const std::lock_guard lock(mutex_);
    files_.push_back({descriptor, std::move(file)});
    if (files_.size() <= most_files) return;
    oldest = std::move(files_.front());
    files_.pop_front();
  }
  settle(oldest);
}

void WriteBehind::finish() {
  for (;;) {
    File oldest{};
    {
      const std::lock_guard lock(mutex_);
      if (files_.empty()) return;
      oldest = std::move(files_.front());
      files_.pop_front();
    }
    settle(oldest);
  }
}

void WriteBehind::settle(const File& file) {
  constexpr unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  int failed = ::sync_file_range(file.descriptor, 0, 0, all) == 0 ? 0 : errno;
  if (failed == ENOSYS || failed == EINVAL || failed == ESPIPE) failed = 0;  // a file system that knows nothing of it
  if (failed == 0) ::posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED);
  if (::close(file.descriptor) != 0 && failed == 0) failed = errno;
  if (failed != 0) refuse_system(file.name.string(), "the chunk cannot be brought to the disk", failed);
}

}  // namespace tangra::formats
