// Damaged and hostile files: one clear error, no crash, no allocation beyond what the file justifies.
#include <gtest/gtest.h>

#include <fstream>

#include "file.h"
#include "run.h"
#include "support/support.h"
#include "tangra/base/rng.h"
#include "tangra/load/model.h"

namespace tangra::test::onnx {
namespace {

namespace fs = std::filesystem;

std::string text_of(const File& file) {
  const Error error = error_of([&] { loaded(file.bytes()); });
  EXPECT_TRUE(error.kind() == ErrorKind::input || error.kind() == ErrorKind::unsupported) << error.what();
  return error.what();
}

void expect_in(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

File sound() {
  File file = File()
                  .input("x", {"N", 2, 4, 4})
                  .initializer(weights("c.w", {3, 2, 3, 3}))
                  .initializer(weights("w", {12, 2}));
  file.initializer(integers("flat", {2}, {-1, 12}));
  file.node(
      "Conv", {"x", "c.w"}, {"a"},
      {attribute("pads", std::vector<Index>{1, 1, 1, 1}), attribute("strides", std::vector<Index>{2, 2})});
  file.node("LeakyRelu", {"a"}, {"b"}, {attribute("alpha", 0.1F)}).node("Reshape", {"b", "flat"}, {"f"});
  return file.node("MatMul", {"f", "w"}, {"y"}).output("y");
}

/// Whether the bytes are a network. Anything but an Error of ours fails the test.
bool accepts(const std::string& bytes) {
  try {
    loaded(bytes);
    return true;
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    return false;
  }
}

TEST(OnnxDamage, TheFileItselfIsSound) {
  EXPECT_TRUE(accepts(sound().bytes()));
}

TEST(OnnxDamage, EveryPrefix) {
  const std::string bytes = sound().bytes();
  const std::size_t opset = Message().part(8, Message().text(1, "").number(2, 17)).bytes().size();
  for (std::size_t length = 0; length + opset < bytes.size(); ++length)
    EXPECT_FALSE(accepts(bytes.substr(0, length))) << length;
}

TEST(OnnxDamage, FlippedBytes) {
  const std::string bytes = sound().bytes();
  const RandomStream random(5, 0);
  std::uint64_t at = 0;
  int still_sound = 0;
  for (int round = 0; round < 20011; ++round) {
    std::string damaged = bytes;
    for (std::uint64_t edits = 1 + random.bits(at++) % 3; edits > 0; --edits) {
      char& byte = damaged[static_cast<std::size_t>(random.bits(at++) % damaged.size())];
      byte = static_cast<char>(
          random.bits(at++) % 4 == 0 ? 0xff : byte ^ static_cast<char>(1U << random.bits(at++) % 8));
    }
    still_sound += accepts(damaged) ? 1 : 0;
  }
  EXPECT_GT(still_sound, 1000);  // most bytes are weights
  EXPECT_LT(still_sound, 19000);
}

TEST(OnnxDamage, Structure) {
  expect_in(
      text_of(
          File().input("x", {"N", 3}).node("Add", {"x", "b"}, {"a"}).node("Relu", {"a"}, {"b"}).output("b")),
      "cycle");
  expect_in(text_of(File().input("x", {"N", 3}).node("Relu", {"nobody"}, {"y"}).output("y")),
            "nobody makes a value");
  expect_in(
      text_of(File().input("x", {"N", 3}).node("Relu", {"x"}, {"y"}).node("Tanh", {"x"}, {"y"}).output("y")),
      "two nodes");
  expect_in(text_of(File().input("x", {"N", 3}).node("Relu", {"x"}, {"y"})), "no network");
  expect_in(text_of(File().input("x", {"N", 3}).node("Add", {"x"}, {"y"}).output("y")), "N_y");
  expect_in(text_of(File().input("x", {"N", 3}).node("Relu", {}, {"y"}).output("y")), "N_y");
  expect_in(text_of(File(5).input("x", {"N", 3}).node("Relu", {"x"}, {"y"}).output("y")), "version 5");
  expect_in(text_of(File(99).input("x", {"N", 3}).node("Relu", {"x"}, {"y"}).output("y")), "version 99");
}

TEST(OnnxDamage, Sizes) {
  const auto with = [](const Message& tensor) {
    return text_of(
        File().input("x", {"N", 3}).initializer(tensor).node("Add", {"x", "w"}, {"y"}).output("y"));
  };
  expect_in(with(reals("w", {4}, {1, 2, 3})), "12 bytes");
  expect_in(with(reals("w", {Index{1} << 40, 3}, {1, 2, 3})), "another length");
  expect_in(with(reals("w", {Index{1} << 62, 1 << 10}, {1})), "no array can have this shape");
  expect_in(with(reals("w", {-1, 3}, {1, 2, 3})), "no array can have this shape");
  expect_in(with(array<char>("w", {1}, text, {'a'})), "nobody makes");
  File huge = File().input("x", {"N", 3}).initializer(integers("s", {2}, {Index{1} << 40, Index{1} << 40}));
  expect_in(text_of(huge.node("ConstantOfShape", {"s"}, {"c"}).node("Add", {"x", "c"}, {"y"}).output("y")),
            "too large");
  File range = File()
                   .input("x", {"N", 3})
                   .initializer(integers("a", {}, {0}))
                   .initializer(integers("b", {}, {Index{1} << 60}));
  range.initializer(integers("d", {}, {1})).node("Range", {"a", "b", "d"}, {"c"});
  expect_in(text_of(range.node("Add", {"x", "c"}, {"y"}).output("y")), "N_c");
  expect_in(text_of(File().input("x", {"N", 1 << 30, 1 << 30}).node("Relu", {"x"}, {"y"}).output("y")),
            "no computer");
}

/// A hole of 1 TiB takes no disk.
TEST(OnnxDamage, AFileThatIsTooLargeIsNotReadAtAll) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "large.onnx";
  std::ofstream(path) << sound().bytes();
  fs::resize_file(path, std::uintmax_t{1} << 40);
  expect_in(error_of([&] { load::load_model({.text = path.string()}); }).what(), "too large");
}

/// A list of lengths is shorter for two samples than for one.
TEST(OnnxDamage, ListsThatChangeTheirLength) {
  File file = File(13)
                  .input("x", {"N", 4})
                  .initializer(integers("zero", {}, {0}))
                  .initializer(integers("one", {}, {1}));
  file.initializer(integers("end", {}, {3})).node("Shape", {"x"}, {"s"}).node("Gather", {"s", "zero"}, {"n"});
  file.node("Range", {"n", "end", "one"}, {"r"}).node("Tile", {"x", "r"}, {"y"}).output("y");
  expect_in(text_of(file), "N_y");
}

TEST(OnnxDamage, SumsThatAreLargerThanTheProduct) {
  for (const std::vector<Index>& shape : {std::vector<Index>{5}, {1, 5}, {3, 1}, {1, 1, 1}}) {
    const File file = File()
                          .input("x", {"N", 4})
                          .initializer(weights("w", {4, 1}))
                          .initializer(weights("c", shape))
                          .node("Gemm", {"x", "w", "c"}, {"y"})
                          .output("y");
    expect_in(text_of(file), "N_y");
  }
}

TEST(OnnxDamage, ResizesOfASingleNumber) {
  const std::string bytes = File(13)
                                .input("x", {})
                                .initializer(reals("none", {0}, {}))
                                .node("Resize", {"x", "", "none"}, {"r"})
                                .node("Relu", {"r"}, {"y"})
                                .output("y")
                                .bytes();
  EXPECT_EQ(loaded(bytes, {.whole_inputs = true}).nodes.size(), 1U);
  EXPECT_FALSE(accepts(File(13)
                           .input("x", {2})
                           .initializer(weights("many", {64}))
                           .node("Resize", {"x", "", "many"}, {"y"})
                           .output("y")
                           .bytes()));
}

/// A model whose weight lies outside.
std::string external(const std::string& location, Index offset, Index length) {
  const auto entry = [](const std::string& key, const std::string& value) {
    return Message().text(1, key).text(2, value);
  };
  Message tensor;
  tensor.number(1, 3).number(2, float32).text(8, "w").number(14, 1);
  tensor.part(13, entry("location", location)).part(13, entry("offset", std::to_string(offset)));
  tensor.part(13, entry("length", std::to_string(length)));
  File file = File().input("x", {"N", 3}).initializer(tensor);
  return file.node("Mul", {"x", "w"}, {"y"}).output("y").bytes();
}

class OnnxExternal : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_.path() / "model");
    const std::vector<float> values{9, 1, 2, 3};
    std::ofstream(inside() / "w.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(values.data()), 16);
    std::ofstream(folder_.path() / "secret.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(values.data()), 16);
    fs::create_symlink(folder_.path() / "secret.bin", inside() / "link.bin");
    fs::create_symlink(folder_.path(), inside() / "up");
  }
  fs::path inside() const { return folder_.path() / "model"; }
  std::string path(const std::string& bytes) const {
    const fs::path path = inside() / "m.onnx";
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  std::string refused(const std::string& location, Index offset = 0, Index length = 12) const {
    return error_of([&] { load::load_model({.text = path(external(location, offset, length))}); }).what();
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(OnnxExternal, IsReadBesideTheModel) {
  const Graph graph = load::load_model({.text = path(external("w.bin", 4, 12))});
  EXPECT_EQ(graph.parameters[0].data.as<float>()[2], 3.0F);
}

TEST_F(OnnxExternal, IsReadNowhereElse) {
  for (const char* location :
       {"../secret.bin", "/etc/hostname", "up/secret.bin", "link.bin", "", "model/../../secret.bin"}) {
    expect_in(refused(location), "folder");
  }
  expect_in(refused("none.bin"), "not there");
  expect_in(refused("w.bin", 8), "beyond the end");
  expect_in(refused("w.bin", Index{1} << 62), "beyond the end");
  expect_in(refused("w.bin", -4), "a number");
  expect_in(refused("w.bin", 0, 16), "another length");
  expect_in(error_of([&] { loaded(external("w.bin", 0, 12)); }).what(), "folder");
}

}  // namespace
}  // namespace tangra::test::onnx
