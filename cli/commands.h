#pragma once
#include "options.h"

namespace tangra::cli {

/// Does what was asked for, writes the result to standard output, and gives the exit code. Throws what the
/// run throws.
int execute(const Options& options);

}  // namespace tangra::cli
