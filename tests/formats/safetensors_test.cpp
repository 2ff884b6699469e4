#include "tangra/formats/safetensors.h"

#include <gtest/gtest.h>

#include "formats/files.h"
#include "formats/foreign_bytes.h"
#include "support/support.h"

namespace tangra::formats {
namespace {

using test::counting;
using test::expect_same;
using test::from_hex;

std::string file_with(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>((header.size() >> (8 * i)) & 0xff);
  return bytes + header + data;
}

std::string complaint_about(const std::string& bytes) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "w.safetensors", bytes);
  const Error error = test::error_of([&] { read_safetensors(folder / "w.safetensors"); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_TRUE(error.complaint().where.starts_with((folder / "w.safetensors").string())) << error.what();
  return error.what();
}

TEST(SafeTensors, ComeBackInOrderAndAligned) {
  const test::TemporaryFolder folder;
  NamedArrays arrays;
  int number = 0;
  for (const DType type :
       {DType::int8, DType::boolean, DType::float16, DType::uint64, DType::float32, DType::uint8,
        DType::int16, DType::float64, DType::int64, DType::uint16, DType::uint32, DType::int32}) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{0, 2}, Shape{5, 1, 7}}) {
      arrays.emplace_back(std::to_string(number++) + ".weight", counting(type, shape));
    }
  }
  const std::map<std::string, std::string> metadata{{"format", "tangra"}, {"quote", "\"\n"}};
  write_safetensors(folder / "w.safetensors", arrays, metadata);
  const SafeTensors back = read_safetensors(folder / "w.safetensors");
  EXPECT_EQ(back.metadata, metadata);
  ASSERT_EQ(back.arrays.size(), arrays.size());
  const std::vector<std::string> keys = safetensors_keys(folder / "w.safetensors");
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ(back.arrays[i].first, arrays[i].first);
    EXPECT_EQ(keys[i], arrays[i].first);
    expect_same(back.arrays[i].second, arrays[i].second);
    expect_same(read_safetensors(folder / "w.safetensors", arrays[i].first), arrays[i].second);
  }
  EXPECT_EQ(static_cast<unsigned char>(test::read_bytes(folder / "w.safetensors")[0]) % 8, 0);
}

TEST(SafeTensors, ReadsWhatTheReferenceWrote) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "w.safetensors", from_hex(test::safetensors_file));
  expect_same(read_safetensors(folder / "w.safetensors", "w"), counting(DType::float32, Shape{2, 3}));
  const Array b = read_safetensors(folder / "w.safetensors", "b");
  EXPECT_EQ(b.as<std::int8_t>()[1], -8);
  EXPECT_EQ(read_safetensors(folder / "w.safetensors").metadata.at("k"), "v");
  // The same arrays in the same order give the same bytes.
  const SafeTensors back = read_safetensors(folder / "w.safetensors");
  write_safetensors(folder / "again.safetensors", back.arrays, back.metadata);
  EXPECT_EQ(test::read_bytes(folder / "again.safetensors"), from_hex(test::safetensors_file));
}

TEST(SafeTensors, HoldNothing) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "w.safetensors", {});
  EXPECT_TRUE(read_safetensors(folder / "w.safetensors").arrays.empty());
  EXPECT_EQ(test::error_of([&] { read_safetensors(folder / "w.safetensors", "x"); }).complaint().got,
            "no arrays at all");
}

TEST(SafeTensors, RefuseEveryPrefix) {
  const test::TemporaryFolder folder;
  test::expect_refused_prefixes(folder / "w.safetensors", from_hex(test::safetensors_file),
                                [&] { read_safetensors(folder / "w.safetensors"); });
}

TEST(SafeTensors, SurviveFlippedBits) {
  const test::TemporaryFolder folder;
  test::expect_survives_flips(folder / "w.safetensors", from_hex(test::safetensors_file), 10000,
                              [&] { read_safetensors(folder / "w.safetensors"); });
}

TEST(SafeTensors, RefuseWrongPlaces) {
  const auto entry = [](const char* name, int begin, int end, const char* shape = "[2]") {
    std::string text = "\"";
    text.append(name).append(R"(":{"dtype":"U8","shape":)").append(shape).append(R"(,"data_offsets":[)");
    return text.append(std::to_string(begin)).append(",").append(std::to_string(end)).append("]}");
  };
  const std::string open = "{";
  const std::string a = open + entry("a", 0, 2);
  EXPECT_NE(complaint_about(file_with(a + "," + entry("b", 1, 3) + "}", "123")).find("overlaps"),
            std::string::npos);
  EXPECT_NE(complaint_about(file_with(a + "," + entry("b", 3, 5) + "}", "12345")).find("gap"),
            std::string::npos);
  EXPECT_NE(complaint_about(file_with(a + "," + entry("b", 2, 4) + "}", "123")).find("leave"),
            std::string::npos);
  EXPECT_NE(complaint_about(file_with(a + "," + entry("b", 4, 2) + "}", "1234")).find("leave"),
            std::string::npos);
  EXPECT_NE(complaint_about(file_with(a + "," + entry("a", 2, 4) + "}", "1234")).find("twice"),
            std::string::npos);
  EXPECT_NE(complaint_about(file_with(a + "}", "123")).find("longer"), std::string::npos);
  EXPECT_NE(complaint_about(file_with(open + entry("a", 0, 2, "[3]") + "}", "12")).find("disagree"),
            std::string::npos);
  EXPECT_NE(complaint_about(file_with(open + entry("a", 0, 2, "[-2]") + "}", "12")).find("whole number"),
            std::string::npos);
  for (const char* shape :
       {"[4611686018427387904,4]", "[18446744073709551615]", "[0,18446744073709551615]"}) {
    EXPECT_NE(complaint_about(file_with(open + entry("a", 0, 2, shape) + "}", "12")).find("no array"),
              std::string::npos);
  }
}

TEST(SafeTensors, RefuseMalformedHeaders) {
  const std::string deep(5000, '[');
  for (const std::string& header :
       {std::string("[]"), std::string("{"), deep, "{\"a\":" + deep, std::string("{\"a\":1}"),
        std::string(R"({"__metadata__":{"a":1}})"), std::string("{\"a\xff\":{}}"),
        std::string(R"({"a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}})"),
        std::string(R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,2]}})")}) {
    EXPECT_NE(complaint_about(file_with(header, "12")), "");
  }
  std::string oversize = file_with("{}", "");
  oversize[7] = '\x40';  // a header of 2^62 bytes
  EXPECT_NE(complaint_about(oversize).find("longer than it can be"), std::string::npos);
}

TEST(SafeTensors, RefuseNamesThatAreNoText) {
  const test::TemporaryFolder folder;
  const Array array = counting(DType::int8, Shape{1});
  for (const NamedArrays& arrays : {NamedArrays{{"\xff", array}}, NamedArrays{{"a", array}, {"a", array}}}) {
    EXPECT_EQ(test::error_of([&] { write_safetensors(folder / "w", arrays); }).kind(), ErrorKind::input);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace tangra::formats
