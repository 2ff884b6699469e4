#pragma once
#include <string>
#include <string_view>

#include "tangra/report/style.h"

namespace tangra::cli {

/// Opens descriptors 0 to 2 where the caller has closed them, so that no file of results takes their place.
void keep_standard_descriptors();

/// Writes everything, or throws Error(input). A reader that has gone away is no error: it has seen enough.
void write_standard_output(std::string_view text);
/// Writes what can be written.
void write_standard_error(std::string_view text);

/// The text as a terminal may see it: control characters but line breaks and tabs, and bytes that are no
/// UTF-8, as \xNN. What users name their files shall not move their cursors.
std::string harmless(std::string_view text);

/// Whether standard error is a terminal that can rewrite a line.
bool standard_error_is_terminal();
/// Columns of the terminal behind a descriptor; `otherwise` where it is none.
Index terminal_width(int descriptor, Index otherwise);

/// What standard output can show.
report::TerminalStyle standard_output_style();

}  // namespace tangra::cli
