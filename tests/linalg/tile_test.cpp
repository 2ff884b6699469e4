#include "tangra/linalg/tile.h"

#include <deque>
#include <string>

#include "matrices.h"
#include "support/support.h"
#include "tangra/linalg/simd.h"

namespace tangra::linalg {
namespace {

using test::Layout;
using test::layouts;
using test::Matrix;
using test::same_bits;

template <class T>
T dot(MatrixView<const T> a, Index row, MatrixView<const T> b, Index column) {
  T sum = 0;
  for (Index k = 0; k < a.columns; ++k) sum = std::fma(a(row, k), b(column, k), sum);
  return sum;
}

/// Products with their factors, packed and as they are.
template <class T>
class Products {
 public:
  Products(Index rows, Index columns) : rows_(rows), columns_(columns) {}

  void add(Index c, Layout layout) { add(c, -1, 1, 1, layout); }
  /// k < 0: without a second pair.
  void add(Index c, Index k, Index x_repeat, Index y_repeat, Layout layout = Layout::dense) {
    TileProduct<T> product;
    product.scale = T(0.7) + static_cast<T>(products_.size());
    product.constant = T(1.3);
    product.x_repeat = x_repeat;
    product.y_repeat = y_repeat;
    product.u = factor(Side::left, rows_, c, layout);
    product.v = factor(Side::right, columns_, c, layout);
    if (k >= 0) {
      product.x = factor(Side::left, (rows_ + x_repeat - 1) / x_repeat, k, layout);
      product.y = factor(Side::right, (columns_ + y_repeat - 1) / y_repeat, k, layout);
    }
    products_.push_back(product);
  }

  std::span<const TileProduct<T>> packed() const { return products_; }
  Index rows() const { return rows_; }
  Index columns() const { return columns_; }

  /// What compute_tile promises, written down for one entry.
  T entry(Index r, Index c, T start) const {
    std::size_t next = 0;
    for (const TileProduct<T>& p : products_) {
      T term = dot<T>(plain_[next].constant(), r, plain_[next + 1].constant(), c);
      next += 2;
      if (p.x != nullptr) {
        term *= dot<T>(plain_[next].constant(), r / p.x_repeat, plain_[next + 1].constant(), c / p.y_repeat) +
                p.constant;
        next += 2;
      }
      start = std::fma(p.scale, term, start);
    }
    return start;
  }

 private:
  const Packed<T>* factor(Side side, Index rows, Index k, Layout layout) {
    plain_.emplace_back(rows, k, layout, static_cast<unsigned>(plain_.size()));
    packed_.push_back(pack<T>(side, plain_.back().constant()));
    return &packed_.back();
  }

  Index rows_, columns_;
  std::vector<TileProduct<T>> products_;
  std::deque<Matrix<T>> plain_;  // u, v, x, y of every product
  std::deque<Packed<T>> packed_;
};

template <class T>
class Tile : public ::testing::Test {
 protected:
  TileWorkspace<T> workspace;

