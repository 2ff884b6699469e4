#include "tangra/formats/npy.h"

#include <algorithm>
#include <vector>

#include "npy_parts.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/formats/input_file.h"
#include "tangra/formats/sizes.h"

namespace tangra::formats {
namespace {

/// Copies Fortran-ordered columns to row-major places. A column is what shares all indices but the first;
/// columns come in the file with the second axis running fastest.
class ColumnScatter {
 public:
  ColumnScatter(const Shape& shape, std::size_t width, Index rows, std::span<std::byte> target)
      : shape_(shape),
        strides_(shape.strides()),
        width_(width),
        rows_(rows),
        target_(target),
        position_(static_cast<std::size_t>(shape.rank()), 0) {}

  /// The next column, its rows without gaps.
  void take(const std::byte* column) {
    const auto row_stride = static_cast<std::size_t>(strides_[0]) * width_;
    std::byte* place = target_.data() + static_cast<std::size_t>(column_) * width_;
    for (Index row = 0; row < rows_; ++row) {
      std::memcpy(place, column, width_);
      place += row_stride;
      column += width_;
    }
    advance();
  }

 private:
  void advance() {
    for (std::size_t axis = 1; axis < position_.size(); ++axis) {
      column_ += strides_[axis];
      if (++position_[axis] < shape_[static_cast<Index>(axis)]) return;
      column_ -= position_[axis] * strides_[axis];
      position_[axis] = 0;
    }
  }

  const Shape& shape_;
  std::vector<Index> strides_;
  std::size_t width_;
  Index rows_;
  std::span<std::byte> target_;
  std::vector<Index> position_;
  Index column_ = 0;  // where the column's first row goes, in entries
};

void read_fortran(const NpyHeader& header, Index begin, Index end, const ReadAt& read,
                  std::span<std::byte> target) {
  constexpr std::size_t piece_bytes = std::size_t{4} << 20;
  const std::size_t width = bytes_of(header.type);
  const Index columns = header.shape.elements(1, header.shape.rank());
  const std::size_t column_bytes = static_cast<std::size_t>(header.shape[0]) * width;
  const std::size_t wanted_bytes = static_cast<std::size_t>(end - begin) * width;
  // Columns lie one behind the other; with a part of the rows there are gaps between, so they come one by
  // one.
  const bool whole = end - begin == header.shape[0];
  const Index at_once = whole ? std::max<Index>(1, static_cast<Index>(piece_bytes / column_bytes)) : 1;
  ColumnScatter scatter(header.shape, width, end - begin, target);
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(at_once, columns)) * wanted_bytes);
  for (Index first = 0; first < columns; first += at_once) {
    const Index count = std::min(at_once, columns - first);
    const std::uint64_t offset =
        static_cast<std::uint64_t>(first) * column_bytes + static_cast<std::uint64_t>(begin) * width;
    read(offset, std::span(buffer).first(static_cast<std::size_t>(count) * wanted_bytes));
    for (Index i = 0; i < count; ++i)
      scatter.take(buffer.data() + static_cast<std::size_t>(i) * wanted_bytes);
  }
}

NpyHeader header_of(const InputFile& file) {
  std::uint64_t offset = 0;
  const ReadNext next = [&](std::span<std::byte> target) {
    file.read_at(offset, target);
    offset += target.size();
  };
  return parse_npy_header(next, file.size(), file.name());
}

Array rows_of(const InputFile& file, const NpyHeader& header, Index begin, Index end) {
  const ReadAt read = [&](std::uint64_t offset, std::span<std::byte> target) {
    file.read_at(header.data_offset + offset, target);
  };
  return read_npy_data(header, begin, end, read, file.name());
}

}  // namespace

Array read_npy_data(const NpyHeader& header, Index begin, Index end, const ReadAt& read,
                    const std::string& where) {
  Shape shape = header.shape;
  if (!shape.empty()) shape[0] = end - begin;
  return Array(header.type, shape, [&](std::span<std::byte> target) {
    if (target.empty()) return;
    if (header.fortran && shape.rank() > 1) {
      read_fortran(header, begin, end, read, target);
    } else {
      read(static_cast<std::uint64_t>(begin) *
               (target.size() / static_cast<std::size_t>(std::max<Index>(1, end - begin))),
           target);
    }
    if (header.reversed) reverse_bytes(target, bytes_of(header.type));
    check_booleans(header.type, target, where);
  });
}

NpyHeader read_npy_header(const std::filesystem::path& path) {
  return header_of(InputFile(path));
}

Array read_npy(const std::filesystem::path& path) {
  const InputFile file(path);
  const NpyHeader header = header_of(file);
  return rows_of(file, header, 0, header.shape.empty() ? 1 : header.shape[0]);
}

Array read_npy_rows(const std::filesystem::path& path, Index begin, Index end) {
  const InputFile file(path);
  const NpyHeader header = header_of(file);
  check_rows(header.shape, begin, end, file.name());
  return rows_of(file, header, begin, end);
}

void write_npy(const std::filesystem::path& path, const Array& array) {
  AtomicFile file(path);
  file.append(npy_header(array.type(), array.shape()));
  file.append(std::span(array.data(), array.bytes()));
  file.commit();
}

}  // namespace tangra::formats
