#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "terminal.h"

namespace tangra::cli {
namespace {

constexpr double redraw_seconds = 0.1;
constexpr double line_seconds = 10;
constexpr const char* wipe = "\r\x1b[K";

std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

/// "7 s", "3:05", "2:10:00"
std::string clock_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(std::min(seconds, 3.5e8)));
  if (whole < 60) return std::to_string(whole) + " s";
  char text[48];
  if (whole < 3600)
    std::snprintf(text, sizeof(text), "%ld:%02ld", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof(text), "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

std::string rate_text(double rate) {
  for (const auto& [limit, unit] : {std::pair{1e3, ""}, {1e6, "k"}, {1e9, "M"}}) {
    if (rate < limit) return number("%.3g", rate / (limit / 1e3)) + unit + "/s";
  }
  return number("%.3g", rate) + "/s";
}

ProgressLine::Surroundings own_surroundings() {
  const auto start = std::chrono::steady_clock::now();
  return {
      .terminal = standard_error_is_terminal(),
      .unicode = standard_output_style().unicode,
      .width = [] { return terminal_width(STDERR_FILENO, 80); },
      .seconds =
          [start] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); },
      .write = write_standard_error};
}

}  // namespace

ProgressLine::ProgressLine(Surroundings surroundings) : surroundings_(std::move(surroundings)) {
  // The first line of a log comes after ten seconds, the first bar at once.
  last_written_ = surroundings_.terminal ? -redraw_seconds : surroundings_.seconds();
}

ProgressLine::ProgressLine() : ProgressLine(own_surroundings()) {}

ProgressLine::~ProgressLine() {
  if (on_screen_) surroundings_.write(wipe);
}

std::string ProgressLine::figures(double done, double total) const {
  const double share = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 0;
  std::string text = number("%3.0f %%", std::floor(100 * share));
  const double spent = now_ - step_start_;
  const double rate = spent > 0 ? (done - start_done_) / spent : 0;
  if (rate > 0 && spent > 0.5)
    text += "  " + rate_text(rate) + "  ETA " + clock_text(std::max(total - done, 0.0) / rate);
  return text;
}

std::string ProgressLine::bar_line(double done, double total) const {
  const std::string behind = "  " + figures(done, total);
  const Index room = surroundings_.width() - 1;
  const Index least = static_cast<Index>(what_.size() + behind.size()) + 2;
  const Index width = std::min<Index>(room - least, 40);
  if (width < 4) return (what_ + behind).substr(0, static_cast<std::size_t>(std::max<Index>(room, 0)));
  const double share = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 0;
  const auto filled = static_cast<Index>(share * static_cast<double>(width));
  std::string bar;
  for (Index c = 0; c < width; ++c) {
    if (surroundings_.unicode)
      bar += c < filled ? "━" : "┄";
    else
      bar += c < filled ? "#" : ".";
  }
  return what_ + "  " + bar + behind;
}

void ProgressLine::report(std::string_view what, double done, double total) {
  now_ = surroundings_.seconds();
  if (what != what_) {
    what_ = what;
    step_start_ = now_;
    start_done_ = done;
  }
  if (now_ - last_written_ < (surroundings_.terminal ? redraw_seconds : line_seconds)) return;
  last_written_ = now_;
  if (surroundings_.terminal) {
    surroundings_.write(wipe + bar_line(done, total));
    on_screen_ = true;
  } else {
    surroundings_.write("tangra: " + what_ + " " + figures(done, total) + "\n");
  }
}

}  // namespace tangra::cli
