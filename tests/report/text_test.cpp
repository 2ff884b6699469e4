#include "tangra/report/page/text.h"

#include <gtest/gtest.h>

#include <limits>

#include "tangra/report/page/page.h"
#include "tangra/report/page/plot.h"

namespace tangra::report {
namespace {

TEST(Text, CountsCodePointsNotBytes) {
  EXPECT_EQ(display_width("a→b"), 3);
  EXPECT_EQ(fit("Grüße aus Sofia", 7, true), "Grüße …");
  EXPECT_EQ(fit("Grüße aus Sofia", 7, false), "Grüße..");
  EXPECT_EQ(fit("short", 5, true), "short");
}

TEST(Text, ControlCharactersNeverReachTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb\nc\x7f"), "a?[31mb c?");
}

TEST(Text, WrapsAtBlanksAndWithinLongWords) {
  EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrap("abcdefgh", 3), (std::vector<std::string>{"abc", "def", "gh"}));
  EXPECT_EQ(wrap("", 10), std::vector<std::string>{""});
}

TEST(Text, NumbersForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1797), "1,797");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(significant(14.229333, 8), "14.229333");
  EXPECT_EQ(significant(-0.0), "0");
  EXPECT_EQ(significant(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(duration(0.00042), "0.42 ms");
  EXPECT_EQ(duration(12.34), "12.3 s");
  EXPECT_EQ(duration(185), "3 min 05 s");
  EXPECT_EQ(duration(7260), "2 h 01 min");
  EXPECT_EQ(plural(1, "sample"), "1 sample");
  EXPECT_EQ(plural(2, "sample"), "2 samples");
}

TEST(Text, CommandsAreQuotedForTheShell) {
  EXPECT_EQ(command_lines({{"tangra"}, {"spectrum"}, {"my kernel.npy"}}, 80),
            std::vector<std::string>{"tangra spectrum 'my kernel.npy'"});
  EXPECT_EQ(command_lines({{"it's"}}, 80), std::vector<std::string>{"'it'\\''s'"});
}

TEST(Text, LongCommandsBreakWhereTheShellAndTheChainAllowIt) {
  const std::vector<std::string> lines =
      command_lines({{"tangra"}, {"kernel"}, {"Chain(Dense(2 => 3), Dense(3 => 1))", true}, {"digits"}}, 30);
  EXPECT_EQ(lines, (std::vector<std::string>{"tangra kernel 'Chain(Dense(2", "    => 3), Dense(3 => 1))' \\",
                                             "    digits"}));
  const std::vector<std::string> path = command_lines({{"tangra"}, {"a path with many blanks in it"}}, 20);
  EXPECT_EQ(path, (std::vector<std::string>{"tangra \\", "    'a path with many blanks in it'"}));
}

TEST(Text, TablesCutTextBeforeNumbers) {
  Table table({{"name"}, {"entries", Align::right}});
  table.add({"a name that is much too long for this page", "1,234,567"});
  table.add({"b", "8"});
  const std::vector<std::string> lines = table.lines(30, true, 10);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1], "a name that is muc…  1,234,567");
  EXPECT_EQ(lines[2], "b                            8");
}

TEST(Text, NarrowPagesLeaveOutWhatCanBeSpared) {
  Table table({{"name"}, {"why", Align::left, true}, {"entries", Align::right}});
  table.add({"0.weight", "because somebody said so", "1,234,567"});
  EXPECT_EQ(table.lines(60, true, 10).back(), "0.weight  because somebody said so  1,234,567");
  EXPECT_EQ(table.lines(35, true, 10).back(), "0.weight  because someb…  1,234,567");
  EXPECT_EQ(table.lines(25, true, 10).back(), "0.weight  1,234,567");
  EXPECT_EQ(table.lines(16, true, 10).back(), "0.we…  1,234,567");
}

TEST(Text, OptionsStayWithTheirValues) {
  EXPECT_EQ(command_lines({{"tangra"}, {"kernel"}, {"--reduce"}, {"trace"}}, 24),
            (std::vector<std::string>{"tangra kernel \\", "    --reduce trace"}));
}

TEST(Text, LongTablesTellHowMuchIsLeftOut) {
  Table table({{"k"}});
  for (int k = 0; k < 5; ++k) table.add({std::to_string(k)});
  const std::vector<std::string> lines = table.lines(60, true, 2);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines.back(), "... and 3 more; --json lists all");
}

TEST(Plot, ShowsSignsAndTheFloor) {
  const std::vector<double> values = {100, 10, 1, 0.1, -0.01};
  const std::vector<std::string> lines =
      plot_lines({.values = values, .floor = 0.1, .height = 5, .unicode = false});
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0], "  1e+02 |*");
  EXPECT_EQ(lines[1], "        |     *");
  EXPECT_EQ(lines[3], "        |-----------------*------");
  EXPECT_EQ(lines[4], "  1e-02 |                       o");
}

TEST(Plot, NothingWhereThereIsNothingToSee) {
  const std::vector<double> zeros(10, 0.0);
  EXPECT_TRUE(plot_lines({.values = zeros}).empty());
  EXPECT_TRUE(plot_lines({.values = {}}).empty());
}

}  // namespace
}  // namespace tangra::report
