#include "formats/files.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tangra/base/error.h"

namespace tangra::test {

void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  std::string digits;
  for (const char digit : text) {
    if (digit != ' ' && digit != '\n') digits += digit;
    if (digits.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return bytes;
}

std::string gzipped(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string result(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

Array counting(DType type, const Shape& shape) {
  return Array(type, shape, [&](std::span<std::byte> bytes) {
    const std::size_t width = bytes_of(type);
    for (std::size_t i = 0; i < bytes.size() / width; ++i) {
      std::uint64_t bits = type == DType::boolean ? i % 2 : i;
      if (type == DType::float32) bits = std::bit_cast<std::uint32_t>(static_cast<float>(i));
      if (type == DType::float64) bits = std::bit_cast<std::uint64_t>(static_cast<double>(i));
      std::memcpy(&bytes[i * width], &bits, width);
    }
  });
}

void expect_same(const Array& a, const Array& b) {
  EXPECT_EQ(name_of(a.type()), name_of(b.type()));
  EXPECT_EQ(a.shape(), b.shape()) << to_string(a.shape()) << " and " << to_string(b.shape());
  ASSERT_EQ(a.bytes(), b.bytes());
  EXPECT_TRUE(a.bytes() == 0 || std::memcmp(a.data(), b.data(), a.bytes()) == 0) << "the bytes differ";
}

void expect_refused_prefixes(const std::filesystem::path& path, const std::string& bytes,
                             const std::function<void()>& read) {
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    write_bytes(path, std::string_view(bytes).substr(0, length));
    try {
      read();
      ADD_FAILURE() << "a prefix of " << length << " of " << bytes.size() << " bytes was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input) << length << ": " << error.what();
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    }
  }
}

void expect_survives_flips(const std::filesystem::path& path, const std::string& bytes, std::size_t count,
                           const std::function<void()>& read) {
  std::string damaged = bytes;
  for (std::size_t bit = 0; bit < 8 * std::min(count, bytes.size()); ++bit) {
    damaged[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    write_bytes(path, damaged);
    try {
      read();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input) << "bit " << bit << ": " << error.what();
    }
    damaged[bit / 8] = bytes[bit / 8];
  }
}

}  // namespace tangra::test
