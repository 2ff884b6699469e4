#pragma once
// Not for other rooms: bytes of an ONNX file to plain data.
#include <filesystem>
#include <span>
#include <string>

#include "tangra/load/onnx/file_model.h"

namespace tangra::load::onnx {

/// The oldest and newest version of ONNX's operator set that are read. Older files are read as long as none
/// of their operators changed in between.
inline constexpr Index oldest_opset = 7;
inline constexpr Index newest_opset = 22;

/// Reads a model. Arrays outside the file are looked for in its folder only. Throws Error(input) for a file
/// that is damaged, and Error(unsupported) for another operator set.
FileModel read_file(const std::filesystem::path& path);

/// The same from memory. `source` is what messages call it; `folder` may be empty: then arrays outside are
/// refused.
FileModel read_bytes(std::span<const std::byte> bytes, const std::string& source,
                     const std::filesystem::path& folder);

/// One array as ONNX stores it alone in a file (TensorProto).
Array read_tensor_file(const std::filesystem::path& path);

/// The decimal with the fewest digits that reads as this float32, as a float64.
double shortest_decimal(float value);

}  // namespace tangra::load::onnx
