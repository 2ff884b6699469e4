#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace tangra::test {

/// What the program is given beside its arguments.
struct Surroundings {
  /// Called in the child before the program takes over; only system calls.
  std::function<void()> prepare = {};
  /// Called in the parent with the child's process id, while its output is collected by nobody yet.
  std::function<void(int)> meanwhile = {};
  double patience = 60;  ///< seconds until it is killed
};

struct Outcome {
  int exit_code = -1;  ///< -1 where a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

/// Runs the real program and waits for it.
Outcome tangra(const std::vector<std::string>& arguments, const Surroundings& surroundings = {});

/// Then the program holds more memory than it counts.
inline constexpr bool sanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#else
    false;
#endif

/// A network with 64 inputs and 10 outputs, and one with a single output.
extern const char* const ten_outputs;
extern const char* const one_output;

std::size_t files_in(const std::filesystem::path& folder);

}  // namespace tangra::test
