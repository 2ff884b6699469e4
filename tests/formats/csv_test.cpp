#include "tangra/formats/csv.h"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/files.h"
#include "support/support.h"

namespace tangra::formats {
namespace {

Array csv_of(const std::string& text) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.csv", text);
  return read_csv(folder / "a.csv");
}

std::string complaint_about(const std::string& text) {
  const Error error = test::error_of([&] { csv_of(text); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  return error.what();
}

TEST(Csv, ReadsWhatPeopleWrite) {
  const Array expected = test::counting(DType::float64, Shape{2, 3});
  for (const char* text : {"0,1,2\n3,4,5\n", "0,1,2\n3,4,5", "0;1;2\r\n3;4;5\r\n", "0\t1\t2\n3\t4\t5\n",
                           " 0  1 2\n3 4   5 \n", "a,b,c\n0,1,2\n3,4,5\n",
                           "\xef\xbb\xbf"
                           "0,1,2\n3,4,5\n",
                           "# by hand\n\n0, +1.0 ,2e0\n\n3,4,.5e1\n", "label,1x1,1x2\n0,1,2\n3,4,5\n"}) {
    test::expect_same(csv_of(text), expected);
  }
  EXPECT_EQ(csv_of("7").shape(), (Shape{1, 1}));
  EXPECT_EQ(csv_of("0.1\n").as<double>()[0], 0.1);
  EXPECT_TRUE(std::isnan(csv_of("1,nan").as<double>()[1]));
  EXPECT_EQ(csv_of("1,-inf").as<double>()[1], -INFINITY);
}

TEST(Csv, SaysWhereItIsWrong) {
  EXPECT_NE(complaint_about("1,2\n3,4,5\n").find("line 2 has another number of columns"), std::string::npos);
  EXPECT_NE(complaint_about("1,2\n\n3,x\n").find("line 3, column 2"), std::string::npos);
  EXPECT_NE(complaint_about("1,x\n3,4\n").find("line 1, column 2"), std::string::npos);
  EXPECT_NE(complaint_about("1,2,\n").find("column 3 is not a number; got nothing"), std::string::npos);
  EXPECT_NE(complaint_about("1\t2\t\n").find("column 3"), std::string::npos);
  EXPECT_NE(complaint_about("1.5x\n2\n").find("line 1, column 1"), std::string::npos);
  EXPECT_NE(complaint_about("1,5;2,5\n").find("point"), std::string::npos);
  EXPECT_NE(complaint_about("1e999,2\n").find("float64"), std::string::npos);
  EXPECT_NE(complaint_about("").find("empty"), std::string::npos);
  EXPECT_NE(complaint_about("a,b\n").find("no numbers"), std::string::npos);
  EXPECT_NE(complaint_about(std::string("1,2\n\0,3\n", 8)).find("line 2"), std::string::npos);
}

TEST(Csv, SurvivesFlippedBits) {
  const test::TemporaryFolder folder;
  test::expect_survives_flips(folder / "a.csv", "a,b\n1,2.5e3\n-3,+4\r\n\n5,6\n", 100,
                              [&] { read_csv(folder / "a.csv"); });
}

}  // namespace
}  // namespace tangra::formats
