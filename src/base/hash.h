#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tangra {

/// A 64-bit fingerprint of a sequence of bytes: 8 bytes at a time, multiplied and folded. It tells apart what differs by
/// accident, not by intent. The same on every little-endian machine.
class Hash {
 public:
  void add(const void* bytes, std::size_t count);
  void add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    add(text.data(), text.size());
  }
  void add(std::uint64_t word);
  std::uint64_t value() const;

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15U;
};

/// 16 hexadecimal digits.
std::string hexadecimal(std::uint64_t value);

}  // namespace tangra
