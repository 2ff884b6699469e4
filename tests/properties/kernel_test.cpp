// Identities that hold for every kernel, on networks of ugly sizes.
#include <gtest/gtest.h>

#include <cmath>

#include "support/networks.h"
#include "support/support.h"

namespace tangra {
namespace {

using kernel::PartsBy;
using test::kernel_of;
using test::KernelOptions;
using test::random_tensor;

template <class T>
Tensor<T> samples(Index n, Index features, unsigned seed) {
  return Array(random_tensor({n, features}, seed)).converted<T>();
}

template <class T>
bool same_bits(const Tensor<T>& a, const Tensor<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

const std::vector<std::string> reductions{"full", "trace", "mean", "diagonal", "sum", "output=2"};

template <class T>
void check_bits() {
  const auto graph = test::dense_network({13, 17, 11, 3}, "Tanh", "Softmax", 5);
  const Tensor<T> x = samples<T>(61, 13, 3);
  for (const std::string& reduce : reductions) {
    test::TestContext one(1);
    const auto k = kernel_of<T>(graph, x, nullptr, {.reduce = reduce, .by = PartsBy::parameter}, one.context);
    for (const int threads : {1, 2, 5}) {
      for (const Index block : {1, 7, 61, 100}) {
        SCOPED_TRACE(reduce + ", threads " + std::to_string(threads) + ", block " + std::to_string(block));
        test::TestContext many(threads);
        const auto again = kernel_of<T>(graph, x, nullptr, {.reduce = reduce, .by = PartsBy::parameter, .block_samples = block},
                                        many.context);
        for (std::size_t part = 0; part < k.parts.size(); ++part) EXPECT_TRUE(same_bits(k.parts[part], again.parts[part]));
      }
    }
  }
}

TEST(KernelBits, DoNotDependOnThreadsOrBlocks) {
  check_bits<float>();
  check_bits<double>();
}

TEST(KernelBits, DoNotDependOnTheMemoryBudget) {
  const auto graph = test::dense_network({13, 17, 3}, "Tanh", "", 5);
  const Tensor<float> x = samples<float>(61, 13, 3);
  test::TestContext free;
  const KernelOptions options{.reduce = "trace", .by = PartsBy::total, .block_samples = 7};
  const auto k = kernel_of<float>(graph, x, nullptr, options, free.context);
  EXPECT_EQ(k.report.groups, 1);
  ThreadPool pool(2);
  MemoryLedger ledger(60 * 1024);
  const Context tight{.pool = pool, .memory = ledger};
  const auto again = kernel_of<float>(graph, x, nullptr, options, tight);
  EXPECT_GT(again.report.groups, 1);
  EXPECT_TRUE(same_bits(k.parts[0], again.parts[0]));
  MemoryLedger tiny(1024);
  const Context hopeless{.pool = pool, .memory = tiny};
  EXPECT_EQ(test::error_of([&] { kernel_of<float>(graph, x, nullptr, options, hopeless); }).kind(), ErrorKind::memory);
}

TEST(KernelBits, OfASampleAloneAreThoseInABatch) {
  const auto graph = test::dense_network({13, 17, 11, 3}, "Gelu", "LogSoftmax", 8);
  const Tensor<float> x = samples<float>(40, 13, 4);
  test::TestContext context;
  const auto k = kernel_of<float>(graph, x, nullptr, {.reduce = "full", .by = PartsBy::total}, context.context);
  for (const Index i : {0, 17, 39}) {
    const Tensor<float> alone = differentiate::rows_of(x, i, i + 1);
    const auto own = kernel_of<float>(graph, alone, nullptr, {.reduce = "full", .by = PartsBy::total}, context.context);
    for (Index a = 0; a < 3; ++a) {
      for (Index b = 0; b < 3; ++b) EXPECT_EQ(own.parts[0][a * 3 + b], k.parts[0][((i * 3 + a) * 40 + i) * 3 + b]);
    }
  }
}

TEST(Kernel, IsExactlySymmetricAndItsPartsAddUp) {
  const auto graph = test::dense_network({7, 19, 5, 2}, "Silu", "", 21);
  test::TestContext context;
  const Tensor<float> x = samples<float>(50, 7, 1);
  for (const char* reduce : {"full", "trace", "sum"}) {
    const auto k = kernel_of<float>(graph, x, nullptr, {.reduce = reduce, .by = PartsBy::layer, .block_samples = 9}, context.context);
    const Tensor<float>& total = k.parts.back();
    const Index side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(total.size()))));
    for (Index i = 0; i < side; ++i) {
      for (Index j = 0; j < side; ++j) {
        EXPECT_EQ(total[i * side + j], total[j * side + i]);
        float sum = 0;
        for (std::size_t part = 0; part + 1 < k.parts.size(); ++part) sum += k.parts[part][i * side + j];
        EXPECT_EQ(sum, total[i * side + j]);
      }
    }
  }
}

