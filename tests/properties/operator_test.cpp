// K x without K against the stored kernel.
#include <gtest/gtest.h>

#include <cmath>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/kernel/kernel_operator.h"

namespace tangra {
namespace {

using kernel::KernelOperator;
using test::random_tensor;

/// What an operator needs, kept alive together.
template <class T>
struct Setting {
  Setting(std::shared_ptr<const Graph> network, const std::string& reduce, Tensor<T> row_inputs,
          std::optional<Tensor<T>> column_inputs, const Context& context)
      : graph(std::move(network)),
        program(graph, context),
        x(std::move(row_inputs)),
        y(std::move(column_inputs)),
        lowered(kernel::lower(kernel::parse_reduction(reduce), graph->shape(graph->outputs.front()))) {
    const ValueId of = graph->outputs.front();
    const auto basis = differentiate::Basis::sums(graph->shape(of).elements(), lowered.members);
    rows.emplace(program, x, of, basis, context);
    if (y) columns.emplace(program, *y, of, basis, context);
  }

  kernel::OperatorSpec<T> spec(Index plane) const {
    kernel::OperatorSpec<T> spec{.rows = &*rows, .columns = columns ? &*columns : nullptr, .layout = lowered.layout,
                                 .plane = plane, .sizes = {}, .divisor = lowered.divisor};
    for (const Parameter& own : graph->parameters) spec.sizes.push_back(own.data.size());
    return spec;
  }

