#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tangra::formats {

/// Inflates gzip data that lie in memory to exactly `size` bytes. Throws Error(input), with `where` in it,
/// where the data are damaged or of another size.
std::vector<std::byte> gunzip(std::span<const std::byte> data, std::size_t size, const std::string& where);

}  // namespace tangra::formats