TEST(Kernel, ReductionsComeFromTheFullKernel) {
  const auto graph = test::dense_network({5, 9, 4}, "Sigmoid", "Softmax", 2);
  const Tensor<double> x = samples<double>(7, 5, 9);
  const Tensor<double> y = samples<double>(3, 5, 10);
  test::TestContext context;
  const auto of = [&](const std::string& reduce) {
    return kernel_of<double>(graph, x, &y, {.reduce = reduce, .by = PartsBy::total}, context.context).parts[0].clone();
  };
  const Tensor<double> full = of("full");
  const Tensor<double> trace = of("trace");
  const Tensor<double> mean = of("mean");
  const Tensor<double> diagonal = of("diagonal");
  const Tensor<double> sum = of("sum");
  const Tensor<double> one = of("output=2");
  const auto entry = [&](Index i, Index a, Index j, Index b) { return full[((i * 4 + a) * 3 + j) * 4 + b]; };
  for (Index i = 0; i < 7; ++i) {
    for (Index j = 0; j < 3; ++j) {
      double traced = 0;
      double summed = 0;
      double size = 0;
      for (Index a = 0; a < 4; ++a) {
        traced += entry(i, a, j, a);
        EXPECT_NEAR(diagonal[(a * 7 + i) * 3 + j], entry(i, a, j, a), 1e-14);
        for (Index b = 0; b < 4; ++b) {
          summed += entry(i, a, j, b);
          size += std::abs(entry(i, a, j, b));
        }
      }
      EXPECT_NEAR(trace[i * 3 + j], traced, 1e-14);
      EXPECT_NEAR(mean[i * 3 + j], traced / 4, 1e-14);
      EXPECT_NEAR(sum[i * 3 + j], summed, 1e-14 * (1 + size));
      EXPECT_NEAR(one[i * 3 + j], entry(i, 2, j, 2), 1e-14);
    }
  }
}

TEST(KernelBits, DoNotDependOnSweepingBothSidesAtOnce) {
  const auto graph = test::dense_network({13, 17, 11, 3}, "Tanh", "Softmax", 5);
  const Tensor<float> x = samples<float>(9, 13, 3), y = samples<float>(4, 13, 4);
  test::TestContext context(2);
  for (const std::string& reduce : reductions) {
    for (const auto order : {std::optional<factors::Order>{}, std::optional(factors::Order::explicit_rows),
                             std::optional(factors::Order::position_grams)}) {
      SCOPED_TRACE(reduce);
      const auto apart = kernel_of<float>(graph, x, &y, {.reduce = reduce, .order = order}, context.context);
      const auto together = kernel_of<float>(graph, x, &y, {.reduce = reduce, .order = order, .one_sweep = true}, context.context);
      EXPECT_FALSE(apart.report.one_sweep);
      EXPECT_TRUE(together.report.one_sweep);
      for (std::size_t part = 0; part < apart.parts.size(); ++part) EXPECT_TRUE(same_bits(apart.parts[part], together.parts[part]));
    }
  }
  const auto in_blocks = kernel_of<float>(graph, x, &y, {.block_samples = 5, .one_sweep = true}, context.context);
  EXPECT_FALSE(in_blocks.report.one_sweep);
}

