#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"

namespace tangra::test {
namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The one object on standard output; fails where something else stands there or on standard error.
json object_of(const Outcome& outcome, int exit_code = 0) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(json::accept(outcome.out)) << outcome.out;
  const json object = json::parse(outcome.out, nullptr, false);
  EXPECT_TRUE(object.is_object());
  return object;
}

json object_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  return json::parse(file, nullptr, false);
}

TEST(Results, EveryCommandGivesATable) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"summary", ten_outputs},
        {"jacobian", ten_outputs, "digits", "--n", "2"},
        {"kernel", ten_outputs, "digits", "--n", "3", "--reduce", "trace"},
        {"verify", one_output, "digits", "--n", "2"},
        {"spectrum", ten_outputs, "digits", "--n", "4", "--reduce", "sum"},
        {"train", ten_outputs, "digits", "--n", "9", "--loss", "mse", "--lr", "0.001", "--epochs", "2"},
        {"linearise", ten_outputs, "digits", "digits", "--n", "4", "--n2", "3", "--loss", "mse", "--steps", "3"},
        {"data", "list"},
        {"data", "show", "digits"}}) {
    const Outcome outcome = tangra(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << arguments.front() << "\n" << outcome.err;
    EXPECT_EQ(outcome.err, "");
    EXPECT_GT(outcome.out.size(), 100U);
    EXPECT_FALSE(contains(outcome.out, "\x1b")) << "a pipe is no terminal";
  }
}

TEST(Results, JsonIsOneObjectAndNothingElse) {
  EXPECT_EQ(object_of(tangra({"summary", ten_outputs, "--json"}))["model"]["parameters"],
            64 * 8 + 8 + 80 + 10);
  EXPECT_EQ(object_of(tangra({"jacobian", one_output, "digits", "--n", "2", "--json"}))["arrays"][0]["name"],
            "output");
  EXPECT_EQ(object_of(tangra({"jacobian", one_output, "digits", "--n", "2", "--json"}))["command"],
            "jacobian");
  const json spectrum = object_of(tangra({"spectrum", one_output, "digits", "--n", "4", "--json"}));
  EXPECT_EQ(spectrum["eigenvalues"].size(), 4U);
  EXPECT_GE(spectrum["eigenvalues"][0], spectrum["eigenvalues"][3]);
  EXPECT_EQ(object_of(tangra({"verify", one_output, "digits", "--n", "2", "--json"}))["agree"], true);
  EXPECT_EQ(object_of(tangra({"data", "list", "--json"}))["data_sets"].size(), 4U);
  const json digits = object_of(tangra({"data", "show", "digits", "--json"}));
  EXPECT_EQ(digits["shape"], json::array({1797, 1, 8, 8}));
  EXPECT_EQ(digits["class_counts"][0], 178);
}

TEST(Results, KernelWritesNpyAndJsonBesideIt) {
  const TemporaryFolder folder;
  const std::string out = folder / "K.npy";
  const json told = object_of(tangra({"kernel", ten_outputs, "digits", "--n", "5", "--reduce", "trace",
                                      "--precision", "float64", "-o", out, "--json"}));
  const Array k = formats::read_npy(out);
  EXPECT_EQ(k.shape(), (Shape{5, 5}));
  EXPECT_EQ(k.type(), DType::float64);
  EXPECT_EQ(files_in(folder.path()), 2U);
  const json beside = object_in(out + ".json");
  EXPECT_EQ(beside, told);
  EXPECT_EQ(beside["shape"], json::array({5, 5}));
  EXPECT_EQ(beside["reduce"], "trace");
  EXPECT_TRUE(beside["measured_error"].is_null());
  EXPECT_EQ(beside["model_fingerprint"].get<std::string>().size(), 16U);
  EXPECT_GE(beside["plan"].size(), 1U);
  const json spectrum = object_of(tangra({"spectrum", out, "--json"}));
  EXPECT_NEAR(spectrum["trace"].get<double>(), beside["statistics"]["trace"].get<double>(), 1e-9);
}

