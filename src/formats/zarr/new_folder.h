#pragma once
#include <filesystem>
#include <memory>

namespace tangra::formats {

/// Keeps other runs from writing into the same folder, for as long as it lives; a run that is killed loses
/// it. Where the file system knows no locks it does nothing.
class FolderLock {
 public:
  FolderLock() = default;
  /// Throws Error(input) where somebody else has it.
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  int descriptor_ = -1;
};

/// A folder that appears under its name with all that was put into it before, or not at all. Throws
/// Error(input) that names the target where it cannot be made.
class NewFolder {
 public:
  explicit NewFolder(const std::filesystem::path& target);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  /// Where to put what shall be in it.
  const std::filesystem::path& path() const { return temporary_; }
  /// Gives the folder its name; a folder that has the name is removed, after that. Whether it may be is the
  /// caller's decision.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
};

}  // namespace tangra::formats
