// spectrum, predict, infinite: kernels in, answers out.
#include <gtest/gtest.h>

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

json object_of(const Outcome& outcome) {
  EXPECT_EQ(outcome.err, "");
  const json object = json::parse(outcome.out, nullptr, false);
  EXPECT_TRUE(object.is_object()) << outcome.out;
  return object;
}

std::vector<std::string> predict(const std::vector<std::string>& more) {
  std::vector<std::string> words = {"predict", ten_outputs,  "digits",  "digits",   "--n",
                                    "80",      "--samples2", "100:120", "--reduce", "mean"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

void expect_refused(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const std::string& part : parts)
    EXPECT_TRUE(contains(outcome.err, part)) << part << "\n" << outcome.err;
}

TEST(Answers, PredictHasTheFieldsOfTheContract) {
  const TemporaryFolder folder;
  const std::string out = folder / "P.npy";
  const json object = object_of(tangra(predict({"--ridge", "0.5", "--json", "-o", out})));
  for (const char* key : {"accuracy", "ridge", "jitter", "leave_one_out"})
    EXPECT_TRUE(object.contains(key)) << key;
  EXPECT_EQ(object["ridge"], 0.5);
  EXPECT_EQ(object["jitter"], 0);
  EXPECT_GT(object["accuracy"], 0.3);
  EXPECT_LE(object["accuracy"], 1);
  EXPECT_EQ(object["solver"], "Cholesky");
  EXPECT_EQ(formats::read_npy(out).shape(), (Shape{20, 10}));
  EXPECT_EQ(formats::read_npy(out).type(), DType::float64);
}

TEST(Answers, PredictTellsATableOfRidges) {
  const Outcome outcome = tangra(predict({"--ridge", "0.01, 1,100"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* part :
       {"Ridges", "leave-one-out", "chosen", "one kernel shared by all 10 outputs: the mean"})
    EXPECT_TRUE(contains(outcome.out, part)) << part << "\n" << outcome.out;
  const json path = object_of(tangra(predict({"--ridge", "0.01,1,100", "--json"})))["path"];
  ASSERT_EQ(path.size(), 3U);
  EXPECT_EQ(path[2]["ridge"], 100);
}

TEST(Answers, PredictWithoutK) {
  const json object =
      object_of(tangra(predict({"--ridge", "0.5", "--solver", "cg", "--precision", "float64", "--json"})));
  EXPECT_EQ(object["solver"], "conjugate gradients");
  EXPECT_GT(object["iterations"], 0);
  EXPECT_TRUE(object["leave_one_out"].is_null());
}

TEST(Answers, PredictRefusesWhatContradictsItself) {
  expect_refused(tangra(predict({})), 2, {"--ridge"});
  expect_refused(tangra(predict({"--ridge", "-1"})), 2, {"--ridge", "cannot be negative"});
  expect_refused(tangra(predict({"--ridge", "a"})), 2, {"--ridge", "no number"});
  expect_refused(tangra(predict({"--ridge", "1", "--prior", "none"})), 2, {"--prior", "zero, network"});
  expect_refused(tangra(predict({"--ridge", "0", "--solver", "cg"})), 2, {"ridge above 0"});
  expect_refused(
      tangra({"predict", ten_outputs, "digits", "digits", "--n", "4", "--reduce", "mean", "--ridge", "1"}), 3,
      {"a class has no sample"});
  expect_refused(tangra({"predict", ten_outputs, "digits", ten_outputs, "--ridge", "1"}), 2,
                 {"a network stands"});
}

TEST(Answers, SpectrumTellsResidualsAndWritesVectors) {
  const TemporaryFolder folder;
  const std::string out = folder / "V.npz";
  const json object = object_of(tangra({"spectrum", ten_outputs, "digits", "--n", "30", "--reduce", "mean",
                                        "--json", "-o", out, "--density"}));
  for (const char* key : {"eigenvalues", "residuals", "rounding_bound", "verdict", "negative_beyond_rounding",
                          "condition", "trace", "effective_rank", "statement", "labels", "density"})
    EXPECT_TRUE(object.contains(key)) << key;
  EXPECT_EQ(object["residuals"].size(), 30U);
  EXPECT_EQ(object["labels"]["cumulated_share"].size(), 30U);
  EXPECT_EQ(formats::read_npz(out, "eigenvectors").shape(), (Shape{30, 30}));
  expect_refused(tangra({"spectrum", ten_outputs, "digits", "--n", "3", "--reduce", "mean", "-o", out}), 2,
                 {"exists", "--force"});
}

TEST(Answers, SpectrumWithoutKTellsWhatItDoesNotKnow) {
  const Outcome table = tangra(
      {"spectrum", ten_outputs, "digits", "--n", "40", "--reduce", "mean", "--top", "3", "--without-k"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  for (const char* part : {"undetermined", "an upper bound", "estimated", "K applied and never held"})
    EXPECT_TRUE(contains(table.out, part)) << part << "\n" << table.out;
  expect_refused(tangra({"spectrum", ten_outputs, "digits", "--n", "40", "--reduce", "mean", "--without-k"}),
                 2, {"--without-k", "--top"});
  // More than float32 products can give: what was found is told, with exit code 5.
  const Outcome tight =
      tangra({"spectrum", ten_outputs, "digits", "--n", "40", "--reduce", "mean", "--top", "3", "--without-k",
              "--tolerance", "1e-15", "--precision", "float32", "--json"});
  EXPECT_EQ(tight.exit_code, 5);
  EXPECT_TRUE(contains(tight.err, "not converged")) << tight.err;
  const json object = json::parse(tight.out, nullptr, false);
  EXPECT_EQ(object["eigenvalues"].size(), 3U);
  EXPECT_EQ(object["converged"], false);
}

TEST(Answers, InfiniteWritesAndCompares) {
  const TemporaryFolder folder;
  const std::string out = folder / "T.npy", chain = "Chain(Dense(64 => 200, relu), Dense(200 => 1))";
  const json object = object_of(tangra({"infinite", chain, "digits", "--n", "9", "--parameterization",
                                        "ntk(1.4, 0.1)", "--compare", "--json", "-o", out}));
  EXPECT_EQ(object["kind"], "ntk");
  EXPECT_LT(object["comparison"]["distance"], 0.5);
  EXPECT_NEAR(object["layers"][1]["sigma_w"].get<double>(), 1.4, 1e-12);
  EXPECT_EQ(formats::read_npy(out).shape(), (Shape{9, 9}));
  EXPECT_EQ(tangra({"infinite", chain, "digits", "digits", "--n", "9", "--n2", "4", "--init", "he", "--kind",
                    "nngp"})
                .exit_code,
            0);
  expect_refused(tangra({"infinite", chain, "digits", "--n", "9"}), 3,
                 {"glorot_uniform", "normal, lecun or he"});
  expect_refused(
      tangra({"infinite", chain, "digits", "--n", "9", "--init", "he", "--kind", "nngp", "--compare"}), 2,
      {"--compare"});
}

}  // namespace
}  // namespace tangra::test
