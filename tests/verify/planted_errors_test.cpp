// The errors that people make in kernels written by hand are caught, and named: the parameter, and the
// method.
#include <gtest/gtest.h>

#include "verify/hand_kernel.h"
#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

struct Plant {
  Mistake mistake;
  const char* name;
  const char* parameter;  ///< the first that it spoils
};

const Plant plants[] = {
    {Mistake::bias_dropped, "bias dropped", "0.bias"},
    {Mistake::bias_twice, "bias counted twice", "0.bias"},
    {Mistake::mean_over_outputs, "mean over outputs", "0.weight"},
    {Mistake::mean_over_samples, "mean over samples", "0.weight"},
    {Mistake::slope_of_one_minus_output, "s(out) s(1-out)", "0.weight"},
    {Mistake::transposed_weight, "transposed weight", "0.weight"},
    {Mistake::last_bias_missing, "last bias missing", "2.bias"},
};

Problem sigmoid_problem(const std::string& reduction) {
  RandomNet net(2000);
  ValueId h = net.input(3);
  for (const Index width : {4, 4, 2}) {
    h = net.apply("Sigmoid", {net.dense(width == 2 ? "2" : net.width(h) == 3 ? "0" : "1", h, width)});
  }
  return net.problem(h, 3, reduction);
}

std::vector<std::unique_ptr<Method>> with_hand_kernel(Mistake mistake, const VerifyOptions& options = {}) {
  auto methods = default_methods(options);
  methods.insert(methods.begin(), std::make_unique<HandKernel>(mistake));
  return methods;
}

TEST(PlantedErrors, AFaultlessKernelByHandAgrees) {
  const tangra::test::TestContext test;
  for (const std::string reduction : {"full", "trace"}) {
    const VerifyResult result =
        verify(sigmoid_problem(reduction), with_hand_kernel(Mistake::none), {}, test.context);
    EXPECT_TRUE(result.agree) << result.first_failure;
    EXPECT_EQ(result.first_failure, "");
    EXPECT_EQ(result.pairs.size(), 7u * 10u) << "six parameters and their total, every pair of five methods";
  }
}

TEST(PlantedErrors, EachIsCaughtAndNamed) {
  const tangra::test::TestContext test;
  for (const std::string reduction : {"full", "trace"}) {
    for (const Plant& plant : plants) {
      const VerifyResult result =
          verify(sigmoid_problem(reduction), with_hand_kernel(plant.mistake), {}, test.context);
      EXPECT_FALSE(result.agree) << plant.name;
      EXPECT_EQ(result.failed_parameter, plant.parameter) << plant.name;
      EXPECT_EQ(result.odd_one_out, "by hand") << plant.name << ": " << result.first_failure;
      EXPECT_EQ(result.first_failure.find(std::string(plant.parameter) + ": by hand and structured part"), 0u)
          << result.first_failure;
    }
  }
}

TEST(PlantedErrors, EachIsCaughtWhereNothingGoesEntryByEntry) {
  const tangra::test::TestContext test;
  VerifyOptions options;
  options.work_limit = 0;
  for (const Plant& plant : plants) {
    const VerifyResult result =
        verify(sigmoid_problem("full"), with_hand_kernel(plant.mistake, options), options, test.context);
    EXPECT_FALSE(result.agree) << plant.name;
    EXPECT_EQ(result.failed_parameter, plant.parameter) << plant.name;
    EXPECT_EQ(result.odd_one_out, "by hand") << plant.name << ": " << result.first_failure;
  }
}

TEST(PlantedErrors, WithTwoMethodsNoneStandsAlone) {
  const tangra::test::TestContext test;
  auto methods = with_hand_kernel(Mistake::bias_twice);
  methods.resize(2);
  const VerifyResult result = verify(sigmoid_problem("full"), methods, {}, test.context);
  EXPECT_FALSE(result.agree);
  EXPECT_EQ(result.odd_one_out, "");
  EXPECT_NE(result.first_failure.find("0.bias: by hand and structured part"), std::string::npos);
}

TEST(PlantedErrors, AFaultOfAllButOneIsNotLaidAtOneMethodsDoor) {
  const tangra::test::TestContext test;
  std::vector<std::unique_ptr<Method>> methods;
  methods.push_back(std::make_unique<HandKernel>(Mistake::bias_twice));
  methods.push_back(std::make_unique<HandKernel>(Mistake::bias_dropped));
  methods.push_back(std::make_unique<HandKernel>(Mistake::none));
  const VerifyResult result = verify(sigmoid_problem("full"), methods, {}, test.context);
  EXPECT_EQ(result.failed_parameter, "0.bias");
  EXPECT_EQ(result.odd_one_out, "") << "all three differ from one another";
}

}  // namespace
}  // namespace tangra::verify::test
