#include "tangra/ops/builder.h"

#include <gtest/gtest.h>

#include "support/support.h"

namespace tangra::ops {
namespace {

Parameter zeros(std::string name, Shape shape) {
  return {.name = std::move(name), .layer = "layer", .role = ParameterRole::weight, .why = {}, .trainable = true,
          .data = Array(Tensor<float>(std::move(shape))), .value = no_id};
}

TEST(GraphBuilder, FindsShapesAndDependence) {
  GraphBuilder builder;
  const ValueId x = builder.input("x", {4});
  const ValueId w = builder.parameter(zeros("w", {3, 4}));
  const ValueId half = builder.constant("half", Array(Tensor<double>(Shape{})));
  const ValueId scaled = builder.apply("Mul", {w, half}, {}, "scaled");
  const ValueId y = builder.apply("Linear", {x, scaled}, {}, "y");
  builder.output(y);
  const Graph graph = builder.finish();
  EXPECT_EQ(graph.shape(y), (Shape{3}));
  EXPECT_EQ(graph.value(scaled).dependence, Dependence::parameters);
  EXPECT_EQ(graph.value(half).dependence, Dependence::constant);
  EXPECT_EQ(graph.value(y).dependence, Dependence::samples);
  EXPECT_EQ(graph.parameter_count(), 12);
}

TEST(GraphBuilder, ShapesStayWhereValuesAreAdded) {
  static_assert(!std::is_reference_v<decltype(std::declval<GraphBuilder&>().shape(0))>);
  GraphBuilder builder;
  const auto& shape = builder.shape(builder.input("x", {4}));
  for (int k = 0; k < 100; ++k) builder.input("x" + std::to_string(k), {7, 7});
  EXPECT_EQ(shape, (Shape{4}));
}

TEST(GraphBuilder, RefusesWhatDoesNotFitAndNamesTheNode) {
  GraphBuilder builder;
  const ValueId x = builder.input("x", {4});
  const ValueId w = builder.parameter(zeros("w", {3, 5}));
  const Error error = test::error_of([&] { builder.apply("Linear", {x, w}, {}, "dense7"); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_NE(std::string(error.what()).find("dense7"), std::string::npos);
  EXPECT_EQ(test::error_of([&] { builder.apply("Lineal", {x, w}, {}, "y"); }).kind(), ErrorKind::unsupported);
  EXPECT_EQ(test::error_of([&] { builder.input("x", {1}); }).kind(), ErrorKind::input);
  EXPECT_EQ(test::error_of([&] { builder.apply("Add", {x}, {}, "z"); }).kind(), ErrorKind::input);
  EXPECT_EQ(test::error_of([&] { builder.apply("Softmax", {x}, {{"axis", Index{1}}}, "s"); }).kind(), ErrorKind::input);
  EXPECT_EQ(test::error_of([&] { builder.apply("Reshape", {x}, {{"shape", std::vector<Index>{3, -1}}}, "r"); }).kind(),
            ErrorKind::input);
}

TEST(SelectParameters, FreezesByName) {
  GraphBuilder builder;
  const ValueId x = builder.input("x", {4});
  const ValueId y = builder.apply("Linear", {x, builder.parameter(zeros("0.weight", {3, 4})), builder.parameter(zeros("0.bias", {3}))},
                                  {}, "0");
  builder.output(builder.apply("Linear", {y, builder.parameter(zeros("1.weight", {2, 3}))}, {}, "1"));
  Graph graph = builder.finish();
  const std::uint64_t before = fingerprint(graph);
  select_parameters(graph, "weight", "^1");
  EXPECT_EQ(graph.parameter_count(), 12);
  EXPECT_FALSE(graph.parameter(graph.find_parameter("0.bias")).trainable);
  EXPECT_NE(fingerprint(graph), before);
  EXPECT_EQ(test::error_of([&] { select_parameters(graph, "nothing", ""); }).kind(), ErrorKind::usage);
  EXPECT_EQ(test::error_of([&] { select_parameters(graph, "(", ""); }).kind(), ErrorKind::usage);
}

TEST(SelectParameters, NoneLearnedIsNotTheFaultOfAnOption) {
  GraphBuilder builder;
  const ValueId x = builder.input("x", {4});
  const ValueId w = builder.parameter({.name = "W", .layer = "0", .why = "not learned: a mask", .trainable = false,
                                       .data = zeros("W", {3, 4}).data, .value = no_id});
  builder.output(builder.apply("Linear", {x, w}, {}, "0"));
  Graph graph = builder.finish();
  const Error error = test::error_of([&] { select_parameters(graph, "", ""); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_NE(error.complaint().got.find("W (not learned: a mask)"), std::string::npos);
  EXPECT_EQ(std::string(error.what()).find("--buffers"), std::string::npos);
  EXPECT_EQ(test::error_of([&] { select_parameters(graph, "", "W"); }).kind(), ErrorKind::usage);
}

TEST(SelectParameters, AStatisticIsNeverLearnedAndAReasonStays) {
  GraphBuilder builder;
  const ValueId x = builder.input("x", {4});
  Parameter mean = zeros("bn.mean", {4});
  mean.trainable = false;
  mean.role = ParameterRole::statistic;
  mean.why = "not learned: a running statistic";
  Parameter mask = zeros("bn.mask", {4});
  mask.trainable = false;
  const ValueId y = builder.apply("Add", {x, builder.parameter(std::move(mean))}, {}, "a");
  builder.output(builder.apply("Add", {y, builder.parameter(std::move(mask))}, {}, "b"));
  Graph graph = builder.finish();
  select_parameters(graph, "bn", "mean");
  EXPECT_EQ(graph.parameter_count(), 4);
  EXPECT_FALSE(graph.parameter(graph.find_parameter("bn.mean")).trainable);
  EXPECT_EQ(graph.parameter(graph.find_parameter("bn.mean")).why, "not learned: a running statistic");
  EXPECT_TRUE(graph.parameter(graph.find_parameter("bn.mask")).trainable);
}

}  // namespace
}  // namespace tangra::ops
