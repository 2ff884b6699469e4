#include <gtest/gtest.h>

#include <algorithm>

#include "cli/program.h"
#include "support/support.h"
#include "tangra/formats/npy.h"

namespace tangra::test {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A refused request: one message of one line on standard error, nothing on standard output.
void expect_refused(const Outcome& outcome, int exit_code, std::initializer_list<const char*> parts) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(outcome.err.starts_with("tangra: ")) << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with('\n'));
  for (const char* part : parts) EXPECT_TRUE(contains(outcome.err, part)) << part << "\n" << outcome.err;
}

void expect_one_line(const Outcome& outcome) {
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
}

TEST(Usage, EveryCommandHasHelpWithExamples) {
  for (const char* command : {"summary", "jacobian", "jvp", "vjp", "kernel", "verify", "spectrum", "predict", "train",
                              "linearise", "infinite", "data"}) {
    const Outcome outcome = tangra({command, "--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_TRUE(contains(outcome.out, "Examples:\n  tangra " + std::string(command))) << outcome.out;
    EXPECT_TRUE(contains(outcome.out, "Usage: tangra " + std::string(command) + " [")) << outcome.out;
    EXPECT_FALSE(contains(outcome.out, "\n\n\n")) << outcome.out;
  }
}

TEST(Usage, HelpStatesTheInitialisersDistributions) {
  const std::string help = tangra({"kernel", "--help"}).out;
  for (const char* part :
       {"glorot_uniform", "sqrt(6 / (fan_in + fan_out))", "lecun", "he ", "pytorch", "--reduce"}) {
    EXPECT_TRUE(contains(help, part)) << part;
  }
}

TEST(Usage, TheOverviewListsCommandsAndExitCodes) {
  const Outcome outcome = tangra({"--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* part : {"kernel", "verify", "spectrum", "Exit codes", "Flux"})
    EXPECT_TRUE(contains(outcome.out, part));
  const Outcome none = tangra({});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err, outcome.out);
}

TEST(Usage, NoLineOfHelpIsWiderThan110Columns) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--help"},
                                                    {"kernel", "--help"},
                                                    {"jacobian", "--help"},
                                                    {"spectrum", "--help"},
                                                    {"predict", "--help"},
                                                    {"infinite", "--help"},
                                                    {"data", "show", "--help"}}) {
    const std::string help = tangra(arguments).out;
    for (std::size_t begin = 0; begin < help.size();) {
      const std::size_t end = help.find('\n', begin);
      EXPECT_LE(end - begin, 110U) << help.substr(begin, end - begin);
      begin = end + 1;
    }
  }
}

TEST(Usage, Version) {
  const Outcome outcome = tangra({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "tangra " TANGRA_VERSION "\n");
}

TEST(Usage, UnknownCommand) {
  const Outcome outcome = tangra({"kernle", one_output, "digits"});
  expect_refused(outcome, 2, {"tangra: kernle: ", "kernel, plan, verify", "tangra --help", "Did you mean kernel?"});
  EXPECT_FALSE(contains(outcome.err, "tangra: tangra")) << outcome.err;
  expect_one_line(outcome);
  EXPECT_FALSE(contains(tangra({"foo"}).err, "Did you mean"));
}

TEST(Usage, UnknownFlag) {
  const Outcome outcome = tangra({"kernel", one_output, "digits", "--reduec", "sum"});
  expect_refused(outcome, 2, {"--reduec", "tangra kernel --help"});
  expect_one_line(outcome);
}

TEST(Usage, MissingArguments) {
  expect_refused(tangra({"kernel", one_output}), 2, {"DATA", "tangra kernel --help"});
  expect_refused(tangra({"jvp", one_output, "digits"}), 2, {"--tangent"});
  expect_refused(tangra({"data"}), 2, {"tangra data --help"});
  expect_refused(tangra({"spectrum", one_output}), 2, {"MODEL without DATA"});
  expect_refused(tangra({"spectrum", "K.npy", "--n", "3"}), 2, {"--n", "MODEL DATA"});
  expect_refused(tangra({"kernel", one_output, "digits", "-o"}), 2, {"--out"});
}

TEST(Usage, OfTraining) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"train", ten_outputs, "digits", "--n", "5"});
    return tangra(more);
  };
  expect_refused(with({"--lr", "0.1", "--epochs", "1"}), 2, {"--loss"});
  expect_refused(with({"--loss", "mse", "--epochs", "1"}), 2, {"--lr"});
  expect_refused(with({"--loss", "mse", "--lr", "0.1"}), 2, {"--epochs"});
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--loss", "mse", "--lr", "0.1", "--epochs", "1"});
    return with(more);
  };
  expect_refused(run({"--optimizer", "sgd"}), 2, {"--optimizer", "sgd", "gd, adam"});
  expect_refused(run({"--n2", "3"}), 2, {"--n2", "Name the second set"});
  expect_refused(run({"--labels2", "y.npy"}), 2, {"--labels2"});
  expect_refused(run({"--shuffle-seed", "-1"}), 2, {"--shuffle-seed"});
  expect_refused(run({"--resume"}), 2, {"--resume", "-o W.safetensors"});
  expect_refused(run({"--optimizer", "adam", "--momentum", "0.5"}), 2, {"--momentum"});
  expect_refused(run({"--test", ten_outputs}), 2, {"--test", "a network stands where data belong"});
  expect_refused(tangra({"train", one_output, "digits", "--n", "5", "--loss", "mse", "--lr", "0.1", "--epochs", "1"}), 3,
                 {"a label is no class of the network", "sample 1"});
  expect_refused(tangra({"linearise", ten_outputs, "digits", "--loss", "mse"}), 2, {"TEST"});
}

