#include "terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include "tangra/base/error.h"

namespace tangra::cli {
namespace {

/// 0, or the error number.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

bool smart_terminal(int descriptor) {
  return isatty(descriptor) == 1 && environment("TERM") != "dumb";
}

/// As the C library reads the locale's variables, without its tables.
bool unicode_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = environment(name);
    if (value.empty()) continue;
    for (const char* encoding : {"UTF-8", "utf8", "UTF8", "utf-8"}) {
      if (value.find(encoding) != std::string::npos) return true;
    }
    return false;
  }
  return false;
}

/// The length in bytes of the character that begins here; 0 where it is a control character or no UTF-8.
std::size_t plain_character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t k) -> unsigned {
    return at + k < text.size() ? static_cast<unsigned char>(text[at + k]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return (lead >= 0x20 && lead != 0x7f) || lead == '\n' || lead == '\t' ? 1 : 0;
  const std::size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(k) & 0xC0U) != 0x80U) return 0;
  }
  const bool second_control_block = lead == 0xC2 && byte(1) < 0xA0;  // U+0080 to U+009F
  return second_control_block ? 0 : length;
}

}  // namespace

void keep_standard_descriptors() {
  // open() takes the lowest free number. Read-only for output: writes shall fail, not vanish.
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) {
      [[maybe_unused]] const int opened = open("/dev/null", descriptor == 1 ? O_RDONLY : O_RDWR);
    }
  }
}

void write_standard_output(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == 0 || error == EPIPE) return;
  throw Error(ErrorKind::input, {.what = "cannot write the result: " + std::generic_category().message(error),
                                 .where = "standard output",
                                 .got = {},
                                 .expected = {},
                                 .cure = {}});
}

std::string harmless(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = plain_character(text, at);
    if (length > 0) {
      result += text.substr(at, length);
      at += length;
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[at++]);
    result += {'\\', 'x', digits[byte >> 4U], digits[byte & 15U]};
  }
  return result;
}

void write_standard_error(std::string_view text) {
  static_cast<void>(write_all(STDERR_FILENO, text));
}

bool standard_error_is_terminal() {
  return smart_terminal(STDERR_FILENO);
}

Index terminal_width(int descriptor, Index otherwise) {
  winsize size{};
  if (isatty(descriptor) == 1 && ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return otherwise;
}

report::TerminalStyle standard_output_style() {
  return {.width = terminal_width(STDOUT_FILENO, 100),
          .colour = smart_terminal(STDOUT_FILENO) && environment("NO_COLOR").empty(),
          .unicode = unicode_locale()};
}

}  // namespace tangra::cli
