#include "tangra/kernel/kernel_file.h"

#include <algorithm>
#include <optional>

#include "tangra/base/error.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/refuse.h"
#include "tangra/formats/zarr/zarr.h"

namespace tangra::kernel {
namespace {

namespace fs = std::filesystem;
using formats::ZarrArray;

constexpr Index panel_entries = Index{1} << 19;  // of .npy files that is read at a time

formats::ZarrArray open_zarr(const fs::path& path) {
  return ZarrArray(formats::read_zarr_node(path).group ? path / "total" : path);
}

std::string attribute(const ZarrArray& array, const std::string& name) {
  for (const auto& [own, value] : array.header().attributes) {
    if (own == name) return value;
  }
  return {};
}

template <class T>
void copy(const std::byte* source, Index stride, MatrixView<double> target) {
  const auto* entries = reinterpret_cast<const T*>(source);
  for (Index r = 0; r < target.rows; ++r) {
    std::copy_n(entries + r * stride, target.columns, &target(r, 0));
  }
}

}  // namespace

struct KernelFile::State {
  explicit State(const fs::path& given) : path(without_slash(given)) {
    if (formats::is_zarr(path)) {
      zarr.emplace(open_zarr(path));
      type = zarr->header().type;
      shape = zarr->header().shape;
      const std::string triangle = attribute(*zarr, "tangra.triangle");
      ours = !triangle.empty();
      lower = triangle == "lower";
    } else {
      const formats::NpyHeader header = formats::read_npy_header(path);
      type = header.type;
      shape = header.shape;
    }
    if (!is_floating(type)) {
      formats::refuse(path.string(), "a kernel has real entries", std::string(name_of(type)), "float32 or float64");
    }
    if (shape.rank() == 2) {
      full = other_full = 1;
    } else if (shape.rank() == 4) {
      full = shape[1];
      other_full = shape[3];
    } else {
      return;  // no matrix: pieces() says so
    }
    rows = shape[0] * full;
    columns = shape[shape.rank() / 2] * other_full;
    if (zarr) cut_by_chunks();
    else cut_by_panels();
  }

  void cut_by_panels() {
    const Index samples = std::clamp<Index>(panel_entries / std::max<Index>(1, full * columns), 1, std::max<Index>(1, shape[0]));
    for (Index i = 0; i < shape[0]; i += samples) {
      pieces.push_back({.row = i * full, .column = 0, .rows = std::min(samples, shape[0] - i) * full, .columns = columns});
    }
  }

  void cut_by_chunks() {
    const Shape& chunk = zarr->header().chunk;
    if (shape.rank() == 4 && (chunk[1] < full || chunk[3] < other_full)) {
      formats::refuse(path.string(), "the chunks divide the axes of the outputs", to_string(chunk),
                      "chunks that hold all outputs of a sample, (.., " + std::to_string(full) + ", .., " +
                          std::to_string(other_full) + ")");
    }
    const Index second = shape.rank() / 2;
    if (lower && (rows != columns || chunk[0] != chunk[second])) {
      formats::refuse(path.string(), "only a square kernel in square chunks has a lower triangle",
                      to_string(shape) + " in chunks of " + to_string(chunk), {}, {});
    }
    for (Index i = 0; i < zarr->header().chunks(0); ++i) {
      for (Index j = 0; j < zarr->header().chunks(second); ++j) {
        Piece piece{.row = i * chunk[0] * full, .column = j * chunk[second] * other_full, .mirrored = lower};
        piece.rows = std::min(chunk[0] * full, rows - piece.row);
        piece.columns = std::min(chunk[second] * other_full, columns - piece.column);
        if (lower && piece.column >= piece.row + piece.rows) continue;
        piece.mirrored = lower && piece.row != piece.column;
        pieces.push_back(piece);
      }
    }
  }

  void read_chunk(const Piece& piece, MatrixView<double> target) const {
    const Shape& chunk = zarr->header().chunk;
    const Index second = shape.rank() / 2;
    std::vector<Index> place(static_cast<std::size_t>(shape.rank()), 0);
    place[0] = piece.row / full / chunk[0];
    place[static_cast<std::size_t>(second)] = piece.column / other_full / chunk[second];
    std::vector<std::byte> entries;
    const ZarrArray::Found found = zarr->read(place, entries);
    if (found == ZarrArray::Found::absent && !ours) {
      for (Index r = 0; r < target.rows; ++r) std::fill_n(&target(r, 0), target.columns, zarr->header().fill);
      return;
    }
    if (found != ZarrArray::Found::sound) {
      const bool absent = found == ZarrArray::Found::absent;
      formats::refuse(zarr->chunk_file(place).string(), absent ? "the kernel is not complete: this chunk is absent" : "this chunk is damaged",
                      {}, {}, ours ? "The command that made the kernel mends it with --resume" : "");
    }
    copy_chunk(entries, target);
  }