TEST(Usage, BadValues) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"kernel", one_output, "digits"});
    return tangra(more);
  };
  expect_refused(with({"--by", "layers"}), 2, {"--by", "layers", "total, layer, parameter"});
  expect_refused(with({"--memory", "4gib"}), 2, {"--memory", "4gib", "4GiB"});
  expect_refused(with({"--samples", "5:3"}), 2, {"--samples", "5:3"});
  expect_refused(with({"--threads", "0"}), 2, {"--threads", "1 to 1024"});
  expect_refused(with({"--n", "ten"}), 2, {"--n", "ten"});
  expect_refused(with({"--n2", "3"}), 2, {"--n2", "second data set"});
  expect_refused(with({"--progress", "always"}), 2, {"--progress", "auto, none"});
  expect_refused(with({"--precision", "float16"}), 2, {"--precision", "float32, float64"});
  expect_refused(with({"--init", "xavier"}), 2, {"xavier", "glorot_uniform"});
  expect_refused(with({"--reduce", "average"}), 2, {"--reduce", "average"});
  expect_refused(with({"--input-shape", "8x8"}), 2, {"--input-shape", "8x8", "1,28,28"});
  for (const char* seed : {"-1", "18446744073709551616", "1.5", "", "7x"}) {
    expect_refused(with({"--seed", seed}), 2, {"--seed", "18446744073709551615"});
  }
}

TEST(Usage, WeightsFromAFileAreNotDrawn) {
  for (const std::string command :
       {"summary", "jacobian", "kernel", "verify", "spectrum", "jvp", "vjp", "train"}) {
    std::vector<std::string> words{command, one_output};
    if (command != "summary") words.emplace_back("digits");
    if (command == "spectrum") words.insert(words.end(), {"--reduce", "sum"});
    if (command == "jvp") words.insert(words.end(), {"--tangent", "T.npz"});
    if (command == "vjp") words.insert(words.end(), {"--cotangent", "C.npy"});
    if (command == "train") words.insert(words.end(), {"--loss", "mse", "--lr", "1", "--epochs", "1"});
    words.insert(words.end(), {"--weights", "W.npz", "--seed", "0"});
    expect_refused(tangra(words), 2, {"--seed", "leave --weights out"});
    words[words.size() - 2] = "--init";
    words.back() = "he";
    expect_refused(tangra(words), 2, {"--init", "leave --weights out"});
  }
}

TEST(Usage, TheShapeOfTheInputIsAskedForByName) {
  const std::string net = "Chain(Conv((3, 3), 1 => 2), GlobalMeanPool(), flatten)";
  expect_refused(tangra({"summary", net}), 3, {"chain:1:7", "layer 0 (Conv)", "--input-shape 1,32,32"});
  EXPECT_TRUE(contains(tangra({"summary", net, "--input-shape", "1,9,8"}).out, "2 x 7 x 6"));
  expect_refused(tangra({"kernel", net, "digits", "--n", "2", "--reduce", "sum", "--input-shape", "1,9,9"}),
                 3, {"the samples do not fit the network", "64 features", "(1, 9, 9)"});
  EXPECT_EQ(
      tangra({"kernel", net, "digits", "--n", "2", "--reduce", "sum", "--input-shape", "1,4,16"}).exit_code,
      0);
}

