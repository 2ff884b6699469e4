#pragma once
#include <optional>
#include <string>

#include "tangra/formats/zarr/new_folder.h"
#include "tangra/formats/zarr/zarr.h"
#include "tangra/kernel/tile_store.h"

namespace tangra::kernel {

/// One of the things that a kernel's bits, or its file, depend on. A run that goes on has to agree in all of them.
struct ManifestEntry {
  std::string name;     ///< stored as the attribute "tangra.NAME"
  std::string value;
  bool option = false;  ///< chosen by an option (a difference is wrong usage), not read from the input
};

/// A kernel as a Zarr folder.
struct ZarrKernel {
  std::filesystem::path path;
  std::vector<std::string> parts;  ///< arrays of a group, by part; empty: one part, the folder is the array itself
  Shape shape;                     ///< (n1, n2), (planes, n1, n2) or (n1, F, n2, F)
  std::vector<std::string> axes;
  bool lower = false;  ///< of a symmetric kernel the lower triangle of chunks alone
  std::vector<ManifestEntry> manifest;
  bool resume = false;  ///< goes on with what is there; else, or where nothing is there, begins afresh
};

/// Writes a kernel to a Zarr folder, a chunk for each tile and part. The folder appears with all that describes it when
/// begin() is called, in place of an older one unless it is resumed; every chunk appears complete or not at all, so that a
/// run which was killed can go on.
template <class T>
class ZarrStore final : public TileStore<T> {
 public:
  /// Looks at what is there and changes nothing. Throws Error(usage) or Error(input), naming what differs, where a kernel
  /// of another manifest is to be resumed; Error(input) where the folder holds something else than a Zarr array or group,
  /// or another run is writing into it.
  explicit ZarrStore(ZarrKernel kernel);

  bool resumed() const override { return block_.has_value(); }
  /// The size of blocks to go on with; 0 where the kernel begins afresh.
  Index block_samples() const { return block_.value_or(0); }
  /// Whether begin() has changed what is on the disk.
  bool begun() const { return begun_; }
  /// Throws Error(input) also where the stored arrays or the stored plan are not what the grid says.
  void begin(const TileGrid& grid) override;
  bool have(int part, Index plane, Index row, Index column, MatrixView<T> tile) override;
  bool both_triangles() const override { return !kernel_.lower; }
  void write(int part, Index plane, Index row, Index column, MatrixView<const T> tile) override;
  /// Waits until everything is on the disk.
  void finish() override;
  /// Removes the folder where this run has begun it: what cannot be finished is worth nothing.
  void abandon();

 private:
  void check_manifest(const formats::ZarrAttributes& stored, const std::vector<ManifestEntry>& own) const;
  std::vector<Index> position(Index plane, Index row, Index column) const;
  formats::ZarrHeader header_of(const std::string& part) const;
  formats::ZarrAttributes attributes() const;
  std::vector<std::filesystem::path> folders_below(const std::filesystem::path& folder) const;
  void make_folder();
  void open_arrays();

  ZarrKernel kernel_;
  TileGrid grid_;
  std::optional<Index> block_;  ///< of a kernel that is resumed
  formats::FolderLock lock_;
  std::vector<formats::ZarrArray> arrays_;  ///< by part
  bool begun_ = false;
};

extern template class ZarrStore<float>;
extern template class ZarrStore<double>;

}  // namespace tangra::kernel
