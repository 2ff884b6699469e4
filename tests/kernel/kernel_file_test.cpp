#include "tangra/kernel/kernel_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/zarr/zarr.h"
#include "tangra/kernel/stored_operator.h"

namespace tangra::kernel {
namespace {

/// A symmetric matrix whose entries all differ but for their mirror images.
Tensor<double> symmetric(Index n) {
  Tensor<double> k(Shape{n, n});
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) k[i * n + j] = static_cast<double>(std::max(i, j) * n + std::min(i, j)) + 0.25;
  }
  return k;
}

/// Writes [rows, columns] as a Zarr array of two axes, or of four with `full` rows a sample, in chunks of `block` samples.
template <class T>
void write_zarr(const std::filesystem::path& folder, const Tensor<double>& k, Index full, Index block, const std::string& triangle) {
  std::filesystem::create_directories(folder);
  const Index side = k.shape()[0];
  formats::ZarrHeader header{.type = dtype_of<T>(), .shape = {side, side}, .chunk = {block, block}, .dimension_names = {}, .attributes = {}};
  if (full > 1) {
    header.shape = {side / full, full, side / full, full};
    header.chunk = {block, full, block, full};
  }
  if (!triangle.empty()) header.attributes = {{"tangra.triangle", triangle}};
  formats::write_zarr_array(folder, header);
  const formats::ZarrArray array(folder);
  const Index width = block * full;
  for (Index i = 0; i * width < side; ++i) {
    for (Index j = 0; j * width < side; ++j) {
      if (triangle == "lower" && j > i) continue;
      std::vector<T> entries(static_cast<std::size_t>(width * width), std::numeric_limits<T>::quiet_NaN());
      for (Index r = 0; r < std::min(width, side - i * width); ++r) {
        for (Index c = 0; c < std::min(width, side - j * width); ++c) {
          entries[static_cast<std::size_t>(r * width + c)] = static_cast<T>(k[(i * width + r) * side + j * width + c]);
        }
      }
      const std::vector<Index> place = full > 1 ? std::vector<Index>{i, 0, j, 0} : std::vector<Index>{i, j};
      array.write(place, std::as_bytes(std::span(entries)));
    }
  }
}

Tensor<double> read(const std::filesystem::path& path, Index rows, Index columns) {
  test::TestContext context(3);
  Tensor<double> k(Shape{rows, columns});
  std::fill(k.begin(), k.end(), -1);
  KernelFile(path).read_all(matrix(k.data(), rows, columns), context.context);
  return k;
}

void expect_same(const Tensor<double>& a, const Tensor<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (Index e = 0; e < a.size(); ++e) ASSERT_EQ(a[e], b[e]) << e;
}

TEST(KernelFile, ReadsZarrOfEveryForm) {
  for (const char* triangle : {"", "lower", "full"}) {
    for (const Index full : {1, 3}) {
      for (const Index block : {2, 7, 9}) {
        SCOPED_TRACE(std::string(triangle) + ", full " + std::to_string(full) + ", block " + std::to_string(block));
        const test::TemporaryFolder folder;
        const Tensor<double> k = symmetric(7 * full);
        write_zarr<double>(folder / "K.zarr", k, full, block, triangle);
        expect_same(read(folder / "K.zarr", 7 * full, 7 * full), k);
        expect_same(read(folder / "K.zarr/", 7 * full, 7 * full), k);
        if (block != 2) continue;
        write_zarr<float>(folder / "F.zarr", k, full, block, triangle);
        expect_same(read(folder / "F.zarr", 7 * full, 7 * full), k);  // the numbers are exact in float32
      }
    }
  }
}

TEST(KernelFile, ReadsTheTotalOfAGroup) {
  const test::TemporaryFolder folder;
  formats::write_zarr_group(folder.path(), {});
  write_zarr<double>(folder / "total", symmetric(5), 1, 2, "lower");
  expect_same(read(folder.path(), 5, 5), symmetric(5));
}

TEST(KernelFile, ReadsNpyInPanels) {
  const test::TemporaryFolder folder;
  // Rows so long that a panel holds three of them.
  Tensor<double> k(Shape{8, 174762});
  for (Index e = 0; e < k.size(); ++e) k[e] = static_cast<double>(e);
  formats::write_npy(folder / "K.npy", Array(k));
  EXPECT_EQ(KernelFile(folder / "K.npy").pieces().size(), 3U);
  expect_same(read(folder / "K.npy", 8, 174762), k);
  Tensor<float> four(Shape{2, 3, 2, 2});
  for (Index e = 0; e < four.size(); ++e) four[e] = static_cast<float>(e);
  formats::write_npy(folder / "F.npy", Array(four));
  const Tensor<double> wide = read(folder / "F.npy", 6, 4);
  for (Index e = 0; e < wide.size(); ++e) EXPECT_EQ(wide[e], four[e]);
}

