// How far apart two methods may be: what is let through and what is not.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tangra/base/error.h"
#include "verify/nets.h"

namespace tangra::verify::test {
namespace {

/// Another method whose result is tampered with.
class Tampered final : public Method {
 public:
  using Change = std::function<void(MethodResult&)>;
  Tampered(std::unique_ptr<Method> method, Change change)
      : method_(std::move(method)), change_(std::move(change)) {}
  std::string name() const override { return "tampered"; }
  bool exact() const override { return method_->exact(); }
  double unit_roundoff() const override { return method_->unit_roundoff(); }
  MethodResult run(const Problem& problem, const Context& context) const override {
    MethodResult result = method_->run(problem, context);
    change_(result);
    return result;
  }

 private:
  std::unique_ptr<Method> method_;
  Change change_;
};

VerifyResult tampered(const Problem& problem, std::size_t which, const Tampered::Change& change,
                      const VerifyOptions& options = {}) {
  const tangra::test::TestContext test;
  auto methods = default_methods(options);
  auto inner = std::move(default_methods(options)[which]);
  methods.push_back(std::make_unique<Tampered>(std::move(inner), change));
  return verify(problem, methods, options, test.context);
}

Index position_of_largest(const Tensor<double>& kernel) {
  Index best = 0;
  for (Index e = 0; e < kernel.size(); ++e) {
    if (std::abs(kernel[e]) > std::abs(kernel[best])) best = e;
  }
  return best;
}

/// Makes the largest entry of one parameter's kernel larger by `relative`.
Tampered::Change enlarge(std::size_t parameter, double relative) {
  return [=](MethodResult& result) {
    double& entry = result.kernels[parameter][position_of_largest(result.kernels[parameter])];
    entry += relative * entry;
  };
}

Problem healthy() {
  RandomNet net(3000);
  ValueId h = net.apply("Tanh", {net.dense("0", net.input(5), 7)});
  h = net.apply("Tanh", {net.dense("1", h, 7)});
  return net.problem(net.dense("2", h, 3), 4, "full");
}

/// Kinks at 0, saturation, and a softmax that is all but certain.
Problem unhealthy() {
  RandomNet net(3001);
  ValueId h = net.apply("Relu", {net.dense("0", net.input(5), 7)});
  h = net.apply("Sigmoid", {net.apply("Linear", {h, net.parameter("1.weight", {7, 7}, 20)})});
  h = net.apply("Linear", {h, net.parameter("2.weight", {3, 7}, 10)});
  return net.problem(net.apply("Softmax", {h}), 4, "full");
}

TEST(Bounds, ExactMethodsAreHeldToTwelveDigits) {
  const VerifyResult passed = tampered(healthy(), 1, enlarge(2, 1e-13));
  EXPECT_TRUE(passed.agree) << passed.first_failure;
  const VerifyResult failed = tampered(healthy(), 1, enlarge(2, 4e-12));
  EXPECT_FALSE(failed.agree);
  EXPECT_EQ(failed.failed_parameter, "1.weight");
  EXPECT_NE(failed.first_failure.find("tampered"), std::string::npos);
}

TEST(Bounds, RoundingAddsLittleForHealthyNetworks) {
  for (const PairResult& pair : verified(healthy()).pairs) {
    const bool exact = pair.second != "differences";
    EXPECT_GE(pair.bound, (exact ? 0.99e-12 : 0.99e-7) * pair.largest_entry);
    EXPECT_LE(pair.bound, (exact ? 2e-12 : 1.5e-7) * pair.largest_entry)
        << pair.parameter << ": " << pair.second;
  }
}

TEST(Bounds, AMillionthIsFoundWhateverTheNetwork) {
  for (const bool sound : {true, false}) {
    const Problem problem = sound ? healthy() : unhealthy();
    for (std::size_t parameter = 0; parameter < 3; ++parameter) {
      const VerifyResult result = tampered(problem, 0, enlarge(parameter, 1e-6));
      EXPECT_FALSE(result.agree);
      const ParameterId id = static_cast<ParameterId>(parameter);
      EXPECT_EQ(result.failed_parameter, problem.graph->parameter(id).name) << result.first_failure;
      EXPECT_EQ(result.odd_one_out, sound ? "tampered" : result.odd_one_out) << result.first_failure;
    }
  }
}

TEST(Bounds, Float32IsHeldToItsOwnFiveDigits) {
  VerifyOptions options;
  options.structured = DType::float32;
  EXPECT_TRUE(tampered(healthy(), 0, enlarge(0, 1e-6), options).agree);
  const VerifyResult failed = tampered(healthy(), 0, enlarge(0, 1e-4), options);
  EXPECT_FALSE(failed.agree);
  EXPECT_EQ(failed.failed_parameter, "0.weight");
}

TEST(Bounds, FiniteDifferencesAreHeldToSevenDigits) {
  EXPECT_TRUE(tampered(healthy(), 3, enlarge(0, 1e-8)).agree);
  const VerifyResult failed = tampered(healthy(), 3, enlarge(0, 1e-6));
  EXPECT_FALSE(failed.agree);
  EXPECT_EQ(failed.odd_one_out, "tampered");
}

TEST(Bounds, WhatIsNotFiniteNeverAgrees) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const VerifyResult result = tampered(healthy(), 1, [=](MethodResult& r) { r.kernels[1][3] = bad; });
    EXPECT_FALSE(result.agree) << bad;
    EXPECT_EQ(result.failed_parameter, "0.bias") << bad;
    EXPECT_EQ(result.odd_one_out, "tampered") << bad;
  }
}

TEST(Bounds, TheTotalIsComparedToo) {
  const VerifyResult result = tampered(healthy(), 0, [](MethodResult& r) { r.total[0] *= 1 + 1e-6; });
  EXPECT_FALSE(result.agree);
  EXPECT_EQ(result.failed_parameter, "total");
  EXPECT_EQ(result.odd_one_out, "tampered");
}

TEST(Bounds, AMethodThatFailsNumericallyDisagrees) {
  const VerifyResult result = tampered(healthy(), 1, [](MethodResult&) {
    throw Error(ErrorKind::numerics,
                {.what = "it did not converge", .where = {}, .got = {}, .expected = {}, .cure = {}});
  });
  EXPECT_FALSE(result.agree);
  EXPECT_EQ(result.odd_one_out, "tampered");
  ASSERT_FALSE(result.notes.empty());
  EXPECT_NE(result.notes.back().find("it did not converge"), std::string::npos);
  EXPECT_THROW(tampered(healthy(), 1,
                        [](MethodResult&) {
                          throw Error(ErrorKind::memory,
                                      {.what = "full", .where = {}, .got = {}, .expected = {}, .cure = {}});
                        }),
               Error);
}

TEST(Bounds, AJacobianBeyondTheMemoryBudgetIsRefused) {
  ThreadPool pool(1);
  MemoryLedger memory(1000);
  const Context context{pool, memory};
  const Problem problem = healthy();
  const Error error = tangra::test::error_of([&] { verify(problem, default_methods(), {}, context); });
  EXPECT_EQ(error.kind(), ErrorKind::memory);
  EXPECT_NE(std::string(error.what()).find("take fewer samples"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace tangra::verify::test
