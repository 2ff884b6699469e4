#pragma once
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tangra/base/array.h"

namespace tangra::formats {

/// Names and what they say, in their order. What another program wrote as something else than a string is
/// given as JSON.
using ZarrAttributes = std::vector<std::pair<std::string, std::string>>;

/// What the zarr.json of an array says (Zarr v3). Of what the format allows this is what kernels need:
/// float32 or float64, a regular grid of chunks, the codecs `bytes` and, unless another program left it out,
/// `crc32c`.
struct ZarrHeader {
  DType type = DType::float32;
  Shape shape;
  Shape chunk;                               ///< of one chunk; the last one of an axis may reach over its end
  std::vector<std::string> dimension_names;  ///< one for each axis, or none
  ZarrAttributes attributes;
  double fill = std::numeric_limits<double>::quiet_NaN();  ///< what the entries of an absent chunk are
  bool checked = true;                                     ///< a CRC-32C stands behind every chunk
  bool reversed = false;  ///< the bytes of each number have the other order than this machine's
  char separator = '/';   ///< between the numbers in a chunk's name

  /// Chunks along one axis.
  Index chunks(Index axis) const { return (shape[axis] + chunk[axis] - 1) / chunk[axis]; }
};

/// A folder with a zarr.json: an array or a group of arrays.
struct ZarrNode {
  bool group = false;
  ZarrAttributes attributes;
};

/// Whether the path is a folder that holds a zarr.json, sound or not.
bool is_zarr(const std::filesystem::path& folder);
/// Throws Error(input) where the zarr.json is absent, cut short, malformed or of another version of Zarr.
ZarrNode read_zarr_node(const std::filesystem::path& folder);

/// Writes the zarr.json of an array or a group into a folder that is there, complete or not at all.
void write_zarr_array(const std::filesystem::path& folder, const ZarrHeader& header);
void write_zarr_group(const std::filesystem::path& folder, const ZarrAttributes& attributes);

/// The name of the folder of a group's array: `name` itself, but for characters and words that Zarr or a file
/// system keeps for itself ('/', a leading "__", control characters), which become %XX.
std::string zarr_node_name(const std::string& name);

class WriteBehind;

/// An array in a folder, read and written chunk by chunk; safe from several threads on different chunks.
class ZarrArray {
 public:
  /// Reads the zarr.json. Throws Error(input) where it is no array, or uses what ZarrHeader cannot say; the
  /// message names the field.
  explicit ZarrArray(const std::filesystem::path& folder);
  /// The same for an array that is written along with another, as the parts of a group are: the chunks of both that are on
  /// their way to the disk stay within one limit of open files.
  ZarrArray(const std::filesystem::path& folder, const ZarrArray& neighbour);

  const ZarrHeader& header() const { return header_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// Bytes of the entries of a chunk.
  std::size_t chunk_bytes() const { return chunk_bytes_; }
  /// The file of a chunk, which may be absent. position: one number for each axis.
  std::filesystem::path chunk_file(std::span<const Index> position) const;

  enum class Found {
    absent,
    damaged,  ///< another length than a chunk has, or its checksum does not match
    sound,
  };
  /// Fills `entries` with a chunk, row-major, in this machine's order of bytes. Throws Error(input) where the
  /// system does not let it be read.
  Found read(std::span<const Index> position, std::vector<std::byte>& entries) const;

  /// Writes a chunk; `entries` has chunk_bytes(). It appears complete or not at all: a temporary file is
  /// renamed, whose leftover after a crash is overwritten when the chunk is written again. Its way to the
  /// disk is begun, that of a chunk some dozens of writes ago awaited: a chunk that a power cut destroyed fails
  /// its checksum. Where the process may open no more files, those under way are awaited first. Throws Error(input) that
  /// names the file.
  void write(std::span<const Index> position, std::span<const std::byte> entries) const;

  /// Waits until everything written to the array's file system is on the disk. Throws Error(input) where that
  /// fails.
  void flush() const;

 private:
  std::filesystem::path folder_;
  ZarrHeader header_;
  std::size_t chunk_bytes_ = 0;
  std::shared_ptr<WriteBehind> under_way_;
};

}  // namespace tangra::formats
