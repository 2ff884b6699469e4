// Each rule is seen to fail: a small project with one fault in it, for every fault that the rules speak of.
#include <gtest/gtest.h>

#include <fstream>

#include "rules.h"
#include "support/support.h"
#include "text.h"

namespace tangra::house {
namespace {

class Planted : public testing::Test {
 protected:
  void SetUp() override {
    plant("src/base/CMakeLists.txt",
          "tangra_room(base SOURCES a.cpp HEADERS a.h LIBRARIES Threads::Threads)\n");
    plant("src/base/a.h", "#pragma once\n");
    plant("src/model/CMakeLists.txt", "tangra_room(model\n  SOURCES m.cpp\n  HEADERS m.h\n  USES base)\n");
    plant("src/model/m.h", "#pragma once\n#include \"tangra/base/a.h\"\n");
    plant("src/ops/CMakeLists.txt", "tangra_room(ops SOURCES o.cpp HEADERS o.h USES base model)\n");
    plant("src/ops/o.h", "#pragma once\n#include \"tangra/model/m.h\"\n");
    plant("VERSION", "1.2.3\n");
    plant("CHANGELOG.md", "# Changes\n\n## 1.2.3 (unreleased)\n");
  }
  void plant(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << text;
  }
  const std::filesystem::path& project() const { return folder_.path(); }

 private:
  test::TemporaryFolder folder_;
};

void expect_one(const Faults& faults, const std::string& place, const std::string& what) {
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_TRUE(faults.front().starts_with(place)) << faults.front();
  EXPECT_NE(faults.front().find(what), std::string::npos) << faults.front();
}

TEST_F(Planted, NothingIsFoundWhereNothingIs) {
  EXPECT_EQ(arrow_faults(project()), Faults{});
  EXPECT_EQ(library_faults(project()), Faults{});
  EXPECT_EQ(behaviour_faults(project()), Faults{});
  EXPECT_EQ(size_faults(project()), Faults{});
  EXPECT_EQ(machine_path_faults(project()), Faults{});
  EXPECT_EQ(version_faults(project(), "1.2.3"), Faults{});
}

TEST_F(Planted, IncludeAgainstTheArrows) {
  plant("src/model/m.cpp", "#include \"tangra/model/m.h\"\n\n#include \"tangra/ops/o.h\"\n");
  expect_one(arrow_faults(project()), "src/model/m.cpp:3: ", "model may use base");
}

TEST_F(Planted, RoomLinkedAgainstTheArrows) {
  plant("src/model/CMakeLists.txt",
        "tangra_room(model SOURCES m.cpp HEADERS m.h USES base  # a note\n  ops)\n");
  expect_one(arrow_faults(project()), "src/model/CMakeLists.txt: ", "USES ops");
}

TEST_F(Planted, RoomWithoutArrows) {
  plant("src/attic/CMakeLists.txt", "tangra_room(attic SOURCES x.cpp HEADERS USES base)\n");
  expect_one(arrow_faults(project()), "src/attic/CMakeLists.txt: ", "no arrows");
}

TEST_F(Planted, IncludeOfAnotherForm) {
  plant("src/model/m.cpp", "#include \"base/a.h\"\n");
  expect_one(arrow_faults(project()), "src/model/m.cpp:1: ", "base/a.h");
  plant("src/model/m.cpp", "  #include \"../base/a.h\"\n");
  expect_one(arrow_faults(project()), "src/model/m.cpp:1: ", "../base/a.h");
  plant("src/model/m.cpp", "#include \"m.h\"\n#include \"a.h\"\n");
  expect_one(arrow_faults(project()), "src/model/m.cpp:2: ", "a.h");
}

TEST_F(Planted, IncludeOfAHeaderThatIsNotPublic) {
  plant("src/model/own.h", "#pragma once\n");
  plant("src/ops/o.cpp", "#include \"tangra/model/own.h\"\n");
  expect_one(arrow_faults(project()), "src/ops/o.cpp:1: ", "not among the HEADERS of model");
}

TEST_F(Planted, LibraryInAnotherRoom) {
  const std::pair<std::string, std::string> cases[] = {
      {"src/model/m.cpp", "<zlib.h>"},         {"src/ops/o.cpp", "<hwy/highway.h>"},
      {"src/ops/o.cpp", "\"hwy/highway.h\""},  {"src/base/a.cpp", "<nlohmann/json.hpp>"},
      {"src/ops/o.cpp", "<lapacke.h>"},        {"src/model/m.cpp", "<CLI/CLI.hpp>"},
      {"cli/main.cpp", "<nlohmann/json.hpp>"}, {"src/ops/o.cpp", "<cblas.h>"},
      {"src/model/m.cpp", "<gtest/gtest.h>"},
  };
  for (const auto& [file, header] : cases) {
    plant(file, "#include <vector>\n#include " + header + "\n");
    expect_one(library_faults(project()), file + ":2: ", header.substr(1, header.size() - 2));
    std::filesystem::remove(project() / file);
  }
}

TEST_F(Planted, LibraryInAHeader) {
  plant("src/model/m.h", "#pragma once\n#include <fmt/format.h>\n");
  expect_one(library_faults(project()), "src/model/m.h:2: ", "include it in the .cpp");
}

TEST_F(Planted, ThreadsPrintsAndExits) {
  for (const char* line : {"std::jthread worker;", "auto x = std::async(f);", "std::thread t(f);",
                           "std::cout << 1;", "printf(\"x\");", "std::printf(\"x\");", "fmt::print(\"x\");",
                           "std::abort();", "::exit(1);", "std::terminate();"}) {
    plant("src/model/m.cpp", std::string("// a model\n") + line + "\n");
    expect_one(behaviour_faults(project()), "src/model/m.cpp:2: ", ": ");
  }
  // What only looks like it: comments, literals, longer names, base's own threads.
  plant("src/base/a.cpp", "std::jthread worker;\n");
  plant("src/model/m.cpp",
        "// printf(\"x\"); exit(1)\n/* std::cout\n abort() */ std::snprintf(text, 3, \"exit(%d)\", 1'000);\n"
        "const char* help = R\"(\nprintf(\"\")\n)\"; on_exit(1); char c = '\"'; int n = "
        "std::thread::hardware_concurrency();\n");
  EXPECT_EQ(behaviour_faults(project()), Faults{});
}

TEST_F(Planted, LongFileAndFullFolder) {
  std::string text;
  for (int line = 0; line < 499; ++line) text += "int x;\n";
  plant("src/model/m.cpp", text);
  EXPECT_EQ(size_faults(project()), Faults{});
  plant("src/model/m.cpp", text + "int y;\n");
  expect_one(size_faults(project()), "src/model/m.cpp: ", "500 lines");
  plant("src/model/m.cpp", "");
  for (int file = 0; file < 24; ++file) plant("src/ops/" + std::to_string(file) + ".cpp", "");
  expect_one(size_faults(project()), "src/ops: ", "26 entries");
}

TEST_F(Planted, PathOfAMachine) {
  plant("docs/notes.md", "Look into the\nfolder " + std::string("/ho") + "me/somebody/tangra for it.\n");
  expect_one(machine_path_faults(project()), "docs/notes.md:2: ", "machine");
}

TEST_F(Planted, VersionsThatDiffer) {
  expect_one(version_faults(project(), "1.2.4"), "VERSION: ", "1.2.4");
  plant("CHANGELOG.md", "# Changes\n\n## 1.2.2\n");
  expect_one(version_faults(project(), "1.2.3"), "CHANGELOG.md: ", "1.2.2");
}

}  // namespace
}  // namespace tangra::house
