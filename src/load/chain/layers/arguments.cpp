#include "tangra/load/chain/layers/arguments.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tangra/load/suggest.h"

namespace tangra::load {

using Kind = Expression::Kind;

Arguments::Arguments(const Source& source, const Expression& call, std::string_view form)
    : source_(source), name_(plain(call.name)), form_(form), at_(call.at) {
  std::set<std::string> seen;
  for (const Argument& argument : call.arguments) {
    if (argument.value.splat) fail(argument.value.at, "a layer has no such argument", std::string(form_));
    if (argument.keyword.empty()) {
      places_.push_back(&argument.value);
      continue;
    }
    if (!seen.insert(argument.keyword).second) fail(argument.keyword_at, "an argument is given twice");
    named_.push_back(&argument);
  }
}

const Expression* Arguments::find(std::string_view keyword) const {
  const auto found = std::ranges::find(named_, keyword, &Argument::keyword);
  return found == named_.end() ? nullptr : &(*found)->value;
}

void Arguments::require(std::size_t least, std::size_t most, const char* need) const {
  if (places_.size() < least) fail(name_ + " needs " + need, std::string(form_));
  if (places_.size() > most) fail(places_[most]->at, name_ + " has too many arguments", std::string(form_));
}

void Arguments::allow(std::initializer_list<std::string_view> keywords) const {
  const std::vector<std::string_view> known(keywords);
  for (const Argument* argument : named_) {
    if (is_one_of(argument->keyword, known)) continue;
    std::string expected;
    for (std::size_t k = 0; k < known.size(); ++k) {
      expected += (k == 0 ? "" : k + 1 == known.size() ? " or " : ", ") + std::string(known[k]);
    }
    if (known.empty()) expected = std::string(form_);
    fail(argument->keyword_at, name_ + " has no such argument", expected,
         did_you_mean(argument->keyword, known));
  }
}

bool Arguments::truth(std::string_view keyword, bool otherwise) const {
  const Expression* value = find(keyword);
  if (value == nullptr) return otherwise;
  if (value->kind != Kind::name || (value->name != "true" && value->name != "false")) {
    fail(value->at, "this cannot be said of " + std::string(keyword), "true or false");
  }
  return value->name == "true";
}

double Arguments::number(std::string_view keyword, double otherwise) const {
  const Expression* value = find(keyword);
  if (value == nullptr) return otherwise;
  if (value->kind != Kind::number || !std::isfinite(value->real) || value->real < 0) {
    fail(value->at, "this cannot be " + std::string(keyword), "a number of 0 or more");
  }
  return value->real;
}

std::optional<Initializer> Arguments::initializer() const {
  const Expression* value = find("init");
  if (value == nullptr) return std::nullopt;
  return read_initializer(source_, *value);
}

std::optional<Function> Arguments::activation(std::size_t place) const {
  if (places_.size() <= place) return std::nullopt;
  const Function function = read_function(source_, *places_[place]);
  if (!function.elementwise) {
    fail(places_[place]->at, "an activation acts on each entry alone, this acts on all of them",
         "a layer of its own behind " + name_);
  }
  if (function.op == "Identity") return std::nullopt;
  return function;
}

std::pair<Shape, std::size_t> Arguments::sizes() const {
  std::vector<Index> lengths;
  std::size_t places = 0;
  if (count() > 0 && places_[0]->kind == Kind::tuple) {
    lengths = read_lengths(source_, *places_[0], "the size");
    places = 1;
  }
  for (; lengths.empty() || places > 1 || places_[0]->kind != Kind::tuple; ++places) {
    if (places == count() || places_[places]->kind != Kind::number) break;
    lengths.push_back(read_length(source_, *places_[places], "a size"));
  }
  if (lengths.empty()) fail(name_ + " needs to know its size", form());
  Index product = 1;
  for (const Index length : lengths) {
    check_weights({product, length});
    product *= length;
  }
  std::ranges::reverse(lengths);
  return {Shape(lengths), places};
}

std::pair<Index, Index> Arguments::widths(const Expression& expression) const {
  if (expression.kind != Kind::pair) fail(expression.at, name_ + " goes from in to out", std::string(form_));
  return {read_length(source_, expression.arguments[0].value),
          read_length(source_, expression.arguments[1].value)};
}

void Arguments::check_weights(const std::vector<Index>& lengths) const {
  Index product = 1;
  for (const Index length : lengths) {
    if (length > most_entries / product) fail("the layer is too large", "at most 2^31 weights in one layer");
    product *= length;
  }
}

void Arguments::fail(Extent at, std::string what, std::string expected, std::string cure) const {
  load::fail(source_, at, std::move(what), std::move(expected), std::move(cure));
}

}  // namespace tangra::load