TEST(Usage, TheLargestSeedIsASeed) {
  EXPECT_EQ(tangra({"summary", one_output, "--seed", "18446744073709551615"}).exit_code, 0);
}

TEST(Usage, NamesToDifferentiateBy) {
  const auto by = [](const char* names) {
    return tangra({"jacobian", one_output, "digits", "--n", "2", "--wrt", names});
  };
  const Outcome blanks = by(" input , 0.weight");
  EXPECT_EQ(blanks.exit_code, 0) << blanks.err;
  EXPECT_TRUE(contains(blanks.out, "jacobian:0.weight")) << blanks.out;
  for (const char* names : {"", " ", ",", "input,", "input,,0.weight"}) {
    expect_refused(by(names), 2, {"--wrt", "a name is empty"});
  }
  EXPECT_EQ(
      tangra({"jacobian", "--wrt", "input", "--wrt", "1.bias", one_output, "digits", "--n", "2"}).exit_code,
      0);
}

TEST(Usage, SwappedOperandsAreTold) {
  for (const char* command : {"kernel", "verify", "jacobian", "spectrum"}) {
    expect_refused(tangra({command, "x.npy", one_output}), 2,
                   {"DATA: a network stands where data belong", "MODEL comes first, then DATA"});
  }
  expect_refused(tangra({"kernel", "digits", "net.onnx"}), 2, {"net.onnx", "MODEL comes first, then DATA"});
  expect_refused(tangra({"kernel", one_output, "digits", one_output}), 2, {"DATA2: a network stands"});
}

TEST(Usage, TheOrderOfAxesHasOneNameInAllCommands) {
  const TemporaryFolder folder;
  const std::string pictures = folder / "pictures.npy";
  formats::write_npy(pictures, Array(Tensor<double>(Shape{2, 4, 8, 2})));
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"kernel", one_output},
                                                    {"verify", one_output},
                                                    {"jacobian", one_output},
                                                    {"spectrum", one_output}}) {
    std::vector<std::string> words = arguments;
    words.insert(words.end(), {pictures, "--data-layout", "nhwc"});
    const Outcome outcome = tangra(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    words[3] = "--layout";
    EXPECT_EQ(tangra(words).exit_code, words[0] == "jacobian" ? 2 : 0);
    words[3] = "--data-layout";
    words[4] = "nwhc";
    expect_refused(tangra(words), 2, {"--data-layout", "nwhc", "nchw, nhwc"});
    EXPECT_TRUE(contains(tangra({words[0], "--help"}).out, "--data-layout")) << words[0];
  }
  expect_refused(tangra({"kernel", one_output, "digits", "--layout", "nhwc"}), 2,
                 {"--data-layout", "digits"});
}

TEST(Usage, ADiagonalKernelHasNoSpectrum) {
  expect_refused(tangra({"spectrum", ten_outputs, "nowhere.npy", "--reduce", "diagonal"}), 2,
                 {"--reduce", "diagonal", "output=K"});
}

TEST(Usage, FilesThatAreNotThereAreCalledFiles) {
  for (const char* model : {"nope.onnx", "W.npz"}) {
    const Outcome outcome = tangra({"kernel", model, "digits", "--n", "2"});
    expect_refused(outcome, 3, {model, "the file is not there"});
    EXPECT_FALSE(contains(outcome.err, "either")) << outcome.err;
  }
}

TEST(Usage, ControlBytesOfNamesAreShownNotSent) {
  const Outcome outcome = tangra({"kernel", one_output, "a\x1b[31m\x7f\xc2\x9b\xff\xc3\xbc.npy"});
  expect_refused(outcome, 3,
                 {R"(a\x1b[31m\x7f\xc2\x9b\xff)"
                  "\xc3\xbc.npy"});
  EXPECT_FALSE(contains(outcome.err, "\x1b"));
  expect_refused(tangra({"\x1b[31m"}), 2, {R"(\x1b[31m)"});
  expect_refused(tangra({"kernel", one_output, "digits", "--\x1b"}), 2, {R"(\x1b)"});
}

