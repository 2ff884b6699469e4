#include "tangra/formats/npy.h"

#include "npy_parts.h"
#include "sizes.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/formats/input_file.h"

namespace tangra::formats {
namespace {

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
