#pragma once
#include "tangra/base/index.h"

namespace tangra::report {

/// What a terminal, or whatever else reads the tables, can show.
struct TerminalStyle {
  Index width = 100;    ///< columns; less than 40 counts as 40
  bool colour = false;  ///< escape sequences for bold and colours
  bool unicode = true;  ///< else ASCII alone, but for names that come from files
};

}  // namespace tangra::report
