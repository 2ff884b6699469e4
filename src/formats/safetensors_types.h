#pragma once
// Not for other rooms: the types of safetensors by their names there.
#include <string_view>

#include "tangra/base/array.h"

namespace tangra::formats {

struct SafeTensorsType {
  std::string_view name;
  DType type;
};

inline constexpr SafeTensorsType safetensors_types[] = {
    {"F16", DType::float16}, {"F32", DType::float32}, {"F64", DType::float64}, {"I8", DType::int8},
    {"I16", DType::int16},   {"I32", DType::int32},   {"I64", DType::int64},   {"U8", DType::uint8},
    {"U16", DType::uint16},  {"U32", DType::uint32},  {"U64", DType::uint64},  {"BOOL", DType::boolean}};

}  // namespace tangra::formats
