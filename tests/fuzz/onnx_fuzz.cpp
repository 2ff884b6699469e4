// libFuzzer on the reader of ONNX files: whatever the bytes are, a network or one Error of ours.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tangra/base/error.h"
#include "tangra/load/onnx/onnx.h"

namespace {

/// Less than by default: the fuzzer is not to spend its time on long arrays.
constexpr tangra::Index folded_bytes = 4 << 20;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    tangra::load::load_onnx(bytes, "fuzz.onnx", {.folded_bytes = folded_bytes});
  } catch (const tangra::Error& error) {
    if (error.kind() == tangra::ErrorKind::internal) std::abort();
  }
  try {
    tangra::load::load_onnx(bytes, "fuzz.onnx", {.whole_inputs = true, .folded_bytes = folded_bytes});
  } catch (const tangra::Error& error) {
    if (error.kind() == tangra::ErrorKind::internal) std::abort();
  }
  return 0;
}
