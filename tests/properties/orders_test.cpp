// Orders of contraction, passes and sweeps on networks with convolutions, tables and tied parameters.
#include <gtest/gtest.h>

#include <cmath>

#include "support/networks.h"
#include "support/support.h"

namespace tangra {
namespace {

using factors::Order;
using kernel::PartsBy;
using test::kernel_of;
using test::random_tensor;

ValueId weight(ops::GraphBuilder& builder, const std::string& name, const Shape& shape, unsigned seed) {
  const Tensor<double> drawn = random_tensor(shape, seed, -0.6, 0.6);
  return builder.parameter(test::parameter(name, shape, std::vector<double>(drawn.begin(), drawn.end())));
}

/// Convolutions of all kinds: padded, of stride 2, depthwise, in groups, one applied twice, pointwise; then a dense layer.
std::shared_ptr<const Graph> pictures() {
  ops::GraphBuilder builder("pictures");
  ValueId x = builder.input("input", {2, 7, 6});
  const auto pads = std::vector<Index>{1, 1, 1, 1};
  x = builder.apply("Conv", {x, weight(builder, "padded.weight", {4, 2, 3, 3}, 1), weight(builder, "padded.bias", {4}, 2)},
                    {{"pads", pads}}, "padded");
  x = builder.apply("Relu", {x}, {}, "relu");
  const ValueId twice = weight(builder, "twice.weight", {4, 4, 3, 3}, 3);
  const ValueId once = builder.apply("Conv", {x, twice}, {{"pads", pads}}, "once");
  x = builder.apply("Add", {x, builder.apply("Tanh", {builder.apply("Conv", {once, twice}, {{"pads", pads}}, "again")}, {}, "tanh")},
                    {}, "skip");
  x = builder.apply("Conv", {x, weight(builder, "strided.weight", {6, 4, 2, 3}, 4)}, {{"strides", std::vector<Index>{2, 2}}}, "strided");
  x = builder.apply("Conv", {x, weight(builder, "depthwise.weight", {6, 1, 2, 2}, 5)}, {{"group", Index{6}}}, "depthwise");
  x = builder.apply("Softplus", {x}, {}, "softplus");
  x = builder.apply("Conv", {x, weight(builder, "groups.weight", {4, 3, 1, 1}, 6)}, {{"group", Index{2}}}, "groups");
  x = builder.apply("Conv", {x, weight(builder, "pointwise.weight", {3, 4, 1, 1}, 7)}, {}, "pointwise");
  x = builder.apply("Reshape", {x}, {{"shape", std::vector<Index>{-1}}}, "flat");
  const Index width = builder.shape(x).elements();
  x = builder.apply("Linear", {x, weight(builder, "last.weight", {3, width}, 8), weight(builder, "last.bias", {3}, 9)}, {}, "last");
  builder.output(x);
  return std::make_shared<const Graph>(builder.finish());
}

/// A table of tokens whose transpose is the last layer, and a layer that every token passes.
std::shared_ptr<const Graph> sentences() {
  ops::GraphBuilder builder("sentences");
  const ValueId tokens = builder.input("input", {5});
  const ValueId table = weight(builder, "table.weight", {11, 4}, 1);
  ValueId x = builder.apply("GatherData", {table, tokens}, {{"axis", Index{0}}}, "embedded");
  const ValueId mixed = builder.apply("Linear", {x, weight(builder, "token.weight", {4, 4}, 2), weight(builder, "token.bias", {4}, 3)},
                                      {}, "token");
  x = builder.apply("Add", {x, builder.apply("Tanh", {mixed}, {}, "tanh")}, {}, "skip");
  const ValueId other = weight(builder, "other.weight", {11, 4}, 4);
  x = builder.apply("Mul", {x, builder.apply("GatherData", {other, tokens}, {{"axis", Index{0}}}, "gates")}, {}, "gated");
  x = builder.apply("Linear", {x, table}, {}, "logits");
  x = builder.apply("LogSoftmax", {x}, {{"axis", Index{-1}}}, "logs");
  x = builder.apply("ReduceMax", {x}, {{"axes", std::vector<Index>{-1}}, {"keepdims", Index{0}}}, "best");
  builder.output(x);
  return std::make_shared<const Graph>(builder.finish());
}

struct Network {
  std::string name;
  std::shared_ptr<const Graph> graph;
  Tensor<double> inputs;
};

std::vector<Network> networks(Index samples) {
  std::vector<Network> list;
  list.push_back({"pictures", pictures(), random_tensor({samples, 2, 7, 6}, 5)});
  Tensor<double> tokens(Shape{samples, 5});
  for (Index e = 0; e < tokens.size(); ++e) tokens[e] = static_cast<double>((e * e + 3 * (e / 5)) % 11);
  list.push_back({"sentences", sentences(), std::move(tokens)});
  return list;
}

double largest(const Tensor<double>& kernel) {
  double most = 0;
  for (const double entry : kernel) most = std::max(most, std::abs(entry));
  return most;
}

TEST(Orders, AgreeWithinRoundingByParameter) {
  test::TestContext context;
  for (const Network& network : networks(9)) {
    for (const std::string reduce : {"full", "trace", "diagonal", "sum", "output=1"}) {
      const auto rows = kernel_of<double>(network.graph, network.inputs, nullptr, {.reduce = reduce, .order = Order::explicit_rows},
                                          context.context);
      for (const std::optional<Order> order : {std::optional<Order>{}, std::optional(Order::both_grams),
                                               std::optional(Order::position_grams), std::optional(Order::pixel_grams)}) {
        const auto other = kernel_of<double>(network.graph, network.inputs, nullptr, {.reduce = reduce, .order = order}, context.context);
        for (std::size_t part = 0; part < rows.parts.size(); ++part) {
          const double bound = 1e-13 * largest(rows.parts[part]);
          for (Index e = 0; e < rows.parts[part].size(); ++e) {
            ASSERT_NEAR(rows.parts[part][e], other.parts[part][e], bound) << network.name << ", " << reduce << ", " << rows.names[part];
          }
        }
      }
    }
  }
}

TEST(Orders, TakeTheFormsThatTheUsesHave) {
  test::TestContext context;
  const auto find = [](const factors::ContractionPlan& plan, const Graph& graph, const std::string& name) {
    for (const factors::Contraction& contraction : plan.contractions) {
      if (graph.parameter(contraction.parameter).name == name) return contraction;
    }
    ADD_FAILURE() << name;
    return factors::Contraction{};
  };
  const std::vector<Network> both = networks(3);
  for (const Order order : {Order::both_grams, Order::position_grams, Order::pixel_grams}) {
    const auto of_pictures = kernel_of<double>(both[0].graph, both[0].inputs, nullptr, {.reduce = "trace", .order = order}, context.context);
    EXPECT_EQ(find(of_pictures.report.plan, *both[0].graph, "padded.weight").order, order);
    EXPECT_EQ(find(of_pictures.report.plan, *both[0].graph, "twice.weight").order, order) << "both of its uses";
    EXPECT_EQ(find(of_pictures.report.plan, *both[0].graph, "depthwise.weight").order, Order::explicit_rows);
  }
  const auto of_sentences = kernel_of<double>(both[1].graph, both[1].inputs, nullptr, {.reduce = "trace"}, context.context);
  EXPECT_EQ(find(of_sentences.report.plan, *both[1].graph, "other.weight").order, Order::position_grams) << "by tokens";
  const auto tied = find(of_sentences.report.plan, *both[1].graph, "table.weight");
  EXPECT_EQ(tied.terms.size(), 2U) << "the table and the last layer";
}

/// The same bits for any threads, blocks and budgets; small budgets need passes or groups.
TEST(Orders, BitsDependOnNeitherThreadsNorBlocksNorPasses) {
  for (const Network& network : networks(23)) {
    const Tensor<float> inputs = Array(network.inputs).converted<float>();
    for (const std::string reduce : {"full", "trace", "diagonal"}) {
      for (const std::optional<Order> order : {std::optional<Order>{}, std::optional(Order::explicit_rows), std::optional(Order::pixel_grams)}) {
        test::TestContext one(1);
        const auto k = kernel_of<float>(network.graph, inputs, nullptr, {.reduce = reduce, .order = order}, one.context);
        EXPECT_EQ(k.report.passes, 1);
        const auto expect_same = [&](const test::Kernel<float>& again, const std::string& where) {
          for (std::size_t part = 0; part < k.parts.size(); ++part) {
            ASSERT_EQ(std::memcmp(k.parts[part].data(), again.parts[part].data(), k.parts[part].bytes()), 0)
                << network.name << ", " << reduce << ", " << where << ", " << k.names[part];
          }
        };
        for (const Index block : {1, 5, 100}) {
          test::TestContext many(3);
          expect_same(kernel_of<float>(network.graph, inputs, nullptr, {.reduce = reduce, .block_samples = block, .order = order}, many.context),
                      "blocks of " + std::to_string(block));
        }
      }
    }
  }
}

TEST(Orders, PassesHoldTheBudget) {
  bool several_passes = false;
  for (const Network& network : networks(40)) {
    const Tensor<float> inputs = Array(network.inputs).converted<float>();
    const auto kernel_within = [&](std::size_t budget) {
      ThreadPool pool(2);
      MemoryLedger ledger(budget);
      const Context context{.pool = pool, .memory = ledger};
      return kernel_of<float>(network.graph, inputs, nullptr, {.reduce = "trace", .by = PartsBy::total, .order = Order::explicit_rows}, context);
    };
    const auto free = kernel_within(0);
    for (std::size_t budget = std::size_t{4} << 20U; budget >= (std::size_t{96} << 10U); budget = budget * 3 / 4) {
      std::optional<test::Kernel<float>> tight;
      try {
        tight = kernel_within(budget);
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::memory) << error.what();
        break;
      }
      several_passes = several_passes || tight->report.passes > 1;
      ASSERT_EQ(std::memcmp(free.parts[0].data(), tight->parts[0].data(), free.parts[0].bytes()), 0)
          << network.name << " within " << budget << ", passes " << tight->report.passes << ", groups " << tight->report.groups;
    }
  }
  EXPECT_TRUE(several_passes);
}

/// A table of 320,000 entries of which every sample reads 80: tokens and cotangents are kept, never a row of the table.
TEST(Orders, ALargeTableFitsWhereItsRowsDoNot) {
  ops::GraphBuilder builder("words");
  const ValueId tokens = builder.input("input", {5});
  ValueId x = builder.apply("GatherData", {weight(builder, "table.weight", {20000, 16}, 1), tokens}, {{"axis", Index{0}}}, "embedded");
  x = builder.apply("Tanh", {x}, {}, "tanh");
  x = builder.apply("Reshape", {x}, {{"shape", std::vector<Index>{-1}}}, "flat");
  builder.output(builder.apply("Linear", {x, weight(builder, "last.weight", {3, 80}, 2)}, {}, "last"));
  const auto graph = std::make_shared<const Graph>(builder.finish());
  Tensor<float> samples(Shape{40, 5});
  for (Index e = 0; e < samples.size(); ++e) samples[e] = static_cast<float>(e * 7919 % 20000);
  const auto kernel_within = [&](std::size_t budget, std::optional<Order> order) {
    ThreadPool pool(2);
    MemoryLedger ledger(budget);
    const Context context{.pool = pool, .memory = ledger};
    return kernel_of<float>(graph, samples, nullptr, {.reduce = "trace", .order = order}, context);
  };
  const auto small = kernel_within(std::size_t{2} << 20U, std::nullopt);
  EXPECT_LT(small.report.factor_bytes, std::size_t{2} << 20U);
  const auto rows = kernel_within(0, Order::explicit_rows);
  ASSERT_EQ(small.names.front(), "table.weight");
  for (Index e = 0; e < 40 * 40; ++e) ASSERT_NEAR(small.parts[0][e], rows.parts[0][e], 1e-5 * largest(Array(rows.parts[0]).converted<double>()));
  EXPECT_EQ(test::error_of([&] { kernel_within(std::size_t{2} << 20U, Order::explicit_rows); }).kind(), ErrorKind::memory);
}

TEST(Orders, WorkIsToldBeforehand) {
  test::TestContext context;
  const auto graph = test::dense_network({13, 17, 3}, "Tanh", "", 5);
  const Tensor<float> x = Array(random_tensor({40, 13}, 3)).converted<float>();
  const differentiate::Program<float> program(graph, context.context);
  const auto lowered = kernel::lower(kernel::parse_reduction("trace"), Shape{3});
  const differentiate::NetworkFactors<float> factors(program, x, graph->outputs.front(),
                                                     differentiate::Basis::sums(3, lowered.members), context.context);
  kernel::Assembly<float> assembly{.rows = &factors, .layout = lowered.layout, .parts = kernel::divide(*graph, PartsBy::total),
                                   .sizes = {221, 17, 51, 3}};
  const kernel::AssemblyReport report = kernel::plan_assembly(assembly, context.context);
  const kernel::PredictedWork work = kernel::predicted_work(assembly, report);
  EXPECT_EQ(work.forward.multiply_adds, 40.0 * (13 * 17 + 17 + 17 * 3));
  EXPECT_EQ(work.reverse.multiply_adds, 40.0 * 3 * (17 * 3 + 17)) << "not to the input";
  EXPECT_EQ(work.packing.multiply_adds, 0) << "nothing is multiplied out";
  EXPECT_EQ(work.contraction.multiply_adds, 40.0 * 41 / 2 * ((3 * 17 + 1 + 13) + (3 * 3 + 1 + 17))) << "both Grams, twice";
  EXPECT_GE(work.contraction.bytes, 40.0 * 41 / 2 * 4) << "at least the tiles are written";
  assembly.order = Order::explicit_rows;
  const kernel::PredictedWork rows = kernel::predicted_work(assembly, kernel::plan_assembly(assembly, context.context));
  EXPECT_EQ(rows.packing.multiply_adds, 40.0 * 3 * (13 * 17 + 17 * 3));
  EXPECT_EQ(rows.contraction.multiply_adds, 40.0 * 41 / 2 * 3 * (221 + 17 + 51 + 3));
}

TEST(Orders, SelfPairsAreTheDiagonal) {
  test::TestContext context;
  for (const Network& network : networks(7)) {
    const differentiate::Program<double> program(network.graph, context.context);
    const Shape& outputs = network.graph->shape(network.graph->outputs.front());
    const auto lowered = kernel::lower(kernel::parse_reduction("trace"), outputs);
    const differentiate::NetworkFactors<double> factors(program, network.inputs, network.graph->outputs.front(),
                                                        differentiate::Basis::sums(outputs.elements(), lowered.members), context.context);
    kernel::Assembly<double> assembly{.rows = &factors, .layout = lowered.layout, .parts = kernel::divide(*network.graph, PartsBy::total), .sizes = {}};
    for (const Parameter& parameter : network.graph->parameters) assembly.sizes.push_back(parameter.data.size());
    const auto k = kernel_of<double>(network.graph, network.inputs, nullptr, {.reduce = "trace", .by = PartsBy::total}, context.context);
    for (const std::optional<Order> order : {std::optional<Order>{}, std::optional(Order::position_grams), std::optional(Order::pixel_grams)}) {
      assembly.order = order;
      std::vector<Tensor<double>> self;
      kernel::assemble_self(assembly, self, context.context);
      for (Index i = 0; i < 7; ++i) EXPECT_NEAR(self[0][i], k.parts[0][i * 8], 1e-12 * k.parts[0][i * 8]) << network.name;
    }
  }
}

}  // namespace
}  // namespace tangra
