#include <exception>
#include <new>
#include <string>

#include "commands.h"
#include "signals.h"
#include "tangra/base/error.h"
#include "terminal.h"

namespace tangra::cli {
namespace {

int exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::input:
    case ErrorKind::unsupported:
      return 3;
    case ErrorKind::memory:
      return 4;
    case ErrorKind::numerics:
      return 5;
    case ErrorKind::interrupted:
      return 130;
    case ErrorKind::internal:
      break;
  }
  return 70;
}

int answer(const Answer& answer) {
  if (answer.exit_code == 0)
    write_standard_output(answer.text);
  else
    write_standard_error(harmless(answer.text));
  return answer.exit_code;
}

int run(int argc, const char* const* argv) try {
  const auto parsed = parse(argc, argv);
  if (const Answer* at_once = std::get_if<Answer>(&parsed)) return answer(*at_once);
  return execute(std::get<Options>(parsed));
} catch (const Error& error) {
  write_standard_error("tangra: " + harmless(error.what()) + "\n");
  return exit_code_of(error.kind());
} catch (const std::bad_alloc&) {
  write_standard_error(
      "tangra: there is not enough memory; take fewer samples, or a smaller --memory budget\n");
  return exit_code_of(ErrorKind::memory);
} catch (const std::exception& error) {
  write_standard_error("tangra: " + harmless(error.what()) +
                       "\nThis is a fault of tangra; please report it with the command that led here.\n");
  return exit_code_of(ErrorKind::internal);
}

}  // namespace
}  // namespace tangra::cli

int main(int argc, char** argv) {
  tangra::cli::keep_standard_descriptors();
  tangra::cli::install_signal_handlers();
  return tangra::cli::run(argc, argv);
}
