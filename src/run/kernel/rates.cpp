#include "tangra/run/kernel/rates.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <limits>
#include <sstream>
#include <vector>

#include "tangra/base/error.h"
#include "tangra/base/hash.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/linalg/simd.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

std::filesystem::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0) return std::filesystem::path(cache) / "tangra";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0) return std::filesystem::path(home) / ".cache" / "tangra";
  return {};
}

/// One file for each machine, program and number of threads.
std::filesystem::path file_of(const Context& context) {
  const std::filesystem::path folder = cache_folder();
  if (folder.empty()) return {};
  Hash hash;
  hash.add(machine());
  hash.add(linalg::simd_target());
  hash.add(TANGRA_VERSION);
  hash.add(static_cast<std::uint64_t>(context.pool.size()));
  return folder / ("rates-" + hexadecimal(hash.value()) + ".txt");
}

void keep(const std::filesystem::path& path, const std::string& text) {
  if (path.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  try {
    formats::AtomicFile file(path);
    file.append(std::string_view(text));
    file.commit();
  } catch (const Error&) {  // a read-only or missing home: measured again next time
  }
}

/// In full precision, with blanks between.
std::string in_words(std::initializer_list<double> numbers) {
  std::ostringstream text;
  text << std::setprecision(std::numeric_limits<double>::max_digits10);
  for (const double number : numbers) text << number << ' ';
  return text.str() + '\n';
}

/// A file that has no name and goes with its last user.
class NamelessFile {
 public:
  explicit NamelessFile(const std::filesystem::path& folder) : file_(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)) {}
  NamelessFile(const NamelessFile&) = delete;
  NamelessFile& operator=(const NamelessFile&) = delete;
  ~NamelessFile() {
    if (file_ >= 0) ::close(file_);
  }
  /// Writes behind what is there and waits for the disk.
  bool append(const std::vector<char>& bytes) {
    return file_ >= 0 && ::write(file_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fdatasync(file_) == 0;
  }

 private:
  int file_;
};

std::optional<double> measured_disk_rate(const std::filesystem::path& folder) {
  using Clock = std::chrono::steady_clock;
  constexpr double enough = 0.3;
  const std::vector<char> piece(std::size_t{4} << 20U, 1);
  NamelessFile file(folder);
  if (!file.append(piece)) return std::nullopt;  // the first one finds room
  const auto start = Clock::now();
  double written = 0;
  double seconds = 0;
  while (seconds < enough) {
    if (!file.append(piece)) return std::nullopt;
    written += static_cast<double>(piece.size());
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return written / seconds;
}

}  // namespace

std::optional<linalg::Rates> kept_rates(const Context& context) {
  const std::filesystem::path path = file_of(context);
  if (path.empty()) return std::nullopt;
  std::ifstream file(path);
  linalg::Rates rates;
  file >> rates.float32_multiply_adds >> rates.float64_multiply_adds >> rates.written_bytes;
  const bool sound = file && rates.float32_multiply_adds > 0 && rates.float64_multiply_adds > 0 && rates.written_bytes > 0;
  return sound ? std::optional(rates) : std::nullopt;
}

linalg::Rates rates(const Context& context) {
  if (const auto kept = kept_rates(context)) return *kept;
  const linalg::Rates measured = linalg::measure_rates(context);
  keep(file_of(context), in_words({measured.float32_multiply_adds, measured.float64_multiply_adds, measured.written_bytes}));
  return measured;
}

std::optional<double> disk_rate(const std::filesystem::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return std::nullopt;
  Hash hash;
  hash.add(machine());
  hash.add(static_cast<std::uint64_t>(status.st_dev));
  std::filesystem::path kept = cache_folder();
  if (!kept.empty()) kept /= "disk-" + hexadecimal(hash.value()) + ".txt";
  double rate = 0;
  if (std::ifstream(kept) >> rate && rate > 0) return rate;
  const std::optional<double> measured = measured_disk_rate(folder);
  if (measured) keep(kept, in_words({*measured}));
  return measured;
}

}  // namespace tangra::run
