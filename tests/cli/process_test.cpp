#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "cli/program.h"
#include "support/support.h"

namespace tangra::test {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::vector<std::string> small = {"kernel", one_output, "digits", "--n", "3"};

void standard_output_to(const char* path) {
  const int file = open(path, O_WRONLY);
  dup2(file, STDOUT_FILENO);
}

TEST(Process, AReaderThatGoesAwayIsNoError) {
  const Outcome outcome = tangra(small, {.prepare = [] {
                                   int ends[2];
                                   if (pipe(ends) != 0) _exit(99);
                                   dup2(ends[1], STDOUT_FILENO);
                                   close(ends[0]);
                                   close(ends[1]);
                                 }});
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
}

TEST(Process, AFullDiskBehindStandardOutputIsAnError) {
  for (const std::vector<std::string>& arguments : {small, std::vector<std::string>{"--help"}}) {
    const Outcome outcome = tangra(arguments, {.prepare = [] { standard_output_to("/dev/full"); }});
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_TRUE(contains(outcome.err, "standard output")) << outcome.err;
  }
}

TEST(Process, AClosedStandardOutputIsAnErrorAndNoFileTakesItsPlace) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = small;
  arguments.insert(arguments.end(), {"-o", folder / "K.npy"});
  const Outcome outcome = tangra(arguments, {.prepare = [] { close(STDOUT_FILENO); }});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  std::ifstream file(folder / "K.npy");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(contains(bytes, "tangent kernel"));
}

/// Several seconds of work whose file is small.
std::vector<std::string> long_run(const std::filesystem::path& out) {
  return {"kernel", "Chain(Dense(64 => 3000, tanh), Dense(3000 => 3000, tanh), Dense(3000 => 10))",
          "digits", "--reduce",
          "trace",  "-o",
          out};
}

/// Waits until the folder holds a file (the run is at work), then sends a signal.
void send_when_at_work(int child, int signal, const std::filesystem::path& folder) {
  for (int tries = 0; tries < 2000 && files_in(folder) == 0; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(child, signal);
}

TEST(Process, ASignalStopsALongRunAndLeavesNothing) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const TemporaryFolder folder;
    const Outcome outcome =
        tangra(long_run(folder / "K.npy"),
               {.meanwhile = [&](int child) { send_when_at_work(child, signal, folder.path()); }});
    EXPECT_EQ(outcome.signal, 0);
    EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, "tangra: stopping; a second signal ends it at once\ntangra: interrupted\n");
    EXPECT_EQ(files_in(folder.path()), 0U);
  }
}

TEST(Process, ALimitOfFileSizesIsAnErrorOfTheFile) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = small;
  arguments.insert(arguments.end(), {"-o", folder / "K.npy"});
  const Outcome outcome = tangra(arguments, {.prepare = [] {
                                   const rlimit limit{64, 64};
                                   setrlimit(RLIMIT_FSIZE, &limit);
                                 }});
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "K.npy") && contains(outcome.err, "File too large")) << outcome.err;
  EXPECT_EQ(files_in(folder.path()), 0U);
}

TEST(Process, AnIgnoredSignalStaysIgnored) {
  const TemporaryFolder folder;
  bool went_on = false;
  const Outcome outcome =
      tangra(long_run(folder / "K.npy"), {.prepare = [] { std::signal(SIGINT, SIG_IGN); },
                                          .meanwhile =
                                              [&](int child) {
                                                send_when_at_work(child, SIGINT, folder.path());
                                                std::this_thread::sleep_for(std::chrono::milliseconds(400));
                                                went_on = files_in(folder.path()) > 0;
                                                kill(child, SIGTERM);
                                              }});
  EXPECT_TRUE(went_on);
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
}

}  // namespace
}  // namespace tangra::test
