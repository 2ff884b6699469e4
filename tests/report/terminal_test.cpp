#include "tangra/report/terminal.h"

#include <gtest/gtest.h>

#include <functional>
#include <sstream>

#include "report/results.h"
#include "tangra/report/page/text.h"

namespace tangra::report {
namespace {

constexpr TerminalStyle plain{.width = 100, .colour = false, .unicode = true};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

DataSetShown shown_set() {
  Tensor<float> picture(Shape{1, 1, 4, 4});
  picture[0] = 1;
  DataSetShown shown;
  shown.name = "digits";
  shown.info = data::DataSetInfo{.name = "digits",
                                 .title = "handwritten digits",
                                 .training = Shape{1797, 1, 8, 8},
                                 .test = {},
                                 .classes = {"zero", "one"},
                                 .licence = "CC BY 4.0",
                                 .how_to_get = {},
                                 .found = "built in"};
  shown.loaded = true;
  shown.shape = Shape{3, 1, 4, 4};
  shown.class_counts = {1, 2};
  shown.first = Array(picture);
  shown.first_label = 1;
  return shown;
}

std::vector<std::string> all_tables(const TerminalStyle& style) {
  return {terminal(test::summary_result(), style),     terminal(test::arrays_result(), style),
          terminal(test::kernel_result(), style),      terminal(test::verify_result(true), style),
          terminal(test::verify_result(false), style), terminal(test::spectrum_result(), style),
          terminal(test::train_result(true), style),   terminal(test::train_result(false), style),
          terminal(test::linearise_result(), style),   terminal(DataSetList{data::list()}, style),  terminal(shown_set(), style)};
}

TEST(Terminal, NoLineIsWiderThanThePage) {
  for (const Index width : {40, 57, 80, 100, 200}) {
    for (const std::string& text : all_tables({.width = width, .colour = false, .unicode = true})) {
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), width) << line;
    }
  }
}

TEST(Terminal, EscapeSequencesOnlyWhereAskedFor) {
  for (const std::string& text : all_tables(plain)) EXPECT_FALSE(contains(text, "\x1b"));
  for (const std::string& text : all_tables({.width = 80, .colour = true}))
    EXPECT_TRUE(contains(text, "\x1b[1m"));
}

TEST(Terminal, AsciiWhereThereIsNoUnicode) {
  for (const std::string& text : all_tables({.width = 80, .colour = false, .unicode = false})) {
    for (const char c : text) ASSERT_EQ(static_cast<unsigned char>(c) & 0x80U, 0U) << text;
  }
}

TEST(Terminal, LinesEndWithoutBlanks) {
  for (const std::string& text : all_tables(plain)) {
    EXPECT_FALSE(contains(text, " \n")) << text;
    EXPECT_TRUE(text.ends_with('\n'));
  }
}

