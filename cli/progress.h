#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "tangra/base/context.h"

namespace tangra::cli {

/// Tells people how far a run is: on a terminal one line that is rewritten and wiped at the end, elsewhere a
/// line every ten seconds, so that short runs leave a log clean.
class ProgressLine final : public Progress {
 public:
  struct Surroundings {
    bool terminal = false;
    bool unicode = false;
    std::function<Index()> width;     ///< of the terminal, asked for each time
    std::function<double()> seconds;  ///< of a clock that never goes back
    std::function<void(std::string_view)> write;
  };

  explicit ProgressLine(Surroundings surroundings);
  /// The process's own standard error and clock.
  ProgressLine();
  ~ProgressLine() override;
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void report(std::string_view what, double done, double total) override;

 private:
  std::string bar_line(double done, double total) const;
  std::string figures(double done, double total) const;

  Surroundings surroundings_;
  std::string what_;
  double step_start_ = 0;
  double start_done_ = 0;
  double now_ = 0;
  double last_written_ = 0;
  bool on_screen_ = false;
};

}  // namespace tangra::cli
