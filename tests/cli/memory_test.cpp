// What a refusal says is enough is enough: the first figure, for every command, network and kind of output.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"
#include "support/support.h"

namespace tangra::test {
namespace {

using nlohmann::json;

using Arguments = std::vector<std::string>;

Outcome within(Arguments arguments, const std::string& memory) {
  arguments.insert(arguments.end(), {"--memory", memory, "--json"});
  return tangra(arguments);
}

/// What stands behind "at least", as --memory takes it; its bytes.
std::pair<std::string, double> told(const std::string& message) {
  const std::size_t at = message.find("at least ");
  if (at == std::string::npos) return {};
  std::istringstream text(message.substr(at + 9));
  double number = 0;
  std::string digits, unit;
  text >> digits >> unit;
  number = std::stod(digits);
  unit = unit.substr(0, unit.find_first_not_of("KMGiB"));
  const double scale = unit == "KiB" ? 0x1p10 : unit == "MiB" ? 0x1p20 : unit == "GiB" ? 0x1p30 : 1;
  return {digits + unit, number * scale};
}

std::string in_words(const Arguments& arguments) {
  std::string text;
  for (const std::string& word : arguments) text += word + " ";
  return text;
}

/// Of too little memory, no file is left and the figure suffices.
void expect_first_figure_is_enough(const Arguments& arguments, const std::filesystem::path& out) {
  SCOPED_TRACE(in_words(arguments));
  const Outcome refused = within(arguments, "12MiB");
  ASSERT_EQ(refused.exit_code, 4) << refused.err;
  EXPECT_FALSE(std::filesystem::exists(out));
  const auto [figure, bytes] = told(refused.err);
  ASSERT_FALSE(figure.empty()) << refused.err;
  const Outcome done = within(arguments, figure);
  ASSERT_EQ(done.exit_code, 0) << figure << ": " << done.err;
  const double peak = json::parse(done.out)["peak_bytes"];
  EXPECT_LE(peak, bytes) << figure;
  std::filesystem::remove_all(out);
  std::filesystem::remove(out.string() + ".json");
  if (arguments.front() != "kernel" || in_words(arguments).find("--pairs") != std::string::npos) return;
  Arguments plan = arguments;
  plan.front() = "plan";
  EXPECT_EQ(within(plan, "12MiB").exit_code, 4);
  const Outcome planned = within(plan, figure);
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  const double expected = json::parse(planned.out)["expected_peak_bytes"];
  EXPECT_GT(expected, 0.5 * peak);
  EXPECT_LT(expected, 1.5 * peak);
}

constexpr const char* dense = "Chain(Dense(64 => 60, tanh), Dense(60 => 40, relu), Dense(40 => 10))";
constexpr const char* pictures =
    "Chain(Conv((3, 3), 1 => 8, relu, pad = 1), Conv((3, 3), 8 => 12, relu, stride = 2), flatten, Dense(108 => 10))";

TEST(Memory, TheFirstFigureOfARefusalIsEnoughForAKernel) {
  if (sanitized) GTEST_SKIP() << "a sanitizer holds more memory than the program";
  const TemporaryFolder folder;
  const std::vector<Arguments> choices = {{"--reduce", "trace"},
                                          {"--reduce", "full", "--precision", "float64"},
                                          {"--reduce", "sum", "--pairs", "self"},
                                          {"--reduce", "trace", "--by", "layer"}};
  for (const char* network : {dense, pictures}) {
    for (const Arguments& choice : choices) {
      for (const std::string name : {"K.npy", "K.zarr", ""}) {
        const bool self = choice.size() > 2 && choice[2] == "--pairs", parts = choice.size() > 2 && choice[2] == "--by";
        if ((self && name == "K.zarr") || (parts && name == "K.npy")) continue;
        Arguments arguments = {"kernel", network, "digits", "--n", "150"};
        arguments.insert(arguments.end(), choice.begin(), choice.end());
        if (!name.empty()) arguments.insert(arguments.end(), {"-o", folder / name});
        expect_first_figure_is_enough(arguments, folder / (name.empty() ? "none" : name));
      }
    }
  }
  expect_first_figure_is_enough({"kernel", dense, "digits", "digits", "--n", "200", "--n2", "90", "--reduce", "trace", "-o", folder / "K.npy"},
                                folder / "K.npy");
  expect_first_figure_is_enough({"kernel", dense, "digits", "--n", "60", "--reduce", "trace", "--pairs", "all", "--method", "product"}, folder / "none");
}

TEST(Memory, TheFirstFigureOfARefusalIsEnoughForAnAnswer) {
  if (sanitized) GTEST_SKIP() << "a sanitizer holds more memory than the program";
  const TemporaryFolder folder;
  const std::filesystem::path out = folder / "J.npz";
  expect_first_figure_is_enough({"jacobian", dense, "digits", "--n", "200", "-o", out}, out);
  expect_first_figure_is_enough({"jacobian", pictures, "digits", "--n", "100", "--layout", "structured", "-o", out}, out);
  expect_first_figure_is_enough({"spectrum", dense, "digits", "--n", "400", "--reduce", "trace", "-o", out}, out);
  expect_first_figure_is_enough({"spectrum", dense, "digits", "--n", "400", "--reduce", "trace", "--top", "3", "--without-k", "-o", out}, out);
  expect_first_figure_is_enough({"predict", dense, "digits", "digits", "--n", "300", "--n2", "100", "--reduce", "trace", "--ridge", "1", "-o", out}, out);
  expect_first_figure_is_enough({"verify", dense, "digits", "--reduce", "trace"}, out);
}

/// Sweeps and explicit rows make large arrays block by block: the allocator must not keep them.
TEST(Memory, WhatIsFreedIsGivenBack) {
  if (sanitized) GTEST_SKIP() << "a sanitizer holds more memory than the program";
  constexpr const char* wide =
      "Chain(Conv((3, 3), 1 => 32, relu, pad = 1), Conv((3, 3), 32 => 32, relu, pad = 1), Conv((3, 3), 32 => 64, relu, pad = 1), flatten, Dense(4096 => 10))";
  const std::vector<Arguments> choices = {
      {"kernel", "Chain(Dense(64 => 20, tanh), Dense(20 => 10))", "digits", "--n", "1797", "--reduce", "full", "--space", "parameters", "--memory", "48MiB"},
      {"kernel", wide, "digits", "--n", "200", "--reduce", "sum", "--pairs", "self", "--threads", "1", "--memory", "38MiB"},
      {"kernel", wide, "digits", "--n", "600", "--conjugate", "1", "--threads", "1", "--memory", "38MiB"}};
  for (Arguments arguments : choices) {
    arguments.emplace_back("--json");
    const Outcome done = tangra(arguments);
    ASSERT_EQ(done.exit_code, 0) << done.err;
    const json fields = json::parse(done.out);
    EXPECT_LE(fields["peak_bytes"], fields["memory_budget"]) << in_words(arguments);
  }
}

TEST(Memory, APlanKeepsWhatItTookApartFromWhatItTells) {
  const Outcome planned = tangra({"plan", dense, "digits", "--n", "100", "--reduce", "trace", "--json"});
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  const json fields = json::parse(planned.out);
  EXPECT_FALSE(fields.contains("peak_bytes") || fields.contains("seconds"));
  EXPECT_GT(fields["planning"]["peak_bytes"], 0);
  EXPECT_GT(fields["expected_peak_bytes"], fields["factor_bytes"]);
  EXPECT_EQ(fields["written_to"], "memory");
  const TemporaryFolder folder;
  const Outcome to_disk = tangra({"plan", dense, "digits", "--n", "100", "--reduce", "trace", "-o", folder / "K.npy", "--json"});
  ASSERT_EQ(to_disk.exit_code, 0) << to_disk.err;
  EXPECT_EQ(json::parse(to_disk.out)["written_to"], folder.path().string());
  EXPECT_EQ(files_in(folder.path()), 0U);
}

}  // namespace
}  // namespace tangra::test
