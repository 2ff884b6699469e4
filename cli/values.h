#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tangra/base/error.h"
#include "tangra/base/shape.h"

namespace tangra::cli {

/// "4GiB", "500 MB", "1.5GiB" or "1000000" in bytes. Throws Error(usage), naming the option, as all below do.
std::size_t parse_bytes(const std::string& text, std::string_view option);

/// "100:200" as samples [100, 200).
std::pair<Index, Index> parse_range(const std::string& text, std::string_view option);

/// "3,32,32" as the shape (3, 32, 32).
Shape parse_shape(const std::string& text, std::string_view option);

/// A whole number from 0 to 2^64 - 1.
std::uint64_t parse_seed(const std::string& text, std::string_view option);

/// "a, b" as its names, without the blanks around them. An empty one is refused.
std::vector<std::string> parse_names(const std::string& text, std::string_view option);

[[noreturn]] void refuse_choice(const std::string& text, std::string_view option, const std::string& choices);

/// The value that goes with one of the names.
template <class T>
T choose(const std::string& text, std::string_view option,
         std::initializer_list<std::pair<std::string_view, T>> choices) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (name == text) return value;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  refuse_choice(text, option, names);
}

}  // namespace tangra::cli
