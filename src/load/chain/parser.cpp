#include "tangra/load/chain/parser.h"

#include <algorithm>
#include <iterator>

#include "tangra/load/chain/lexer.h"

namespace tangra::load {
namespace {

constexpr int deepest = 200;

using Kind = Expression::Kind;

class Parser {
 public:
  explicit Parser(const Source& source) : source_(source), lexer_(source), token_(lexer_.next()) {}
  Expression whole_text();

 private:
  Expression expression(int depth);
  Expression primary(int depth);
  Expression tuple(int depth);
  Expression named(int depth);
  Expression number();
  Expression power();
  Expression literal();
  void arguments(Expression& call, Extent open, int depth);
  Argument argument(int depth);

  Token take() {
    const Token taken = token_;
    token_ = lexer_.next();
    return taken;
  }
  bool accept(std::string_view symbol) {
    const bool there = token_.is(symbol);
    if (there) take();
    return there;
  }
  [[noreturn]] void unexpected(std::string what, std::string expected) const {
    refuse(source_, token_.at,
           {.what = std::move(what),
            .where = {},
            .got = excerpt(source_, token_.at),
            .expected = std::move(expected),
            .cure = {}});
  }

  const Source& source_;
  Lexer lexer_;
  Token token_;  ///< the next one, not taken yet
};

Expression Parser::whole_text() {
  if (token_.kind == TokenKind::end) unexpected("the text is empty", {});
  Expression result = expression(0);
  if (result.kind == Kind::name && accept("=")) result = expression(0);
  accept(";");
  if (token_.kind != TokenKind::end) unexpected("the text goes on behind its end", "nothing more");
  return result;
}

/// primary [=> primary [=> ..]]: from the right, a => (b => c)
Expression Parser::expression(int depth) {
  constexpr std::size_t most_steps = 8;
  if (depth > deepest) {
    unexpected("the layers are nested too deep", "at most " + std::to_string(deepest) + " levels");
  }
  std::vector<Expression> steps;
  steps.push_back(primary(depth));
  while (token_.is("=>")) {
    if (steps.size() == most_steps) unexpected("too many steps in a row", "at most 8");
    take();
    steps.push_back(primary(depth));
  }
  Expression result = std::move(steps.back());
  for (steps.pop_back(); !steps.empty(); steps.pop_back()) {
    Expression pair{
        .kind = Kind::pair, .at = {steps.back().at.begin, result.at.end}, .name = "=>", .arguments = {}};
    pair.arguments.push_back({.keyword = {}, .keyword_at = {}, .value = std::move(steps.back())});
    pair.arguments.push_back({.keyword = {}, .keyword_at = {}, .value = std::move(result)});
    result = std::move(pair);
  }
  return result;
}

Expression Parser::primary(int depth) {
  if (token_.kind == TokenKind::name) return named(depth);
  if (token_.kind == TokenKind::number || token_.is("-")) return number();
  if (token_.is("(")) return tuple(depth);
  if (token_.is(":")) return {.kind = Kind::colon, .at = take().at, .name = {}, .arguments = {}};
  for (const std::string_view symbol : {"+", "*", ".+", ".*"}) {
    if (token_.is(symbol)) {
      const Token taken = take();
      return {.kind = Kind::operation, .at = taken.at, .name = std::string(taken.text), .arguments = {}};
    }
  }
  unexpected("something is missing here", "a layer, a function or a number");
}

/// (arguments) | (names) -> expression
Expression Parser::tuple(int depth) {
  const Extent open = take().at;
  Expression tuple{.kind = Kind::tuple, .at = open, .name = {}, .arguments = {}};
  arguments(tuple, open, depth);
  if (!accept("->")) return tuple;
  Expression lambda{.kind = Kind::lambda, .at = tuple.at, .name = {}, .arguments = {}};
  lambda.arguments.push_back({.keyword = {}, .keyword_at = {}, .value = expression(depth + 1)});
  lambda.at.end = lambda.arguments[0].value.at.end;
  std::ranges::move(tuple.arguments, std::back_inserter(lambda.arguments));
  return lambda;
}

/// name | name(arguments) | name.(arguments) | name -> expression
Expression Parser::named(int depth) {
  const Token name = take();
  Expression result{.kind = Kind::name, .at = name.at, .name = std::string(name.text), .arguments = {}};
  if (accept("->")) {
    result.kind = Kind::lambda;
    result.arguments.push_back({.keyword = {}, .keyword_at = {}, .value = expression(depth + 1)});
    result.at.end = result.arguments[0].value.at.end;
    return result;
  }
  const bool broadcast = accept(".");
  if (token_.is("(")) {
    result.kind = Kind::call;
    const Extent open = take().at;
    arguments(result, open, depth);
  } else if (broadcast) {
    unexpected("a name ends with a dot", "a parenthesis, as in relu.(x)");
  }
  return result;
}

/// Everything behind an open parenthesis, up to and with the one that closes it.
void Parser::arguments(Expression& call, Extent open, int depth) {
  bool only_keywords = false;
  while (!token_.is(")")) {
    if (!only_keywords && accept(";")) {
      only_keywords = true;
      continue;
    }
    if (token_.kind == TokenKind::end) break;
    Argument next = argument(depth);
    if (only_keywords && next.keyword.empty()) {
      refuse(source_, next.value.at,
             {.what = "behind a semicolon every argument has a name",
              .where = {},
              .got = excerpt(source_, next.value.at),
              .expected = "name = value",
              .cure = {}});
    }
    call.arguments.push_back(std::move(next));
    if (token_.is(")") || token_.kind == TokenKind::end || (token_.is(";") && !only_keywords)) continue;
    if (!accept(",")) unexpected("a comma or a parenthesis is missing", ", or )");
  }
  if (token_.kind == TokenKind::end) {
    refuse(source_, open,
           {.what = "the parenthesis is never closed",
            .where = {},
            .got = "the end of the text",
            .expected = ") at the end of " + call.name + "(...",
            .cure = {}});
  }
  call.at.end = take().at.end;
}

/// [name =] expression | expression ...
Argument Parser::argument(int depth) {
  Expression value = expression(depth + 1);
  value.splat = accept("...");
  if (value.kind != Kind::name || !accept("=")) {
    return {.keyword = {}, .keyword_at = {}, .value = std::move(value)};
  }
  return {.keyword = value.name, .keyword_at = value.at, .value = expression(depth + 1)};
}

/// power * power * ..
Expression Parser::number() {
  Expression result = power();
  while (accept("*")) {
    const Expression factor = power();
    result.at.end = factor.at.end;
    result.real *= factor.real;
    result.whole = result.whole && factor.whole;
    if (result.whole && __builtin_mul_overflow(result.integer, factor.integer, &result.integer)) {
      refuse(source_, result.at,
             {.what = "the product is beyond what can be stored",
              .where = {},
              .got = {},
              .expected = {},
              .cure = {}});
    }
  }
  return result;
}

/// literal [^ literal]
Expression Parser::power() {
  Expression result = literal();
  if (!accept("^")) return result;
  const Expression exponent = literal();
  result.at.end = exponent.at.end;
  const Index base = result.integer;
  bool fits = result.whole && exponent.whole && base > 0 && exponent.integer >= 0 && exponent.integer < 64;
  result.integer = 1;
  for (Index k = 0; fits && k < exponent.integer; ++k) {
    fits = !__builtin_mul_overflow(result.integer, base, &result.integer);
  }
  if (!fits) {
    refuse(source_, result.at,
           {.what = "this power is not a whole number that can be stored",
            .where = {},
            .got = excerpt(source_, result.at),
            .expected = "a form such as 28^2",
            .cure = {}});
  }
  result.real = static_cast<double>(result.integer);
  return result;
}

/// [-] number
Expression Parser::literal() {
  const std::size_t begin = token_.at.begin;
  const bool negative = accept("-");
  if (token_.kind != TokenKind::number) unexpected("a number is missing", "a number");
  const Token number = take();
  return {.kind = Kind::number,
          .at = {begin, number.at.end},
          .name = {},
          .whole = number.whole,
          .integer = negative ? -number.integer : number.integer,
          .real = negative ? -number.real : number.real,
          .arguments = {}};
}

}  // namespace

Expression parse(const Source& source) {
  return Parser(source).whole_text();
}

}  // namespace tangra::load
