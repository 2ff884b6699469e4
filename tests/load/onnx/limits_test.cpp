// Small files that ask for large constants: refused before the memory is taken, and masks of real networks
// are not.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>

#include "file.h"
#include "run.h"
#include "support/support.h"
#include "tangra/differentiate/program.h"

namespace tangra::test::onnx {
namespace {

using Indices = std::vector<Index>;

/// `y` = x + c, where the nodes make c.
File with_constant(File file) {
  file.input("x", {"N", 1});
  return file.node("ReduceMax", {"c"}, {"m"}, {attribute("keepdims", Index{0})})
      .node("Cast", {"m"}, {"f"}, {attribute("to", Index{1})})
      .node("Add", {"x", "f"}, {"y"})
      .output("y");
}

/// A range of that many integers, called r.
File ranging(Index count, Index opset = 13) {
  File file(opset);
  file.initializer(integers("zero", {}, {0}))
      .initializer(integers("one", {}, {1}))
      .initializer(integers("count", {}, {count}));
  return file.node("Range", {"zero", "count", "one"}, {"r"});
}

/// Each asks for far more than may be held; by the operator that has to refuse it.
std::map<std::string, File> greedy_files() {
  constexpr Index large = Index{1} << 22, huge = Index{1} << 40;
  std::map<std::string, File> files;
  files["Range"] = ranging(huge).node("Identity", {"r"}, {"c"});
  files["ConstantOfShape"] =
      File().initializer(integers("s", {2}, {1 << 20, 1 << 20})).node("ConstantOfShape", {"s"}, {"c"});
  files["Expand"] =
      ranging(large).initializer(integers("s", {2}, {1000, 1})).node("Expand", {"r", "s"}, {"c"});
  files["Tile"] = ranging(large).initializer(integers("s", {1}, {1000})).node("Tile", {"r", "s"}, {"c"});
  files["Gather"] = ranging(large).initializer(integers("a", {2, 1}, {0, 0}));
  files["Gather"].node("Expand", {"a", "s"}, {"i"}).initializer(integers("s", {2}, {1, 1000}));
  files["Gather"]
      .node("Unsqueeze", {"r", "axis"}, {"u"})
      .initializer(integers("axis", {1}, {0}))
      .node("Gather", {"u", "i"}, {"c"});
  files["NonZero"] = ranging(large)
                         .initializer(integers("s", {4}, {1, 1, 1, 1}))
                         .initializer(integers("v", {4}, {2, 2, 2, 2}));
  files["NonZero"]
      .node("Add", {"r", "one"}, {"p"})
      .node("Reshape", {"p", "v2"}, {"q"})
      .initializer(integers("v2", {22}, Indices(22, 2)));
  files["NonZero"].node("NonZero", {"q"}, {"c"});
  files["Add"] = ranging(large)
                     .initializer(integers("axis", {1}, {1}))
                     .node("Unsqueeze", {"r", "axis"}, {"u"})
                     .node("Add", {"r", "u"}, {"c"});
  files["Less"] = ranging(large)
                      .initializer(integers("axis", {1}, {1}))
                      .node("Unsqueeze", {"r", "axis"}, {"u"})
                      .node("Less", {"r", "u"}, {"c"});
  files["Where"] =
      ranging(large).initializer(integers("axis", {1}, {1})).node("Unsqueeze", {"r", "axis"}, {"u"});
  files["Where"].initializer(array<char>("b", {1}, boolean, {1})).node("Where", {"b", "r", "u"}, {"c"});
  File doubling = ranging(large);
  std::string last = "r";
  for (int k = 0; k < 30; ++k) {
    const std::string next = k == 29 ? "c" : "d" + std::to_string(k);
    doubling.node("Concat", {last, last}, {next}, {attribute("axis", Index{0})});
    last = next;
  }
  files["Concat"] = doubling;
  // None is too long by itself, but all are held to the end.
  File many = ranging(large);
  std::vector<std::string> all;
  for (int k = 0; k < 30; ++k) {
    many.initializer(integers("k" + std::to_string(k), {}, {k}))
        .node("Mul", {"r", "k" + std::to_string(k)}, {"m" + std::to_string(k)});
    all.push_back("m" + std::to_string(k));
  }
  files["Mul"] = many.node("Sum", all, {"c"});
  return files;
}

/// Nothing is too long, but there is no end to it.
File long_chain() {
  File file = ranging(Index{1} << 20);
  std::string last = "r";
  for (int k = 0; k < 5000; ++k) {
    const std::string next = k == 4999 ? "c" : "d" + std::to_string(k);
    file.node("Add", {last, "one"}, {next});
    last = next;
  }
  return file;
}

/// The peak of memory of this process from here on, in bytes.
class Peak {
 public:
  Peak() {
    std::ofstream("/proc/self/clear_refs") << 5;
    before_ = high_water();
  }
  Index grown() const { return high_water() - before_; }

