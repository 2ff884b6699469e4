#include "tangra/kernel/zarr_store.h"

#include <algorithm>
#include <cmath>
#include <charconv>
#include <cstring>
#include <limits>

#include "tangra/base/error.h"
#include "tangra/base/hash.h"
#include "tangra/formats/refuse.h"

namespace tangra::kernel {
namespace {

namespace fs = std::filesystem;
using formats::ZarrArray;

constexpr const char* prefix = "tangra.";

/// Nothing where there is no such attribute.
std::optional<std::string> attribute(const formats::ZarrAttributes& attributes, const std::string& name) {
  const auto found = std::ranges::find(attributes, prefix + name, &std::pair<std::string, std::string>::first);
  if (found == attributes.end()) return std::nullopt;
  return found->second;
}

std::string in_words(const std::string& value) { return value.empty() ? "none" : value; }

bool is_empty_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) && fs::is_empty(path, ignored);
}

Index stored_block(const formats::ZarrAttributes& attributes, const fs::path& path) {
  const std::string text = attribute(attributes, "block_samples").value_or("");
  Index block = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), block);
  if (code == std::errc() && end == text.data() + text.size() && block > 0) return block;
  formats::refuse(path.string(), "this kernel cannot be resumed: it does not say how it was cut into chunks", text,
                  "the attribute tangra.block_samples", "Start afresh with --force");
}

}  // namespace

template <class T>
ZarrStore<T>::ZarrStore(ZarrKernel kernel) : kernel_(std::move(kernel)) {
  const fs::path& path = kernel_.path;
  std::error_code ignored;
  if (!fs::exists(path, ignored) || is_empty_folder(path)) return;
  if (!formats::is_zarr(path)) {
    formats::refuse(path.string(), "something else than a Zarr array stands in the way",
                    fs::is_directory(path, ignored) ? "a folder without zarr.json" : "a file", {},
                    kernel_.resume ? "Chunks without their zarr.json cannot be told apart and not be gone on with. Choose another name, or remove it yourself"
                                   : "Choose another name, or remove it yourself");
  }
  lock_ = formats::FolderLock(path);
  if (!kernel_.resume) return;
  const formats::ZarrNode node = formats::read_zarr_node(path);
  check_manifest(node.attributes, kernel_.manifest);
  block_ = stored_block(node.attributes, path);
}

template <class T>
void ZarrStore<T>::check_manifest(const formats::ZarrAttributes& stored, const std::vector<ManifestEntry>& own) const {
  std::string names;
  std::string got;
  std::string expected;
  bool options = true;
  bool any = false;  // there is a manifest
  for (const ManifestEntry& entry : own) {
    const auto before = attribute(stored, entry.name);
    any = any || before;
    if (before == entry.value) continue;
    const std::string comma = names.empty() ? "" : ", ";
    names += comma + entry.name;
    got += comma + entry.name + " " + in_words(entry.value);
    expected += comma + entry.name + " " + (before ? in_words(*before) : "unknown");
    options = options && entry.option;
  }
  if (names.empty()) return;
  if (!any) {
    formats::refuse(kernel_.path.string(), "this array does not say which kernel it holds: it is none of tangra's, or has lost its manifest",
                    "no attributes tangra.model and so on in zarr.json", {}, "Start afresh with --force, or choose another name");
  }
  throw Error(options ? ErrorKind::usage : ErrorKind::input,
              {.what = "the kernel that is there was begun with another " + names, .where = kernel_.path.string(), .got = got,
               .expected = expected, .cure = "Resume with what it was begun with, or start afresh with --force"});
}

template <class T>
formats::ZarrAttributes ZarrStore<T>::attributes() const {
  formats::ZarrAttributes attributes;
  for (const ManifestEntry& entry : kernel_.manifest) attributes.emplace_back(prefix + entry.name, entry.value);
  attributes.emplace_back(std::string(prefix) + "plan", hexadecimal(grid_.plan));
  attributes.emplace_back(std::string(prefix) + "block_samples", std::to_string(grid_.block_samples));
  return attributes;
}

template <class T>
formats::ZarrHeader ZarrStore<T>::header_of(const std::string& part) const {
  formats::ZarrHeader header{.type = dtype_of<T>(), .shape = kernel_.shape, .chunk = {}, .dimension_names = kernel_.axes,
                             .attributes = {}};
  if (kernel_.shape.rank() == 4) {
    const Index full = kernel_.shape[1];
    header.chunk = {grid_.tile_rows / full, full, grid_.tile_columns / full, full};
  } else {
    header.chunk = {grid_.tile_rows, grid_.tile_columns};
    if (kernel_.shape.rank() == 3) header.chunk = header.chunk.with_leading(1);
  }
  if (kernel_.parts.empty()) {
    header.attributes = attributes();
  } else {
    header.attributes = {{std::string(prefix) + "part", part},
                         {std::string(prefix) + "triangle", kernel_.lower ? "lower" : "full"}};
  }
  return header;
}

