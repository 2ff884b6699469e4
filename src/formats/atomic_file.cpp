#include "tangra/formats/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>

#include "tangra/base/error.h"
#include "tangra/formats/refuse.h"

namespace tangra::formats {
namespace {

/// Where writing through `target` would end up; refuses what must not be renamed over, such as /dev/null.
std::filesystem::path resolved(const std::filesystem::path& target) {
  std::error_code ignored;
  std::filesystem::path path = target;
  if (std::filesystem::is_symlink(path, ignored)) path = std::filesystem::weakly_canonical(path, ignored);
  if (path.empty() || path.filename().empty() || std::filesystem::is_directory(path, ignored)) {
    refuse(target.string(), "a file is to be written here", "the name of a folder", "the name of a file");
  }
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    refuse(target.string(), "only a regular file can be replaced", "a device, pipe or socket");
  }
  return path;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  const std::filesystem::path parent = file.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(resolved(target)) {
  static std::atomic<unsigned> counter{0};
  // A file's name has 255 bytes at most; the rest is for what makes it temporary and unique.
  const std::string stem = target_.filename().string().substr(0, 200);
  do {
    const std::string suffix = std::to_string(::getpid()) + "-" + std::to_string(counter++);
    temporary_ = folder_of(target_) / ("." + stem + "." + suffix + ".part");
    descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && (errno == EEXIST || errno == EINTR));
  if (descriptor_ < 0) refuse_system(target_.string(), "the file cannot be written", errno);
}

AtomicFile::~AtomicFile() {
  remove_temporary();
}

void AtomicFile::remove_temporary() noexcept {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
  descriptor_ = -1;
}

void AtomicFile::pwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
  TANGRA_ENSURE(descriptor_ >= 0);
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      refuse_system(target_.string(), "the file cannot be written completely", count < 0 ? errno : ENOSPC);
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::append(std::span<const std::byte> bytes) {
  pwrite(end_, bytes);
  end_ += bytes.size();
}

void AtomicFile::append(std::string_view text) {
  append(std::as_bytes(std::span(text)));
}

void AtomicFile::commit() {
  TANGRA_ENSURE(descriptor_ >= 0);
  if (::fsync(descriptor_) != 0)
    refuse_system(target_.string(), "the file cannot be brought to the disk", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    refuse_system(target_.string(), "the file cannot get its name", errno);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) refuse_system(target_.string(), "the file cannot be closed", errno);
  // The new name itself has to survive a crash. Some file systems refuse fsync on a folder; the file is sound
  // then.
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

}  // namespace tangra::formats
