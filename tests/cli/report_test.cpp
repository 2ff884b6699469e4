// tangra report: one page from what other commands told.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/program.h"
#include "support/support.h"
#include "tangra/report/html.h"

namespace tangra::test {
namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Runs a command with --json and keeps what it tells.
json keep(std::vector<std::string> words, const std::filesystem::path& path) {
  words.push_back("--json");
  const Outcome outcome = tangra(words);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  std::ofstream(path) << outcome.out;
  return json::parse(outcome.out, nullptr, false);
}

std::string report(const std::filesystem::path& source, const std::vector<std::string>& more = {}) {
  const TemporaryFolder folder;
  std::vector<std::string> words{"report", source, "-o", folder / "R.html"};
  words.insert(words.end(), more.begin(), more.end());
  const Outcome outcome = tangra(words);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return read(folder / "R.html");
}

/// The page without what stands in its scripts and styles.
std::string markup(std::string page) {
  for (const char* element : {"script", "style"}) {
    const std::string open = std::string("<") + element, close = std::string("</") + element + ">";
    for (std::size_t at = page.find(open); at != std::string::npos; at = page.find(open, at + 1)) {
      const std::size_t begin = page.find('>', at) + 1, end = page.find(close, begin);
      EXPECT_NE(end, std::string::npos) << element << " is not closed";
      if (end == std::string::npos) return page;
      page.erase(begin, end - begin);
    }
  }
  return page;
}

/// Every element is closed, in order, and no bare "<" stands about.
void expect_complete(const std::string& page) {
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  const std::string html = markup(page);
  std::vector<std::string> open;
  const std::set<std::string> empty = {"meta", "link", "!doctype", "br"};
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    ASSERT_NE(end, std::string::npos);
    std::string name = html.substr(at + 1, html.find_first_of(" >", at) - at - 1);
    if (name.starts_with('/')) {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), name.substr(1)) << html.substr(at, 80);
      open.pop_back();
    } else if (!empty.contains(name)) {
      ASSERT_TRUE(std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      })) << name;
      open.push_back(name);
    }
  }
  EXPECT_TRUE(open.empty());
}

/// Nothing is fetched: no address but places within the page, no style or script from elsewhere.
void expect_alone(const std::string& page) {
  const std::string html = markup(page);
  for (const char* attribute : {"href=\"", "src=\"", "srcset=\"", "action=\""}) {
    for (std::size_t at = html.find(attribute); at != std::string::npos; at = html.find(attribute, at + 1)) {
      const std::string target = html.substr(at + std::string(attribute).size(), 6);
      EXPECT_TRUE(target.starts_with("#") || target.starts_with("data:,")) << target;
    }
  }
  const std::size_t style = page.find("<style>"), end = page.find("</style>");
  const std::string css = page.substr(style, end - style);
  EXPECT_FALSE(contains(css, "url(") || contains(css, "@import")) << css;
  EXPECT_FALSE(contains(html, "http"));
}

void expect_sound(const std::string& page) {
  expect_complete(page);
  expect_alone(page);
}

const char* const small_chain = "Chain(Dense(64 => 8, tanh), Dense(8 => 10))";

/// One run of every kind in a folder.
class Report : public testing::Test {
 protected:
  void make_all() {
    keep({"kernel", small_chain, "digits", "--n", "40", "--reduce", "trace", "-o", folder / "K.npy"},
         folder / "kernel.txt");
    keep({"kernel", small_chain, "digits", "--n", "30", "--reduce", "trace", "--by", "layer", "-o",
          folder / "L.npz"},
         folder / "layers.txt");
    keep({"kernel", small_chain, "digits", "digits", "--n", "20", "--samples2", "50:60", "--reduce", "mean",
          "-o", folder / "T.zarr"},
         folder / "two.txt");
    keep({"plan", small_chain, "digits", "--n", "40", "--reduce", "trace"}, folder / "plan.json");
    spectrum = keep({"spectrum", small_chain, "digits", "--n", "60", "--reduce", "mean", "--density"},
                    folder / "spectrum.json");
    predict = keep({"predict", small_chain, "digits", "digits", "--n", "80", "--samples2", "100:150",
                    "--reduce", "mean", "--ridge", "0.01,1,100"},
                   folder / "predict.json");
    infinite = keep({"infinite", "Chain(Dense(64 => 16, relu), Dense(16 => 1))", "digits", "--n", "9",
                     "--parameterization", "ntk", "--compare", "--widths", "16,64"},
                    folder / "infinite.json");
    train = keep({"train", small_chain, "digits", "--n", "100", "--loss", "mse", "--lr", "0.1", "--epochs",
                  "3", "--kernel-every", "1", "--kernel-samples", "20"},
                 folder / "train.json");
    keep({"linearise", small_chain, "digits", "digits", "--n", "20", "--samples2", "50:60", "--loss", "mse",
          "--steps", "20"},
         folder / "linearise.json");
    keep({"verify", small_chain, "digits", "--n", "2", "--reduce", "trace"}, folder / "verify.json");
    keep({"summary", small_chain}, folder / "summary.json");
    keep({"jacobian", small_chain, "digits", "--n", "2"}, folder / "jacobian.json");
  }

