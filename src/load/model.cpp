#include "tangra/load/model.h"

#include <filesystem>

#include "tangra/base/error.h"
#include "tangra/formats/input_file.h"
#include "tangra/load/chain/chain.h"
#include "tangra/load/chain/lexer.h"
#include "tangra/load/onnx/onnx.h"
#include "tangra/load/weights.h"

namespace tangra::load {
namespace {

/// A chain text longer than this is some other file.
constexpr std::uint64_t longest_text = std::uint64_t{1} << 20;

bool is_there(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

/// A name and an open parenthesis; perhaps `model = ` before them.
bool begins_like_a_chain(const std::string& text) try {
  const Source source{.text = text, .name = {}};
  Lexer lexer(source);
  const auto name = [&] { return lexer.next().kind == TokenKind::name; };
  if (!name()) return false;
  Token token = lexer.next();
  if (token.is("=")) {
    if (!name()) return false;
    token = lexer.next();
  }
  return token.is("(");
} catch (const Error&) {
  return false;
}

/// A folder's name before it or an ending behind it, and nothing of a chain.
bool looks_like_a_file(const std::string& text) {
  if (text.find_first_of("(),=>\n") != std::string::npos) return false;
  const std::string ending = std::filesystem::path(text).extension().string();
  const bool has_ending = ending.size() > 1 && !(ending[1] >= '0' && ending[1] <= '9');
  return has_ending || text.find('/') != std::string::npos;
}

ChainOptions chain_options(const ModelSpec& spec, std::string source) {
  return {.init = spec.init,
          .seed = spec.seed.value_or(0),
          .parameterization = parse_parameterization(spec.parameterization),
          .input = spec.input,
          .shape = spec.input_shape,
          .source = std::move(source)};
}

OnnxOptions onnx_options(const ModelSpec& spec) {
  if (!spec.batch.empty() && spec.batch != "none") {
    throw Error(ErrorKind::usage, {.what = "there is no such way to read the inputs",
                                   .where = "batch",
                                   .got = spec.batch,
                                   .expected = "none, or nothing",
                                   .cure = {}});
  }
  return {.output = spec.output,
          .whole_inputs = spec.batch == "none",
          .input = spec.input_shape ? spec.input_shape : spec.input};
}

/// A chain has one output; its name may be given.
void check_output(const Graph& graph, const ModelSpec& spec) {
  for (const ValueId output : graph.outputs) {
    if (spec.output.empty() || graph.value(output).name == spec.output) return;
  }
  throw Error(ErrorKind::usage, {.what = "the network has no such output",
                                 .where = "--output",
                                 .got = spec.output,
                                 .expected = graph.value(graph.outputs.front()).name,
                                 .cure = {}});
}

/// The shape that was asked for fills in what the file leaves open, and nothing else.
Graph load_onnx_file(const std::filesystem::path& path, const ModelSpec& spec) {
  Graph graph = load_onnx(path, onnx_options(spec));
  if (!spec.input_shape) return graph;
  const Shape& shape = graph.shape(graph.inputs.front());
  if (*spec.input_shape == shape) return graph;
  throw Error(ErrorKind::input, {.what = "the file says another shape of its input",
                                 .where = "--input-shape",
                                 .got = to_string(*spec.input_shape),
                                 .expected = to_string(shape),
                                 .cure = {}});
}

Graph load_file(const ModelSpec& spec) {
  const std::filesystem::path path = spec.text;
  if (path.extension() == ".onnx") return load_onnx_file(path, spec);
  const formats::InputFile file(path);
  if (file.size() > longest_text) {
    throw Error(ErrorKind::input, {.what = "the file is too long for a chain text",
                                   .where = spec.text,
                                   .got = std::to_string(file.size()) + " bytes",
                                   .expected = "at most " + std::to_string(longest_text),
                                   .cure = {}});
  }
  return load_chain(file.read_all(), chain_options(spec, spec.text));
}

Graph load_graph(const ModelSpec& spec) {
  if (is_chain_text(spec.text)) return load_chain(spec.text, chain_options(spec, "chain"));
  if (is_there(spec.text)) return load_file(spec);
  if (looks_like_a_file(spec.text)) {
    throw Error(ErrorKind::input,
                {.what = "the file is not there",
                 .where = spec.text,
                 .got = {},
                 .expected = "an .onnx file, a file with a chain text, or such a text itself",
                 .cure = {}});
  }
  const Source source{.text = spec.text, .name = {}};
  throw Error(ErrorKind::input,
              {.what = "there is no such file, and it is not a chain text either",
               .where = "model",
               .got = spec.text.empty() ? "nothing" : excerpt(source, {0, spec.text.size()}),
               .expected = "a file, or a text such as Chain(Dense(784 => 10), softmax)",
               .cure = {}});
}

}  // namespace

void ModelSpec::validate() const {
  const bool onnx = std::filesystem::path(text).extension() == ".onnx" && !is_chain_text(text);
  if (weights.empty() && !onnx) return;
  std::pair<const char*, std::string> drawing;  // an option that means nothing then, and what it says
  if (onnx && parameterization != "standard") drawing = {"--parameterization", parameterization};
  if (seed) drawing = {"--seed", std::to_string(*seed)};
  if (!init.empty()) drawing = {"--init", init};
  if (drawing.first == nullptr) return;
  throw Error(ErrorKind::usage, {.what = onnx ? "an ONNX file brings its own parameters, so that none are drawn"
                                              : "the weights come from a file, so that none are drawn",
                                 .where = drawing.first,
                                 .got = drawing.second,
                                 .expected = {},
                                 .cure = onnx ? "Leave it out" : "Leave it out, or leave --weights out"});
}

bool is_chain_text(const std::string& text) {
  return begins_like_a_chain(text) && !is_there(text);
}

Graph load_model(const ModelSpec& spec) {
  Graph graph = load_graph(spec);
  check_output(graph, spec);
  if (!spec.weights.empty()) read_weights(graph, spec.weights);
  select_parameters(graph, spec.params, spec.buffers);
  return graph;
}

std::shared_ptr<const Graph> shared_model(const ModelSpec& spec) {
  return spec.graph != nullptr ? spec.graph : std::make_shared<const Graph>(load_model(spec));
}

}  // namespace tangra::load