TEST(Kernel, OfTwoSetsIsABlockOfThatOfTheirUnion) {
  const auto graph = test::dense_network({5, 9, 4}, "Erf", "", 2);
  const Tensor<float> all = samples<float>(23, 5, 9);
  const Tensor<float> first = differentiate::rows_of(all, 0, 10);
  const Tensor<float> second = differentiate::rows_of(all, 10, 23);
  test::TestContext context;
  const auto k = kernel_of<float>(graph, all, nullptr, {.reduce = "trace", .by = PartsBy::total}, context.context);
  const auto block = kernel_of<float>(graph, second, &first, {.reduce = "trace", .by = PartsBy::total}, context.context);
  for (Index i = 0; i < 13; ++i) {
    for (Index j = 0; j < 10; ++j) EXPECT_EQ(block.parts[0][i * 10 + j], k.parts[0][(i + 10) * 23 + j]);
  }
}

TEST(Kernel, OrdersOfContractionAgree) {
  const auto graph = test::dense_network({5, 9, 4}, "Softplus", "", 2);
  const Tensor<double> x = samples<double>(23, 5, 9);
  test::TestContext context;
  for (const std::string& reduce : reductions) {
    const auto grams = kernel_of<double>(graph, x, nullptr, {.reduce = reduce}, context.context);
    const auto rows = kernel_of<double>(graph, x, nullptr, {.reduce = reduce, .order = factors::Order::explicit_rows}, context.context);
    for (std::size_t part = 0; part < grams.parts.size(); ++part) {
      double largest = 0;
      for (const double entry : grams.parts[part]) largest = std::max(largest, std::abs(entry));
      for (Index e = 0; e < grams.parts[part].size(); ++e) {
        EXPECT_NEAR(grams.parts[part][e], rows.parts[part][e], 1e-13 * largest) << reduce << ' ' << grams.names[part];
      }
    }
  }
}

TEST(Kernel, PairsOfASampleWithItselfAreItsDiagonal) {
  const auto graph = test::dense_network({5, 9, 4}, "Tanh", "", 6);
  const Tensor<double> x = samples<double>(31, 5, 9);
  test::TestContext context;
  const differentiate::Program<double> program(graph, context.context);
  for (const std::string& reduce : reductions) {
    const auto k = kernel_of<double>(graph, x, nullptr, {.reduce = reduce, .by = PartsBy::parameter}, context.context);
    const auto lowered = kernel::lower(kernel::parse_reduction(reduce), Shape{4});
    const differentiate::NetworkFactors<double> factors(program, x, graph->outputs.front(),
                                                        differentiate::Basis::sums(4, lowered.members), context.context);
    kernel::Assembly<double> assembly{.rows = &factors, .layout = lowered.layout, .parts = kernel::divide(*graph, PartsBy::parameter),
                                      .sizes = {45, 9, 36, 4}, .divisor = lowered.divisor, .block_samples = 6};
    std::vector<Tensor<double>> self;
    kernel::assemble_self(assembly, self, context.context);
    const Index full = lowered.layout.full;
    for (std::size_t part = 0; part < self.size(); ++part) {
      for (Index i = 0; i < 31; ++i) {
        for (Index g = 0; g < lowered.layout.planes; ++g) {
          for (Index f = 0; f < full * full; ++f) {
            const Index row = i * full + f / full;
            const Index column = i * full + f % full;
            const double entry = k.parts[part][(g * 31 * full + row) * 31 * full + column];
            EXPECT_NEAR(self[part][(i * lowered.layout.planes + g) * full * full + f], entry, 1e-13 * (1 + std::abs(entry)));
          }
        }
      }
    }
  }
}

