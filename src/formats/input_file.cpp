#include "tangra/formats/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tangra/base/error.h"
#include "tangra/formats/refuse.h"

namespace tangra::formats {

void refuse(const std::string& where, const std::string& what, const std::string& got,
            const std::string& expected, const std::string& cure) {
  throw Error(ErrorKind::input,
              {.what = what, .where = where, .got = got, .expected = expected, .cure = cure});
}

void refuse_system(const std::string& where, const std::string& what, int code) {
  std::string cure;
  if (code == ENOSPC || code == EDQUOT) cure = "Free some space or write to another disk";
  if (code == EFBIG) cure = "Write to a file system that allows files of this size";
  if (code == ENOENT) cure = "Make the folder first";
  refuse(where, what, std::generic_category().message(code), {}, cure);
}

InputFile::InputFile(const std::filesystem::path& path) : name_(path.string()) {
  // O_NONBLOCK: a named pipe without a writer must not make us wait.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    if (errno == ENOENT || errno == ENOTDIR) refuse(name_, "the file is not there");
    refuse(name_, "the file cannot be opened", std::generic_category().message(errno));
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    const bool folder = S_ISDIR(status.st_mode);
    ::close(descriptor_);
    refuse(name_, folder ? "this is a folder, not a file" : "this is not a regular file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

void InputFile::read_at(std::uint64_t offset, std::span<std::byte> target) const {
  std::size_t done = 0;
  while (done < target.size()) {
    const auto place = static_cast<off_t>(offset + done);
    const ssize_t count = ::pread(descriptor_, target.data() + done, target.size() - done, place);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse(name_, "the file cannot be read", std::generic_category().message(errno));
    if (count == 0) {
      refuse(name_, "the file ends too early", "an end after " + std::to_string(offset + done) + " bytes",
             "at least " + std::to_string(offset + target.size()) + " bytes");
    }
    done += static_cast<std::size_t>(count);
  }
}

std::string InputFile::read_all() const {
  std::string text(size_, '\0');
  read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace tangra::formats
