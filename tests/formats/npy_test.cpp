#include "tangra/formats/npy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/files.h"
#include "formats/foreign_bytes.h"
#include "support/support.h"

namespace tangra::formats {
namespace {

using test::counting;
using test::expect_same;
using test::from_hex;

constexpr DType all_types[] = {DType::float16, DType::float32, DType::float64, DType::int8,
                               DType::int16,   DType::int32,   DType::int64,   DType::uint8,
                               DType::uint16,  DType::uint32,  DType::uint64,  DType::boolean};

/// A version 1 file with this dictionary.
std::string npy_with(std::string dictionary, const std::string& data) {
  dictionary += '\n';
  std::string bytes = "\x93NUMPY\1";
  bytes += '\0';
  bytes += static_cast<char>(dictionary.size() & 0xff);
  bytes += static_cast<char>(dictionary.size() >> 8);
  return bytes + dictionary + data;
}

std::string complaint_about(const std::string& dictionary, const std::string& data = "") {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.npy", npy_with(dictionary, data));
  const Error error = test::error_of([&] { read_npy(folder / "a.npy"); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_EQ(error.complaint().where, (folder / "a.npy").string());
  return error.what();
}

TEST(Npy, ComesBackAsItWasForEveryTypeAndUglyShapes) {
  const test::TemporaryFolder folder;
  for (const DType type : all_types) {
    for (const Shape& shape :
         {Shape{}, Shape{1}, Shape{0}, Shape{7, 13}, Shape{1, 1, 1}, Shape{3, 0, 5}, Shape{2, 3, 5, 7}}) {
      const Array array = counting(type, shape);
      write_npy(folder / "a.npy", array);
      expect_same(read_npy(folder / "a.npy"), array);
      EXPECT_EQ(read_npy_header(folder / "a.npy").data_offset % 64, 0U);
    }
  }
}

TEST(Npy, WritesTheBytesThatNumPyWrites) {
  const test::TemporaryFolder folder;
  write_npy(folder / "a.npy", counting(DType::float32, Shape{2, 3}));
  EXPECT_EQ(test::read_bytes(folder / "a.npy"), from_hex(test::numpy_float32));
  write_npy(folder / "a.npy", counting(DType::uint64, Shape{0, 5}));
  EXPECT_EQ(test::read_bytes(folder / "a.npy"), from_hex(test::numpy_empty));
}

TEST(Npy, ReadsFortranOrderInTheOtherByteOrder) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.npy", from_hex(test::numpy_fortran_big_endian));
  const NpyHeader header = read_npy_header(folder / "a.npy");
  EXPECT_TRUE(header.fortran && header.reversed);
  expect_same(read_npy(folder / "a.npy"), counting(DType::int16, Shape{2, 3, 2}));
  expect_same(read_npy_rows(folder / "a.npy", 1, 2), counting(DType::int16, Shape{2, 3, 2}).rows(1, 2));
}

TEST(Npy, ReadsFortranOrderInPieces) {
  const test::TemporaryFolder folder;
  // Column (j, k) in the file is column j * 1200 + k in memory; all in one piece would be 7.7 MB.
  const Shape shape{801, 2, 1200};
  std::string data;
  for (int k = 0; k < 1200; ++k) {
    for (int j = 0; j < 2; ++j) {
      for (int i = 0; i < 801; ++i) {
        const float value = static_cast<float>((i * 2 + j) * 1200 + k);
        data.append(reinterpret_cast<const char*>(&value), 4);
      }
    }
  }
  test::write_bytes(folder / "a.npy",
                    npy_with("{'descr': '<f4', 'fortran_order': True, 'shape': (801, 2, 1200), }", data));
  const Array expected = counting(DType::float32, shape);
  expect_same(read_npy(folder / "a.npy"), expected);
  expect_same(read_npy_rows(folder / "a.npy", 397, 800), expected.rows(397, 800));
}

TEST(Npy, ReadsNumPysOtherFiles) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.npy", from_hex(test::numpy_scalar_bool));
  const Array scalar = read_npy(folder / "a.npy");
  EXPECT_EQ(scalar.shape(), Shape{});
  EXPECT_TRUE(scalar.as<bool>()[0]);
  test::write_bytes(folder / "a.npy", from_hex(test::numpy_half));
  EXPECT_EQ(read_npy(folder / "a.npy").converted<double>()[1], -2.0);
}

TEST(Npy, ReadsRows) {
  const test::TemporaryFolder folder;
  const Array array = counting(DType::float64, Shape{11, 3});
  write_npy(folder / "a.npy", array);
  for (const auto& [begin, end] : {std::pair<Index, Index>{0, 11}, {0, 0}, {11, 11}, {4, 5}, {3, 10}}) {
    expect_same(read_npy_rows(folder / "a.npy", begin, end), array.rows(begin, end));
  }
  for (const auto& [begin, end] : {std::pair<Index, Index>{0, 12}, {-1, 3}, {5, 4}, {12, 12}}) {
    EXPECT_EQ(test::error_of([&, b = begin, e = end] { read_npy_rows(folder / "a.npy", b, e); }).kind(),
              ErrorKind::input);
  }
  write_npy(folder / "a.npy", counting(DType::float64, Shape{}));
  EXPECT_EQ(test::error_of([&] { read_npy_rows(folder / "a.npy", 0, 1); }).kind(), ErrorKind::input);
}

TEST(Npy, RefusesEveryPrefix) {
  const test::TemporaryFolder folder;
  for (const auto file : {test::numpy_float32, test::numpy_fortran_big_endian, test::numpy_scalar_bool}) {
    test::expect_refused_prefixes(folder / "a.npy", from_hex(file), [&] { read_npy(folder / "a.npy"); });
  }
  test::write_bytes(folder / "a.npy", from_hex(test::numpy_float32) + "x");
  EXPECT_EQ(test::error_of([&] { read_npy(folder / "a.npy"); }).kind(), ErrorKind::input);
}

TEST(Npy, SurvivesFlippedBits) {
  const test::TemporaryFolder folder;
  for (const auto file : {test::numpy_float32, test::numpy_fortran_big_endian, test::numpy_scalar_bool}) {
    test::expect_survives_flips(folder / "a.npy", from_hex(file), 150, [&] { read_npy(folder / "a.npy"); });
  }
}

TEST(Npy, RefusesShapesThatCannotBe) {
  const std::string start = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  for (const char* shape :
       {"(4611686018427387904,)", "(4611686018427387904, 4611686018427387904)", "(-1,)",
        "(4611686018427387904, 0, 4)", "(99999999999999999999,)", "(1000000000000,)", "(1.5,)", "3"}) {
    EXPECT_NE(complaint_about(start + shape + "}"), "") << shape;
  }
  std::string axes;
  for (int i = 0; i < 65; ++i) axes += "1,";
  EXPECT_NE(complaint_about(start + "(" + axes + ")}", "1234").find("64 axes"), std::string::npos);
}

TEST(Npy, RefusesWhatItCannotHold) {
  const std::string rest = ", 'fortran_order': False, 'shape': (1,)}";
  EXPECT_NE(complaint_about("{'descr': [('a', '<f4')]" + rest, "1234").find("records"), std::string::npos);
  for (const char* type : {"<c8", "|O", "<f16", "<U1", "|f4", "", "f"}) {
    EXPECT_NE(complaint_about("{'descr': '" + std::string(type) + "'" + rest, "1234").find("astype"),
              std::string::npos);
  }
  EXPECT_NE(complaint_about("{'descr': '|b1'" + rest, "\2").find("boolean"), std::string::npos);
}

TEST(Npy, RefusesMalformedDictionaries) {
  for (const char* text :
       {"", "{", "{}", "{'descr': '<f4', 'shape': (1,)}", "{'descr': '<f4', 'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}"}) {
    EXPECT_NE(complaint_about(text, "1234").find("malformed"), std::string::npos) << text;
  }
}

TEST(Npy, RefusesForeignVersionsAndOversizeHeaders) {
  const test::TemporaryFolder folder;
  std::string bytes = from_hex(test::numpy_float32);
  bytes[6] = 4;
  test::write_bytes(folder / "a.npy", bytes);
  EXPECT_NE(std::string(test::error_of([&] { read_npy(folder / "a.npy"); }).what()).find("version"),
            std::string::npos);
  bytes = from_hex(test::numpy_fortran_big_endian);
  bytes[11] = '\x7f';
  test::write_bytes(folder / "a.npy", bytes);
  EXPECT_NE(std::string(test::error_of([&] { read_npy(folder / "a.npy"); }).what()).find("longer"),
            std::string::npos);
}

TEST(Npy, SaysWhatIsNotThere) {
  const test::TemporaryFolder folder;
  const Error error = test::error_of([&] { read_npy(folder / "none.npy"); });
  EXPECT_EQ(error.complaint().what, "the file is not there");
  EXPECT_EQ(error.complaint().where, (folder / "none.npy").string());
  EXPECT_EQ(test::error_of([&] { read_npy(folder.path()); }).complaint().what,
            "this is a folder, not a file");
  EXPECT_EQ(test::error_of([&] { read_npy("/dev/zero"); }).kind(), ErrorKind::input);
}

TEST(NpyHeader, IsAlignedInBothVersions) {
  const std::string first = npy_header(DType::int8, Shape{5});
  EXPECT_EQ(first.size() % 64, 0U);
  EXPECT_EQ(first[6], 1);
  const std::string second = npy_header(DType::int8, Shape(std::vector<Index>(30000, 1)));
  EXPECT_EQ(second.size() % 64, 0U);
  EXPECT_EQ(second[6], 2);
  EXPECT_EQ(test::error_of([] { npy_header(DType::int8, Shape{-1}); }).kind(), ErrorKind::input);
}

}  // namespace
}  // namespace tangra::formats
