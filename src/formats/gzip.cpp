#include "tangra/formats/gzip.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <new>

#include "byte_stream.h"
#include "sizes.h"
#include "tangra/formats/input_file.h"

namespace tangra::formats {

ByteStream::ByteStream(const std::filesystem::path& path) : name_(path.string()) {
  {
    const InputFile file(path);  // for its checks and messages
    file_size_ = file.size();
    if (file_size_ >= 2) {
      std::byte magic[2];
      file.read_at(0, magic);
      compressed_ = magic[0] == std::byte{0x1f} && magic[1] == std::byte{0x8b};
    }
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) refuse(name_, "the file cannot be opened");
  stream_ = gzdopen(descriptor, "rb");
  if (stream_ == nullptr) {
    ::close(descriptor);
    throw std::bad_alloc();
  }
  gzbuffer(stream_, 1U << 17);
}

ByteStream::~ByteStream() {
  gzclose_r(stream_);
}

std::uint64_t ByteStream::most_bytes() const {
  return compressed_ ? file_size_ * deflate_ratio : file_size_;
}

std::size_t ByteStream::read_some(std::span<std::byte> target) {
  constexpr std::size_t most = 1U << 30;
  const int count = gzread(stream_, target.data(), static_cast<unsigned>(std::min(target.size(), most)));
  int code = Z_OK;
  const char* message = gzerror(stream_, &code);
  if (count < 0 ||
      (code != Z_OK && code != Z_STREAM_END && static_cast<std::size_t>(count) < target.size())) {
    const bool cut = code == Z_BUF_ERROR;
    refuse(name_, cut ? "the file ends too early" : "the compressed data are damaged",
           message != nullptr && !cut ? message : "");
  }
  return static_cast<std::size_t>(count);
}

void ByteStream::read(std::span<std::byte> target) {
  while (!target.empty()) {
    const std::size_t count = read_some(target);
    if (count == 0) refuse(name_, "the file ends too early");
    target = target.subspan(count);
  }
}

void ByteStream::skip(std::uint64_t bytes) {
  if (gzseek(stream_, static_cast<z_off_t>(bytes), SEEK_CUR) < 0) refuse(name_, "the file ends too early");
}

void ByteStream::expect_end() {
  std::byte extra[1];
  if (read_some(extra) != 0) refuse(name_, "the file is longer than its header says");
}

std::vector<std::byte> gunzip(std::span<const std::byte> data, std::size_t size, const std::string& where) {
  constexpr int gzip_window = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, gzip_window) != Z_OK) throw std::bad_alloc();
  const auto ended = [](z_stream* opened) { inflateEnd(opened); };
  const std::unique_ptr<z_stream, decltype(ended)> keeper(&stream, ended);

  std::vector<std::byte> result(size + 1);  // one more shows that there is too much
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int outcome = inflate(&stream, Z_FINISH);
  if (outcome != Z_STREAM_END || stream.total_out != size) {
    refuse(where, "the compressed data are damaged", std::to_string(stream.total_out) + " bytes",
           std::to_string(size) + " bytes and the end of the data");
  }
  result.pop_back();
  return result;
}

}  // namespace tangra::formats