TEST(Terminal, KernelTellsFiguresSharesAndWhatToTryNext) {
  const std::string text = terminal(test::kernel_result(), plain);
  for (const char* part :
       {"14.229333", "11.1088", "9.09461", "25.00 %", "75.00 %", "1,234,567 parameters", "3 frozen",
        "K[i,j] = sum over a of K[i,a,j,a]", "3 x 3 (samples, samples2)", "float32", "36 B", "both Grams",
        "1.5e-07 of the largest entry", "2 units", "K.npz.json", "tangra verify", "--n 3"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(Terminal, KernelTellsOfWhatItsErrorWasMeasured) {
  run::KernelResult result = test::kernel_result();
  result.measured_error->parameters = {0, 7};
  EXPECT_TRUE(contains(terminal(result, {.width = 200}), "against float64 on 4 entries of 2 samples' sum"));
  result.measured_error.reset();
  result.not_measured = "needs a memory budget of at least 2 GiB";
  EXPECT_TRUE(contains(terminal(result, {.width = 200}), "rounding of float32, not measured: needs a memory budget of at least 2 GiB"));
}

TEST(Terminal, AResultThatIsNoMatrixShowsItsFirstEntries) {
  run::KernelResult result = test::kernel_result();
  result.requested.pairs = run::Pairs::self;
  result.statistics = {};
  result.arrays = test::arrays_result().arrays;
  const std::string text = terminal(result, plain);
  EXPECT_TRUE(contains(text, "First entries\n  -1.5  -0.5  0.5  1.5\n")) << text;
  EXPECT_FALSE(contains(text, "diagonal"));
}

TEST(Terminal, SpectrumIsSuggestedForASymmetricMatrixOnly) {
  run::KernelResult result = test::kernel_result();
  result.out = "K.npy";
  EXPECT_TRUE(contains(terminal(result, plain), "tangra spectrum K.npy"));
  result.data2 = test::data_summary();
  EXPECT_FALSE(contains(terminal(result, plain), "tangra spectrum"));
}

TEST(Terminal, SuggestionsRepeatTheOptionsThatMakeTheNetwork) {
  run::KernelResult result = test::kernel_result();
  result.requested.model.seed = 7;
  result.requested.model.init = "he";
  result.requested.data.nhwc = true;
  const std::string text = terminal(result, {.width = 300});
  EXPECT_TRUE(contains(text, "digits --init he --seed 7 --n 3 --data-layout nhwc")) << text;
}

TEST(Terminal, VerifyNamesTheFirstFailure) {
  EXPECT_TRUE(contains(terminal(test::verify_result(true), plain), "All methods agree"));
  const std::string text = terminal(test::verify_result(false), plain);
  for (const char* part : {"do NOT agree", "0.bias: structured and jacobian part", "NO", "nan",
                           "structured - jacobian", "2.5e-12", "4,321 steps", "17 skipped"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(Terminal, SpectrumTellsVerdictBoundAndExtremes) {
  const std::string text = terminal(test::spectrum_result(), plain);
  for (const char* part :
       {"semidefinite within rounding", "1e-06", "n eps |K| = 1e-6", "-1e-09", "inf", "101.001"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(Terminal, SpectrumListsTheTopAndTheSmallest) {
  run::SpectrumResult result = test::spectrum_result();
  result.top = 1;
  const std::string text = terminal(result, plain);
  EXPECT_TRUE(contains(text, "99 %"));
  EXPECT_TRUE(contains(text, "-1e-09"));
  EXPECT_FALSE(contains(text, "0.99 %"));
}

TEST(Terminal, SummarySaysWhatCountsAsParameterAndWhy) {
  const std::string text = terminal(test::summary_result(), plain);
  for (const char* part :
       {"0.weight, 0.bias", "the weight of a Dense layer", "matches --buffers", "24 B", "2 KiB"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(Terminal, AHostileNameCannotSteerTheTerminal) {
  run::SummaryResult result = test::summary_result();
  result.parameters[0].name = "evil\x1b]0;title\x07\nname";
  result.model.text = "a\x1b[2Jb";
  const std::string text = terminal(result, plain);
  EXPECT_FALSE(contains(text, "\x1b"));
  EXPECT_FALSE(contains(text, "\x07"));
}

TEST(Terminal, DataShowHasClassesAndThePicture) {
  const std::string text = terminal(shown_set(), plain);
  for (const char* part : {"CC BY 4.0", "built in", "zero", "one", "label 1", "██"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(Terminal, TrainingTellsEpochsKernelAndBound) {
  const std::string text = terminal(test::train_result(false), plain);
  EXPECT_TRUE(contains(text, "gradient descent, learning rate 0.5, momentum 0.9"));
  EXPECT_TRUE(contains(text, "about 0.19: 2 (1 + momentum) / lambda, from 2 of the samples"));
  EXPECT_TRUE(contains(text, "the learning rate is 2.63 times that"));
  EXPECT_TRUE(contains(text, "has not converged"));
  EXPECT_TRUE(contains(text, "20 of 41 rows"));
  EXPECT_TRUE(contains(text, "40     80     2   66.67 %        0.5       100.00 %"));
  EXPECT_TRUE(contains(text, "40     0.125  0.9600"));
  EXPECT_TRUE(contains(text, "W.checkpoint.safetensors, epoch 40"));
  EXPECT_FALSE(contains(text, "diverged"));
  const std::string diverged = terminal(test::train_result(true), plain);
  EXPECT_TRUE(contains(diverged, "in epoch 41, step 81: the loss is not a finite number"));
}

TEST(Terminal, LineariseTellsHowFarApartTheyGo) {
  const std::string text = terminal(test::linearise_result(), plain);
  EXPECT_TRUE(contains(text, "learning rate 0.25, 0.25 of the bound"));
  EXPECT_TRUE(contains(text, "0.125 on the training samples at most, 0.126 on the test samples"));
  EXPECT_TRUE(contains(text, "the kernel has moved by 6.25 % of its norm, the parameters by 3.12 %"));
  EXPECT_TRUE(contains(text, "1,000   250     1         0.5    66.7 %     100.0 %     0.125        25 %"));
}

}  // namespace
}  // namespace tangra::report
