#include "tangra/load/model.h"

#include <filesystem>

#include "tangra/base/error.h"
#include "tangra/formats/input_file.h"
#include "tangra/load/chain/chain.h"
#include "tangra/load/chain/lexer.h"
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

ChainOptions chain_options(const ModelSpec& spec, std::string source) {
  return {.init = spec.init,
          .seed = spec.seed,
          .parameterization = parse_parameterization(spec.parameterization),
          .input = spec.input,
          .source = std::move(source)};
}

Graph load_file(const ModelSpec& spec) {
  const std::filesystem::path path = spec.text;
  if (path.extension() == ".onnx") {
    throw Error(ErrorKind::unsupported, {.what = "ONNX files are not supported yet",
                                         .where = spec.text,
                                         .got = {},
                                         .expected = "a file that holds a chain text",
                                         .cure = {}});
  }
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
  const Source source{.text = spec.text, .name = {}};
  throw Error(ErrorKind::input,
              {.what = "there is no such file, and it is not a chain text either",
               .where = "model",
               .got = spec.text.empty() ? "nothing" : excerpt(source, {0, spec.text.size()}),
               .expected = "a file, or a text such as Chain(Dense(784 => 10), softmax)",
               .cure = {}});
}

}  // namespace

bool is_chain_text(const std::string& text) {
  return begins_like_a_chain(text) && !is_there(text);
}

Graph load_model(const ModelSpec& spec) {
  Graph graph = load_graph(spec);
  if (!spec.weights.empty()) read_weights(graph, spec.weights);
  select_parameters(graph, spec.params, spec.buffers);
  return graph;
}

}  // namespace tangra::load
