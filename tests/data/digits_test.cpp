#include <gtest/gtest.h>

#include <array>

#include "support/support.h"
#include "tangra/data/data_set.h"

namespace tangra::data {
namespace {

TEST(Digits, AreTheKnownOnes) {
  const DataSet set = load({.source = "digits", .scale = 1.0});
  ASSERT_EQ(set.inputs.shape(), (Shape{1797, 1, 8, 8}));
  ASSERT_EQ(set.inputs.type(), DType::float64);
  ASSERT_TRUE(set.labels.has_value());
  std::array<int, 10> counts{};
  for (const Index label : *set.labels) ++counts.at(static_cast<std::size_t>(label));
  EXPECT_EQ(counts, (std::array<int, 10>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}));
  EXPECT_EQ(set.labels->front(), 0);

  double sum = 0;
  std::uint64_t checksum = 0;
  for (const double value : set.inputs.as<double>()) {
    ASSERT_TRUE(value >= 0 && value <= 16 && value == static_cast<int>(value));
    sum += value;
    checksum = (checksum ^ static_cast<std::uint64_t>(value)) * 0x100000001b3U;
  }
  EXPECT_EQ(sum, 561718);
  EXPECT_EQ(checksum, 0x5d8a5969ec2a0530U);
  // The first picture's first two rows.
  const std::vector<double> rows = {0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0};
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), set.inputs.as<double>().begin()));
}

TEST(Digits, AreDividedBy16AndSelected) {
  const DataSet all = load({.source = "digits"});
  const DataSet some = load({.source = "digits", .n = 7, .samples = std::pair<Index, Index>{1000, 1797}});
  EXPECT_EQ(some.inputs.shape(), (Shape{7, 1, 8, 8}));
  EXPECT_EQ(all.inputs.as<double>()[2], 5.0 / 16);
  for (std::size_t i = 0; i < 7 * 64; ++i) {
    EXPECT_EQ(some.inputs.as<double>()[i], all.inputs.as<double>()[1000 * 64 + i]);
  }
  EXPECT_EQ(some.labels->at(6), all.labels->at(1006));
  EXPECT_EQ(some.description, "divided by 16; samples 1000:1007 of 1797");
  EXPECT_EQ(all.description, "divided by 16; all 1797 samples");
  EXPECT_EQ(test::error_of([] { load({.source = "digits:test"}); }).kind(), ErrorKind::input);
}

}  // namespace
}  // namespace tangra::data
