#include "tangra/load/chain/layer_spec.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "tangra/load/chain/expressions.h"
#include "tangra/load/chain/layers/table.h"

namespace tangra::load {
namespace {

using Kind = Expression::Kind;

constexpr auto containers = std::to_array<std::string_view>({"Chain", "SkipConnection", "Parallel"});

// What --wrt, --of and the files of results call by these names could not be told from a layer.
constexpr auto words_of_options =
    std::to_array<std::pair<std::string_view, const char*>>({{"input", " by the input of the network"},
                                                             {"output", " by the output of the network"},
                                                             {"parameters", ": it means all parameters"},
                                                             {"total", ": it means all parts of a kernel"}});

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source) {}
  LayerSpec layer(const Expression& expression, std::string path) const;

 private:
  LayerSpec called(const Expression& call, LayerSpec layer) const;
  LayerSpec skip(const Expression& call, LayerSpec layer) const;
  LayerSpec chain(const Expression& call, std::size_t first, LayerSpec layer) const;
  std::string place_of(const Argument& argument, std::size_t place, std::set<std::string>& seen,
                       const LayerSpec& layer) const;
  bool takes_attention(const Expression& expression, const LayerSpec& layer) const;
  Join join(const Expression& expression) const;
  Join join_of_lambda(const Expression& lambda) const;
  [[noreturn]] void fail(Extent at, std::string what, std::string expected = {},
                         std::string cure = {}) const {
    load::fail(source_, at, std::move(what), std::move(expected), std::move(cure));
  }

  const Source& source_;
};

LayerSpec Reader::layer(const Expression& expression, std::string path) const {
  const std::string_view name = plain(expression.name);
  LayerSpec result{.path = std::move(path), .type = std::string(name), .at = expression.at};
  if (expression.kind == Kind::call) return called(expression, std::move(result));
  const bool named = expression.kind == Kind::name;
  if (!named && expression.kind != Kind::lambda) {
    fail(expression.at, "this is not a layer",
         "Dense(in => out), a function such as relu, Chain(...), "
         "SkipConnection(layer, +) or Parallel(+, layer, layer)");
  }
  if (expression.kind == Kind::lambda) result.type = std::string(plain(expression.arguments[0].value.name));
  result.layer = read_array_function(source_, expression);
  if (result.layer) return result;
  if (const LayerType* type = find_layer_type(name); named && type != nullptr) {
    fail(expression.at, "a layer has no arguments", std::string(type->form));
  }
  if (named && is_one_of(name, containers)) {
    fail(expression.at, "a layer has no arguments", std::string(name) + "(...)");
  }
  if (named && !find_function(name)) refuse_name(source_, expression, true);
  result.layer = function_layer(read_function(source_, expression));
  return result;
}

LayerSpec Reader::called(const Expression& call, LayerSpec layer) const {
  const std::string& name = layer.type;
  if (name == "SkipConnection") return skip(call, std::move(layer));
  if (name == "Chain") {
    layer.kind = LayerSpec::Kind::chain;
    return chain(call, 0, std::move(layer));
  }
  if (name == "Parallel") {
    if (call.arguments.empty() || !call.arguments[0].keyword.empty()) {
      fail(call.at, "Parallel starts with the function that joins its branches", "Parallel(+, layer, layer)");
    }
    layer.kind = LayerSpec::Kind::parallel;
    layer.join = join(call.arguments[0].value);
    return chain(call, 1, std::move(layer));
  }
  if (const LayerType* type = find_layer_type(name); type != nullptr) {
    layer.layer = type->read(Arguments(source_, call, type->form));
    return layer;
  }
  if (!find_function(name)) refuse_name(source_, call, true);
  layer.layer = function_layer(read_function(source_, call));
  return layer;
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
    std::string path = place_of(argument, k - first, seen, layer);
    if (takes_attention(argument.value, layer)) {
      layer.layers.push_back({.path = std::move(path), .type = "first", .at = argument.value.at});
      layer.layers.back().layer = function_layer(*find_function("identity"));
    } else {
      layer.layers.push_back(this->layer(argument.value, std::move(path)));
    }
  }
  if (layer.layers.empty()) fail(call.at, call.name + " holds no layer", "at least one layer");
  const bool joins_two = layer.join.kind == Join::Kind::layer;
  if (joins_two && layer.layers.size() != 2) {
    fail(call.at, layer.join.type + " joins two branches", "two layers behind it");
  }
  return layer;
}