  TemporaryFolder folder;
  json spectrum, predict, infinite, train;
};

TEST_F(Report, HasEveryKindOfRunWithItsFigures) {
  make_all();
  const std::string page = report(folder.path());
  expect_sound(page);
  for (const char* part :
       {"Tangent kernel", "Spectrum", "Kernel regression", "Infinite width", "Training",
        "Linearised training", "Verification", "Plan", "Network", "Jacobian", "Plan against measured",
        "Share of each part", "Chain(Dense(64 =&gt; 8, tanh)", "What the words mean"})
    EXPECT_TRUE(contains(page, part)) << part;
  EXPECT_TRUE(contains(page, spectrum["statement"].get<std::string>()));
  EXPECT_TRUE(contains(page, spectrum["machine"].get<std::string>()));
  EXPECT_TRUE(contains(page, infinite["conventions"].get<std::string>()));
  std::array<char, 64> text{};
  const auto expect_number = [&](double value, const char* format) {
    std::snprintf(text.data(), text.size(), format, value);
    EXPECT_TRUE(contains(page, text.data())) << text.data();
  };
  expect_number(spectrum["eigenvalues"][0], "%.8g");
  expect_number(spectrum["labels"]["centred_alignment"], "%.4g");
  expect_number(100 * predict["accuracy"].get<double>(), "%.4g %%");
  expect_number(predict["leave_one_out"], "%.6g");
  expect_number(infinite["slope"]["slope"], "%.4g");
  expect_number(train["epochs"][3]["train"]["loss"], "%.6g");
  // Two sets of samples have no eigenvalues; the kernel of one has them computed.
  EXPECT_TRUE(contains(page, "Eigenvalues, computed for this report"));
  EXPECT_TRUE(contains(page, "The kernel of 20 × 10 entries"));
}

TEST_F(Report, OfOneRunEach) {
  make_all();
  for (const char* name : {"spectrum.json", "predict.json", "infinite.json", "train.json", "linearise.json",
                           "verify.json", "summary.json", "plan.json", "jacobian.json", "K.npy", "K.npy.json",
                           "L.npz", "T.zarr", "T.zarr.json"})
    expect_sound(report(folder / name));
  std::filesystem::remove(folder / "K.npy.json");
  const std::string alone = report(folder / "K.npy");
  expect_sound(alone);
  EXPECT_TRUE(contains(alone, "there is no K.npy.json"));
  EXPECT_TRUE(contains(alone, "order of the data"));
  std::ofstream(folder / "labels.csv") << [] {
    std::string text;
    for (int i = 0; i < 40; ++i) text += std::to_string(i % 2) + "\n";
    return text;
  }();
  EXPECT_TRUE(contains(report(folder / "K.npy", {"--labels", folder / "labels.csv"}), "sorted by class"));
}

TEST_F(Report, NamesFromFilesAreText) {
  const std::string evil = "</script><script>alert(1)</script>\"'&<b>";
  json run = {{"command", "predict"},
              {"converged", true},
              {"accuracy", 0.5},
              {"form", evil},
              {"model", {{"text", evil}, {"name", evil}}},
              {"machine", evil},
              {"seconds", 1}};
  run["path"] = {{{"ridge", 1}, {"accuracy", 0.5}}, {{"ridge", evil}, {"accuracy", json::array()}}};
  std::ofstream(folder / "<img src=x onerror=alert(1)>.json") << run;
  std::ofstream(folder / "kernel.json") << json{{"command", "kernel"},
                                                {"parts", {evil, "b", "total"}},
                                                {"part_traces", {1, 2, 3}},
                                                {"plan", 7},
                                                {"steps", "x"}};
  std::ofstream(folder / "unknown.json") << json{{"command", evil}};
  std::ofstream(folder / "other.json") << "[1, 2]";
  const std::string page = report(folder.path());
  expect_sound(page);
  EXPECT_FALSE(contains(page, "<script>alert"));
  EXPECT_FALSE(contains(markup(page), "<img"));
  EXPECT_FALSE(contains(markup(page), "<b>"));
  EXPECT_TRUE(contains(page, "&lt;img src=x onerror=alert(1)&gt;.json"));
  EXPECT_TRUE(contains(page, "left out: other.json"));
}

