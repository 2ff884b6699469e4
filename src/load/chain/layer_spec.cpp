#include "tangra/load/chain/layer_spec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "tangra/load/chain/parser.h"
#include "tangra/load/suggest.h"

namespace tangra::load {
namespace {

using Kind = Expression::Kind;

constexpr auto layer_names =
    std::to_array<std::string_view>({"Chain", "Dense", "SkipConnection", "Parallel"});
// Layers of Flux that somebody may well try.
constexpr auto unsupported_names = std::to_array<std::string_view>({"AdaptiveMaxPool",
                                                                    "AdaptiveMeanPool",
                                                                    "AlphaDropout",
                                                                    "BatchNorm",
                                                                    "Bilinear",
                                                                    "Conv",
                                                                    "ConvTranspose",
                                                                    "CrossCor",
                                                                    "DepthwiseConv",
                                                                    "Diagonal",
                                                                    "Dropout",
                                                                    "Embedding",
                                                                    "EmbeddingBag",
                                                                    "GRU",
                                                                    "GRUCell",
                                                                    "GlobalMaxPool",
                                                                    "GlobalMeanPool",
                                                                    "GroupNorm",
                                                                    "InstanceNorm",
                                                                    "LSTM",
                                                                    "LSTMCell",
                                                                    "LayerNorm",
                                                                    "Maxout",
                                                                    "MaxPool",
                                                                    "MeanPool",
                                                                    "MultiHeadAttention",
                                                                    "PairwiseFusion",
                                                                    "PixelShuffle",
                                                                    "RNN",
                                                                    "RNNCell",
                                                                    "Recur",
                                                                    "Scale",
                                                                    "Upsample",
                                                                    "WeightNorm",
                                                                    "flatten"});

// What --wrt, --of and the files of results call by these names could not be told from a layer.
constexpr auto words_of_options =
    std::to_array<std::pair<std::string_view, const char*>>({{"input", " by the input of the network"},
                                                             {"output", " by the output of the network"},
                                                             {"parameters", ": it means all parameters"},
                                                             {"total", ": it means all parts of a kernel"}});

/// Without the module in front: `Flux.relu`, `NNlib.relu`.
std::string_view plain(std::string_view name) {
  for (const std::string_view module : {"Flux.", "NNlib.", "Base."}) {
    if (name.starts_with(module)) return name.substr(module.size());
  }
  return name;
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source) {}
  LayerSpec layer(const Expression& expression, std::string path) const;

 private:
  LayerSpec called(const Expression& call, std::string path) const;
  LayerSpec dense(const Expression& call, LayerSpec layer) const;
  LayerSpec skip(const Expression& call, LayerSpec layer) const;
  LayerSpec chain(const Expression& call, std::size_t first, LayerSpec layer) const;
  std::string place_of(const Argument& argument, std::size_t place, std::set<std::string>& seen,
                       const std::string& path) const;
  void keyword(const Argument& argument, LayerSpec& layer) const;
  Index width(const Expression& expression) const;
  Join join(const Expression& expression) const;
  Function function(const Expression& expression) const;
  Function function_of_lambda(const Expression& lambda) const;
  Function function_with(const Expression& at, std::string_view name, const Expression* number) const;
  [[noreturn]] void unknown(const Expression& expression, bool layer_fits) const;
  [[noreturn]] void fail(Extent at, std::string what, std::string expected = {},
                         std::string cure = {}) const {
    refuse(source_, at,
           {.what = std::move(what),
            .where = {},
            .got = excerpt(source_, at),
            .expected = std::move(expected),
            .cure = std::move(cure)});
  }

