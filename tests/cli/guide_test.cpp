// The commands of docs/guide run as they stand.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "support/support.h"

namespace tangra::test {
namespace {

struct Block {
  std::size_t line = 0;
  std::string data;  ///< the word behind "sh": data that it needs
  std::string text;
};

std::vector<Block> blocks_of(const std::filesystem::path& page) {
  std::ifstream file(page);
  std::vector<Block> blocks;
  bool inside = false;
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (inside && line == "```")
      inside = false;
    else if (inside)
      blocks.back().text += line + "\n";
    else if (line.starts_with("```sh")) {
      inside = true;
      blocks.push_back({.line = number, .data = line.size() > 6 ? line.substr(6) : "", .text = {}});
    }
  }
  EXPECT_FALSE(inside) << page << ": a block is not closed";
  return blocks;
}

/// What a script tells on both channels, and its exit code.
std::pair<int, std::string> run(const std::string& script, const TemporaryFolder& folder) {
  std::ofstream(folder / "block.sh") << script;
  const std::string program = std::filesystem::path(TANGRA_PROGRAM).parent_path().string();
  FILE* pipe = popen(("cd '" + folder.path().string() + "' && PATH='" + program +
                      "':$PATH bash -eu -o pipefail block.sh 2>&1")
                         .c_str(),
                     "r");
  std::string told;
  std::array<char, 4096> buffer{};
  while (pipe != nullptr && std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) told += buffer.data();
  return {pipe == nullptr ? -1 : pclose(pipe), told};
}

class Guide : public testing::TestWithParam<std::string> {};

TEST_P(Guide, Runs) {
  const std::filesystem::path page = std::filesystem::path(TANGRA_GUIDE) / (GetParam() + ".md");
  const std::vector<Block> blocks = blocks_of(page);
  ASSERT_FALSE(blocks.empty()) << page;
  const TemporaryFolder folder;  // one for the page: blocks use what those before have written
  for (const Block& block : blocks) {
    std::string before;
    if (!block.data.empty()) {
      const auto data = shared_data();
      if (!data || !std::filesystem::exists(*data / block.data)) {
        std::printf("%s, line %zu: skipped, there is no %s\n", page.filename().c_str(), block.line,
                    block.data.c_str());
        continue;
      }
      before = "export TANGRA_DATA='" + data->string() + "'\n";
    }
    const auto [code, told] = run(before + block.text, folder);
    EXPECT_EQ(code, 0) << page << ", line " << block.line << ":\n" << block.text << told;
  }
}

INSTANTIATE_TEST_SUITE_P(Pages, Guide, testing::Values("definite", "samples", "lazy", "predict", "infinite"),
                         [](const auto& one) { return one.param; });

/// Every page is among those that run, and in the list.
TEST(GuidePages, AreAllListed) {
  std::ifstream file(std::filesystem::path(TANGRA_GUIDE) / "README.md");
  const std::string list((std::istreambuf_iterator<char>(file)), {});
  std::size_t pages = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TANGRA_GUIDE)) {
    const std::string name = entry.path().filename();
    if (name == "README.md") continue;
    EXPECT_NE(list.find("(" + name + ")"), std::string::npos) << name;
    ++pages;
  }
  EXPECT_EQ(pages, 5U) << "name new pages in INSTANTIATE_TEST_SUITE_P above";
}

}  // namespace
}  // namespace tangra::test
