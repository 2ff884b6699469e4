#include "tangra/load/model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "load/onnx/file.h"
#include "support/support.h"
#include "tangra/load/chain/chain.h"
#include "tangra/load/weights.h"

namespace tangra::load {
namespace {

const std::string text = "Chain(Dense(5 => 3, tanh), Dense(3 => 2))";

std::string written(const test::TemporaryFolder& folder, const std::string& name,
                    const std::string& content) {
  const std::filesystem::path path = folder / name;
  std::ofstream(path, std::ios::binary) << content;
  return path.string();
}

Error error_of(const ModelSpec& spec) {
  return test::error_of([&] { load_model(spec); });
}

TEST(Model, IsAChainText) {
  EXPECT_EQ(fingerprint(load_model({.text = text, .init = "he", .seed = 3})),
            fingerprint(load_chain(text, {.init = "he", .seed = 3})));
  EXPECT_EQ(load_model({.text = "\n # net\n model = Chain(Dense(2 => 3))"}).parameters.size(), 2U);
  EXPECT_EQ(error_of({.text = "Chain(Dense(2 => 3)"}).complaint().where, "chain:1:6");
}

TEST(Model, IsAFileWithAChainText) {
  const test::TemporaryFolder folder;
  const std::string path = written(folder, "net.txt", text + "\n");
  EXPECT_EQ(fingerprint(load_model({.text = path})), fingerprint(load_chain(text)));
  const std::string broken = written(folder, "broken.jl", "Chain(\nDense(2 => 3),\nrellu)");
  EXPECT_EQ(error_of({.text = broken}).complaint().where, broken + ":3:1");
}

TEST(Model, AFileComesBeforeAText) {
  const test::TemporaryFolder folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  written(folder, "net(1)", text);
  EXPECT_FALSE(is_chain_text("net(1)"));
  EXPECT_TRUE(is_chain_text("net(2)"));
  EXPECT_EQ(load_model({.text = "net(1)"}).parameters.size(), 4U);
  std::filesystem::current_path(before);
}

TEST(Model, IsNeitherFileNorText) {
  for (const std::string name : {"", "Chain", "784 => 60", "\xff", "3.5"}) {
    const Error error = error_of({.text = name});
    EXPECT_EQ(error.kind(), ErrorKind::input) << name;
    EXPECT_NE(std::string(error.what()).find("no such file, and it is not a chain text"), std::string::npos)
        << name;
  }
}

TEST(Model, IsAFileThatIsNotThere) {
  for (const std::string name :
       {"nothing.txt", "models/none.onnx", "W.npz", "models/none", "my model.onnx"}) {
    const Error error = error_of({.text = name});
    EXPECT_EQ(error.kind(), ErrorKind::input) << name;
    EXPECT_EQ(error.complaint().what, "the file is not there");
    EXPECT_EQ(error.complaint().where, name);
  }
}

TEST(Model, RefusesOtherFiles) {
  const test::TemporaryFolder folder;
  const Error onnx = error_of({.text = written(folder, "m.onnx", "binary")});
  EXPECT_EQ(onnx.kind(), ErrorKind::input);
  EXPECT_NE(std::string(onnx.what()).find("not an ONNX file, or it is damaged"), std::string::npos);
  EXPECT_EQ(error_of({.text = written(folder, "w.npz", std::string("PK\3\4\0", 5))}).kind(),
            ErrorKind::input);
  const Error large = error_of({.text = written(folder, "large.bin", std::string((1U << 20) + 1, ' '))});
  EXPECT_NE(std::string(large.what()).find("too long for a chain text"), std::string::npos);
  EXPECT_EQ(error_of({.text = folder.path().string()}).kind(), ErrorKind::input);
}

TEST(Model, TakesWeightsFromAFile) {
  const test::TemporaryFolder folder;
  const std::string path = (folder / "w.safetensors").string();
  const Graph source = load_chain(text, {.init = "normal", .seed = 7});
  write_weights(source, path);
  EXPECT_EQ(fingerprint(load_model({.text = text, .weights = path})), fingerprint(source));
  EXPECT_EQ(error_of({.text = "Chain(Dense(2 => 3))", .weights = path}).kind(), ErrorKind::input);
}

TEST(Model, ChoosesItsParameters) {
  const Graph kept = load_model({.text = text, .params = "^1\\."});
  EXPECT_EQ(kept.parameter_count(), 3 * 2 + 2);
  EXPECT_FALSE(kept.parameters[0].trainable);
  EXPECT_EQ(kept.value(kept.find_value("0")).dependence, Dependence::samples);
  const Graph frozen = load_model({.text = text, .buffers = "bias"});
  EXPECT_EQ(frozen.parameter_count(), 5 * 3 + 3 * 2);
  EXPECT_EQ(error_of({.text = text, .params = "none"}).kind(), ErrorKind::usage);
}

TEST(Model, TakesItsParameterisation) {
  const Graph graph = load_model({.text = text, .parameterization = "ntk(1.5, 0.1)"});
  EXPECT_NE(graph.find_value("0.weight.scaled"), no_id);
  EXPECT_EQ(error_of({.text = text, .parameterization = "mup"}).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of({.text = text, .init = "zeros"}).kind(), ErrorKind::usage);
}

TEST(Model, WeightsFromAFileAndDrawnOnesExcludeOneAnother) {
  const ModelSpec sound[] = {{.text = text, .init = "he", .seed = 3}, {.text = text, .weights = "w.npz"}};
  for (const ModelSpec& spec : sound) EXPECT_NO_THROW(spec.validate());
  const Error init =
      test::error_of([] { ModelSpec{.text = text, .init = "he", .weights = "w.npz"}.validate(); });
  EXPECT_EQ(init.kind(), ErrorKind::usage);
  EXPECT_EQ(init.complaint().where, "--init");
  const Error seed =
      test::error_of([] { ModelSpec{.text = text, .seed = 0, .weights = "w.npz"}.validate(); });
  EXPECT_EQ(seed.kind(), ErrorKind::usage);
  EXPECT_EQ(seed.complaint().where, "--seed");
}

TEST(Model, AnOnnxFileIsNotDrawn) {
  EXPECT_NO_THROW(ModelSpec{.text = "m.onnx"}.validate());
  const std::pair<const char*, ModelSpec> wrong[] = {
      {"--init", {.text = "m.onnx", .init = "he"}},
      {"--seed", {.text = "m.onnx", .seed = 1}},
      {"--parameterization", {.text = "m.onnx", .parameterization = "ntk"}}};
  for (const auto& [option, spec] : wrong) {
    const Error error = test::error_of([&] { spec.validate(); });
    EXPECT_EQ(error.kind(), ErrorKind::usage) << option;
    EXPECT_EQ(error.complaint().where, option);
  }
}

TEST(Model, TakesTheShapeThatIsAskedFor) {
  const Graph graph =
      load_model({.text = "Conv((3, 3), 1 => 2)", .input = Shape{784}, .input_shape = Shape{1, 28, 28}});
  EXPECT_EQ(graph.shape(graph.inputs[0]), (Shape{1, 28, 28}));
}

TEST(Model, TheShapeThatIsAskedForFillsInWhatAnOnnxFileLeavesOpen) {
  const test::TemporaryFolder folder;
  const test::onnx::File file = test::onnx::File()
                                    .input("x", {"N", 3, "H"})
                                    .initializer(test::onnx::weights("s", {3, 1}))
                                    .node("Mul", {"x", "s"}, {"y"})
                                    .output("y");
  const std::string path = written(folder, "m.onnx", file.bytes());
  const Graph graph = load_model({.text = path, .input = Shape{3, 4}, .input_shape = Shape{3, 7}});
  EXPECT_EQ(graph.shape(graph.inputs[0]), (Shape{3, 7}));
  const Error error = error_of({.text = path, .input_shape = Shape{2, 7}});
  EXPECT_EQ(error.kind(), ErrorKind::input);
}

TEST(Model, TakesTheShapeOfTheData) {
  const Graph graph = load_model({.text = "Chain(relu)", .input = Shape{4}});
  EXPECT_EQ(graph.shape(graph.inputs[0]), (Shape{4}));
}

}  // namespace
}  // namespace tangra::load