  void expect_promised_bits(const Products<T>& products, bool accumulate, TilePart part = TilePart::full) {
    Matrix<T> tile(products.rows(), products.columns(), Layout::padded, 99);
    if (!accumulate) tile.fill(std::numeric_limits<T>::quiet_NaN());
    Matrix<T> expected = tile;
    compute_tile<T>(products.packed(), accumulate, part, tile.view(), workspace);
    for (Index r = 0; r < products.rows(); ++r) {
      for (Index c = 0; c < products.columns(); ++c) {
        if (part == TilePart::lower && c > r) {
          expected.view()(r, c) = tile.view()(r, c);  // may hold anything
        } else {
          expected.view()(r, c) = products.entry(r, c, accumulate ? expected.view()(r, c) : T{0});
        }
      }
    }
    EXPECT_TRUE(same_bits<T>(tile.constant(), expected.constant()));
    EXPECT_TRUE(same_bits(tile.memory(), expected.memory())) << "memory around the tile was written";
  }
};

using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Tile, Scalars);

TYPED_TEST(Tile, HasThePromisedBitsOnEveryTarget) {
  for (const std::string& target : simd_targets()) {
    const ScopedSimdTarget scoped(target);
    unsigned turn = 0;
    for (const Index rows : {1, 13, 14, 15, 43}) {
      for (const Index columns : {1, 31, 32, 33, 65}) {
        SCOPED_TRACE(target + " " + std::to_string(rows) + " " + std::to_string(columns));
        Products<TypeParam> products(rows, columns);
        products.add(turn % 5 * 3, 17, 1, 1, layouts[turn % 6]);
        products.add(7, layouts[turn / 2 % 6]);
        products.add(5, turn % 3, 1, 1, layouts[turn / 3 % 6]);
        this->expect_promised_bits(products, turn % 2 == 0);
        if (this->HasFailure()) return;
        ++turn;
      }
    }
  }
}

TYPED_TEST(Tile, HasThePromisedBitsAcrossBlocks) {
  for (const std::string& target : simd_targets()) {
    const ScopedSimdTarget scoped(target);
    for (const bool accumulate : {false, true}) {
      Products<TypeParam> products(61, 70);
      products.add(2101, 1063, 1, 1);
      products.add(1024, 1025, 1, 1);
      products.add(129, 2048, 1, 1);
      this->expect_promised_bits(products, accumulate);
    }
  }
  Products<TypeParam> high(500, 35);
  high.add(1300, Layout::transposed);
  this->expect_promised_bits(high, false);
}

TYPED_TEST(Tile, WithoutProductsIsZeroOrAsItWas) {
  const Products<TypeParam> none(5, 40);
  this->expect_promised_bits(none, false);
  this->expect_promised_bits(none, true);
  Products<TypeParam> empty(0, 40), narrow(40, 0);
  empty.add(3, 4, 1, 1);
  narrow.add(3, 4, 1, 1);
  this->expect_promised_bits(empty, false);
  this->expect_promised_bits(narrow, false);
}

TYPED_TEST(Tile, BroadcastsRepeatedFactors) {
  for (const std::string& target : simd_targets()) {
    const ScopedSimdTarget scoped(target);
    for (Index x_repeat = 1; x_repeat <= 10; ++x_repeat) {
      for (Index y_repeat = 1; y_repeat <= 10; ++y_repeat) {
        SCOPED_TRACE(target + " " + std::to_string(x_repeat) + " " + std::to_string(y_repeat));
        Products<TypeParam> products(63, 67 + x_repeat);
        products.add(3, 5, x_repeat, y_repeat);
        products.add(2, 3, y_repeat, x_repeat);
        this->expect_promised_bits(products, x_repeat % 2 == 0,
                                   y_repeat % 2 == 0 ? TilePart::full : TilePart::lower);
        if (this->HasFailure()) return;
      }
    }
  }
}

TYPED_TEST(Tile, BroadcastsAcrossBlocksAndChunks) {
  Products<TypeParam> long_chains(150, 150);
  long_chains.add(3, 1101, 10, 10);
  long_chains.add(1101, 3, 1, 1);
  long_chains.add(2, 1, 100, 37);
  this->expect_promised_bits(long_chains, true);
  // A Gram matrix of 600 x 2000 is more than one chunk of columns may have.
  for (const TilePart part : {TilePart::full, TilePart::lower}) {
    Products<TypeParam> chunks(1200, 2000);
    chunks.add(1, 1, 2, 1);
    chunks.add(2, 1, 1, 3);
    this->expect_promised_bits(chunks, false, part);
  }
}

TYPED_TEST(Tile, LowerPartIsRight) {
  for (const std::string& target : simd_targets()) {
    const ScopedSimdTarget scoped(target);
    for (const Index size : {1, 14, 33, 150}) {
      for (const Index repeat : {1, 7}) {
        Products<TypeParam> products(size, size);
        products.add(9, 11, repeat, repeat);
        products.add(1100, Layout::dense);
        this->expect_promised_bits(products, repeat == 1, TilePart::lower);
      }
    }
  }
}

TYPED_TEST(Tile, GivesARowAloneTheBitsItHasInABatch) {
  using T = TypeParam;
  const Matrix<T> u(50, 1100, 1), v(70, 1100, 2), x(50, 31, 3), y(70, 31, 4);
  const auto tile_of = [&](Index first, Index count, MatrixView<T> out) {
    const Packed<T> pu = pack<T>(Side::left, u.constant().block(first, 0, count, 1100));
    const Packed<T> px = pack<T>(Side::left, x.constant().block(first, 0, count, 31));
    const Packed<T> pv = pack<T>(Side::right, v.constant()), py = pack<T>(Side::right, y.constant());
    const TileProduct<T> product = {.u = &pu, .v = &pv, .x = &px, .y = &py, .scale = 1, .constant = 1};
    compute_tile<T>({&product, 1}, false, TilePart::full, out, this->workspace);
  };
  Matrix<T> batch(50, 70, 5), alone(50, 70, 6);
  tile_of(0, 50, batch.view());
  for (Index row = 0; row < 50; ++row) tile_of(row, 1, alone.view().block(row, 0, 1, 70));
  EXPECT_TRUE(same_bits<T>(batch.constant(), alone.constant()));
}

TYPED_TEST(Tile, OfASymmetricKernelIsSymmetricInItsBits) {
  using T = TypeParam;
  const Matrix<T> u(45, 60, 1), x(45, 1090, 2);
  const Packed<T> pu = pack<T>(Side::left, u.constant()), pv = pack<T>(Side::right, u.constant());
  const Packed<T> px = pack<T>(Side::left, x.constant()), py = pack<T>(Side::right, x.constant());
  const TileProduct<T> product = {.u = &pu, .v = &pv, .x = &px, .y = &py, .scale = 1, .constant = 1};
  Matrix<T> tile(45, 45, 3);
  compute_tile<T>({&product, 1}, false, TilePart::full, tile.view(), this->workspace);
  EXPECT_TRUE(same_bits<T>(tile.constant(), tile.constant().transposed()));
}

TYPED_TEST(Tile, PackedFactorsHoldTheirRowsAndZeros) {
  using T = TypeParam;
  tangra::test::TestContext pool(3);
  for (const std::string& target : simd_targets()) {
    const ScopedSimdTarget scoped(target);
    for (const Side side : {Side::left, Side::right}) {
      for (const Layout layout : layouts) {
        for (const Index rows : {0, 1, 31, 32, 150}) {
          const Index k = rows == 150 ? 2003 : 9;  // the last one is packed by several threads
          const Matrix<T> plain(rows, k, layout, 1);
          const Packed<T> packed = pack<T>(side, plain.constant(), &pool.context);
          ASSERT_EQ(packed.bytes(), Packed<T>::bytes_needed(side, rows, k));
          for (Index row = 0; row < packed.panels() * packed.panel_rows(); ++row) {
            for (Index i = 0; i < k; ++i)
              ASSERT_EQ(packed.at(row, i), row < rows ? plain.view()(row, i) : T{0});
          }
        }
      }
    }
  }
}

TYPED_TEST(Tile, PacksAgainIntoTheSameMemory) {
  using T = TypeParam;
  const Matrix<T> large(40, 20, 1), small(3, 7, 2);
  Packed<T> packed = pack<T>(Side::left, large.constant());
  packed.assign(Side::right, small.constant());
  EXPECT_EQ(packed.rows(), 3);
  EXPECT_EQ(packed.k(), 7);
  EXPECT_EQ(packed.at(2, 6), small.view()(2, 6));
  EXPECT_EQ(packed.at(3, 6), T{0});
}

TEST(TileProducts, OfOtherSizesAreRefused) {
  const Matrix<float> rows(5, 4, 1), others(5, 3, 2);
  const Packed<float> u = pack<float>(Side::left, rows.constant()),
                      v = pack<float>(Side::right, others.constant());
  const TileProduct<float> product = {.u = &u, .v = &v};
  Matrix<float> tile(5, 5, 3);
  TileWorkspace<float> workspace;
  EXPECT_EQ(tangra::test::error_of([&] {
              compute_tile<float>({&product, 1}, false, TilePart::full, tile.view(), workspace);
            }).kind(),
            ErrorKind::internal);
}

}  // namespace
}  // namespace tangra::linalg
