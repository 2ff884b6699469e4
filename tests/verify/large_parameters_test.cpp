// Parameters with too many entries to be stepped and pushed one by one.
#include <gtest/gtest.h>

#include <algorithm>

#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

VerifyOptions by_directions() {
  VerifyOptions options;
  options.work_limit = 0;
  return options;
}

Index directional_pairs(const VerifyResult& result) {
  return std::ranges::count(result.pairs, "directional derivatives", &PairResult::what);
}

TEST(LargeParameters, AgreeAlongDirections) {
  for (const std::string activation : {"Tanh", "Relu"}) {
    for (const std::string& reduction : reductions) {
      RandomNet net(5000);
      ValueId h = net.apply(activation, {net.dense("0", net.input(13), 11)});
      h = net.apply(activation, {net.dense("1", h, 7)});
      const VerifyResult result = verified(net.problem(net.dense("2", h, 3), 4, reduction), by_directions());
      EXPECT_TRUE(result.agree) << activation << ", " << reduction << ": " << result.first_failure;
      EXPECT_EQ(directional_pairs(result), 6 * 3) << "jacobian, product and differences, for each parameter";
      EXPECT_EQ(result.pairs.size(), 7u * 6u + 18u) << "every pair is compared as a kernel all the same";
    }
  }
}

TEST(LargeParameters, TheResultSaysSo) {
  RandomNet net(5010);
  const VerifyResult result =
      verified(net.problem(net.dense("0", net.input(5), 3), 2, "full"), by_directions());
  EXPECT_EQ(std::ranges::count_if(result.notes,
                                  [](const std::string& note) {
                                    return note.find("J (J^T e)") != std::string::npos ||
                                           note.find("along J^T e") != std::string::npos;
                                  }),
            4)
      << "product and differences, weight and bias";
  const VerifyResult small = verified(net.problem(0, 2, "full"));
  EXPECT_EQ(directional_pairs(small), 0);
}

TEST(LargeParameters, OnlyWhatIsBeyondTheLimitGoesAlongDirections) {
  RandomNet net(5020);
  const ValueId h = net.apply("Tanh", {net.dense("0", net.input(50), 20)});
  VerifyOptions options;
  options.work_limit = 2e6;
  const VerifyResult result = verified(net.problem(net.dense("1", h, 3), 3, "full"), options);
  EXPECT_TRUE(result.agree) << result.first_failure;
  for (const PairResult& pair : result.pairs) {
    if (pair.what != "directional derivatives") continue;
    EXPECT_EQ(pair.parameter, "0.weight");
  }
  EXPECT_EQ(directional_pairs(result), 3);
}

}  // namespace
}  // namespace tangra::verify::test
