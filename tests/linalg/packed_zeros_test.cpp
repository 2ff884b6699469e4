// Factors with zeros that left panels leave out: nobody may see it in a tile.
#include <string>

#include "matrices.h"
#include "support/support.h"
#include "tangra/linalg/simd.h"
#include "tangra/linalg/tile.h"

namespace tangra::linalg {
namespace {

using test::Layout;
using test::layouts;
using test::Matrix;
using test::same_bits;

/// Rows that are zero but for columns of a band, which lies elsewhere for every `rows_alike` rows, as the strokes of
/// pictures do; some of them wholly.
template <class T>
Matrix<T> with_zeros(Index rows, Index columns, Layout layout, unsigned seed, Index rows_alike) {
  Matrix<T> matrix(rows, columns, layout, seed);
  for (Index row = 0; row < rows; ++row) {
    const Index group = row / rows_alike;
    const Index first = group * columns / 7;
    const Index last = group % 5 == 4 ? first : std::min(columns, first + columns / 4);
    for (Index k = 0; k < columns; ++k) {
      if (k < first || k >= last) matrix.view()(row, k) = k % 2 == 0 ? T(0) : -T(0);
    }
  }
  return matrix;
}

template <class T>
class PackedZeros : public ::testing::Test {
 protected:
  TileWorkspace<T> workspace;

  /// A tile of two products, x and y packed by `way`.
  template <class Way>
  Matrix<T> tile_of(const Matrix<T>& x, const Matrix<T>& y, Index repeat, TilePart part, const Way& way) {
    const Index rows = x.view().rows * repeat;
    const Index columns = y.view().rows * repeat;
    const Matrix<T> u(rows, 9, 11), v(columns, 9, 12);
    const Packed<T> pu = pack<T>(Side::left, u.constant()), pv = pack<T>(Side::right, v.constant());
    const Packed<T> px = way(Side::left, x.constant()), py = way(Side::right, y.constant());
    const TileProduct<T> product{.u = &pu, .v = &pv, .x = &px, .y = &py, .scale = T(0.5), .constant = T(0.25),
                                 .x_repeat = repeat, .y_repeat = repeat};
    const TileProduct<T> twice[] = {product, product};
    Matrix<T> tile(rows, columns, 13);
    compute_tile<T>(twice, false, part, tile.view(), workspace);
    return tile;
  }
};

using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(PackedZeros, Scalars);

TYPED_TEST(PackedZeros, AreLeftOutWithoutATraceInTheTile) {
  using T = TypeParam;
  for (const std::string& target : simd_targets()) {
    const ScopedSimdTarget scoped(target);
    for (const Layout layout : {Layout::dense, Layout::padded, Layout::transposed, Layout::strided}) {
      for (const Index columns : {64, 1500, 2300}) {  // the last two in several runs
        for (const Index repeat : {1, 3}) {
          SCOPED_TRACE(target + " " + std::to_string(columns) + " " + std::to_string(repeat));
          const Matrix<T> x = with_zeros<T>(71, columns, layout, 1, 14);
          const Matrix<T> y(45, columns, layout, 2);
          const auto whole = [](Side side, MatrixView<const T> rows) { return pack<T>(side, rows); };
          const auto lacking = [](Side side, MatrixView<const T> rows) { return pack_without_zeros<T>(side, rows); };
          ASSERT_TRUE(lacking(Side::left, x.constant()).lacks_zeros());
          const TilePart part = repeat == 1 ? TilePart::full : TilePart::lower;
          EXPECT_TRUE(same_bits<T>(this->tile_of(x, y, repeat, part, lacking).constant(),
                                   this->tile_of(x, y, repeat, part, whole).constant(), part == TilePart::lower));
        }
      }
    }
  }
}

TYPED_TEST(PackedZeros, HoldTheirRows) {
  using T = TypeParam;
  const Matrix<T> plain = with_zeros<T>(71, 300, Layout::padded, 3, 14);
  const Packed<T> packed = pack_without_zeros<T>(Side::left, plain.constant());
  ASSERT_TRUE(packed.lacks_zeros());
  EXPECT_LT(packed.bytes(), Packed<T>::bytes_needed(Side::left, 71, 300) / 2);
  for (Index row = 0; row < 71; ++row) {
    for (Index k = 0; k < 300; ++k) ASSERT_EQ(packed.at(row, k), plain.view()(row, k)) << row << ' ' << k;
  }
}

TYPED_TEST(PackedZeros, AreKeptWhereTheyAreFew) {
  using T = TypeParam;
  for (const Index columns : {0, 1, 40}) {
    const Matrix<T> dense(30, columns, 1);
    EXPECT_FALSE(pack_without_zeros<T>(Side::left, dense.constant()).lacks_zeros());
  }
  // A sixth of each panel is zero: a list of what is left would not pay.
  Matrix<T> dense(30, 60, 1);
  for (Index row = 0; row < 30; ++row) std::fill_n(&dense.view()(row, 50), 10, T(0));
  const Packed<T> packed = pack_without_zeros<T>(Side::left, dense.constant());
  EXPECT_FALSE(packed.lacks_zeros());
  EXPECT_LE(packed.bytes(), Packed<T>::bytes_needed(Side::left, 30, 60));
}

TYPED_TEST(PackedZeros, LoseNoEntryThatIsNotFinite) {
  using T = TypeParam;
  const auto lacking = [](Side side, MatrixView<const T> rows) { return pack_without_zeros<T>(side, rows); };
  for (const T bad : {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
    Matrix<T> x(30, 200, 1);
    x.fill(0);  // zero everywhere, and in the second panel in all but one place
    x.view()(20, 150) = 1;
    Matrix<T> y(40, 200, 2);
    y.view()(33, 7) = bad;
    const Matrix<T> tile = this->tile_of(x, y, 1, TilePart::full, lacking);
    for (Index row = 0; row < 30; ++row) {
      for (Index column = 0; column < 40; ++column) {
        ASSERT_EQ(std::isfinite(tile.view()(row, column)), column != 33) << row << ' ' << column;
      }
    }
  }
}

}  // namespace
}  // namespace tangra::linalg
