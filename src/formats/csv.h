#pragma once
#include <filesystem>

#include "tangra/base/array.h"

namespace tangra::formats {

/// Numbers in text: float64 (rows, columns). Fields are separated by `;`, else `,`, else tabs, else blanks,
/// as the first line shows. That line is taken for a header, and left out, where none of its fields is a
/// number and at least one does not begin like one. Empty lines and lines that start with # are passed over;
/// `nan` and `inf` are numbers. Throws Error(input) with line and column where a row has another number of
/// columns, or a field is no number that fits into float64.
Array read_csv(const std::filesystem::path& path);

/// Numbers as text, (rows, columns) with commas between, the shortest decimals that read back as the same float64. An
/// existing file is replaced; nothing appears where writing fails.
void write_csv(const std::filesystem::path& path, const Array& array);

}  // namespace tangra::formats