 private:
  static Index high_water() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      Index kibibytes = 0;
      if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
    }
    return 0;
  }
  Index before_ = 0;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

TEST(OnnxLimits, ConstantsThatAreTooLargeAreRefusedBeforeTheyAreMade) {
  for (const auto& [op, file] : greedy_files()) {
    const std::string bytes = with_constant(file).bytes();
    const Peak peak;
    const Error error = error_of([&] { loaded(bytes, {.folded_bytes = Index{64} << 20}); });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_NE(error.complaint().where.find("(" + op + ")"), std::string::npos) << op << ": " << error.what();
    EXPECT_NE(error.complaint().what.find("too large"), std::string::npos) << op << ": " << error.what();
    EXPECT_NE(error.complaint().expected.find("64 MiB"), std::string::npos) << error.what();
    EXPECT_NE(error.complaint().cure.find("shorter input"), std::string::npos) << error.what();
    if (is_sanitized) continue;
    EXPECT_LT(peak.grown(), Index{72} << 20) << op;
  }
}

/// Folding knows none of these: the network would compute them, before the first sample.
TEST(OnnxLimits, SoAreThoseThatTheNetworkWouldCompute) {
  const File column = ranging(1 << 12)
                          .initializer(integers("axis", {1}, {1}))
                          .node("Cast", {"r"}, {"real"}, {attribute("to", Index{1})})
                          .node("Unsqueeze", {"real", "axis"}, {"u"})
                          .node("Unsqueeze", {"real", "front"}, {"v"})
                          .initializer(integers("front", {1}, {0}));
  std::map<std::string, File> files{
      {"MatMul", column}, {"Einsum", column}, {"Pad", column}, {"Resize", column}, {"Softmax", column}};
  files.at("MatMul").node("MatMul", {"u", "v"}, {"c"});
  files.at("Einsum").node("Einsum", {"real", "real"}, {"c"}, {attribute("equation", "i,j->ij")});
  files.at("Pad").initializer(integers("p", {2}, {0, 1 << 24})).node("Pad", {"real", "p"}, {"c"});
  files.at("Resize")
      .initializer(integers("z", {2}, {1 << 12, 1 << 12}))
      .node("Resize", {"u", "", "", "z"}, {"c"});
  // Each by itself is small enough.
  std::string last = "v";
  for (int k = 0; k < 5000; ++k) {
    const std::string next = k == 4999 ? "c" : "t" + std::to_string(k);
    files.at("Softmax").node("Softmax", {last}, {next}, {attribute("axis", Index{1})});
    last = next;
  }
  for (const auto& [op, file] : files) {
    const Peak peak;
    const Error error =
        error_of([&] { loaded(with_constant(file).bytes(), {.folded_bytes = Index{32} << 20}); });
    EXPECT_NE(error.complaint().where.find("(" + op + ")"), std::string::npos) << op << ": " << error.what();
    EXPECT_NE(error.complaint().what.find("too large"), std::string::npos) << op << ": " << error.what();
    if (!is_sanitized) {
      EXPECT_LT(peak.grown(), Index{40} << 20) << op;
    }
  }
}

/// What follows from parameters is no constant of the file: it comes out of the run's memory, and is asked
/// for first.
TEST(OnnxLimits, WhatFollowsFromParametersFitsTheBudgetOfTheRun) {
  const File file = File()
                        .input("x", {"N", 1 << 12})
                        .initializer(weights("a", {1 << 12, 1}))
                        .initializer(weights("b", {1, 1 << 12}))
                        .node("MatMul", {"a", "b"}, {"w"})
                        .node("MatMul", {"x", "w"}, {"y"})
                        .output("y");
  const auto graph = std::make_shared<const Graph>(loaded(file.bytes()));
  ThreadPool pool(1);
  MemoryLedger memory(std::size_t{64} << 20);
  const Context context{pool, memory};
  const Peak peak;
  const Error error = error_of([&] { const differentiate::Program<float> program(graph, context); });
  EXPECT_EQ(error.kind(), ErrorKind::memory);
  EXPECT_NE(std::string(error.what()).find("computes of its parameters"), std::string::npos) << error.what();
  if (!is_sanitized) {
    EXPECT_LT(peak.grown(), Index{16} << 20);
  }
  EXPECT_EQ(memory.in_use(), 0U);
}

TEST(OnnxLimits, SoIsWorkWithoutEnd) {
  const Error error =
      error_of([&] { loaded(with_constant(long_chain()).bytes(), {.folded_bytes = Index{16} << 20}); });
  EXPECT_NE(error.complaint().what.find("too long"), std::string::npos) << error.what();
}

TEST(OnnxLimits, ListsOfLengthsAreShort) {
  File file = ranging(1 << 20);
  file.input("x", {"N", 4}).node("Reshape", {"x", "r"}, {"y"}).output("y");
  EXPECT_NE(std::string(error_of([&] { loaded(file.bytes()); }).what()).find("list of axes"),
            std::string::npos);
  File constants = ranging(1 << 20).node("Reshape", {"one", "r"}, {"c"});
  EXPECT_NE(
      std::string(error_of([&] { loaded(with_constant(constants).bytes()); }).what()).find("list of axes"),
      std::string::npos);
}

/// What exporters write for attention over 4,096 tokens: the lower triangle, as truth values, then as numbers
/// to add.
TEST(OnnxLimits, TheMaskOfALongSequenceIsRead) {
  constexpr Index length = 4096;
  File file = ranging(length);
  file.input("x", {"N", static_cast<int>(length)});
  file.initializer(integers("last", {1}, {1}))
      .initializer(reals("none", {}, {0}))
      .initializer(reals("low", {}, {-3.4e38F}));
  file.node("Unsqueeze", {"r", "last"}, {"u"})
      .node("LessOrEqual", {"r", "u"}, {"l"})
      .node("Not", {"l"}, {"n"})
      .node("Not", {"n"}, {"o"});
  file.node("Where", {"o", "none", "low"}, {"m"})
      .node("Mul", {"m", "half"}, {"h"})
      .initializer(reals("half", {}, {0.5F}));
  file.initializer(integers("axes", {2}, {1, 2}))
      .node("Unsqueeze", {"x", "last"}, {"q"})
      .node("Add", {"q", "h"}, {"s"});
  file.node("ReduceMax", {"s"}, {"y"}, {attribute("axes", Indices{1}), attribute("keepdims", Index{0})})
      .output("y");
  const Peak peak;
  const auto start = std::chrono::steady_clock::now();
  const Graph graph = loaded(file.bytes());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const auto mask = std::ranges::find_if(graph.values, [](const Value& value) {
    return value.shape == Shape{length, length};
  });
  ASSERT_NE(mask, graph.values.end());
  if (is_sanitized) return;
  EXPECT_LT(peak.grown(), Index{176} << 20);
  EXPECT_LT(seconds.count(), 20);
}

/// For one, two and three samples: 40 sums over 2^20 integers, where 64 may be computed.
TEST(OnnxLimits, WhatDoesNotDependOnTheSamplesIsFoldedOnce) {
  File file = ranging(1 << 20);
  std::vector<std::string> sums;
  for (int k = 0; k < 40; ++k) {
    sums.push_back("s" + std::to_string(k));
    file.node("ReduceSum", {"r"}, {sums.back()}, {attribute("keepdims", Index{0})});
  }
  const std::string bytes = with_constant(file.node("Sum", sums, {"c"})).bytes();
  EXPECT_NO_THROW(loaded(bytes, {.folded_bytes = Index{16} << 20}));
  EXPECT_THROW(loaded(bytes, {.folded_bytes = Index{9} << 20}), Error);
}

}  // namespace
}  // namespace tangra::test::onnx
