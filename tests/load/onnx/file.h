#pragma once
// Writes ONNX files for tests, byte by byte: an encoder of its own, so that the reader is not tested against
// itself.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tangra/base/index.h"

namespace tangra::test::onnx {

/// A message of protobuf: fields are appended.
class Message {
 public:
  Message& number(int field, std::uint64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3U);
    varint(value);
    return *this;
  }
  Message& text(int field, const std::string& value) {
    varint(static_cast<std::uint64_t>(field) << 3U | 2U);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& part(int field, const Message& value) { return text(field, value.bytes_); }
  Message& real(int field, float value) {
    varint(static_cast<std::uint64_t>(field) << 3U | 5U);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7U) bytes_ += static_cast<char>(value | 128U);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

enum Type { float32 = 1, uint8 = 2, int32 = 6, int64 = 7, text = 8, boolean = 9, float16 = 10, float64 = 11 };

/// An array with its entries as raw bytes.
template <class T>
Message array(const std::string& name, const std::vector<Index>& shape, Type type,
              const std::vector<T>& entries) {
  Message message;
  for (const Index length : shape) message.number(1, static_cast<std::uint64_t>(length));
  message.number(2, type).text(8, name);
  return message.text(9,
                      std::string(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(T)));
}
inline Message reals(const std::string& name, const std::vector<Index>& shape,
                     const std::vector<float>& entries) {
  return array(name, shape, float32, entries);
}
/// Small numbers that differ: entry k is 0.1 (k % 7) - 0.25.
inline Message weights(const std::string& name, const std::vector<Index>& shape) {
  std::size_t count = 1;
  for (const Index length : shape) count *= static_cast<std::size_t>(length);
  std::vector<float> entries(count);
  for (std::size_t k = 0; k < count; ++k) entries[k] = 0.1F * static_cast<float>(k % 7) - 0.25F;
  return reals(name, shape, entries);
}
inline Message integers(const std::string& name, const std::vector<Index>& shape,
                        const std::vector<Index>& entries) {
  return array(name, shape, int64, entries);
}

/// An axis: a length, or a name.
struct Axis {
  Axis(int fixed) : length(fixed) {}      // NOLINT(google-explicit-constructor)
  Axis(const char* open) : name(open) {}  // NOLINT(google-explicit-constructor)
  std::optional<Index> length;
  std::string name;
};

Message attribute(const std::string& name, Index value);
Message attribute(const std::string& name, float value);
Message attribute(const std::string& name, const char* value);
Message attribute(const std::string& name, const std::vector<Index>& value);
Message attribute(const std::string& name, const Message& tensor);

/// A model under construction.
class File {
 public:
  explicit File(Index opset = 17) : opset_(opset) {}
  File& input(const std::string& name, const std::vector<Axis>& shape, Type type = float32);
  File& output(const std::string& name);
  File& initializer(const Message& tensor);
  /// The node is called `N_` and its first output.
  File& node(const std::string& op, const std::vector<std::string>& inputs,
             const std::vector<std::string>& outputs, const std::vector<Message>& attributes = {},
             const std::string& domain = {});
  std::string bytes() const;

 private:
  Index opset_;
  Message graph_;
};

}  // namespace tangra::test::onnx
