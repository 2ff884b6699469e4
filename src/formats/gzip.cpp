#include "tangra/formats/gzip.h"

#include <zlib.h>

#include <memory>

#include "tangra/formats/refuse.h"

namespace tangra::formats {

std::vector<std::byte> gunzip(std::span<const std::byte> data, std::size_t size, const std::string& where) {
  constexpr int gzip_window = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, gzip_window) != Z_OK) throw std::bad_alloc();
  const auto ended = [](z_stream* opened) { inflateEnd(opened); };
  const std::unique_ptr<z_stream, decltype(ended)> keeper(&stream, ended);

  std::vector<std::byte> result(size + 1);  // one more shows that there is too much
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int outcome = inflate(&stream, Z_FINISH);
  if (outcome != Z_STREAM_END || stream.total_out != size) {
    refuse(where, "the compressed data are damaged", std::to_string(stream.total_out) + " bytes",
           std::to_string(size) + " bytes and the end of the data");
  }
  result.pop_back();
  return result;
}

}  // namespace tangra::formats
