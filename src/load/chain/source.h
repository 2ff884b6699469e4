#pragma once
// Not for other rooms: a text that is being read, and how its faults are told.
#include <cstddef>
#include <string>
#include <string_view>

#include "tangra/base/error.h"

namespace tangra::load {

/// A text and what messages call it. The text has to outlive the source.
struct Source {
  std::string_view text;
  std::string name;                   ///< a file, or the argument that holds the text
  ErrorKind kind = ErrorKind::input;  ///< of the errors about the text
};

/// The bytes [begin, end) of a source.
struct Extent {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Throws an Error of the source's kind about this part of the text: `where` becomes "name:line:column" (both
/// from 1, columns in characters), and the cure is followed by the line with the part underlined.
[[noreturn]] void refuse(const Source& source, Extent at, Complaint complaint);
/// The same with another kind.
[[noreturn]] void refuse(const Source& source, ErrorKind kind, Extent at, Complaint complaint);

/// A part of the text for a message: on one line, valid UTF-8, at most 60 characters.
std::string excerpt(const Source& source, Extent at);

/// Bytes of the UTF-8 character at `at`; 0 where there is no valid one.
std::size_t utf8_length(std::string_view text, std::size_t at);

}  // namespace tangra::load
