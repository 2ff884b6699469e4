#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace tangra::formats {

/// A file that appears under its name only when it is complete: bytes go to a temporary file in the target's
/// folder, commit() brings them to the disk and renames. Without commit() the temporary file is removed and
/// the target stays as it was. An existing target is replaced; whether that is allowed is the caller's
/// decision. All failures (no folder, no permission, disk full) throw Error(input) that names the target.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Writes at `offset` (in bytes); gaps read as zeros. Safe from several threads on disjoint ranges.
  void pwrite(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Writes behind what was appended before. From one thread, and not mixed with pwrite beyond that place.
  void append(std::span<const std::byte> bytes);
  void append(std::string_view text);
  /// fsync, rename, fsync of the folder. Nothing may be written afterwards.
  void commit();

  /// Where the file will be.
  const std::filesystem::path& target() const { return target_; }

 private:
  void remove_temporary() noexcept;
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  std::uint64_t end_ = 0;
};

}  // namespace tangra::formats
