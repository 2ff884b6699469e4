#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tangra::formats {

/// A regular file that is open for reading at any place. Not copied; reading is safe from several threads.
class InputFile {
 public:
  /// Throws Error(input) where the file is absent, no regular file, or may not be read.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Bytes in the file when it was opened.
  std::uint64_t size() const { return size_; }
  /// The path as it was given, for messages.
  const std::string& name() const { return name_; }
  /// Fills `target` with the bytes from `offset` on. Throws Error(input) where the file ends before.
  void read_at(std::uint64_t offset, std::span<std::byte> target) const;
  /// The whole file. Only for formats that cannot be read in parts.
  std::string read_all() const;

 private:
  std::string name_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace tangra::formats