template <class T>
std::vector<fs::path> ZarrStore<T>::folders_below(const fs::path& folder) const {
  if (kernel_.parts.empty()) return {folder};
  std::vector<fs::path> folders;
  for (const std::string& part : kernel_.parts) {
    folders.push_back(folder / formats::zarr_node_name(part));
    if (std::ranges::count(kernel_.parts, part) == 1) continue;
    formats::refuse(kernel_.path.string(), "two parts of the kernel have the same name", part, "names that differ",
                    "Leave --by out");
  }
  return folders;
}

template <class T>
void ZarrStore<T>::make_folder() {
  formats::NewFolder made(kernel_.path);
  const std::vector<fs::path> folders = folders_below(made.path());
  if (!kernel_.parts.empty()) formats::write_zarr_group(made.path(), attributes());
  for (std::size_t part = 0; part < folders.size(); ++part) {
    std::error_code failed;
    fs::create_directories(folders[part], failed);
    if (failed) formats::refuse_system(kernel_.path.string(), "the folder cannot be made", failed.value());
    formats::write_zarr_array(folders[part], header_of(kernel_.parts.empty() ? std::string() : kernel_.parts[part]));
  }
  formats::FolderLock lock(made.path());
  made.commit();
  lock_ = std::move(lock);
}

template <class T>
void ZarrStore<T>::open_arrays() {
  for (const fs::path& folder : folders_below(kernel_.path)) {
    if (arrays_.empty()) {
      arrays_.emplace_back(folder);
    } else {
      arrays_.emplace_back(folder, ZarrArray(arrays_.front()));  // a copy: the vector may move
    }
    const formats::ZarrHeader& stored = arrays_.back().header();
    const formats::ZarrHeader own = header_of({});
    if (stored.type == own.type && stored.shape == own.shape && stored.chunk == own.chunk && stored.checked &&
        !stored.reversed && std::isnan(stored.fill)) {
      continue;
    }
    formats::refuse(folder.string(), "the array that is there is not the one that was begun",
                    std::string(name_of(stored.type)) + " " + to_string(stored.shape) + " in chunks of " + to_string(stored.chunk),
                    std::string(name_of(own.type)) + " " + to_string(own.shape) + " in chunks of " + to_string(own.chunk) +
                        " with checksums, NaN where there is none",
                    "Start afresh with --force");
  }
}

template <class T>
void ZarrStore<T>::begin(const TileGrid& grid) {
  grid_ = grid;
  if (resumed()) {
    check_manifest(formats::read_zarr_node(kernel_.path).attributes, {{.name = "plan", .value = hexadecimal(grid.plan)}});
  } else {
    make_folder();
  }
  open_arrays();
  begun_ = true;
}

template <class T>
std::vector<Index> ZarrStore<T>::position(Index plane, Index row, Index column) const {
  TANGRA_ENSURE(row % grid_.tile_rows == 0 && column % grid_.tile_columns == 0);
  const Index i = row / grid_.tile_rows;
  const Index j = column / grid_.tile_columns;
  if (kernel_.shape.rank() == 4) return {i, 0, j, 0};
  if (kernel_.shape.rank() == 3) return {plane, i, j};
  return {i, j};
}

template <class T>
bool ZarrStore<T>::have(int part, Index plane, Index row, Index column, MatrixView<T> tile) {
  const ZarrArray& array = arrays_[static_cast<std::size_t>(part)];
  std::vector<std::byte> chunk;
  const bool twin = grid_.symmetric && !kernel_.lower && row != column;
  if (twin && array.read(position(plane, column, row), chunk) != ZarrArray::Found::sound) return false;
  if (array.read(position(plane, row, column), chunk) != ZarrArray::Found::sound) return false;
  const std::size_t row_bytes = static_cast<std::size_t>(grid_.tile_columns) * sizeof(T);
  for (Index r = 0; r < tile.rows; ++r) {
    std::memcpy(&tile(r, 0), chunk.data() + static_cast<std::size_t>(r) * row_bytes,
                static_cast<std::size_t>(tile.columns) * sizeof(T));
  }
  return true;
}

template <class T>
void ZarrStore<T>::write(int part, Index plane, Index row, Index column, MatrixView<const T> tile) {
  const ZarrArray& array = arrays_[static_cast<std::size_t>(part)];
  const std::vector<Index> place = position(plane, row, column);
  if (tile.rows == grid_.tile_rows && tile.columns == grid_.tile_columns && tile.row_stride == tile.columns) {
    array.write(place, std::as_bytes(std::span(tile.data, static_cast<std::size_t>(tile.rows * tile.columns))));
    return;
  }
  // The last chunks reach over the edge; what lies beyond is nobody's.
  std::vector<T> padded(static_cast<std::size_t>(grid_.tile_rows * grid_.tile_columns), std::numeric_limits<T>::quiet_NaN());
  for (Index r = 0; r < tile.rows; ++r) std::copy_n(&tile(r, 0), tile.columns, padded.data() + r * grid_.tile_columns);
  array.write(place, std::as_bytes(std::span(padded)));
}

template <class T>
void ZarrStore<T>::finish() {
  for (const ZarrArray& array : arrays_) array.flush();
}

template <class T>
void ZarrStore<T>::abandon() {
  std::error_code ignored;
  if (!resumed() && !arrays_.empty()) fs::remove_all(kernel_.path, ignored);
}

template class ZarrStore<float>;
template class ZarrStore<double>;

}  // namespace tangra::kernel