TEST(Results, Float32KernelsTellTheirMeasuredError) {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::string>> kinds = {
      {}, {"--pairs", "self"}, {"--method", "product"}, {"--conjugate", "0"}, {"--space", "parameters"}};
  for (const std::vector<std::string>& kind : kinds) {
    const std::string out = folder / "K.npy";
    std::vector<std::string> arguments = {"kernel", one_output, "digits", "--n", "5", "--precision", "float32", "--force", "-o", out};
    arguments.insert(arguments.end(), kind.begin(), kind.end());
    const Outcome outcome = tangra(arguments);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.out, " of the largest entry, against float64 on ")) << outcome.out;
    std::ifstream file(out + ".json");
    const json beside = json::parse(file);
    EXPECT_LT(beside["measured_error"]["largest_relative"], 1e-5);
    EXPECT_GT(beside["measured_error"]["entries"], 0);
    EXPECT_TRUE(beside["measured_error"].contains("near_kinks"));
    EXPECT_TRUE(beside["not_measured"].is_null());
  }
}

TEST(Results, TrainByTestInParts) {
  const TemporaryFolder folder;
  const std::string out = folder / "K.npz";
  const Outcome outcome = tangra({"kernel", ten_outputs, "digits", "digits", "--n", "5", "--samples2",
                                  "100:103", "--reduce", "sum", "--by", "parameter", "-o", out});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(formats::npz_keys(out),
            (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "total"}));
  EXPECT_EQ(formats::read_npz(out, "total").shape(), (Shape{5, 3}));
}

TEST(Results, OneSample) {
  const json object = object_of(tangra({"kernel", one_output, "digits", "--n", "1", "--json"}));
  EXPECT_EQ(object["shape"], json::array({1, 1}));
  EXPECT_EQ(tangra({"spectrum", one_output, "digits", "--n", "1"}).exit_code, 0);
}

TEST(Results, DerivativesAreWrittenUnderTheirNames) {
  const TemporaryFolder folder;
  const std::string jacobian = folder / "J.npz";
  EXPECT_EQ(tangra({"jacobian", ten_outputs, "digits", "--n", "2", "--wrt", "1.bias,input", "-o", jacobian})
                .exit_code,
            0);
  EXPECT_EQ(formats::read_npz(jacobian, "jacobian:1.bias").shape(), (Shape{2, 10, 10}));
  EXPECT_EQ(formats::npz_keys(jacobian).size(), 3U);
  const std::string cotangent = folder / "C.npy";
  formats::write_npy(cotangent, Array(Tensor<double>(Shape{2, 10})));
  const std::string vjp = folder / "vjp.npz";
  const json pulled = object_of(
      tangra({"vjp", ten_outputs, "digits", "--n", "2", "--cotangent", cotangent, "-o", vjp, "--json"}));
  EXPECT_EQ(pulled["command"], "vjp");
  EXPECT_FALSE(formats::npz_keys(vjp).empty());
  const std::string tangent = folder / "T.npz";
  formats::write_npz(tangent, {{"1.bias", Array(Tensor<double>(Shape{10}))}});
  const json pushed =
      object_of(tangra({"jvp", ten_outputs, "digits", "--n", "2", "--tangent", tangent, "--json"}));
  EXPECT_EQ(pushed["command"], "jvp");
}

TEST(Results, AnExistingFileNeedsForce) {
  const TemporaryFolder folder;
  for (const char* existing : {"K.npy", "K.npy.json"}) {
    std::ofstream(folder / existing) << "precious";
    const std::vector<std::string> arguments = {"kernel", one_output, "digits",        "--n",
                                                "2",      "-o",       folder / "K.npy"};
    const Outcome refused = tangra(arguments);
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_EQ(refused.out, "");
    EXPECT_TRUE(contains(refused.err, existing) && contains(refused.err, "--force")) << refused.err;
    EXPECT_EQ(std::filesystem::file_size(folder / existing), 8U);
    std::vector<std::string> forced = arguments;
    forced.emplace_back("--force");
    EXPECT_EQ(tangra(forced).exit_code, 0);
    EXPECT_EQ(formats::read_npy(folder / "K.npy").shape(), (Shape{2, 2}));
    std::filesystem::remove(folder / "K.npy");
    std::filesystem::remove(folder / "K.npy.json");
  }
}

TEST(Results, AFolderThatCannotBeWrittenTo) {
  const TemporaryFolder folder;
  std::filesystem::path target = folder.path();
  if (geteuid() == 0)
    target = "/sys/kernel";  // root may write to any folder of a disk
  else
    chmod(target.c_str(), S_IRUSR | S_IXUSR);
  const Outcome outcome = tangra({"kernel", one_output, "digits", "--n", "2", "-o", target / "K.npy"});
  chmod(folder.path().c_str(), S_IRWXU);
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, target / "K.npy")) << outcome.err;
  const Outcome nowhere = tangra({"kernel", one_output, "digits", "--n", "2", "-o", folder / "no/K.npy"});
  EXPECT_EQ(nowhere.exit_code, 3) << nowhere.err;
}

