#include "tangra/report/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/results.h"

namespace tangra::report {
namespace {

using nlohmann::json;

/// Fails where a key is absent.
void expect_keys(const json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) EXPECT_TRUE(object.contains(key)) << key;
}

TEST(Json, KernelHasTheFieldsOfTheContract) {
  const json object = json::parse(report::json(test::kernel_result()));
  expect_keys(object, {"shape", "axes", "reduce", "plan", "seconds", "peak_bytes", "measured_error",
                       "conventions", "model_fingerprint", "data_fingerprints", "precision", "version",
                       "machine", "threads", "requested"});
  EXPECT_EQ(object["shape"], json::array({3, 3}));
  EXPECT_EQ(object["axes"], json::array({"samples", "samples2"}));
  EXPECT_EQ(object["reduce"], "trace");
  EXPECT_EQ(object["model_fingerprint"], "0000000000000abc");
  EXPECT_EQ(object["data_fingerprints"], json::array({"123456789abcdef0"}));
  EXPECT_EQ(object["seconds"], 1.0);
  EXPECT_EQ(object["peak_bytes"], 3 << 20);
  ASSERT_EQ(object["plan"].size(), 1U);
  expect_keys(object["plan"][0], {"parameter", "part", "order", "reason", "multiply_adds", "bytes", "expected_seconds"});
  EXPECT_EQ(object["plan"][0]["orders"][0]["order"], "explicit rows");
  EXPECT_EQ(object["plan"][0]["orders"][1]["multiply_adds"], 396);
  EXPECT_EQ(object["expected"][1]["step"], "contraction");
  EXPECT_EQ(object["expected"][1]["seconds"], 0.5);
  EXPECT_EQ(object["measured_error"]["largest_relative"], 1.5e-7);
  EXPECT_EQ(object["statistics"]["corner"][0][0], 14.229333);
}

TEST(Json, AFloat64KernelHasNoMeasuredError) {
  run::KernelResult result = test::kernel_result();
  result.precision = "float64";
  result.measured_error.reset();
  EXPECT_TRUE(json::parse(report::json(result))["measured_error"].is_null());
}

TEST(Json, AFloat32KernelSaysWhyItsErrorWasNotMeasured) {
  run::KernelResult result = test::kernel_result();
  EXPECT_TRUE(json::parse(report::json(result))["not_measured"].is_null());
  result.measured_error.reset();
  result.not_measured = "needs a memory budget of at least 2 GiB";
  const json object = json::parse(report::json(result));
  EXPECT_TRUE(object["measured_error"].is_null());
  EXPECT_EQ(object["not_measured"], result.not_measured);
}

TEST(Json, SpectrumHasTheFieldsOfTheContract) {
  const json object = json::parse(report::json(test::spectrum_result()));
  expect_keys(object, {"eigenvalues", "residuals", "rounding_bound", "verdict", "negative_beyond_rounding",
                       "condition", "trace", "effective_rank"});
  EXPECT_EQ(object["eigenvalues"], json::array({100.0, 1.0, 1e-3, -1e-9}));
  EXPECT_EQ(object["verdict"], "semidefinite within rounding");
  EXPECT_TRUE(object["condition"].is_null()) << "infinity has no place in JSON";
}

TEST(Json, TopCutsTheEigenvalues) {
  run::SpectrumResult result = test::spectrum_result();
  result.top = 2;
  EXPECT_EQ(json::parse(report::json(result))["eigenvalues"].size(), 2U);
}

TEST(Json, VerifyHasTheFieldsOfTheContract) {
  const json object = json::parse(report::json(test::verify_result(false)));
  expect_keys(object, {"agree", "methods", "pairs", "first_failure"});
  EXPECT_EQ(object["agree"], false);
  ASSERT_EQ(object["pairs"].size(), 3U);
  expect_keys(object["pairs"][0], {"parameter", "first", "second", "difference", "bound", "agree"});
  EXPECT_EQ(object["pairs"][0]["difference"], 1.25e-15);
  EXPECT_TRUE(object["pairs"][1]["difference"].is_null()) << "not a number has no place in JSON";
}

TEST(Json, SummaryAndArraysAndDataSetsParse) {
  const json summary = json::parse(report::json(test::summary_result()));
  EXPECT_EQ(summary["parameters"][1]["trainable"], false);
  EXPECT_EQ(summary["model"]["parameters"], 1234567);
  const json arrays = json::parse(report::json(test::arrays_result()));
  EXPECT_EQ(arrays["command"], "jacobian");
  EXPECT_EQ(arrays["arrays"][0]["shape"], json::array({2, 2}));
  const json list = json::parse(report::json(DataSetList{data::list()}));
  EXPECT_EQ(list["data_sets"][0]["name"], "digits");
  DataSetShown shown;
  shown.name = "mnist";
  EXPECT_TRUE(json::parse(report::json(shown))["shape"].is_null());
}

TEST(Json, NamesThatAreNotUtf8DoNotBreakIt) {
  run::KernelResult result = test::kernel_result();
  result.out = "K\xff.npz";
  EXPECT_TRUE(json::accept(report::json(result)));
}

TEST(Json, Training) {
  const json object = json::parse(report::json(test::train_result(false)));
  EXPECT_EQ(object["command"], "train");
  EXPECT_EQ(object["optimizer"]["momentum"], 0.9);
  EXPECT_EQ(object["rate_bound"]["bound"], 0.19);
  EXPECT_EQ(object["rate_bound"]["converged"], false);
  EXPECT_EQ(object["diverged"], false);
  EXPECT_EQ(object["divergence"], nullptr);
  ASSERT_EQ(object["epochs"].size(), 41U);
  EXPECT_EQ(object["epochs"][3]["steps"], 6);
  EXPECT_EQ(object["epochs"][3]["train"]["loss"], 2);
  EXPECT_EQ(object["epochs"][3]["test"]["accuracy"], 1);
  ASSERT_EQ(object["kernel_moments"].size(), 2U);
  EXPECT_EQ(object["kernel_moments"][1]["distance"], 0.125);
  EXPECT_EQ(object["kernel_moments"][1]["label_alignment"], 0.5);
  EXPECT_EQ(object["kernel_moments"][1]["eigenvalues"], (json{3, 1}));
  EXPECT_EQ(object["resumed_from"], 20);
  EXPECT_EQ(object["checkpoint"], "W.checkpoint.safetensors");
  EXPECT_EQ(object["out"], "W.safetensors");
  const json diverged = json::parse(report::json(test::train_result(true)));
  EXPECT_EQ(diverged["diverged"], true);
  EXPECT_EQ(diverged["divergence"]["epoch"], 41);
  EXPECT_EQ(diverged["out"], nullptr);
}

TEST(Json, Linearise) {
  const json object = json::parse(report::json(test::linearise_result()));
  EXPECT_EQ(object["command"], "linearise");
  EXPECT_EQ(object["lr"], 0.25);
  EXPECT_EQ(object["largest_distance"], 0.125);
  EXPECT_EQ(object["largest_distance_test"], 0.126);
  EXPECT_EQ(object["kernel_distance"], 0.0625);
  EXPECT_EQ(object["moments"][1]["step"], 1000);
  EXPECT_EQ(object["moments"][1]["train"]["network"]["loss"], 1);
  EXPECT_EQ(object["moments"][1]["test"]["linearised"]["accuracy"], 1);
  EXPECT_EQ(object["moments"][1]["test"]["moved"], 0.5);
}

}  // namespace
}  // namespace tangra::report
