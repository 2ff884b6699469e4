#include "tangra/formats/npz.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "formats/files.h"
#include "formats/foreign_bytes.h"
#include "support/support.h"

namespace tangra::formats {
namespace {

using test::counting;
using test::expect_same;
using test::from_hex;

NamedArrays some_arrays() {
  return {{"total", counting(DType::float32, Shape{7, 7})},
          {"0.weight", counting(DType::float64, Shape{3, 1, 2})},
          {"jacobian:a/left", counting(DType::boolean, Shape{5})},
          {"scalar", counting(DType::int64, Shape{})},
          {"nothing", counting(DType::uint8, Shape{0, 3})},
          {"gr\xc3\xb6\xc3\x9f"
           "e",
           counting(DType::float16, Shape{2})}};
}

TEST(Npz, ComesBackInOrder) {
  const test::TemporaryFolder folder;
  const NamedArrays arrays = some_arrays();
  write_npz(folder / "a.npz", arrays);
  const NamedArrays back = read_npz(folder / "a.npz");
  const std::vector<std::string> keys = npz_keys(folder / "a.npz");
  ASSERT_EQ(back.size(), arrays.size());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ(back[i].first, arrays[i].first);
    EXPECT_EQ(keys[i], arrays[i].first);
    expect_same(back[i].second, arrays[i].second);
    expect_same(read_npz(folder / "a.npz", arrays[i].first), arrays[i].second);
  }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 1) << "something temporary was left";
}

TEST(Npz, IsTheSameBytesAtAnyTimeAndPlace) {
  const test::TemporaryFolder folder;
  write_npz(folder / "a.npz", some_arrays());
  setenv("TZ", "Asia/Tokyo", 1);
  tzset();
  write_npz(folder / "b.npz", some_arrays());
  unsetenv("TZ");
  tzset();
  EXPECT_EQ(test::read_bytes(folder / "a.npz"), test::read_bytes(folder / "b.npz"));
}

TEST(Npz, HoldsNoArraysAtAll) {
  const test::TemporaryFolder folder;
  write_npz(folder / "a.npz", {});
  EXPECT_TRUE(read_npz(folder / "a.npz").empty());
  EXPECT_NE(
      std::string(test::error_of([&] { read_npz(folder / "a.npz", "x"); }).what()).find("no arrays at all"),
      std::string::npos);
}

TEST(Npz, ReadsWhatNumPyWrote) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.npz", from_hex(test::numpy_npz_deflated));
  EXPECT_EQ(npz_keys(folder / "a.npz"), (std::vector<std::string>{"b", "a"}));
  expect_same(read_npz(folder / "a.npz", "b"), counting(DType::int32, Shape{100}));
  expect_same(read_npz(folder / "a.npz", "a"), counting(DType::float64, Shape{2, 3}));
  test::write_bytes(folder / "a.npz", from_hex(test::numpy_npz_stored));
  expect_same(read_npz(folder / "a.npz", "x"), counting(DType::uint8, Shape{5}));
}

TEST(Npz, NamesTheKeysWhereOneIsMissing) {
  const test::TemporaryFolder folder;
  write_npz(folder / "a.npz", some_arrays());
  const Error error = test::error_of([&] { read_npz(folder / "a.npz", "weight"); });
  EXPECT_EQ(error.complaint().where, (folder / "a.npz").string() + ":weight");
  EXPECT_NE(error.complaint().got.find("0.weight"), std::string::npos);
}

TEST(Npz, RefusesTwoArraysOfOneNameAndNone) {
  const test::TemporaryFolder folder;
  const Array array = counting(DType::int8, Shape{1});
  EXPECT_EQ(test::error_of([&] {
              write_npz(folder / "a.npz", {{"x", array}, {"x", array}});
            }).kind(),
            ErrorKind::input);
  EXPECT_EQ(test::error_of([&] { write_npz(folder / "a.npz", {{"", array}}); }).kind(), ErrorKind::input);
  EXPECT_FALSE(std::filesystem::exists(folder / "a.npz"));
}

TEST(Npz, RefusesEveryPrefix) {
  const test::TemporaryFolder folder;
  for (const auto file : {test::numpy_npz_deflated, test::numpy_npz_stored}) {
    test::expect_refused_prefixes(folder / "a.npz", from_hex(file), [&] { read_npz(folder / "a.npz"); });
  }
}

TEST(Npz, SurvivesFlippedBits) {
  const test::TemporaryFolder folder;
  for (const auto file : {test::numpy_npz_deflated, test::numpy_npz_stored}) {
    test::expect_survives_flips(folder / "a.npz", from_hex(file), 10000, [&] { read_npz(folder / "a.npz"); });
  }
}

TEST(Npz, SeesADamagedEntry) {
  const test::TemporaryFolder folder;
  std::string bytes = from_hex(test::numpy_npz_stored);
  const auto place = bytes.find(from_hex("0001020304"));
  ASSERT_NE(place, std::string::npos);
  bytes[place + 2] = 9;
  test::write_bytes(folder / "a.npz", bytes);
  const Error error = test::error_of([&] { read_npz(folder / "a.npz", "x"); });
  EXPECT_NE(std::string(error.what()).find("damaged"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace tangra::formats
