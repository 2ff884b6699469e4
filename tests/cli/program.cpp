#include "cli/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <iterator>

namespace tangra::test {
namespace {

struct Pipe {
  Pipe() {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  }
  std::array<int, 2> ends{};
};

[[noreturn]] void become(const std::vector<std::string>& arguments, const Pipe& out, const Pipe& err,
                         const Surroundings& surroundings) {
  // A test runner in the background may have left SIGINT ignored.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGHUP, SIG_DFL);
  std::signal(SIGXFSZ, SIG_DFL);
  std::signal(SIGPIPE, SIG_DFL);
  dup2(out.ends[1], STDOUT_FILENO);
  dup2(err.ends[1], STDERR_FILENO);
  if (surroundings.prepare) surroundings.prepare();
  std::vector<char*> words{const_cast<char*>("tangra")};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  execv(TANGRA_PROGRAM, words.data());
  _exit(127);
}

/// Collects both ends until they are closed; kills the child when the time is over.
void collect(int child, Pipe& out, Pipe& err, double patience, Outcome& outcome) {
  const auto start = std::chrono::steady_clock::now();
  std::array<pollfd, 2> watched{{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}}};
  std::array<std::string*, 2> texts{&outcome.out, &outcome.err};
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    poll(watched.data(), watched.size(), 100);
    for (std::size_t k = 0; k < 2; ++k) {
      if (watched[k].fd < 0 || watched[k].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t count = read(watched[k].fd, buffer.data(), buffer.size());
      if (count > 0)
        texts[k]->append(buffer.data(), static_cast<std::size_t>(count));
      else
        watched[k].fd = -1;
    }
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > patience) {
      kill(child, SIGKILL);
      ADD_FAILURE() << "the program did not end within " << patience << " s";
      return;
    }
  }
}

}  // namespace

const char* const ten_outputs = "Chain(Dense(64 => 8, tanh), Dense(8 => 10))";
const char* const one_output = "Chain(Dense(64 => 8, tanh), Dense(8 => 1))";

Outcome tangra(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  Pipe out;
  Pipe err;
  const int child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) become(arguments, out, err, surroundings);
  close(out.ends[1]);
  close(err.ends[1]);
  if (surroundings.meanwhile) surroundings.meanwhile(child);
  Outcome outcome;
  collect(child, out, err, surroundings.patience, outcome);
  close(out.ends[0]);
  close(err.ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  return outcome;
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace tangra::test
