#pragma once
// Not for other rooms: numbers and words as the tables show them.
#include <string>
#include <string_view>
#include <vector>

#include "tangra/base/index.h"
#include "tangra/base/shape.h"

namespace tangra::report {

/// Columns that an UTF-8 text takes, one for each code point.
Index display_width(std::string_view text);

/// The text without control characters, each replaced by '?': names come from files and must not steer a
/// terminal.
std::string printable(std::string_view text);

/// The text, cut to `width` columns with an ellipsis where it is longer.
std::string fit(std::string_view text, Index width, bool unicode);

/// Lines of at most `width` columns, broken at blanks, or within a word that is longer than a line.
std::vector<std::string> wrap(std::string_view text, Index width);

/// A word of a command. Blanks in a chain text may become line breaks, those in a path may not.
struct CommandWord {
  std::string text;
  bool blanks_may_break = false;
};
/// A command for a POSIX shell in lines of at most `width` columns, which can be pasted all together. A word
/// is never cut, so a long one makes a longer line.
std::vector<std::string> command_lines(const std::vector<CommandWord>& words, Index width);

/// "1,797"
std::string grouped(Index count);
/// Up to `digits` significant digits without trailing zeros: "14.229333", "1.2e-09", "inf".
std::string significant(double value, int digits = 6);
/// "0.42 ms", "12.3 s", "3 min 05 s"
std::string duration(double seconds);
/// "784", "1 x 28 x 28", "a single number"
std::string sizes(const Shape& shape);
/// "s" unless there is one.
std::string plural(Index count, std::string_view word);

}  // namespace tangra::report
