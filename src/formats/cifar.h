#pragma once
#include <filesystem>

#include "tangra/base/array.h"

namespace tangra::formats {

/// Pictures and labels of a CIFAR-10 binary file (rows of a label byte and 3 x 32 x 32 bytes).
struct CifarRows {
  Array images;  ///< (n, 3, 32, 32) uint8: red, green, blue
  Array labels;  ///< (n,) uint8, 0 to 9
};

/// Pictures in the file, by its size. Throws Error(input) where that is not a multiple of 3073 bytes, or
/// nothing.
Index cifar_count(const std::filesystem::path& path);

/// Rows [begin, end) of the file. Throws Error(input) for rows outside and labels above 9.
CifarRows read_cifar_rows(const std::filesystem::path& path, Index begin, Index end);

}  // namespace tangra::formats