  const Source& source_;
};

LayerSpec Reader::layer(const Expression& expression, std::string path) const {
  const std::string_view name = plain(expression.name);
  if (expression.kind == Kind::call) return called(expression, std::move(path));
  if (expression.kind == Kind::name && is_one_of(name, layer_names)) {
    fail(expression.at, "a layer has no arguments", std::string(name) + "(...)");
  }
  if (expression.kind == Kind::name && !find_function(name)) unknown(expression, true);
  if (expression.kind == Kind::name || expression.kind == Kind::lambda) {
    LayerSpec result{.kind = LayerSpec::Kind::function, .path = std::move(path), .at = expression.at};
    result.function = function(expression);
    return result;
  }
  fail(expression.at, "this is not a layer",
       "Dense(in => out), a function such as relu, Chain(...), "
       "SkipConnection(layer, +) or Parallel(+, layer, layer)");
}

LayerSpec Reader::called(const Expression& call, std::string path) const {
  const std::string_view name = plain(call.name);
  LayerSpec result{.path = std::move(path), .at = call.at};
  if (name == "Dense") return dense(call, std::move(result));
  if (name == "SkipConnection") return skip(call, std::move(result));
  if (name == "Chain") {
    result.kind = LayerSpec::Kind::chain;
    return chain(call, 0, std::move(result));
  }
  if (name == "Parallel") {
    if (call.arguments.empty() || !call.arguments[0].keyword.empty()) {
      fail(call.at, "Parallel starts with the function that joins its branches", "Parallel(+, layer, layer)");
    }
    result.kind = LayerSpec::Kind::parallel;
    result.join = join(call.arguments[0].value);
    return chain(call, 1, std::move(result));
  }
  if (!find_function(name)) unknown(call, true);
  result.kind = LayerSpec::Kind::function;
  result.function = function(call);
  return result;
}

/// Dense(in => out [, activation]; bias = true, init = name) or Dense(in, out [, activation]; ..).
LayerSpec Reader::dense(const Expression& call, LayerSpec layer) const {
  constexpr const char* form = "Dense(in => out) or Dense(in => out, activation; bias = false)";
  layer.kind = LayerSpec::Kind::dense;
  std::vector<const Expression*> places;
  std::set<std::string> seen;
  for (const Argument& argument : call.arguments) {
    if (argument.keyword.empty()) {
      places.push_back(&argument.value);
      continue;
    }
    if (!seen.insert(argument.keyword).second) fail(argument.keyword_at, "an argument is given twice");
    keyword(argument, layer);
  }
  const bool pair = !places.empty() && places[0]->kind == Kind::pair;
  const std::size_t widths = pair ? 1 : 2;
  if (places.size() < widths) fail(call.at, "Dense needs to know its widths", form);
  if (places.size() > widths + 1) fail(places[widths + 1]->at, "Dense has too many arguments", form);
  layer.in = width(pair ? places[0]->arguments[0].value : *places[0]);
  layer.out = width(pair ? places[0]->arguments[1].value : *places[1]);
  constexpr Index most = Index{1} << 31;
  if (layer.in > most / layer.out) {
    fail(call.at, "the layer is too large", "at most 2^31 weights in one layer");
  }
  if (places.size() > widths) {
    layer.function = function(*places[widths]);
    if (!layer.function->elementwise) {
      fail(places[widths]->at, "an activation acts on each entry alone, this acts on all of them",
           "a layer of its own behind Dense");
    }
    if (layer.function->op == "Identity") layer.function.reset();
  }
  return layer;
}

void Reader::keyword(const Argument& argument, LayerSpec& layer) const {
  constexpr auto known = std::to_array<std::string_view>({"bias", "init"});
  const Expression& value = argument.value;
  if (!is_one_of(argument.keyword, known)) {
    fail(argument.keyword_at, "Dense has no such argument", "bias or init",
         did_you_mean(argument.keyword, known));
  }
  if (argument.keyword == "bias") {
    if (value.kind != Kind::name || (value.name != "true" && value.name != "false")) {
      fail(value.at, "this cannot be said of a bias", "true or false");
    }
    layer.bias = value.name == "true";
    return;
  }
  const auto names = initializer_names();
  const std::string_view name = plain(value.name);
  if (value.kind != Kind::name || !is_one_of(name, names)) {
    std::string expected;
    for (const std::string_view each : names) expected += (expected.empty() ? "" : ", ") + std::string(each);
    fail(value.at, "there is no such initialiser", "one of " + expected, did_you_mean(name, names));
  }
  layer.init = initializer_of(name, "init");
}

Index Reader::width(const Expression& expression) const {
  if (expression.kind != Kind::number || !expression.whole) {
    fail(expression.at, "a width is a whole number", "a form such as 60 or 28 * 28");
  }
  if (expression.integer <= 0) fail(expression.at, "a width is at least 1");
  return expression.integer;
}

/// SkipConnection(layer, +)
LayerSpec Reader::skip(const Expression& call, LayerSpec layer) const {
  layer.kind = LayerSpec::Kind::skip;
  const bool named =
      std::ranges::any_of(call.arguments, [](const Argument& a) { return !a.keyword.empty(); });
  if (call.arguments.size() != 2 || named) {
    fail(call.at, "SkipConnection takes a layer and the function that joins its result with its input",
         "SkipConnection(layer, +)");
  }
  layer.join = join(call.arguments[1].value);
  layer.layers.push_back(this->layer(call.arguments[0].value, layer.path + ".0"));
  return layer;
}

/// The layers of a Chain, or the branches of a Parallel, from argument `first` on.
LayerSpec Reader::chain(const Expression& call, std::size_t first, LayerSpec layer) const {
  std::set<std::string> seen;
  for (std::size_t k = first; k < call.arguments.size(); ++k) {
    const Argument& argument = call.arguments[k];
    std::string path = place_of(argument, k - first, seen, layer.path);
    layer.layers.push_back(this->layer(argument.value, std::move(path)));
  }
  if (layer.layers.empty()) fail(call.at, call.name + " holds no layer", "at least one layer");
  return layer;
}

std::string Reader::place_of(const Argument& argument, std::size_t place, std::set<std::string>& seen,
                             const std::string& path) const {
  const std::string& name = argument.keyword;
  if (name.find('.') != std::string::npos) fail(argument.keyword_at, "the name of a layer has no dots");
  const auto taken =
      std::ranges::find(words_of_options, name, &std::pair<std::string_view, const char*>::first);
  if (taken != words_of_options.end() && path.empty()) {
    fail(argument.keyword_at, std::string("the name is taken") + taken->second, "another name");
  }
  if (!name.empty() && !seen.insert(name).second) fail(argument.keyword_at, "two layers have the same name");
  return (path.empty() ? "" : path + ".") + (name.empty() ? std::to_string(place) : name);
}

Join Reader::join(const Expression& expression) const {
  const std::string_view name = plain(expression.name);
  if (expression.kind == Kind::operation) return name.ends_with('+') ? Join::add : Join::multiply;
  if (expression.kind == Kind::name && name == "vcat") return Join::concatenate;
  fail(expression.at, "this cannot join branches", "+, * or vcat");
}

/// An activation: a name, a name with a number, or a lambda of these.
Function Reader::function(const Expression& expression) const {
  const std::string_view name = plain(expression.name);
  if (expression.kind == Kind::lambda) return function_of_lambda(expression);
  if (expression.kind == Kind::name) return function_with(expression, name, nullptr);
  if (expression.kind != Kind::call) fail(expression.at, "this is not a function", "a form such as relu");
  if (expression.arguments.size() != 1 || !expression.arguments[0].keyword.empty()) {
    fail(expression.at, "a function is named alone or with one number",
         "a form such as relu or leakyrelu(0.2)");
  }
  return function_with(expression, name, &expression.arguments[0].value);
}

/// x -> f(x), x -> f(x, number), x -> f.(x, number)
Function Reader::function_of_lambda(const Expression& lambda) const {
  const Expression& body = lambda.arguments[0].value;
  const std::vector<Argument>& arguments = body.arguments;
  const bool call = body.kind == Kind::call && (arguments.size() == 1 || arguments.size() == 2) &&
                    arguments[0].value.kind == Kind::name && arguments[0].value.name == lambda.name &&
                    std::ranges::all_of(arguments, [](const Argument& a) { return a.keyword.empty(); });
  if (!call) {
    fail(lambda.at, "of functions in this form only one call is supported",
         "a form such as x -> leakyrelu(x, 0.2)");
  }
  return function_with(body, plain(body.name), arguments.size() == 2 ? &arguments[1].value : nullptr);
}

Function Reader::function_with(const Expression& at, std::string_view name, const Expression* number) const {
  if (!find_function(name)) unknown(at, false);
  if (number == nullptr) return *find_function(name);
  if (!takes_number(name)) fail(at.at, std::string(name) + " takes no number", std::string(name));
  if (number->kind != Kind::number || !std::isfinite(number->real)) {
    fail(number->at, "this is not a number", "a form such as 0.2");
  }
  return *find_function(name, number->real);
}

/// `layer_fits`: whether a layer could stand here, else only a function could.
void Reader::unknown(const Expression& expression, bool layer_fits) const {
  const std::string_view name = plain(expression.name);
  std::vector<std::string_view> known(function_names().begin(), function_names().end());
  if (layer_fits) known.insert(known.end(), layer_names.begin(), layer_names.end());
  // The name alone: the arguments of a call are not at fault.
  const Extent at{expression.at.begin,
                  std::min(expression.at.end, expression.at.begin + expression.name.size())};
  if (layer_fits && is_one_of(name, unsupported_names)) {
    refuse(source_, ErrorKind::unsupported, at,
           {.what = "this layer is not supported",
            .where = {},
            .got = std::string(name),
            .expected = "Dense, SkipConnection, Parallel, Chain or a function such as relu",
            .cure = {}});
  }
  if (is_one_of(name, layer_names)) fail(at, "a layer cannot stand here", "a function such as relu");
  std::string cure = did_you_mean(name, known);
  if (cure.empty()) {
    for (const std::string_view each : known)
      cure += (cure.empty() ? "Known are " : ", ") + std::string(each);
  }
  fail(at, layer_fits ? "there is no such layer" : "there is no such function", {}, std::move(cure));
}

}  // namespace

LayerSpec read_layers(const Source& source) {
  const Expression expression = parse(source);
  const Reader reader(source);
  if (expression.kind == Kind::call && plain(expression.name) == "Chain") return reader.layer(expression, {});
  LayerSpec chain{.kind = LayerSpec::Kind::chain, .at = expression.at};
  chain.layers.push_back(reader.layer(expression, "0"));
  return chain;
}

}  // namespace tangra::load
