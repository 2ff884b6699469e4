#include "signals.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "terminal.h"

namespace tangra::cli {
namespace {

std::atomic<bool> stop{false};
std::atomic<bool> over_a_line{false};  ///< standard error is a terminal, which may show a line of progress
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch nothing else");

extern "C" void remember_signal(int) {
  if (stop.exchange(true)) return;
  constexpr std::string_view on_terminal = "\r\x1b[Ktangra: stopping; a second signal ends it at once\n";
  constexpr std::string_view elsewhere = on_terminal.substr(on_terminal.find('t'));
  const std::string_view text = over_a_line.load() ? on_terminal : elsewhere;
  const int before = errno;
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
  errno = before;
}

void handle(int signal) {
  struct sigaction before {};
  if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = remember_signal;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  over_a_line = standard_error_is_terminal();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) handle(signal);
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
}

const std::atomic<bool>& cancelled() {
  return stop;
}

}  // namespace tangra::cli
