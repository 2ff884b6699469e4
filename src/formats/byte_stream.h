#pragma once
// Not for other rooms: a file read from front to back, inflated on the way where it is gzip.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

struct gzFile_s;

namespace tangra::formats {

class ByteStream {
 public:
  explicit ByteStream(const std::filesystem::path& path);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  const std::string& name() const { return name_; }
  bool compressed() const { return compressed_; }
  /// Bytes of the file as it lies.
  std::uint64_t file_size() const { return file_size_; }
  /// The most bytes that it can hold; exact where it is not compressed.
  std::uint64_t most_bytes() const;
  /// Fills `target` or throws Error(input).
  void read(std::span<std::byte> target);
  void skip(std::uint64_t bytes);
  /// Throws Error(input) unless all was read, and sound as far as gzip's checksum tells.
  void expect_end();

 private:
  std::size_t read_some(std::span<std::byte> target);
  std::string name_;
  gzFile_s* stream_ = nullptr;
  bool compressed_ = false;
  std::uint64_t file_size_ = 0;
};

}  // namespace tangra::formats
