#include "tangra/load/chain/expressions.h"

#include <algorithm>
#include <cmath>

#include "tangra/load/chain/layers/table.h"
#include "tangra/load/suggest.h"

namespace tangra::load {
namespace {

using Kind = Expression::Kind;

Function function_with(const Source& source, const Expression& at, std::string_view name,
                       const Expression* number) {
  if (!find_function(name)) refuse_name(source, at, false);
  if (number == nullptr) return *find_function(name);
  if (!takes_number(name)) fail(source, at.at, std::string(name) + " takes no number", std::string(name));
  if (number->kind != Kind::number || !std::isfinite(number->real)) {
    fail(source, number->at, "this is not a number", "a form such as 0.2");
  }
  return *find_function(name, number->real);
}

/// x -> f(x), x -> f(x, number), x -> f.(x, number)
Function function_of_lambda(const Source& source, const Expression& lambda) {
  const Expression* call = call_of_lambda(lambda);
  const bool fits = call != nullptr && call->arguments.size() <= 2 &&
                    std::ranges::all_of(call->arguments, [](const Argument& a) { return a.keyword.empty(); });
  if (!fits) {
    fail(source, lambda.at, "of functions in this form only one call is supported",
         "a form such as x -> leakyrelu(x, 0.2)");
  }
  const Expression* number = call->arguments.size() == 2 ? &call->arguments[1].value : nullptr;
  return function_with(source, *call, plain(call->name), number);
}

}  // namespace

std::string_view plain(std::string_view name) {
  for (const std::string_view module : {"Flux.", "NNlib.", "Base.", "MLUtils.", "Statistics."}) {
    if (name.starts_with(module)) return name.substr(module.size());
  }
  return name;
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

void fail(const Source& source, Extent at, std::string what, std::string expected, std::string cure) {
  refuse(source, at,
         {.what = std::move(what),
          .where = {},
          .got = excerpt(source, at),
          .expected = std::move(expected),
          .cure = std::move(cure)});
}

void refuse_name(const Source& source, const Expression& expression, bool layer_fits) {
  const std::string_view name = plain(expression.name);
  std::vector<std::string_view> known(function_names().begin(), function_names().end());
  const std::vector<std::string_view> layers = layer_names();
  if (layer_fits) known.insert(known.end(), layers.begin(), layers.end());
  // The name alone: the arguments of a call are not at fault.
  const Extent at{expression.at.begin,
                  std::min(expression.at.end, expression.at.begin + expression.name.size())};
  if (layer_fits && is_unsupported_layer(name)) {
    refuse(source, ErrorKind::unsupported, at,
           {.what = "this layer is not supported",
            .where = {},
            .got = std::string(name),
            .expected = "one of the layers of docs/chain.md, or a function such as relu",
            .cure = {}});
  }
  if (is_one_of(name, layers)) fail(source, at, "a layer cannot stand here", "a function such as relu");
  std::string cure = did_you_mean(name, known);
  if (cure.empty()) {
    for (const std::string_view each : known)
      cure += (cure.empty() ? "Known are " : ", ") + std::string(each);
  }
  fail(source, at, layer_fits ? "there is no such layer" : "there is no such function", {}, std::move(cure));
}

Index read_length(const Source& source, const Expression& expression, const std::string& what, Index least) {
  if (expression.kind != Kind::number || !expression.whole) {
    fail(source, expression.at, what + " is a whole number", "a form such as 60 or 28 * 28");
  }
  if (expression.integer < least) {
    fail(source, expression.at, what + " is at least " + std::to_string(least));
  }
  return expression.integer;
}

std::vector<Index> read_lengths(const Source& source, const Expression& expression, const std::string& what,
                                std::size_t count, Index least) {
  std::string example = "(3, 3)";
  if (count == 1) example = "(3,)";
  if (count >= 3) example = count == 3 ? "(3, 3, 3)" : count == 4 ? "(1, 1, 2, 2)" : "(1, 1, 2, 2, 0, 0)";
  const bool sound = expression.kind == Kind::tuple && !expression.arguments.empty() &&
                     (count == 0 || expression.arguments.size() == count);
  if (!sound) fail(source, expression.at, what + " cannot be this", "a form such as " + example);
  std::vector<Index> lengths;
  for (const Argument& argument : expression.arguments) {
    if (!argument.keyword.empty()) fail(source, argument.keyword_at, "a tuple has no names", example);
    lengths.push_back(read_length(source, argument.value, "each entry", least));
  }
  return lengths;
}

Function read_function(const Source& source, const Expression& expression) {
  const std::string_view name = plain(expression.name);
  if (expression.kind == Kind::lambda) return function_of_lambda(source, expression);
  if (expression.kind == Kind::name) return function_with(source, expression, name, nullptr);
  if (expression.kind != Kind::call)
    fail(source, expression.at, "this is not a function", "a form such as relu");
  if (expression.arguments.size() != 1 || !expression.arguments[0].keyword.empty()) {
    fail(source, expression.at, "a function is named alone or with one number",
         "a form such as relu or leakyrelu(0.2)");
  }
  return function_with(source, expression, name, &expression.arguments[0].value);
}

Initializer read_initializer(const Source& source, const Expression& expression) {
  const auto names = initializer_names();
  const std::string_view name = plain(expression.name);
  if (expression.kind != Kind::name || !is_one_of(name, names)) {
    std::string expected;
    for (const std::string_view each : names) expected += (expected.empty() ? "" : ", ") + std::string(each);
    fail(source, expression.at, "there is no such initialiser", "one of " + expected,
         did_you_mean(name, names));
  }
  return initializer_of(name, "init");
}

const Expression* call_of_lambda(const Expression& lambda) {
  if (lambda.kind != Kind::lambda || lambda.name.empty()) return nullptr;
  const Expression& body = lambda.arguments[0].value;
  const bool call = body.kind == Kind::call && !body.arguments.empty() && body.arguments[0].keyword.empty() &&
                    body.arguments[0].value.kind == Kind::name &&
                    body.arguments[0].value.name == lambda.name && !body.arguments[0].value.splat;
  return call ? &body : nullptr;
}

}  // namespace tangra::load
