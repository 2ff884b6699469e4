#pragma once
// Not for other rooms: a chain text as tokens.
#include "tangra/base/index.h"
#include "tangra/load/chain/source.h"

namespace tangra::load {

enum class TokenKind {
  name,    ///< letters, digits, _, ! and characters beyond ASCII; parts joined by dots: `Flux.relu`
  number,  ///< `60`, `1_000`, `.5`, `1e-3`, `0.01f0`
  symbol,  ///< ( ) , ; : = => -> + * - ^ . .+ .* ...
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  Extent at;
  std::string_view text;
  bool whole = false;  ///< a number without point and exponent
  Index integer = 0;   ///< where whole
  double real = 0;

  bool is(std::string_view symbol) const { return kind == TokenKind::symbol && text == symbol; }
};

/// Gives the tokens of a source one after the other; comments (# to the end of the line, #= .. =#, which
/// nest) and blanks are passed over.
class Lexer {
 public:
  explicit Lexer(const Source& source) : source_(source) {}
  /// Behind the last token: `end`, as often as it is asked for. Throws Error where a character or a number is
  /// malformed.
  Token next();

 private:
  char peek(std::size_t ahead = 0) const;
  std::size_t name_character(std::size_t at) const;
  void pass_over_blanks();
  void pass_over_block_comment();
  Token number();
  Token name();
  Token symbol();

  const Source& source_;
  std::size_t at_ = 0;
};

}  // namespace tangra::load
