#include "tangra/formats/zarr/zarr.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "tangra/base/error.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/formats/input_file.h"
#include "tangra/formats/sizes.h"
#include "tangra/formats/zarr/crc32c.h"
#include "tangra/formats/zarr/metadata.h"
#include "tangra/formats/zarr/write_behind.h"

namespace tangra::formats {
namespace {

namespace fs = std::filesystem;

constexpr const char* metadata_name = "zarr.json";
constexpr std::uint64_t longest_metadata = std::uint64_t{64} << 20;
constexpr std::size_t checksum_bytes = 4;

std::string metadata_text(const fs::path& folder) {
  const InputFile file(folder / metadata_name);
  if (file.size() > longest_metadata) {
    refuse(file.name(), "the file is longer than a zarr.json can be", std::to_string(file.size()) + " bytes",
           "at most " + std::to_string(longest_metadata));
  }
  return file.read_all();
}

void write_metadata(const fs::path& folder, const std::string& text) {
  AtomicFile file(folder / metadata_name);
  file.append(text);
  file.commit();
}

std::array<std::byte, checksum_bytes> checksum_of(std::span<const std::byte> bytes) {
  const std::uint32_t sum = crc32c(bytes);
  std::array<std::byte, checksum_bytes> result{};
  for (std::size_t k = 0; k < result.size(); ++k) result[k] = static_cast<std::byte>((sum >> (8 * k)) & 255U);
  return result;
}

/// A file that is open, closed in any case.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }
  /// For another owner.
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

/// Returns 0 or the error number.
int write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : ENOSPC;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return 0;
}

/// Returns 0 or the error number.
int read_all(int descriptor, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::read(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return 0;
}

/// Opens a new file, or one that a crash has left, in a folder that is made where it is not there.
int create(const fs::path& file) {
  const auto attempt = [&] { return ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); };
  const int descriptor = attempt();
  if (descriptor >= 0 || errno != ENOENT) return descriptor;
  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  if (failed) {
    errno = failed.value();
    return -1;
  }
  return attempt();
}

}  // namespace

bool is_zarr(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / metadata_name, ignored);
}

ZarrNode read_zarr_node(const fs::path& folder) {
  return parse_zarr_node(metadata_text(folder), (folder / metadata_name).string());
}

void write_zarr_array(const fs::path& folder, const ZarrHeader& header) {
  write_metadata(folder, zarr_array_text(header));
}

void write_zarr_group(const fs::path& folder, const ZarrAttributes& attributes) {
  write_metadata(folder, zarr_group_text(attributes));
}

std::string zarr_node_name(const std::string& name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const bool only_dots = name.find_first_not_of('.') == std::string::npos;
  std::string result;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const auto byte = static_cast<unsigned char>(name[at]);
    const bool reserved = at == 0 && (only_dots || name.starts_with("__") || name == metadata_name);
    if (!reserved && byte >= 0x20 && byte != 0x7f && name[at] != '/' && name[at] != '\\' && name[at] != '%') {
      result += name[at];
    } else {
      result += {'%', digits[byte >> 4U], digits[byte & 15U]};
    }
  }
  return result;
}

ZarrArray::ZarrArray(const fs::path& folder)
    : folder_(folder),
      header_(parse_zarr_array(metadata_text(folder), (folder / metadata_name).string())),
      under_way_(std::make_shared<WriteBehind>()) {
  chunk_bytes_ = claimed_bytes(header_.type, header_.chunk, folder_.string());
}

ZarrArray::ZarrArray(const fs::path& folder, const ZarrArray& neighbour) : ZarrArray(folder) {
  under_way_ = neighbour.under_way_;
}

fs::path ZarrArray::chunk_file(std::span<const Index> position) const {
  std::string key = "c";
  for (const Index number : position) key += header_.separator + std::to_string(number);
  return folder_ / key;
}

ZarrArray::Found ZarrArray::read(std::span<const Index> position, std::vector<std::byte>& entries) const {
  const fs::path path = chunk_file(position);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) {
    if (errno == ENOENT || errno == ENOTDIR) return Found::absent;
    refuse_system(path.string(), "the chunk cannot be opened", errno);
  }
  struct stat status {};
  const std::size_t expected = chunk_bytes_ + (header_.checked ? checksum_bytes : 0);
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return Found::damaged;
  if (static_cast<std::uint64_t>(status.st_size) != expected) return Found::damaged;
  entries.resize(chunk_bytes_);
  std::array<std::byte, checksum_bytes> stored{};
  int failed = read_all(file.get(), entries);
  if (failed == 0 && header_.checked) failed = read_all(file.get(), stored);
  if (failed == EIO) return Found::damaged;
  if (failed != 0) refuse_system(path.string(), "the chunk cannot be read", failed);
  if (header_.checked && checksum_of(entries) != stored) return Found::damaged;
  if (header_.reversed) reverse_bytes(entries, bytes_of(header_.type));
  return Found::sound;
}

void ZarrArray::write(std::span<const Index> position, std::span<const std::byte> entries) const {
  TANGRA_ENSURE(entries.size() == chunk_bytes_ && header_.checked && !header_.reversed);
  const fs::path path = chunk_file(position);
  const fs::path temporary = path.parent_path() / ("." + path.filename().string() + ".part");
  const auto fail = [&](const char* what, int code) {
    ::unlink(temporary.c_str());
    refuse_system(path.string(), what, code);
  };
  int made = create(temporary);
  if (made < 0 && (errno == EMFILE || errno == ENFILE)) {
    under_way_->finish();
    made = create(temporary);
  }
  Descriptor file(made);
  if (!file.open()) refuse_system(path.string(), "the chunk cannot be written", errno);
  int failed = write_all(file.get(), entries);
  if (failed == 0) failed = write_all(file.get(), checksum_of(entries));
  if (failed != 0) fail("the chunk cannot be written completely", failed);
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail("the chunk cannot get its name", errno);
  under_way_->add(file.release(), path);
}

void ZarrArray::flush() const {
  under_way_->finish();
  const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open() || ::syncfs(folder.get()) != 0) {
    refuse_system(folder_.string(), "the chunks cannot be brought to the disk", errno);
  }
}

}  // namespace tangra::formats
