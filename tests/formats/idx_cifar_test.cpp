#include <gtest/gtest.h>

#include "formats/files.h"
#include "support/support.h"
#include "tangra/formats/cifar.h"
#include "tangra/formats/gzip.h"
#include "tangra/formats/idx.h"

namespace tangra::formats {
namespace {

using test::from_hex;

const std::string bytes_3x2x2 = from_hex("00000803 00000003 00000002 00000002 000102030405060708090a0b");

TEST(Idx, ReadsShapeAndRowsPlainAndCompressed) {
  const test::TemporaryFolder folder;
  const Array all = test::counting(DType::uint8, Shape{3, 2, 2});
  for (const std::string& bytes : {bytes_3x2x2, test::gzipped(bytes_3x2x2)}) {
    test::write_bytes(folder / "a", bytes);
    EXPECT_EQ(read_idx_shape(folder / "a"), (Shape{3, 2, 2}));
    test::expect_same(read_idx_rows(folder / "a", 0, 3), all);
    test::expect_same(read_idx_rows(folder / "a", 1, 2), all.rows(1, 2));
    test::expect_same(read_idx_rows(folder / "a", 3, 3), all.rows(3, 3));
    for (const auto& [begin, end] : {std::pair<Index, Index>{0, 4}, {-1, 1}, {2, 1}}) {
      EXPECT_EQ(test::error_of([&, b = begin, e = end] { read_idx_rows(folder / "a", b, e); }).kind(),
                ErrorKind::input);
    }
  }
}

TEST(Idx, TurnsItsByteOrderRound) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a", from_hex("00000b01 00000002 0102 fffe"));
  EXPECT_EQ(read_idx_rows(folder / "a", 0, 2).as<std::int16_t>()[0], 258);
  EXPECT_EQ(read_idx_rows(folder / "a", 1, 2).as<std::int16_t>()[0], -2);
  test::write_bytes(folder / "a", from_hex("00000e01 00000001 3ff8000000000000"));
  EXPECT_EQ(read_idx_rows(folder / "a", 0, 1).as<double>()[0], 1.5);
}

TEST(Idx, RefusesEveryPrefixAndSurvivesFlips) {
  const test::TemporaryFolder folder;
  for (const std::string& bytes : {bytes_3x2x2, test::gzipped(bytes_3x2x2)}) {
    const auto read = [&] { read_idx_rows(folder / "a", 0, read_idx_shape(folder / "a")[0]); };
    test::expect_refused_prefixes(folder / "a", bytes, read);
    test::expect_survives_flips(folder / "a", bytes, bytes.size(), read);
  }
}

TEST(Idx, RefusesWhatIsNone) {
  const test::TemporaryFolder folder;
  for (const char* hex : {"01000801 00000001 00", "00000a01 00000001 00", "00000800 00", "504b0304 00000000",
                          "00000803 ffffffff ffffffff ffffffff 00", "00000801 00000001 0000"}) {
    for (const std::string& bytes : {from_hex(hex), test::gzipped(from_hex(hex))}) {
      test::write_bytes(folder / "a", bytes);
      const Error error =
          test::error_of([&] { read_idx_rows(folder / "a", 0, read_idx_shape(folder / "a")[0]); });
      EXPECT_EQ(error.kind(), ErrorKind::input) << hex;
    }
  }
}

TEST(Idx, InflatesOnlyAsFarAsNeeded) {
  const test::TemporaryFolder folder;
  // Noise, so that the compressed file is long; its second half is cut off.
  std::string bytes = from_hex("00000802 00001000 00000400");
  std::uint64_t state = 1;
  for (int i = 0; i < 4096 * 1024; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    bytes += static_cast<char>(state >> 56);
  }
  const std::string packed = test::gzipped(bytes);
  test::write_bytes(folder / "a", packed.substr(0, packed.size() / 2));
  EXPECT_EQ(read_idx_rows(folder / "a", 1000, 1001).as<std::uint8_t>()[5],
            static_cast<std::uint8_t>(bytes[12 + 1000 * 1024 + 5]));
  EXPECT_EQ(test::error_of([&] { read_idx_rows(folder / "a", 4000, 4001); }).kind(), ErrorKind::input);
}

TEST(Gunzip, SeesDamageAndWrongSizes) {
  const std::string packed = test::gzipped("hello");
  const auto bytes = std::as_bytes(std::span(packed));
  EXPECT_EQ(gunzip(bytes, 5, "here").size(), 5U);
  EXPECT_EQ(test::error_of([&] { gunzip(bytes, 4, "here"); }).kind(), ErrorKind::input);
  EXPECT_EQ(test::error_of([&] { gunzip(bytes, 6, "here"); }).kind(), ErrorKind::input);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(test::error_of([&] { gunzip(bytes.first(length), 5, "here"); }).complaint().where, "here");
  }
}

std::string cifar_rows(int count) {
  std::string bytes;
  for (int row = 0; row < count; ++row) {
    bytes += static_cast<char>(row % 10);
    for (int i = 0; i < 3072; ++i) bytes += static_cast<char>(row + i);
  }
  return bytes;
}

TEST(Cifar, ReadsRows) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.bin", cifar_rows(523));
  EXPECT_EQ(cifar_count(folder / "a.bin"), 523);
  const CifarRows rows = read_cifar_rows(folder / "a.bin", 3, 520);
  EXPECT_EQ(rows.images.shape(), (Shape{517, 3, 32, 32}));
  EXPECT_EQ(rows.labels.shape(), (Shape{517}));
  for (const std::size_t row : {0U, 255U, 256U, 516U}) {
    EXPECT_EQ(rows.labels.as<std::uint8_t>()[row], (row + 3) % 10);
    EXPECT_EQ(rows.images.as<std::uint8_t>()[row * 3072 + 1030], static_cast<std::uint8_t>(row + 3 + 1030));
  }
  EXPECT_EQ(read_cifar_rows(folder / "a.bin", 5, 5).images.size(), 0);
}

TEST(Cifar, RefusesOtherSizesRowsAndLabels) {
  const test::TemporaryFolder folder;
  const std::string bytes = cifar_rows(1);
  test::expect_refused_prefixes(folder / "a.bin", bytes, [&] { cifar_count(folder / "a.bin"); });
  test::write_bytes(folder / "a.bin", bytes);
  EXPECT_EQ(test::error_of([&] { read_cifar_rows(folder / "a.bin", 0, 2); }).kind(), ErrorKind::input);
  test::write_bytes(folder / "a.bin", bytes + '\x0a' + bytes.substr(1));
  const Error error = test::error_of([&] { read_cifar_rows(folder / "a.bin", 0, 2); });
  EXPECT_NE(std::string(error.what()).find("picture 1"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace tangra::formats