  std::shared_ptr<const Graph> graph;
  differentiate::Program<T> program;
  Tensor<T> x;
  std::optional<Tensor<T>> y;
  kernel::LoweredReduction lowered;
  std::optional<differentiate::NetworkFactors<T>> rows;
  std::optional<differentiate::NetworkFactors<T>> columns;
};

/// A convolution with shared use of its kernel, a slice of a weight, a tied and transposed weight, a frozen bias.
std::shared_ptr<const Graph> mixed_network() {
  ops::GraphBuilder builder("mixed");
  const auto weight = [&](const std::string& name, const Shape& shape, unsigned seed) {
    const Tensor<double> drawn = random_tensor(shape, seed);
    return builder.parameter(test::parameter(name, shape, std::vector<double>(drawn.begin(), drawn.end())));
  };
  ValueId value = builder.input("input", {2, 5, 4});
  const ValueId kernel = weight("conv.weight", {2, 2, 3, 3}, 1);
  const std::vector<Index> pads{1, 1, 1, 1};
  value = builder.apply("Conv", {value, kernel, weight("conv.bias", {2}, 2)}, {{"pads", pads}}, "conv1");
  value = builder.apply("Tanh", {value}, {}, "tanh1");
  value = builder.apply("Conv", {value, kernel}, {{"pads", pads}}, "conv2");
  value = builder.apply("Tanh", {value}, {}, "tanh2");
  value = builder.apply("Reshape", {value}, {{"shape", std::vector<Index>{8, 5}}}, "tokens");
  const ValueId dense = weight("dense.weight", {5, 5}, 3);
  value = builder.apply("Linear", {value, dense}, {}, "dense");
  value = builder.apply("Linear", {value, dense}, {{"transposed", Index{1}}}, "tied");
  value = builder.apply("Reshape", {value}, {{"shape", std::vector<Index>{40}}}, "flat");
  const ValueId fused = weight("fused.weight", {7, 40}, 4);
  const ValueId slice = builder.apply("Slice", {fused}, {{"starts", std::vector<Index>{2}}, {"ends", std::vector<Index>{5}},
                                                         {"axes", std::vector<Index>{0}}}, "slice");
  builder.output(builder.apply("Linear", {value, slice}, {}, "head"));
  Graph graph = builder.finish();
  select_parameters(graph, "", "conv.bias");
  return std::make_shared<const Graph>(std::move(graph));
}

Tensor<double> product(MatrixView<const double> k, const Tensor<double>& x, Index vectors) {
  Tensor<double> y(Shape{k.rows, vectors});
  for (Index r = 0; r < k.rows; ++r) {
    for (Index c = 0; c < k.columns; ++c) {
      for (Index b = 0; b < vectors; ++b) y[r * vectors + b] += k(r, c) * x[c * vectors + b];
    }
  }
  return y;
}

void expect_product(const std::shared_ptr<const Graph>& graph, const Shape& sample, const std::string& reduce, bool two_sets) {
  SCOPED_TRACE(graph->name + ", " + reduce + (two_sets ? ", two sets" : ""));
  test::TestContext context;
  const Tensor<double> x = random_tensor(sample.with_leading(9), 31);
  const Tensor<double> y = random_tensor(sample.with_leading(4), 32);
  const Setting<double> setting(graph, reduce, x.clone(), two_sets ? std::optional(y.clone()) : std::nullopt, context.context);
  const auto kernel = test::kernel_of<double>(graph, x, two_sets ? &y : nullptr,
                                              {.reduce = reduce, .by = kernel::PartsBy::total}, context.context);
  constexpr Index vectors = 3;
  for (Index plane = 0; plane < setting.lowered.layout.planes; ++plane) {
    const KernelOperator<double> matrix_free(setting.spec(plane), context.context);
    EXPECT_EQ(matrix_free.symmetric(), !two_sets);
    const Index rows = matrix_free.rows();
    const Index columns = matrix_free.columns();
    const Tensor<double> v = random_tensor({columns, vectors}, 33);
    Tensor<double> result = random_tensor({rows, vectors}, 34);  // overwritten, whatever it held
    matrix_free.apply(matrix(v.data(), columns, vectors), matrix(result.data(), rows, vectors), context.context);
    const auto stored = matrix<const double>(kernel.parts[0].data() + plane * rows * columns, rows, columns);
    const Tensor<double> expected = product(stored, v, vectors);
    double largest = 0;
    for (const double entry : kernel.parts[0]) largest = std::max(largest, std::abs(entry));
    for (Index e = 0; e < expected.size(); ++e) EXPECT_NEAR(result[e], expected[e], 1e-13 * largest * static_cast<double>(columns));
  }
}

TEST(KernelOperator, IsTheKernelForEveryReduction) {
  for (const std::string reduce : {"full", "trace", "mean", "diagonal", "sum", "output=2"}) {
    for (const bool two_sets : {false, true}) {
      expect_product(test::dense_network({5, 9, 4}, "Sigmoid", "Softmax", 2), {5}, reduce, two_sets);
      expect_product(mixed_network(), {2, 5, 4}, reduce, two_sets);
    }
  }
}

TEST(KernelOperator, KeepsFactorsOrMakesThemAnewWithTheSameBits) {
  const auto graph = test::dense_network({13, 17, 3}, "Tanh", "", 5, DType::float32);
  const auto x = Array(random_tensor({61, 13}, 3)).converted<float>();
  const Tensor<double> v = random_tensor({61, 5}, 4);
  const auto applied = [&](int threads, std::size_t budget, bool keeps) {
    ThreadPool pool(threads);
    MemoryLedger ledger(budget);
    const Context context{.pool = pool, .memory = ledger};
    const Setting<float> setting(graph, "trace", x.clone(), std::nullopt, context);
    const KernelOperator<float> matrix_free(setting.spec(0), context);
    EXPECT_EQ(matrix_free.keeps_factors(), keeps);
    Tensor<double> result(Shape{61, 5});
    matrix_free.apply(matrix(v.data(), 61, 5), matrix(result.data(), 61, 5), context);
    EXPECT_LE(ledger.peak(), budget == 0 ? ledger.peak() : budget);
    return result;
  };
  const Tensor<double> kept = applied(1, 0, true);
  for (const int threads : {1, 2, 5}) {
    EXPECT_EQ(std::memcmp(kept.data(), applied(threads, 0, true).data(), kept.bytes()), 0);
    EXPECT_EQ(std::memcmp(kept.data(), applied(threads, 20'000, false).data(), kept.bytes()), 0);
  }
  EXPECT_EQ(test::error_of([&] { applied(2, 1000, false); }).kind(), ErrorKind::memory);
}

TEST(KernelOperator, OfNoSamples) {
  test::TestContext context;
  const Setting<double> setting(test::dense_network({5, 4, 2}, "Tanh", "", 2), "full", Tensor<double>(Shape{0, 5}), std::nullopt,
                                context.context);
  const KernelOperator<double> matrix_free(setting.spec(0), context.context);
  EXPECT_EQ(matrix_free.rows(), 0);
  matrix_free.apply({}, {}, context.context);
}

}  // namespace
}  // namespace tangra
