#pragma once
// Not for other rooms: chunks on their way to the disk.
#include <deque>
#include <filesystem>
#include <mutex>

namespace tangra::formats {

/// Written files whose bytes the disk takes while others are computed, a limited number of them: when one more comes the
/// oldest is awaited and the system's copy of it given up. A kernel that is larger than the memory would otherwise push
/// everything else out of it, and pages that are new to the machine cost more to fill than what is in them took to
/// compute. For several threads.
class WriteBehind {
 public:
  WriteBehind() = default;
  /// Closes what is under way without waiting for it.
  ~WriteBehind();
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  /// Takes the descriptor of a complete file and has the disk begin. Throws Error(input) that names the file that could
  /// not be brought to the disk: this one or an older one.
  void add(int descriptor, std::filesystem::path file);
  /// Waits for all. Throws as add().
  void finish();

 private:
  struct File {
    int descriptor;
    std::filesystem::path name;
  };
  static void settle(const File& file);

  std::mutex mutex_;
  std::deque<File> files_;
};

}  // namespace tangra::formats