TEST(Results, TheSuggestedCommandsCanBePasted) {
  const TemporaryFolder folder;
  const std::string heading = "What to try next\n";
  const std::string out = folder / "my kernel.npy";
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"-o", out}, {"--by", "layer"}}) {
    std::vector<std::string> arguments = {"kernel", ten_outputs, "digits",   "--n", "4",
                                          "--seed", "3",         "--reduce", "sum"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome kernel = tangra(arguments);
    const std::size_t begin = kernel.out.find(heading);
    ASSERT_NE(begin, std::string::npos);
    const std::string commands = kernel.out.substr(begin + heading.size());
    EXPECT_TRUE(contains(commands, "tangra spectrum"));
    const std::filesystem::path program = TANGRA_PROGRAM;
    std::ofstream(folder / "script") << "set -e\ncd '" << folder.path().string() << "'\nrm -f K.np*\n"
                                     << "tangra() { '" << program.string() << "' \"$@\" >> log; }\n"
                                     << commands;
    EXPECT_EQ(std::system(("sh '" + (folder / "script").string() + "'").c_str()), 0) << commands;
  }
}

TEST(Results, TrainingWritesWeightsThatAreReadBack) {
  const TemporaryFolder folder;
  const std::string weights = (folder / "W.safetensors").string();
  const std::vector<std::string> arguments = {"train", ten_outputs, "digits", "--samples", "0:200", "--test", "digits",
                                              "--samples2", "200:250", "--loss", "cross-entropy", "--optimizer", "adam", "--lr",
                                              "0.02", "--epochs", "8", "--batch-size", "20", "--kernel-every", "4",
                                              "--kernel-samples", "30", "--checkpoint-every", "4", "-o", weights, "--json"};
  const json trained = object_of(tangra(arguments));
  ASSERT_EQ(trained["epochs"].size(), 9U);
  EXPECT_GT(trained["epochs"][8]["train"]["accuracy"].get<double>(), 0.7);
  EXPECT_EQ(trained["epochs"][8]["test"]["samples"], 50);
  EXPECT_EQ(trained["kernel_moments"].size(), 3U);
  EXPECT_GT(trained["rate_bound"]["bound"].get<double>(), 0);
  const json again = object_of(tangra({"train", ten_outputs, "digits", "--samples", "0:200", "--weights", weights, "--loss",
                                       "cross-entropy", "--lr", "1e-9", "--epochs", "1", "--json"}));
  EXPECT_EQ(again["epochs"][0]["train"]["loss"], trained["epochs"][8]["train"]["loss"]);
  EXPECT_EQ(tangra(arguments).exit_code, 2) << "the file exists";
  std::vector<std::string> resumed = arguments;
  resumed.emplace_back("--resume");
  EXPECT_EQ(object_of(tangra(resumed))["resumed_from"], 8);
}

TEST(Results, DivergenceIsExitCodeFive) {
  const TemporaryFolder folder;
  const std::string weights = (folder / "W.safetensors").string();
  const std::string linear = "Chain(Dense(64 => 8), Dense(8 => 10))";
  const Outcome outcome = tangra({"train", linear, "digits", "--n", "50", "--loss", "mse", "--lr", "1000", "--epochs", "300", "-o",
                                  weights, "--json"});
  EXPECT_EQ(outcome.exit_code, 5);
  EXPECT_TRUE(json::parse(outcome.out)["diverged"].get<bool>());
  EXPECT_TRUE(contains(outcome.err, "above the bound of stability"));
  EXPECT_TRUE(contains(outcome.err, "diverged in step"));
  EXPECT_FALSE(std::filesystem::exists(weights));
  const Outcome beside = tangra({"linearise", linear, "digits", "digits", "--n", "5", "--n2", "3", "--loss", "mse", "--lr", "1e4",
                                 "--json"});
  EXPECT_EQ(beside.exit_code, 5);
  EXPECT_TRUE(json::accept(beside.out));
}

}  // namespace
}  // namespace tangra::test
