// All orders of contraction and all pairs of forms against explicit Jacobians by plain loops.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/support.h"
#include "tangra/factors/apply.h"
#include "terms.h"

namespace tangra::factors {
namespace {

using linalg::Side;
using linalg::TilePart;
using test::Use;

constexpr Index size = 24;
const std::vector<RowLayout> layouts = {{1, 1, 1}, {1, 3, 1}, {1, 1, 3}, {3, 1, 1}, {2, 3, 1}, {2, 1, 2}, {1, 2, 2}};
const std::optional<Order> orders[] = {std::nullopt, Order::both_grams, Order::explicit_rows, Order::position_grams,
                                       Order::pixel_grams};

std::string to_string(const RowLayout& layout) {
  return std::to_string(layout.planes) + "," + std::to_string(layout.full) + "," + std::to_string(layout.inner);
}

template <class T>
FactorBlock<T> block_of(std::vector<Term<T>> terms, Index samples, Index directions) {
  return {.samples = samples, .directions = directions, .terms = std::move(terms)};
}

/// Two uses of one parameter, with scales of their own.
template <class T>
FactorBlock<T> tied(Use one, Use other, const Place& at, const Place& other_at, Index samples, Index directions, unsigned seed) {
  std::vector<Term<T>> terms;
  terms.push_back(test::random_term<T>(one, at, samples, directions, seed));
  terms.push_back(test::random_term<T>(other, other_at, samples, directions, seed + 1));
  terms[0].place.scale = 2;
  terms[1].place.scale = -0.5;
  return block_of(std::move(terms), samples, directions);
}

template <class T>
ContractionPlan plan_of(const FactorBlock<T>& block, const RowLayout& layout, std::optional<Order> order = std::nullopt) {
  return plan_contractions(test::rows_of(block, 0, 1), layout, {0, 0}, {size, size}, {.rows = 9, .columns = 0}, order);
}

/// Collected in pieces of `step` samples.
template <class T>
std::unique_ptr<BlockCollector<T>> collected(const FactorBlock<T>& block, const ContractionPlan& plan, Index step,
                                             const Context& context) {
  auto result = std::make_unique<BlockCollector<T>>(plan, block.samples);
  for (Index first = 0; first < block.samples; first += step) {
    const Index last = std::min(block.samples, first + step);
    FactorBlock<T> piece = test::rows_of(block, first, last);
    for (std::size_t k = 0; k < piece.terms.size(); ++k) {
      result->take(first, last - first, static_cast<int>(k), std::move(piece.terms[k]), context);
    }
  }
  return result;
}

/// The kernel of one plane, its upper triangle poisoned where the lower one alone is asked for.
template <class T>
Tensor<T> contracted(const FactorBlock<T>& rows, const FactorBlock<T>& columns, const ContractionPlan& plan, Index plane,
                     TilePart part, const Context& context, Index step = 100, bool divided = false) {
  const Index full = plan.layout.full;
  Tensor<T> tile(Shape{rows.samples * full, columns.samples * full});
  for (T& entry : tile) entry = std::numeric_limits<T>::quiet_NaN();
  ContractionWorkspace<T> workspace;
  contract_tile<T>(plan, collected(rows, plan, step, context)->packed(Side::left),
                   collected(columns, plan, step, context)->packed(Side::right), plane, 0, part, false,
                   matrix(tile.data(), rows.samples * full, columns.samples * full), workspace, context, divided);
  return tile;
}

/// K of one plane by plain loops in float64.
template <class T>
std::vector<double> naive(const FactorBlock<T>& rows, const FactorBlock<T>& columns, const RowLayout& layout, Index plane,
                          bool absolute) {
  std::vector<double> kernel;
  std::vector<std::vector<double>> left;
  std::vector<std::vector<double>> right;
  for (ParameterId p = 0; p < 2; ++p) {
    left.push_back(test::naive_jacobian(rows, p, size, absolute));
    right.push_back(test::naive_jacobian(columns, p, size, absolute));
  }
  const auto row_at = [&](Index i, Index f, Index t) {
    return i * layout.directions() + (plane * layout.full + f) * layout.inner + t;
  };
  for (Index r = 0; r < rows.samples * layout.full; ++r) {
    for (Index c = 0; c < columns.samples * layout.full; ++c) {
      double sum = 0;
      for (Index t = 0; t < layout.inner; ++t) {
        const Index a = row_at(r / layout.full, r % layout.full, t) * size;
        const Index b = row_at(c / layout.full, c % layout.full, t) * size;
        for (std::size_t p = 0; p < 2; ++p) {
          for (Index e = 0; e < size; ++e) {
            sum += left[p][static_cast<std::size_t>(a + e)] * right[p][static_cast<std::size_t>(b + e)];
          }
        }
      }
      kernel.push_back(sum);
    }
  }
  return kernel;
}

/// |K - exact| <= c eps S with S the same sum over absolute values; no chain has more than c / 2 steps, and each order
/// rounds every summand a few times more.
template <class T>
void expect_near(const Tensor<T>& kernel, const std::vector<double>& exact, const std::vector<double>& absolute, bool lower,
                 const std::string& where) {
  const double bound = 200 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const Index columns = kernel.shape()[1];
  for (Index e = 0; e < kernel.size(); ++e) {
    if (lower && e % columns > e / columns) continue;
    const auto at = static_cast<std::size_t>(e);
    ASSERT_NEAR(kernel[e], exact[at], bound * absolute[at]) << where << ", entry " << e;
  }
}

template <class T>
void check_orders(const FactorBlock<T>& rows, const FactorBlock<T>& columns, const RowLayout& layout, const std::string& where) {
  test::TestContext context(1);
  for (Index plane = 0; plane < layout.planes; ++plane) {
    const auto exact = naive(rows, columns, layout, plane, false);
    const auto absolute = naive(rows, columns, layout, plane, true);
    const auto own = naive(rows, rows, layout, plane, false);
    const auto own_absolute = naive(rows, rows, layout, plane, true);
    for (const std::optional<Order> order : orders) {
      const ContractionPlan plan = plan_of(rows, layout, order);
      const std::string what = where + ", layout " + to_string(layout) + ", " + std::string(name_of(plan.contractions[0].order));
      expect_near(contracted(rows, columns, plan, plane, TilePart::full, context.context), exact, absolute, false, what);
      expect_near(contracted(rows, rows, plan, plane, TilePart::lower, context.context), own, own_absolute, true, what);
    }
  }
}

template <class T>
void check_pairs_of_forms() {
  for (const RowLayout& layout : layouts) {
    for (const Use one : test::all_uses) {
      for (const Use other : test::all_uses) {
        const auto rows = tied<T>(one, other, test::whole_place(), test::whole_place(), 5, layout.directions(), 1);
        const auto columns = tied<T>(one, other, test::whole_place(), test::whole_place(), 3, layout.directions(), 9);
        check_orders(rows, columns, layout, name_of(one) + " with " + name_of(other));
      }
    }
  }
}

TEST(Orders, EveryPairOfFormsOfATiedParameter) { check_pairs_of_forms<double>(); }

TEST(Orders, EveryPairOfFormsInFloat32) { check_pairs_of_forms<float>(); }

TEST(Orders, UsesOfTheTransposeMeetEntryByEntry) {
  for (const Use one : test::all_uses) {
    for (const Use other : {Use::vector, Use::dense, Use::convolution, Use::table}) {
      const auto rows = tied<double>(one, other, test::whole_place(), test::whole_place(true), 4, 2, 3);
      check_orders(rows, rows, {1, 2, 1}, name_of(one) + " with the transpose as " + name_of(other));
    }
  }
}

TEST(Orders, RegionsOfAParameterAreApartOrOverlap) {
  const Place upper{.parameter = 0, .offset = 0, .shape = {3, 4}, .strides = {4, 1}, .scale = 1};
  for (const Index offset : {12, 8}) {
    const Place lower{.parameter = 0, .offset = offset, .shape = {3, 4}, .strides = {4, 1}, .scale = 1};
    for (const Use one : {Use::dense, Use::table, Use::depthwise}) {
      const auto rows = tied<double>(one, Use::convolution, upper, lower, 4, 3, 5);
      const ContractionPlan plan = plan_of(rows, {1, 1, 3});
      EXPECT_EQ(plan.contractions.size(), offset == 12 ? 2U : 1U);
      check_orders(rows, rows, {1, 1, 3}, name_of(one) + " at " + std::to_string(offset));
    }
  }
}

TEST(Orders, AForcedOrderIsTakenWhereItApplies) {
  const auto order_of = [](Use one, Use other, Order forced) {
    const auto block = tied<double>(one, other, test::whole_place(), test::whole_place(), 1, 2, 1);
    return plan_of(block, {1, 1, 2}, forced).contractions.at(0).order;
  };
  EXPECT_EQ(order_of(Use::dense, Use::convolution, Order::both_grams), Order::both_grams);
  EXPECT_EQ(order_of(Use::dense, Use::table, Order::both_grams), Order::explicit_rows);
  EXPECT_EQ(order_of(Use::dense, Use::table, Order::position_grams), Order::position_grams);
  EXPECT_EQ(order_of(Use::convolution, Use::convolution, Order::pixel_grams), Order::pixel_grams);
  EXPECT_EQ(order_of(Use::convolution, Use::dense, Order::pixel_grams), Order::explicit_rows);
  EXPECT_EQ(order_of(Use::grouped, Use::dense, Order::position_grams), Order::explicit_rows);
}

/// A use with these lengths; the entries don't matter to a plan.
Term<float> shaped(Index positions, Index channels, Index fan_in, Index directions, Index taps = 0) {
  Term<float> term;
  term.place = {.parameter = 0, .offset = 0, .shape = {channels, fan_in}, .strides = {fan_in, 1}, .scale = 1};
  term.form = Form::outer;
  term.positions = positions;
  term.left = std::make_shared<Tensor<float>>(Shape{1, directions, positions, channels});
  term.right = std::make_shared<Tensor<float>>(Shape{1, positions, fan_in});
  if (taps > 0) {
    term.pixels = std::make_shared<Tensor<float>>(Shape{1, fan_in / taps, positions});
    term.pixel_map = std::make_shared<const PixelMap>(
        PixelMap{.pixels = positions, .positions = positions, .taps = std::vector<Index>(static_cast<std::size_t>(taps * positions))});
  }
  return term;
}

Order picked(const Term<float>& term, const RowLayout& layout, Index samples) {
  std::vector<Term<float>> terms{term};
  const auto block = block_of(std::move(terms), 1, layout.directions());
  const Index entries = term.place.shape.elements();
  return plan_contractions(block, layout, {0}, {entries}, {.rows = samples, .columns = 0}).contractions.at(0).order;
}

TEST(Orders, ArePickedByWhatTheyCost) {
  const RowLayout trace{1, 1, 10};
  EXPECT_EQ(picked(shaped(1, 60, 784, 10), trace, 100), Order::both_grams) << "a dense layer";
  EXPECT_EQ(picked(shaped(784, 32, 288, 10, 9), trace, 100), Order::explicit_rows) << "many positions";
  EXPECT_EQ(picked(shaped(64, 64, 64, 10), trace, 100), Order::explicit_rows) << "tokens";
  EXPECT_EQ(picked(shaped(16, 512, 4608, 10), {1, 10, 1}, 100), Order::position_grams) << "a wide one at few positions";
  EXPECT_EQ(picked(shaped(16, 512, 4608, 1, 9), {1, 1, 1}, 100), Order::pixel_grams) << "the same, knowing its pixels";
}

TEST(Orders, TablesAreNeverWrittenOut) {
  const auto block = tied<double>(Use::table, Use::table, test::whole_place(), test::whole_place(), 1, 2, 1);
  const ContractionPlan plan = plan_of(block, {1, 1, 2});
  ASSERT_EQ(plan.contractions.size(), 1U);
  EXPECT_EQ(plan.contractions[0].order, Order::position_grams);
  EXPECT_LE(plan.contractions[0].cost.entries, 2 * 7 * (2 * 4 + 1)) << "what is kept does not grow with the table";
}

TEST(Orders, LongRowsAreCutIntoChunks) {
  std::vector<Term<float>> terms;
  terms.push_back(shaped(1, 5000, 5000, 1));
  const auto block = block_of(std::move(terms), 1, 1);
  const ContractionPlan plan = plan_contractions(block, {1, 1, 1}, {0}, {25'000'000}, {.rows = 2, .columns = 0}, Order::explicit_rows);
  ASSERT_GT(plan.contractions.size(), 1U);
  Index next = 0;
  double work = 0;
  for (const Contraction& contraction : plan.contractions) {
    EXPECT_EQ(contraction.first, next);
    EXPECT_EQ(contraction.row_entries, (contraction.last - contraction.first) * 5000);
    EXPECT_LE(contraction.row_entries, Index{1} << 24);
    EXPECT_NE(contraction.reason.find("chunks"), std::string::npos);
    next = contraction.last;
    work += contraction.cost.multiply_adds;
  }
  EXPECT_EQ(next, 5000);
  EXPECT_NEAR(work, 25e6, 1);
}

/// A plan whose explicit rows are cut behind their second and third entries of the first axis.
ContractionPlan cut(const ContractionPlan& plan) {
  ContractionPlan result = plan;
  result.contractions.clear();
  for (const Contraction& whole : plan.contractions) {
    for (const auto& [first, last] : {std::pair<Index, Index>{0, 2}, {2, 3}, {3, 6}}) {
      Contraction part = whole;
      part.first = first;
      part.last = last;
      part.row_entries = (last - first) * 4;
      result.contractions.push_back(part);
    }
  }
  return result;
}

TEST(Orders, ChunksOfRowsAddUp) {
  test::TestContext context(1);
  const RowLayout layout{1, 2, 2};
  for (const Use one : test::all_uses) {
    const auto block = tied<double>(one, Use::tokenwise, test::whole_place(), test::whole_place(), 4, 4, 6);
    const ContractionPlan plan = cut(plan_of(block, layout, Order::explicit_rows));
    expect_near(contracted(block, block, plan, 0, TilePart::full, context.context), naive(block, block, layout, 0, false),
                naive(block, block, layout, 0, true), false, name_of(one));
  }
}

/// Blocks with a parameter for each order.
template <class T>
FactorBlock<T> many_parameters(Index samples, Index directions) {
  std::vector<Term<T>> terms;
  for (const Use use : test::all_uses) {
    Place place = test::whole_place();
    place.parameter = static_cast<ParameterId>(terms.size() % 2);
    terms.push_back(test::random_term<T>(use, place, samples, directions, 20 + static_cast<unsigned>(terms.size())));
  }
  return block_of(std::move(terms), samples, directions);
}

TEST(Orders, BitsDependOnNeitherPiecesNorThreadsNorPasses) {
  const RowLayout layout{1, 1, 3};
  const auto block = many_parameters<float>(37, 3);
  for (const std::optional<Order> order : orders) {
    test::TestContext one(1);
    test::TestContext two(2);
    const ContractionPlan plan = plan_of(block, layout, order);
    const Tensor<float> kernel = contracted(block, block, plan, 0, TilePart::lower, one.context);
    const Tensor<float> pieces = contracted(block, block, plan, 0, TilePart::lower, two.context, 5, true);
    Tensor<float> passes(Shape{37, 37});
    ContractionWorkspace<float> workspace;
    for (std::size_t k = 0; k < plan.contractions.size(); ++k) {
      const ContractionPlan part = plan.part(k, k + 1);
      const auto own = collected(block, part, 11, two.context);
      contract_tile<float>(part, own->packed(Side::left), own->packed(Side::right), 0, 0, TilePart::lower, k > 0,
                           matrix(passes.data(), 37, 37), workspace, two.context, k % 2 == 0);
    }
    for (Index r = 0; r < 37; ++r) {
      for (Index c = 0; c <= r; ++c) {
        ASSERT_EQ(kernel[r * 37 + c], pieces[r * 37 + c]) << r << ' ' << c;
        ASSERT_EQ(kernel[r * 37 + c], passes[r * 37 + c]) << r << ' ' << c;
      }
    }
  }
}

TEST(Orders, ASampleWithItselfIsOnTheDiagonal) {
  test::TestContext context(2);
  for (const RowLayout& layout : layouts) {
    const auto block = many_parameters<double>(4, layout.directions());
    for (const std::optional<Order> order : orders) {
      const ContractionPlan plan = plan_of(block, layout, order);
      const Index square = layout.full * layout.full;
      Tensor<double> self(Shape{4, layout.planes, square});
      contract_self(plan, *collected(block, plan, 3, context.context), 0, self.data(), context.context);
      for (Index plane = 0; plane < layout.planes; ++plane) {
        const auto exact = naive(block, block, layout, plane, false);
        for (Index e = 0; e < 4 * square; ++e) {
          const Index i = e / square;
          const Index row = i * layout.full + e % square / layout.full;
          const Index column = i * layout.full + e % layout.full;
          const double entry = exact[static_cast<std::size_t>(row * 4 * layout.full + column)];
          ASSERT_NEAR(self[(i * layout.planes + plane) * square + e % square], entry, 1e-12 * (1 + std::abs(entry)));
        }
      }
    }
  }
}

TEST(Orders, ProductsWithVectorsSeeEveryForm) {
  test::TestContext context(2);
  const RowLayout layout{1, 2, 2};
  for (const Use one : test::all_uses) {
    const auto block = tied<double>(one, Use::table, test::whole_place(), test::whole_place(), 5, 4, 8);
    const auto jacobian = test::naive_jacobian(block, 0, size, false);
    const Tensor<double> x = [] {
      Tensor<double> tensor(Shape{10, 1});
      for (Index e = 0; e < 10; ++e) tensor[e] = static_cast<double>(e % 3) - 0.7;
      return tensor;
    }();
    ParameterVectors<double> w = parameter_vectors<double>({size}, 2);
    add_transposed_product<double>(block, layout, 0, matrix(x.data(), 10, 1), w, context.context);
    Tensor<double> y(Shape{10, 1});
    add_product<double>(block, layout, 0, w, matrix(y.data(), 10, 1), context.context);
    const auto row = [&](Index i, Index f, Index t) { return static_cast<std::size_t>((i * 4 + f * 2 + t) * size); };
    std::vector<double> expected(2 * size, 0);
    for (Index r = 0; r < 10; ++r) {
      for (std::size_t k = 0; k < 2 * size; ++k) expected[k] += x[r] * jacobian[row(r / 2, r % 2, static_cast<Index>(k) / size) + k % size];
    }
    for (std::size_t k = 0; k < 2 * size; ++k) ASSERT_NEAR(w[0][static_cast<Index>(k)], expected[k], 1e-12) << name_of(one);
    for (Index r = 0; r < 10; ++r) {
      double sum = 0;
      for (std::size_t k = 0; k < 2 * size; ++k) sum += expected[k] * jacobian[row(r / 2, r % 2, static_cast<Index>(k) / size) + k % size];
      ASSERT_NEAR(y[r], sum, 1e-11) << name_of(one);
    }
  }
}

}  // namespace
}  // namespace tangra::factors
