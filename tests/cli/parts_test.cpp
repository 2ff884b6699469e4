// The parts of the program that can be asked without running it.
#include <gtest/gtest.h>

#include "progress.h"
#include "support/support.h"
#include "terminal.h"
#include "values.h"

namespace tangra::cli {
namespace {

TEST(Values, Bytes) {
  EXPECT_EQ(parse_bytes("4GiB", "--memory"), std::size_t{4} << 30);
  EXPECT_EQ(parse_bytes("1.5 MiB", "--memory"), std::size_t{3} << 19);
  EXPECT_EQ(parse_bytes("2GB", "--memory"), 2000000000U);
  EXPECT_EQ(parse_bytes("10kB", "--memory"), 10000U);
  EXPECT_EQ(parse_bytes("123", "--memory"), 123U);
  EXPECT_EQ(parse_bytes("123B", "--memory"), 123U);
  for (const char* bad : {"", "GiB", "-1GiB", "0", "1e400", "nan", "inf", "4 G", "4GiBs", "1e30GiB"}) {
    EXPECT_EQ(test::error_of([&] { parse_bytes(bad, "--memory"); }).kind(), ErrorKind::usage) << bad;
  }
}

TEST(Values, Ranges) {
  EXPECT_EQ(parse_range("0:1", "--samples"), (std::pair<Index, Index>{0, 1}));
  EXPECT_EQ(parse_range("100:2000", "--samples"), (std::pair<Index, Index>{100, 2000}));
  for (const char* bad :
       {"", ":", "1:", ":1", "1:1", "2:1", "-1:1", "1:2:3", "1-2", "1:99999999999999999999"}) {
    EXPECT_EQ(test::error_of([&] { parse_range(bad, "--samples"); }).kind(), ErrorKind::usage) << bad;
  }
}

TEST(Values, Names) {
  EXPECT_EQ(parse_names("a, b ,c.d", "--wrt"), (std::vector<std::string>{"a", "b", "c.d"}));
  for (const char* bad : {"", " ", ",", "a,", ",a", "a, ,b"}) {
    EXPECT_EQ(test::error_of([&] { parse_names(bad, "--wrt"); }).kind(), ErrorKind::usage) << bad;
  }
}

TEST(Values, Seeds) {
  EXPECT_EQ(parse_seed("0", "--seed"), 0U);
  EXPECT_EQ(parse_seed("18446744073709551615", "--seed"), ~std::uint64_t{0});
  for (const char* bad : {"", "-1", "-0", "+1", "18446744073709551616", "1.0", "1e3", " 1"}) {
    EXPECT_EQ(test::error_of([&] { parse_seed(bad, "--seed"); }).kind(), ErrorKind::usage) << bad;
  }
}

TEST(Values, Shapes) {
  EXPECT_EQ(parse_shape("1,28,28", "--input-shape"), (Shape{1, 28, 28}));
  EXPECT_EQ(parse_shape("7", "--input-shape"), (Shape{7}));
  for (const char* bad :
       {"", ",", "1,", ",1", "0", "1,0", "-1", "1;2", "1, 2", "1x28", "1.5", "99999999999999999999"}) {
    EXPECT_EQ(test::error_of([&] { parse_shape(bad, "--input-shape"); }).kind(), ErrorKind::usage) << bad;
  }
}

TEST(Terminal, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(harmless("Grüße →\n\t."), "Grüße →\n\t.");
  EXPECT_EQ(harmless("\x1b[31m\r\a\x7f"), R"(\x1b[31m\x0d\x07\x7f)");
  EXPECT_EQ(harmless("\xc2\x9b\xff\xc3"), R"(\xc2\x9b\xff\xc3)");
  EXPECT_EQ(harmless(std::string_view("\0", 1)), R"(\x00)");
}

/// A clock and a screen for a progress line.
struct Screen {
  double now = 0;
  std::string text;
  ProgressLine::Surroundings surroundings(bool terminal) {
    return {.terminal = terminal,
            .unicode = false,
            .width = [] { return Index{60}; },
            .seconds = [this] { return now; },
            .write = [this](std::string_view more) { text += more; }};
  }
};

TEST(Progress, ATerminalHasOneLineThatIsWipedAtTheEnd) {
  Screen screen;
  {
    ProgressLine line(screen.surroundings(true));
    line.report("factors", 0, 100);
    screen.now = 0.05;
    line.report("factors", 5, 100);  // too soon to draw again
    screen.now = 10;
    line.report("factors", 25, 100);
  }
  const std::string wipe = "\r\x1b[K";
  EXPECT_EQ(screen.text, wipe + "factors  ........................................    0 %" + wipe +
                             "factors  ######....................   25 %  2.5/s  ETA 30 s" + wipe);
}

TEST(Progress, ALogHasALineEveryTenSecondsAndNoneForShortRuns) {
  Screen screen;
  {
    ProgressLine line(screen.surroundings(false));
    for (int second = 0; second <= 25; ++second) {
      screen.now = second;
      line.report("tiles", second, 100);
      if (second < 10) {
        EXPECT_EQ(screen.text, "");
      }
    }
  }
  EXPECT_EQ(screen.text, "tangra: tiles  10 %  1/s  ETA 1:30\ntangra: tiles  20 %  1/s  ETA 1:20\n");
}

TEST(Progress, StrangeNumbersDoNoHarm) {
  Screen screen;
  ProgressLine line(screen.surroundings(true));
  for (const auto& [done, total] : {std::pair{0.0, 0.0}, {5.0, 0.0}, {7.0, 3.0}, {1e300, 1e-300}}) {
    screen.now += 1;
    line.report("x", done, total);
  }
  EXPECT_NE(screen.text, "");
  for (const char* nonsense : {"nan", "inf", "-"})
    EXPECT_EQ(screen.text.find(nonsense), std::string::npos) << screen.text;
}

}  // namespace
}  // namespace tangra::cli