TEST(Usage, WhatBelongsToZarrAlone) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"kernel", one_output, "digits", "--n", "2"});
    return tangra(more);
  };
  expect_refused(with({"--resume", "-o", "K.npy"}), 2, {"--resume", "-o K.zarr"});
  expect_refused(with({"--resume"}), 2, {"--resume", "-o K.zarr"});
  expect_refused(with({"--resume", "--force", "-o", "K.zarr"}), 2, {"--resume, --force"});
  expect_refused(with({"--triangle", "lower", "-o", "K.npy"}), 2, {"--triangle", ".zarr"});
  expect_refused(with({"--triangle", "upper", "-o", "K.zarr"}), 2, {"--triangle", "lower, full"});
  expect_refused(with({"digits", "--triangle", "lower", "-o", "K.zarr"}), 2, {"--triangle", "train x test"});
  for (const std::vector<std::string>& choice :
       {std::vector<std::string>{"--pairs", "self"}, {"--space", "parameters"}, {"--method", "product"}}) {
    expect_refused(with({choice[0], choice[1], "-o", "K.zarr"}), 2, {"-o", "all pairs", ".npy"});
  }
  expect_refused(with({"-o", "K.txt"}), 2, {"K.txt", ".npy or .npz or .zarr"});
}

TEST(Usage, SeveralOutputsNeedAReduction) {
  const Outcome outcome = tangra({"kernel", ten_outputs, "digits", "--n", "3"});
  expect_refused(outcome, 2, {"--reduce", "full, trace, mean, diagonal, sum or output=K"});
  expect_one_line(outcome);
  EXPECT_EQ(tangra({"kernel", one_output, "digits", "--n", "3"}).exit_code, 0) << "one output needs none";
}

TEST(Usage, MissingFilesAndUnknownNames) {
  expect_refused(tangra({"kernel", one_output, "nowhere.npy"}), 3, {"nowhere.npy"});
  expect_refused(tangra({"kernel", "nowhere.chain", "digits"}), 3, {"nowhere.chain", "chain text"});
  expect_refused(tangra({"spectrum", "nowhere.npy"}), 3, {"nowhere.npy"});
  expect_refused(tangra({"data", "show", "nowhere"}), 3, {"nowhere"});
}

TEST(Usage, ALineBreakInANameDoesNotBreakTheMessage) {
  const Outcome outcome = tangra({"kernel", one_output, "no\nwhere.npy"});
  expect_refused(outcome, 3, {"no\\nwhere.npy"});
  expect_one_line(outcome);
}

TEST(Usage, AnInputThatFloat32CannotHoldIsNamed) {
  const std::vector<std::string> scaled = {"kernel", one_output, "digits", "--n", "3", "--scale", "1e100"};
  expect_refused(tangra(scaled), 3, {"digits, sample 0, value 2", "float32", "--scale"});
  std::vector<std::string> wide = scaled;
  wide.insert(wide.end(), {"--precision", "float64"});
  EXPECT_EQ(tangra(wide).exit_code, 0);
}

TEST(Usage, AnOutputHasAName) {
  expect_refused(tangra({"kernel", one_output, "digits", "--output", "logits"}), 2, {"--output", "logits"});
  expect_refused(tangra({"kernel", one_output, "digits", "--batch", "3"}), 2, {"--batch", "auto, none"});
}

TEST(Usage, WrongWidth) {
  const char* wide = "Chain(Dense(784 => 8, tanh), Dense(8 => 1))";
  expect_refused(tangra({"kernel", wide, "digits", "--n", "3"}), 3, {"digits", "64", "784"});
}

TEST(Usage, UnclosedParenthesisShowsThePlace) {
  expect_refused(tangra({"summary", "Chain(Dense(64 => 8, tanh)"}), 3, {"chain:1:"});
}

TEST(Usage, TooLittleMemory) {
  const Outcome outcome = tangra({"kernel", ten_outputs, "digits", "--reduce", "full", "--memory", "100kB"});
  expect_refused(outcome, 4, {"--memory"});
}

TEST(Usage, AKernelThatIsNotFiniteIsANumericalFailure) {
  expect_refused(tangra({"kernel", "Chain(Dense(64 => 8, log), Dense(8 => 1))", "digits", "--n", "3"}), 5,
                 {"tangra: "});
}

TEST(Usage, ErrorsLeaveNothingOnStandardOutputWithJsonEither) {
  expect_refused(tangra({"kernel", ten_outputs, "digits", "--n", "3", "--json"}), 2, {"--reduce"});
  expect_refused(tangra({"kernel", one_output, "nowhere.npy", "--json"}), 3, {"nowhere.npy"});
}

}  // namespace
}  // namespace tangra::test
