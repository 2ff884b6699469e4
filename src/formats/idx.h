#pragma once
#include <filesystem>

#include "tangra/base/array.h"

namespace tangra::formats {

/// IDX, the format of MNIST's files, plain or in gzip (told by the content, not by the name). All throw
/// Error(input) that names the file where it is absent or malformed.

/// The shape of the array, first axis the samples. Only the header is read.
Shape read_idx_shape(const std::filesystem::path& path);

/// Rows [begin, end) of the first axis, in the machine's byte order: (end - begin, ...). Inflates no further
/// than `end`; the checksum of a gzip file is seen only where `end` is its last row.
Array read_idx_rows(const std::filesystem::path& path, Index begin, Index end);

}  // namespace tangra::formats
