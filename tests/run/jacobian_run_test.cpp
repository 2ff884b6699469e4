#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/run/run.h"

namespace tangra::run {
namespace {

constexpr const char* network = "Chain(Dense(64 => 7, tanh), Dense(7 => 3), softmax)";
constexpr Index samples = 5;
constexpr Index outputs = 3;

JacobianSpec spec_of(std::vector<std::string> wrt) {
  JacobianSpec spec;
  spec.model.text = network;
  spec.data.source = "digits";
  spec.data.n = samples;
  spec.wrt = std::move(wrt);
  spec.precision = Precision::float64;
  return spec;
}

std::map<std::string, Tensor<double>> arrays_of(const ArraysResult& result) {
  std::map<std::string, Tensor<double>> arrays;
  for (const NamedArray& one : result.arrays) arrays[one.name] = one.array.converted<double>();
  return arrays;
}

TEST(RunJacobian, ShapesAndNames) {
  const auto arrays = arrays_of(run_jacobian(spec_of({"parameters", "input", "0"})));
  EXPECT_EQ(arrays.at("output").shape(), (Shape{samples, outputs}));
  EXPECT_EQ(arrays.at("jacobian:0.weight").shape(), (Shape{samples, outputs, 7, 64}));
  EXPECT_EQ(arrays.at("jacobian:0.bias").shape(), (Shape{samples, outputs, 7}));
  EXPECT_EQ(arrays.at("jacobian:input").shape(), (Shape{samples, outputs, 64}));
  EXPECT_EQ(arrays.at("jacobian:0").shape(), (Shape{samples, outputs, 7}));
}

TEST(RunJacobian, StructuredFormMultipliesOutToTheFullForm) {
  const auto full = arrays_of(run_jacobian(spec_of({"parameters"})));
  JacobianSpec spec = spec_of({"parameters"});
  spec.layout = JacobianLayout::structured;
  const ArraysResult result = run_jacobian(spec);
  const auto structured = arrays_of(result);
  const Tensor<double>& left = structured.at("jacobian:0.weight/left");
  const Tensor<double>& right = structured.at("jacobian:0.weight/right");
  ASSERT_EQ(left.shape(), (Shape{samples, outputs, 7}));
  ASSERT_EQ(right.shape(), (Shape{samples, 64}));
  for (Index i = 0; i < samples; ++i) {
    for (Index a = 0; a < outputs; ++a) {
      for (Index c = 0; c < 7; ++c) {
        for (Index k = 0; k < 64; ++k) {
          EXPECT_NEAR(full.at("jacobian:0.weight")[((i * outputs + a) * 7 + c) * 64 + k],
                      left[(i * outputs + a) * 7 + c] * right[i * 64 + k], 1e-16);
        }
      }
    }
  }
  EXPECT_NE(result.notes.front().find("not themselves Jacobians"), std::string::npos);
}

TEST(RunJacobian, FormsOfTheInputJacobian) {
  const auto blocks = arrays_of(run_jacobian(spec_of({"input"}))).at("jacobian:input").clone();
  JacobianSpec spec = spec_of({"input"});
  spec.input_form = InputForm::full;
  const auto full = arrays_of(run_jacobian(spec)).at("jacobian:input").clone();
  ASSERT_EQ(full.shape(), (Shape{samples, outputs, 64, samples}));
  for (Index e = 0; e < blocks.size(); ++e) {
    for (Index j = 0; j < samples; ++j) EXPECT_EQ(full[e * samples + j], j == e / (outputs * 64) ? blocks[e] : 0.0);
  }
  spec.input_form = InputForm::summed;
  spec.model.text = "Chain(Dense(64 => 7, tanh), Dense(7 => 3))";
  const auto summed = arrays_of(run_jacobian(spec)).at("gradient:input").clone();
  spec.input_form = InputForm::blocks;
  const auto own = arrays_of(run_jacobian(spec)).at("jacobian:input").clone();
  ASSERT_EQ(summed.shape(), (Shape{samples, 64}));
  for (Index i = 0; i < samples; ++i) {
    for (Index f = 0; f < 64; ++f) {
      double sum = 0;
      for (Index a = 0; a < outputs; ++a) sum += own[(i * outputs + a) * 64 + f];
      EXPECT_NEAR(summed[i * 64 + f], sum, 1e-15);
    }
  }
}

TEST(RunJacobian, OfAHiddenValueByANamedParameter) {
  JacobianSpec spec = spec_of({"0.weight"});
  spec.of = "0.linear";
  const auto arrays = arrays_of(run_jacobian(spec));
  EXPECT_EQ(arrays.at("output").shape(), (Shape{samples, 7}));
  const Tensor<double>& jacobian = arrays.at("jacobian:0.weight");
  ASSERT_EQ(jacobian.shape(), (Shape{samples, 7, 7, 64}));
  JacobianSpec of_input = spec_of({"input"});
  const Tensor<double> x = arrays_of(run_jacobian([&] {
                             JacobianSpec identity = of_input;
                             identity.model.text = "Chain(identity)";
                             return identity;
                           }()))
                               .at("output")
                               .clone();
  for (Index i = 0; i < samples; ++i) {
    for (Index a = 0; a < 7; ++a) {
      for (Index c = 0; c < 7; ++c) {
        for (Index k = 0; k < 64; ++k) {
          EXPECT_EQ(jacobian[((i * 7 + a) * 7 + c) * 64 + k], a == c ? x[i * 64 + k] : 0.0);
        }
      }
    }
  }
}

TEST(RunJacobian, OfANestedChainByItsName) {
  JacobianSpec spec = spec_of({"parameters"});
  spec.model.text = "Chain(Dense(64 => 5, tanh), inner = Chain(Dense(5 => 4), tanh), Dense(4 => 2))";
  spec.of = "inner";
  const auto by_name = arrays_of(run_jacobian(spec));
  spec.of = "inner.1";
  const auto by_layer = arrays_of(run_jacobian(spec));
  EXPECT_EQ(by_name.at("output").shape(), (Shape{samples, 4}));
  const Tensor<double>& jacobian = by_name.at("jacobian:0.weight");
  EXPECT_TRUE(std::ranges::equal(jacobian, by_layer.at("jacobian:0.weight")));
}

TEST(RunJacobian, RefusesUnknownNames) {
  EXPECT_EQ(test::error_of([] { run_jacobian(spec_of({"0.wait"})); }).kind(), ErrorKind::usage);
  JacobianSpec spec = spec_of({"input"});
  spec.of = "7";
  EXPECT_EQ(test::error_of([&] { run_jacobian(spec); }).kind(), ErrorKind::usage);
  spec = spec_of({"0.weight"});
  spec.model.buffers = "0.weight";
  EXPECT_EQ(test::error_of([&] { run_jacobian(spec); }).kind(), ErrorKind::usage);
}

TEST(RunProduct, JvpAndVjpAreTheJacobianTimesVectors) {
  const test::TemporaryFolder folder;
  const auto jacobian = arrays_of(run_jacobian(spec_of({"parameters", "input"})));
  std::mt19937 random(4);
  const auto drawn = [&](Shape shape) {
    Tensor<double> tensor(std::move(shape));
    for (double& entry : tensor) entry = static_cast<double>(random()) / 4294967296.0 - 0.5;
    return tensor;
  };
  const Tensor<double> t_weight = drawn({7, 64});
  const Tensor<double> t_input = drawn({samples, 64});
  const Tensor<double> cotangent = drawn({samples, outputs});
  formats::write_npz(folder / "T.npz", {{"0.weight", Array(t_weight)}, {"input", Array(t_input)}});
  formats::write_npy(folder / "C.npy", Array(cotangent));
  ProductSpec spec;
  spec.model.text = network;
  spec.data.source = "digits";
  spec.data.n = samples;
  spec.precision = Precision::float64;
  spec.directions = (folder / "T.npz").string();
  const auto jvp = arrays_of(run_product(spec)).at("jvp").clone();
  const Tensor<double>& by_weight = jacobian.at("jacobian:0.weight");
  const Tensor<double>& by_input = jacobian.at("jacobian:input");
  for (Index row = 0; row < samples * outputs; ++row) {
    double sum = 0;
    for (Index e = 0; e < 7 * 64; ++e) sum += by_weight[row * 7 * 64 + e] * t_weight[e];
    for (Index e = 0; e < 64; ++e) sum += by_input[row * 64 + e] * t_input[row / outputs * 64 + e];
    EXPECT_NEAR(jvp[row], sum, 1e-14);
  }
  spec.forward = false;
  spec.directions = (folder / "C.npy").string();
  const auto vjp = arrays_of(run_product(spec));
  for (Index e = 0; e < 7 * 64; ++e) {
    double sum = 0;
    for (Index row = 0; row < samples * outputs; ++row) sum += by_weight[row * 7 * 64 + e] * cotangent[row];
    EXPECT_NEAR(vjp.at("vjp:0.weight")[e], sum, 1e-14);
  }
  for (Index i = 0; i < samples; ++i) {
    for (Index f = 0; f < 64; ++f) {
      double sum = 0;
      for (Index a = 0; a < outputs; ++a) sum += by_input[(i * outputs + a) * 64 + f] * cotangent[i * outputs + a];
      EXPECT_NEAR(vjp.at("vjp:input")[i * 64 + f], sum, 1e-15);
    }
  }
  spec.directions = (folder / "T.npz").string();
  EXPECT_EQ(test::error_of([&] { run_product(spec); }).kind(), ErrorKind::input);
}

}  // namespace
}  // namespace tangra::run