/// Flux's MultiHeadAttention gives its result and its scores, of which a Chain takes the `first`. Here it
/// gives the result alone.
bool Reader::takes_attention(const Expression& expression, const LayerSpec& layer) const {
  if (expression.kind != Kind::name || plain(expression.name) != "first") return false;
  const bool behind = layer.kind == LayerSpec::Kind::chain && !layer.layers.empty() &&
                      layer.layers.back().type == "MultiHeadAttention";
  if (!behind) {
    fail(expression.at, "first takes the result of MultiHeadAttention, without its scores",
         "first right behind MultiHeadAttention, in one Chain");
  }
  return true;
}

std::string Reader::place_of(const Argument& argument, std::size_t place, std::set<std::string>& seen,
                             const LayerSpec& layer) const {
  const std::string& name = argument.keyword;
  const std::string& path = layer.path;
  if (name.find('.') != std::string::npos) fail(argument.keyword_at, "the name of a layer has no dots");
  const auto taken =
      std::ranges::find(words_of_options, name, &std::pair<std::string_view, const char*>::first);
  if (taken != words_of_options.end() && path.empty()) {
    fail(argument.keyword_at, std::string("the name is taken") + taken->second, "another name");
  }
  if (name == "connection" && layer.join.kind == Join::Kind::layer) {
    fail(argument.keyword_at, "the name is taken by the layer that joins the branches", "another name");
  }
  if (!name.empty() && !seen.insert(name).second) fail(argument.keyword_at, "two layers have the same name");
  return (path.empty() ? "" : path + ".") + (name.empty() ? std::to_string(place) : name);
}

Join Reader::join(const Expression& expression) const {
  const std::string_view name = plain(expression.name);
  if (expression.kind == Kind::operation) {
    return {.kind = name.ends_with('+') ? Join::Kind::add : Join::Kind::multiply,
            .broadcast = name.starts_with('.')};
  }
  if (expression.kind == Kind::lambda) return join_of_lambda(expression);
  if (expression.kind == Kind::name && (name == "vcat" || name == "hcat" || name == "cat")) {
    return {.kind = Join::Kind::concatenate, .dim = name == "vcat" ? 1 : name == "hcat" ? 2 : 0};
  }
  if (expression.kind == Kind::call && name == "Bilinear") {
    const Arguments arguments(source_, expression, find_layer_type(name)->form);
    return {.kind = Join::Kind::layer, .layer = read_bilinear(arguments), .type = "Bilinear"};
  }
  fail(expression.at, "this cannot join branches", "+, .+, *, .*, vcat, hcat, cat or Bilinear(...)");
}

/// (a, b) -> cat(a, b; dims = 3) and (xs...) -> cat(xs...; dims = 3); vcat and hcat in the same way.
Join Reader::join_of_lambda(const Expression& lambda) const {
  const Expression& body = lambda.arguments[0].value;
  const auto names = std::span(lambda.arguments).subspan(1);
  const std::string_view name = plain(body.name);
  const bool cat = name == "cat";
  const std::size_t count = body.arguments.size() - (cat && !body.arguments.empty() ? 1 : 0);
  bool sound = body.kind == Kind::call && (cat || name == "vcat" || name == "hcat") && !names.empty() &&
               count == names.size() && (!cat || body.arguments.back().keyword == "dims");
  for (std::size_t k = 0; sound && k < count; ++k) {
    const Expression& given = body.arguments[k].value;
    sound = body.arguments[k].keyword.empty() && names[k].keyword.empty() && given.kind == Kind::name &&
            names[k].value.kind == Kind::name && given.name == names[k].value.name &&
            given.splat == names[k].value.splat && (count == 1) == given.splat;
  }
  if (!sound) {
    fail(lambda.at, "of functions in this form only cat, vcat and hcat can join branches, in their order",
         "a form such as (a, b) -> cat(a, b; dims = 3)");
  }
  Index dim = name == "hcat" ? 2 : 1;
  if (cat) dim = read_length(source_, body.arguments.back().value, "dims");
  return {.kind = Join::Kind::concatenate, .dim = dim};
}

}  // namespace

LayerSpec read_layers(const Source& source) {
  const Expression expression = parse(source);
  const Reader reader(source);
  if (expression.kind == Kind::call && plain(expression.name) == "Chain") return reader.layer(expression, {});
  LayerSpec chain{.kind = LayerSpec::Kind::chain, .type = "Chain", .at = expression.at};
  chain.layers.push_back(reader.layer(expression, "0"));
  return chain;
}

}  // namespace tangra::load
