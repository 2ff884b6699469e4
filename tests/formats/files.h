#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "tangra/base/array.h"

namespace tangra::test {

void write_bytes(const std::filesystem::path& path, std::string_view bytes);
std::string read_bytes(const std::filesystem::path& path);
/// "0a ff" to two bytes.
std::string from_hex(std::string_view text);
/// `text` in gzip, the way that gzip writes it.
std::string gzipped(std::string_view text);

/// An array whose entries are 0, 1, 2, ... wrapped to its type (booleans 0, 1, 0, ...; halves as their bits).
Array counting(DType type, const Shape& shape);
/// Same type, shape and bytes.
void expect_same(const Array& a, const Array& b);

/// Writes every prefix of `bytes` to `path` and expects `read` to throw Error(input) each time.
void expect_refused_prefixes(const std::filesystem::path& path, const std::string& bytes,
                             const std::function<void()>& read);
/// Flips each bit of the first `count` bytes in turn; `read` may succeed or throw Error(input), and nothing
/// else.
void expect_survives_flips(const std::filesystem::path& path, const std::string& bytes, std::size_t count,
                           const std::function<void()>& read);

}  // namespace tangra::test