TEST_F(Report, TellsOfWidthsOverRuns) {
  for (const char* width : {"32", "64", "128"}) {
    const std::string chain =
        std::string("Chain(Dense(64 => ") + width + ", tanh), Dense(" + width + " => 10))";
    keep({"linearise", chain, "digits", "digits", "--n", "10", "--samples2", "50:60", "--parameterization",
          "ntk", "--loss", "mse", "--steps", "30"},
         folder / (std::string(width) + ".json"));
  }
  const Outcome outcome = tangra({"report", folder.path(), "-o", folder / "R.html", "--json"});
  const json object = json::parse(outcome.out, nullptr, false);
  ASSERT_EQ(object["plots"].size(), 1U) << outcome.out;
  EXPECT_EQ(object["plots"][0]["networks"], 3);
  EXPECT_LT(object["plots"][0]["slope"], 0);
  const std::string page = read(folder / "R.html");
  expect_sound(page);
  EXPECT_TRUE(contains(page, "Largest distance of networks from their linearisation"));
}

TEST_F(Report, RefusesWhatIsNoRun) {
  const auto expect = [](const Outcome& outcome, int code, const std::string& part) {
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, part)) << outcome.err;
  };
  expect(tangra({"report", folder.path(), "-o", folder / "R.html"}), 3, "there is no run");
  expect(tangra({"report", folder / "none.json"}), 3, "does not exist");
  std::ofstream(folder / "cut.json") << "{\"command\": \"kern";
  expect(tangra({"report", folder / "cut.json"}), 3, "no JSON object");
  std::ofstream(folder / "other.json") << "{\"a\": 1}";
  expect(tangra({"report", folder / "other.json"}), 3, "no result of a command");
  std::ofstream(folder / "ok.json") << "{\"command\": \"summary\"}";
  expect(tangra({"report", folder / "ok.json", "-o", folder / "R.txt"}), 2, ".html");
  std::ofstream(folder / "R.html") << "x";
  expect(tangra({"report", folder / "ok.json", "-o", folder / "R.html"}), 2, "exists");
  EXPECT_EQ(read(folder / "R.html"), "x");
  EXPECT_EQ(tangra({"report", folder / "ok.json", "-o", folder / "R.html", "--force"}).exit_code, 0);
  std::ofstream(folder / "K.npy") << "no kernel";
  expect(tangra({"report", folder / "K.npy"}), 3, "K.npy");
}

/// What a command tells on both channels.
std::string told_by(const std::string& command) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 65536> buffer{};
  while (pipe != nullptr && std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) text += buffer.data();
  if (pipe != nullptr) pclose(pipe);
  return text;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_F(Report, IsDrawnByABrowser) {
  std::string browser;
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (browser.empty() && !told_by(std::string("command -v ") + name).empty()) browser = name;
  }
  if (browser.empty()) GTEST_SKIP() << "no Chromium is installed (apt-get install chromium)";
  make_all();
  const Outcome outcome = tangra({"report", folder.path(), "-o", folder / "R.html"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  if (contains(outcome.out, "without Vega")) GTEST_SKIP() << "the program was built without Vega";
  const std::string told =
      told_by("timeout 50 " + browser +
              " --headless=new --no-sandbox --disable-gpu --user-data-dir=" + (folder / "profile").string() +
              " --virtual-time-budget=20000 --enable-logging=stderr --dump-dom file://" +
              (folder / "R.html").string());
  EXPECT_TRUE(contains(told, "data-charts=\"drawn\"")) << told.substr(0, 2000);
  const std::size_t places = count(read(folder / "R.html"), "class=\"chart\"");
  EXPECT_GT(places, 15U);
  EXPECT_EQ(count(told, "class=\"marks\""), places);
  EXPECT_GT(count(told, "<path"), 100U);
  EXPECT_GE(count(told, "<image"), 3U);  // heat maps
  EXPECT_FALSE(contains(told, "CONSOLE")) << told.substr(told.find("CONSOLE"), 500);
}

}  // namespace
}  // namespace tangra::test
