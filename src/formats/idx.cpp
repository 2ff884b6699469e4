#include "tangra/formats/idx.h"

#include <optional>

#include "byte_stream.h"
#include "sizes.h"

namespace tangra::formats {
namespace {

struct Header {
  DType type;
  Shape shape;
};

std::optional<DType> type_of(std::byte code) {
  switch (std::to_integer<int>(code)) {
    case 0x08:
      return DType::uint8;
    case 0x09:
      return DType::int8;
    case 0x0b:
      return DType::int16;
    case 0x0c:
      return DType::int32;
    case 0x0d:
      return DType::float32;
    case 0x0e:
      return DType::float64;
    default:
      return std::nullopt;
  }
}

Header read_header(ByteStream& stream) {
  if (stream.file_size() == 0) refuse(stream.name(), "the file is empty", {}, "an IDX file");
  std::byte magic[4];
  stream.read(magic);
  const auto type = type_of(magic[2]);
  if (magic[0] != std::byte{0} || magic[1] != std::byte{0} || !type || magic[3] == std::byte{0}) {
    refuse(stream.name(), "this is not an IDX file", {},
           "two zero bytes, a type and the number of axes at its start");
  }
  Shape shape;
  for (int axis = 0; axis < std::to_integer<int>(magic[3]); ++axis) {
    std::byte length[4];
    stream.read(length);
    Index value = 0;
    for (const std::byte byte : length) value = value * 256 + std::to_integer<Index>(byte);
    shape.append(value);
  }
  const std::uint64_t header = 4 + 4 * static_cast<std::uint64_t>(shape.rank());
  const std::uint64_t bytes = claimed_bytes(*type, shape, stream.name());
  const bool fits = stream.compressed() ? bytes <= stream.most_bytes() : header + bytes == stream.file_size();
  if (!fits) {
    refuse(stream.name(), "the header and the size of the file disagree",
           std::to_string(stream.file_size()) + (stream.compressed() ? " compressed bytes" : " bytes"),
           std::to_string(bytes) + " bytes for " + to_string(shape) + " behind a header of " +
               std::to_string(header));
  }
  return {*type, shape};
}

}  // namespace

Shape read_idx_shape(const std::filesystem::path& path) {
  ByteStream stream(path);
  return read_header(stream).shape;
}

Array read_idx_rows(const std::filesystem::path& path, Index begin, Index end) {
  ByteStream stream(path);
  const Header header = read_header(stream);
  check_rows(header.shape, begin, end, stream.name());
  Shape row = header.shape;
  row[0] = 1;
  stream.skip(static_cast<std::uint64_t>(begin) * claimed_bytes(header.type, row, stream.name()));
  Shape shape = header.shape;
  shape[0] = end - begin;
  return Array(header.type, shape, [&](std::span<std::byte> target) {
    stream.read(target);
    if (end == header.shape[0]) stream.expect_end();
    if constexpr (std::endian::native == std::endian::little) reverse_bytes(target, bytes_of(header.type));
  });
}

}  // namespace tangra::formats