  /// Another program may have padded the axes of the outputs: the entries then lie in runs with gaps between them.
  void copy_chunk(const std::vector<std::byte>& entries, MatrixView<double> target) const {
    const Shape& chunk = zarr->header().chunk;
    const bool pairs = shape.rank() == 4;
    const Index run = pairs ? other_full : target.columns;
    const Index run_stride = pairs ? chunk[3] : chunk[1];
    const Index row_stride = pairs ? chunk[2] * chunk[3] : chunk[1];
    for (Index r = 0; r < target.rows; ++r) {
      const Index row = pairs ? r / full * chunk[1] + r % full : r;
      for (Index k = 0; k * run < target.columns; ++k) {
        const Index first = row * row_stride + k * run_stride;
        const std::byte* source = entries.data() + static_cast<std::size_t>(first) * bytes_of(type);
        const MatrixView<double> to = target.block(r, k * run, 1, run);
        if (type == DType::float64) copy<double>(source, run, to);
        else copy<float>(source, run, to);
      }
    }
  }

  void read_panel(const Piece& piece, MatrixView<double> target) const {
    const Array panel = formats::read_npy_rows(path, piece.row / full, (piece.row + piece.rows) / full);
    if (type == DType::float64) {
      copy<double>(panel.data(), columns, target);
    } else if (type == DType::float32) {
      copy<float>(panel.data(), columns, target);
    } else {
      const Tensor<double> wide = panel.converted<double>();
      copy<double>(reinterpret_cast<const std::byte*>(wide.data()), columns, target);
    }
  }

  fs::path path;
  std::optional<ZarrArray> zarr;
  DType type = DType::float32;
  Shape shape;
  bool ours = false;
  bool lower = false;
  Index full = 0;  ///< rows of one sample; 0 where the shape is no matrix
  Index other_full = 0;
  Index rows = 0;
  Index columns = 0;
  std::vector<Piece> pieces;
};

KernelFile::KernelFile(const fs::path& path) : state_(std::make_unique<State>(path)) {}
KernelFile::~KernelFile() = default;

DType KernelFile::type() const { return state_->type; }
const Shape& KernelFile::shape() const { return state_->shape; }

const std::vector<KernelFile::Piece>& KernelFile::pieces() const {
  if (state_->full == 0) {
    formats::refuse(state_->path.string(), "this is no matrix", "shape " + to_string(state_->shape), "(n1, n2) or (n1, O, n2, O)");
  }
  return state_->pieces;
}

void KernelFile::read(const Piece& piece, MatrixView<double> target) const {
  TANGRA_ENSURE(target.rows == piece.rows && target.columns == piece.columns && target.column_stride == 1);
  if (state_->zarr) state_->read_chunk(piece, target);
  else state_->read_panel(piece, target);
}

void KernelFile::read_all(MatrixView<double> matrix, const Context& context) const {
  const std::vector<Piece>& all = pieces();
  TANGRA_ENSURE(matrix.rows == state_->rows && matrix.columns == state_->columns);
  context.pool.parallel_for(static_cast<Index>(all.size()), [&](Index item, int worker) {
    context.check_cancelled();
    const Piece& piece = all[static_cast<std::size_t>(item)];
    const MatrixView<double> own = matrix.block(piece.row, piece.column, piece.rows, piece.columns);
    read(piece, own);
    if (piece.mirrored) {
      for (Index r = 0; r < own.rows; ++r) {
        for (Index c = 0; c < own.columns; ++c) matrix(piece.column + c, piece.row + r) = own(r, c);
      }
    }
    if (worker == 0) context.report("reading", static_cast<double>(item + 1), static_cast<double>(all.size()));
  });
}

fs::path without_slash(const fs::path& path) {
  return path.filename().empty() && path.has_parent_path() && path != path.root_path() ? path.parent_path() : path;
}

}  // namespace tangra::kernel
