#pragma once
// Not for other rooms: the arguments of a layer, read one by one. What does not fit is refused with its place
// in the text.
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "tangra/load/chain/expressions.h"

namespace tangra::load {

class Arguments {
 public:
  /// `form` is how the layer is written, for messages. Throws where a name is given twice.
  Arguments(const Source& source, const Expression& call, std::string_view form);

  const Source& source() const { return source_; }
  /// The layer's name, without a module.
  const std::string& name() const { return name_; }
  /// How many go by their position.
  std::size_t count() const { return places_.size(); }
  const Expression& operator[](std::size_t place) const { return *places_[place]; }
  /// The value behind `name =`, or null.
  const Expression* find(std::string_view keyword) const;

  /// Refuses fewer than `least` or more than `most` arguments by position. `need`: of what too few are given,
  /// "to know its widths".
  void require(std::size_t least, std::size_t most, const char* need = "more arguments") const;
  /// Refuses other names than these.
  void allow(std::initializer_list<std::string_view> keywords) const;

  /// true or false behind a name.
  bool truth(std::string_view keyword, bool otherwise) const;
  /// A number behind a name, of 0 or more.
  double number(std::string_view keyword, double otherwise) const;
  /// `init = `.
  std::optional<Initializer> initializer() const;
  /// The activation at this place; none where there is none, or where it is identity.
  std::optional<Function> activation(std::size_t place) const;
  /// Sizes at the front, in a tuple or one after the other, as the last axes of our shapes (Flux's first axes
  /// in reverse order), and how many arguments they take.
  std::pair<Shape, std::size_t> sizes() const;
  /// in => out.
  std::pair<Index, Index> widths(const Expression& expression) const;

  /// Refuses a layer of more than 2^31 weights, which the product of these lengths would be.
  void check_weights(const std::vector<Index>& lengths) const;
  [[noreturn]] void fail(Extent at, std::string what, std::string expected = {}, std::string cure = {}) const;
  [[noreturn]] void fail(std::string what, std::string expected = {}, std::string cure = {}) const {
    fail(at_, std::move(what), std::move(expected), std::move(cure));
  }
  /// The form that was given to the constructor.
  std::string form() const { return std::string(form_); }

 private:
  const Source& source_;
  std::string name_;
  std::string_view form_;
  Extent at_;
  std::vector<const Expression*> places_;
  std::vector<const Argument*> named_;
};

}  // namespace tangra::load