TEST(Kernel, InParameterSpaceHasTheSameTraceAndFrobeniusNorm) {
  const auto graph = test::dense_network({3, 4, 2}, "Tanh", "", 6);
  const Tensor<double> x = samples<double>(9, 3, 9);
  test::TestContext context;
  const differentiate::Program<double> program(graph, context.context);
  for (const char* reduce : {"full", "sum", "output=1"}) {
    const auto k = kernel_of<double>(graph, x, nullptr, {.reduce = reduce, .by = PartsBy::total}, context.context);
    const auto lowered = kernel::lower(kernel::parse_reduction(reduce), Shape{2});
    const differentiate::NetworkFactors<double> factors(program, x, graph->outputs.front(),
                                                        differentiate::Basis::sums(2, lowered.members), context.context);
    const kernel::Assembly<double> assembly{.rows = &factors, .layout = lowered.layout, .parts = kernel::divide(*graph, PartsBy::total),
                                            .sizes = {12, 4, 8, 2}};
    const Tensor<double> twin = kernel::assemble_parameter_space(assembly, context.context);
    ASSERT_EQ(twin.shape(), (Shape{26, 26}));
    const Index side = k.parts[0].size() == 81 ? 9 : 18;
    double trace = 0;
    double squares = 0;
    for (Index i = 0; i < side; ++i) trace += k.parts[0][i * side + i];
    for (const double entry : k.parts[0]) squares += entry * entry;
    double twin_trace = 0;
    double twin_squares = 0;
    for (Index p = 0; p < 26; ++p) twin_trace += twin[p * 26 + p];
    for (const double entry : twin) twin_squares += entry * entry;
    EXPECT_NEAR(twin_trace, trace, 1e-13 * trace);
    EXPECT_NEAR(twin_squares, squares, 1e-13 * squares);
  }
}

TEST(Kernel, InParameterSpaceChosenEntriesHaveTheBitsOfAll) {
  const auto graph = test::dense_network({9, 30, 12, 2}, "Tanh", "", 6);
  const Tensor<float> x = samples<float>(70, 9, 9);  // more than a block
  test::TestContext context;
  const differentiate::Program<float> program(graph, context.context);
  const auto lowered = kernel::lower(kernel::parse_reduction("full"), Shape{2});
  const differentiate::NetworkFactors<float> factors(program, x, graph->outputs.front(), differentiate::Basis::identity(2),
                                                     context.context);
  const kernel::Assembly<float> assembly{.rows = &factors, .layout = lowered.layout, .parts = kernel::divide(*graph, PartsBy::total),
                                         .sizes = {270, 30, 360, 12, 24, 2}};
  const Tensor<float> all = kernel::assemble_parameter_space(assembly, context.context);
  std::vector<Index> chosen;
  for (Index p = 0; p < 698; p += 1 + p % 5) chosen.push_back(p);
  chosen.push_back(697);
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  const Tensor<float> few = kernel::assemble_parameter_space(assembly, context.context, &chosen);
  const auto count = static_cast<Index>(chosen.size());
  ASSERT_EQ(few.shape(), (Shape{count, count}));
  for (Index p = 0; p < count; ++p) {
    for (Index q = 0; q < count; ++q) {
      const Index row = chosen[static_cast<std::size_t>(p)], column = chosen[static_cast<std::size_t>(q)];
      ASSERT_EQ(few[p * count + q], all[row * 698 + column]) << row << ", " << column;
    }
  }
}

TEST(Kernel, RefusesWhatOverflows) {
  const auto graph = test::dense_network({3, 4, 2}, "Exp", "", 6);
  Tensor<float> x(Shape{2, 3});
  for (float& entry : x) entry = 1e4F;
  test::TestContext context;
  const Error error = test::error_of([&] { kernel_of<float>(graph, x, nullptr, {}, context.context); });
  EXPECT_EQ(error.kind(), ErrorKind::numerics);
}

TEST(Kernel, OfNoSampleIsEmpty) {
  const auto graph = test::dense_network({3, 4, 2}, "Tanh", "", 6);
  const Tensor<float> none(Shape{0, 3});
  test::TestContext context;
  const auto k = kernel_of<float>(graph, none, nullptr, {.reduce = "trace"}, context.context);
  EXPECT_EQ(k.parts.back().shape(), (Shape{0, 0}));
}

}  // namespace
}  // namespace tangra