TEST(KernelFile, AnIncompleteKernelSaysHowItIsMended) {
  const test::TemporaryFolder folder;
  write_zarr<double>(folder / "K.zarr", symmetric(7), 1, 2, "lower");
  const auto refusal = [&] { return test::error_of([&] { read(folder / "K.zarr", 7, 7); }); };
  std::filesystem::resize_file(folder / "K.zarr/c/2/1", 3);
  EXPECT_EQ(refusal().complaint().what, "this chunk is damaged");
  std::filesystem::remove(folder / "K.zarr/c/2/1");
  EXPECT_EQ(refusal().kind(), ErrorKind::input);
  EXPECT_EQ(refusal().complaint().where, folder / "K.zarr/c/2/1");
  EXPECT_NE(std::string(refusal().what()).find("--resume"), std::string::npos);
}

TEST(KernelFile, OfAnotherProgramAbsentChunksAreTheirFill) {
  const test::TemporaryFolder folder;
  write_zarr<double>(folder / "K.zarr", symmetric(4), 1, 2, "");
  formats::ZarrHeader header = formats::ZarrArray(folder / "K.zarr").header();
  header.fill = 0.5;
  formats::write_zarr_array(folder / "K.zarr", header);
  std::filesystem::remove(folder / "K.zarr/c/0/1");
  const Tensor<double> k = read(folder / "K.zarr", 4, 4);
  EXPECT_EQ(k[2], 0.5);
  EXPECT_EQ(k[8], symmetric(4)[8]);
}

TEST(KernelFile, RefusesWhatIsNoMatrixOfNumbers) {
  const test::TemporaryFolder folder;
  const auto refusal = [&] { return test::error_of([&] { KernelFile(folder / "K").pieces(); }); };
  EXPECT_EQ(refusal().complaint().what, "the file is not there");
  formats::write_npy(folder / "K", Array(Tensor<double>(Shape{2, 3, 3})));
  EXPECT_EQ(refusal().complaint().got, "shape (2, 3, 3)");
  formats::write_npy(folder / "K", Array(Tensor<std::int64_t>(Shape{3, 3})));
  EXPECT_EQ(refusal().complaint().got, "int64");
  std::filesystem::remove(folder / "K");
  std::filesystem::create_directory(folder / "K");
  formats::ZarrHeader header{.shape = {4, 3, 4, 3}, .chunk = {2, 1, 2, 3}, .dimension_names = {}, .attributes = {}};
  formats::write_zarr_array(folder / "K", header);
  EXPECT_NE(refusal().complaint().what.find("divide the axes"), std::string::npos);
  header.shape = {4, 4};
  header.chunk = {2, 1};
  header.attributes = {{"tangra.triangle", "lower"}};
  formats::write_zarr_array(folder / "K", header);
  EXPECT_NE(refusal().complaint().what.find("lower triangle"), std::string::npos);
}

TEST(StoredOperator, IsTheMatrixOfItsFile) {
  for (const char* triangle : {"lower", "full"}) {
    for (const Index full : {1, 3}) {
      const test::TemporaryFolder folder;
      const Index n = 23 * full;
      const Tensor<double> k = symmetric(n);
      write_zarr<double>(folder / "K.zarr", k, full, 5, triangle);
      const KernelFile file(folder / "K.zarr");
      const StoredOperator stored(file, false);
      EXPECT_EQ(stored.rows(), n);
      EXPECT_EQ(stored.symmetric(), std::string(triangle) == "lower");
      const Tensor<double> x = test::random_tensor({n, 4}, 7);
      Tensor<double> expected(Shape{n, 4});
      test::TestContext one(1);
      linalg::MatrixOperator(matrix<const double>(k.data(), n, n), true)
          .apply(matrix<const double>(x.data(), n, 4), matrix(expected.data(), n, 4), one.context);
      for (const int threads : {1, 2, 5}) {
        test::TestContext context(threads);
        Tensor<double> y(Shape{n, 4});
        std::fill(y.begin(), y.end(), -1);
        stored.apply(matrix<const double>(x.data(), n, 4), matrix(y.data(), n, 4), context.context);
        // Sums of n products in another order: 2 n eps times the sum of their absolute values.
        for (Index e = 0; e < y.size(); ++e) EXPECT_NEAR(y[e], expected[e], 2 * static_cast<double>(n * n * n) * static_cast<double>(n) * 0x1p-53);
        Tensor<double> first(Shape{n, 4});
        stored.apply(matrix<const double>(x.data(), n, 4), matrix(first.data(), n, 4), one.context);
        EXPECT_EQ(std::memcmp(y.data(), first.data(), y.bytes()), 0) << "bits do not depend on threads";
      }
    }
  }
}

