#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

#include "tangra/base/array.h"

namespace tangra::formats {

/// What stands before the numbers of a .npy file (NumPy's format, versions 1 to 3).
struct NpyHeader {
  DType type = DType::float32;
  Shape shape;
  bool fortran = false;         ///< the first axis runs fastest
  std::size_t data_offset = 0;  ///< bytes before the first number
  bool reversed = false;        ///< the bytes of each number have the other order than this machine's
};

/// Everything that reads throws Error(input) where the file is absent, malformed, of a type that DType lacks,
/// or not exactly as long as its header says. Arrays come out row-major in the machine's byte order, whatever
/// the file has.
NpyHeader read_npy_header(const std::filesystem::path& path);
Array read_npy(const std::filesystem::path& path);
/// Rows [begin, end) of the first axis: (end - begin, ...). Reads only these.
Array read_npy_rows(const std::filesystem::path& path, Index begin, Index end);

/// Writes version 1 (or 2, where the header is too long for it), row-major, through an AtomicFile.
void write_npy(const std::filesystem::path& path, const Array& array);

/// The bytes that stand before a row-major array in this machine's byte order, as NumPy writes them; a
/// multiple of 64 of them. Throws Error(input) where no array can have this shape.
std::string npy_header(DType type, const Shape& shape);

}  // namespace tangra::formats
