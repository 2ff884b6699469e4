#pragma once
// Not for other rooms: ONNX's arrays.
#include <filesystem>
#include <optional>
#include <string>

#include "tangra/base/array.h"

namespace onnx {
class TensorProto;
}

namespace tangra::load::onnx {

/// Where an array's bytes may lie outside the model.
struct ArrayPlace {
  std::string where;             ///< file and array, for messages
  std::filesystem::path folder;  ///< the model's; empty: none
};

/// The type under ONNX's number for it; none for strings, complex numbers and those unknown.
std::optional<DType> type_of(int number);

/// The array, with float16 and bfloat16 widened to float32. Throws Error(input) where its parts do not fit
/// together, before anything is allocated.
Array array_of(const ::onnx::TensorProto& tensor, const ArrayPlace& place);

}  // namespace tangra::load::onnx