TEST(StoredOperator, OfARectangularNpy) {
  const test::TemporaryFolder folder;
  Tensor<double> k = test::random_tensor({7, 11}, 3);
  formats::write_npy(folder / "K.npy", Array(k));
  const KernelFile file(folder / "K.npy");
  const StoredOperator stored(file, false);
  const Tensor<double> x = test::random_tensor({11, 2}, 5);
  Tensor<double> y(Shape{7, 2});
  test::TestContext context;
  stored.apply(matrix<const double>(x.data(), 11, 2), matrix(y.data(), 7, 2), context.context);
  for (Index i = 0; i < 7; ++i) {
    for (Index v = 0; v < 2; ++v) {
      double sum = 0;
      for (Index j = 0; j < 11; ++j) sum += k[i * 11 + j] * x[j * 2 + v];
      EXPECT_NEAR(y[i * 2 + v], sum, 22 * 11 * 0x1p-53);
    }
  }
}

TEST(StoredOperator, NormsInOnePass) {
  for (const char* triangle : {"lower", "full"}) {
    const test::TemporaryFolder folder;
    constexpr Index n = 17;
    Tensor<double> k = symmetric(n);
    for (Index e = 0; e < k.size(); ++e) k[e] -= 280;  // the largest row is the first
    const auto norms = [&](int threads) {
      test::TestContext context(threads);
      const KernelFile file(folder / "K.zarr");
      return StoredOperator(file, false).norms("K", context.context);
    };
    write_zarr<double>(folder / "K.zarr", k, 1, 4, triangle);
    double trace = 0;
    double squares = 0;
    double largest = 0;
    for (Index i = 0; i < n; ++i) {
      double sum = 0;
      for (Index j = 0; j < n; ++j) sum += std::abs(k[i * n + j]), squares += k[i * n + j] * k[i * n + j];
      largest = std::max(largest, sum);
      trace += k[i * (n + 1)];
    }
    // Sums of n or n^2 numbers in another order.
    EXPECT_NEAR(norms(1).trace, trace, n * 0x1p-53 * std::abs(trace));
    EXPECT_NEAR(norms(1).frobenius, std::sqrt(squares), n * n * 0x1p-53 * std::sqrt(squares));
    EXPECT_NEAR(norms(1).largest_row_sum, largest, n * 0x1p-53 * largest);
    EXPECT_LE(norms(1).asymmetry, 2 * n * 0x1p-53 * largest * std::sqrt(n));
    const StoredNorms one = norms(1);
    for (const int threads : {2, 5}) {
      const StoredNorms more = norms(threads);
      EXPECT_EQ(std::memcmp(&one, &more, sizeof one), 0) << "bits do not depend on threads";
    }
    if (std::string(triangle) == "full") {
      const Tensor<double> skew = test::random_tensor({n, n}, 9);
      double difference = 0;
      for (Index e = 0; e < k.size(); ++e) difference += std::pow(skew[e] - skew[e % n * n + e / n], 2);
      for (Index e = 0; e < k.size(); ++e) k[e] += skew[e];
      write_zarr<double>(folder / "K.zarr", k, 1, 4, triangle);
      EXPECT_GT(norms(3).asymmetry, 0.5 * std::sqrt(difference));
      EXPECT_LT(norms(3).asymmetry, 2 * std::sqrt(difference));
    }
    k[5 * n + 2] = std::nan("");
    write_zarr<double>(folder / "K.zarr", k, 1, 4, triangle);
    const Error error = test::error_of([&] { norms(3); });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.complaint().where, "K, entry (5, 2)");
  }
}

TEST(StoredOperator, ReadsFewerPiecesAtATimeWhereMemoryIsShort) {
  const test::TemporaryFolder folder;
  constexpr Index n = 640;
  const Tensor<double> k = symmetric(n);
  write_zarr<double>(folder / "K.zarr", k, 1, 64, "lower");
  const KernelFile file(folder / "K.zarr");
  const StoredOperator stored(file, true);
  const Tensor<double> x = test::random_tensor({n, 2}, 5);
  const auto product = [&](std::size_t memory) {
    ThreadPool pool(4);
    MemoryLedger ledger(memory);
    const Context context{.pool = pool, .memory = ledger};
    Tensor<double> y(Shape{n, 2});
    stored.apply(matrix<const double>(x.data(), n, 2), matrix(y.data(), n, 2), context);
    return y;
  };
  constexpr std::size_t piece = std::size_t{64} * 64 * 2 * sizeof(double);
  const Tensor<double> all = product(0);
  const Tensor<double> few = product(2 * piece + piece / 2);
  EXPECT_EQ(std::memcmp(all.data(), few.data(), all.bytes()), 0);
  EXPECT_EQ(test::error_of([&] { product(piece - 1); }).kind(), ErrorKind::memory);
}

TEST(StoredOperator, ARectangleIsNotSymmetric) {
  const test::TemporaryFolder folder;
  formats::write_npy(folder / "K.npy", Array(test::random_tensor({7, 11}, 3)));
  const KernelFile file(folder / "K.npy");
  EXPECT_EQ(test::error_of([&] { StoredOperator(file, true); }).kind(), ErrorKind::input);
  test::TestContext context;
  EXPECT_TRUE(std::isinf(StoredOperator(file, false).norms("K", context.context).asymmetry));
}

}  // namespace
}  // namespace tangra::kernel
