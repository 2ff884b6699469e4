#include "tangra/load/chain/lexer.h"

#include <algorithm>
#include <charconv>

namespace tangra::load {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Moves `at` behind digits, between which single underscores may stand.
void pass_over_digits(std::string_view text, std::size_t& at) {
  while (at < text.size() && (is_digit(text[at]) || (text[at] == '_' && at > 0 && is_digit(text[at - 1]) &&
                                                     at + 1 < text.size() && is_digit(text[at + 1])))) {
    ++at;
  }
}

}  // namespace

char Lexer::peek(std::size_t ahead) const {
  return at_ + ahead < source_.text.size() ? source_.text[at_ + ahead] : '\0';
}

/// Bytes of the character at `at` where it may stand in a name, else 0.
std::size_t Lexer::name_character(std::size_t at) const {
  if (at >= source_.text.size()) return 0;
  const char c = source_.text[at];
  if (is_letter(c) || is_digit(c) || c == '_' || c == '!') return 1;
  return static_cast<unsigned char>(c) >= 0x80 ? utf8_length(source_.text, at) : 0;
}

void Lexer::pass_over_block_comment() {
  const std::size_t begin = at_;
  int depth = 0;
  do {
    if (at_ >= source_.text.size()) {
      refuse(source_, {begin, begin + 2},
             {.what = "the comment is never closed",
              .where = {},
              .got = {},
              .expected = "=# at its end",
              .cure = {}});
    }
    const bool opens = peek() == '#' && peek(1) == '=';
    const bool closes = peek() == '=' && peek(1) == '#';
    depth += opens ? 1 : closes ? -1 : 0;
    at_ += opens || closes ? 2 : 1;
  } while (depth > 0);
}

void Lexer::pass_over_blanks() {
  while (at_ < source_.text.size()) {
    const char c = peek();
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
      ++at_;
    else if (c == '#' && peek(1) == '=')
      pass_over_block_comment();
    else if (c == '#')
      at_ = std::min(source_.text.find('\n', at_), source_.text.size());
    else
      return;
  }
}

Token Lexer::next() {
  pass_over_blanks();
  if (at_ >= source_.text.size()) return {.kind = TokenKind::end, .at = {at_, at_}, .text = {}};
  if (is_digit(peek()) || (peek() == '.' && is_digit(peek(1)))) return number();
  if (name_character(at_) > 0) return name();
  return symbol();
}

Token Lexer::number() {
  const std::size_t begin = at_;
  std::size_t end = at_;
  pass_over_digits(source_.text, end);
  bool whole = true;
  const auto character = [&](std::size_t at) { return at < source_.text.size() ? source_.text[at] : '\0'; };
  // A point is the number's own unless it belongs to a broadcast operator: `2.*3`.
  if (character(end) == '.' && character(end + 1) != '*' && character(end + 1) != '+') {
    whole = false;
    ++end;
    pass_over_digits(source_.text, end);
  }
  if (const char e = character(end); e == 'e' || e == 'E' || e == 'f') {
    const std::size_t sign = character(end + 1) == '+' || character(end + 1) == '-' ? 1 : 0;
    if (is_digit(character(end + 1 + sign))) {
      whole = false;
      end += 1 + sign;
      pass_over_digits(source_.text, end);
    }
  }
  at_ = end;
  const Extent at{begin, end + name_character(end)};
  if (at.end > end) {
    refuse(source_, at,
           {.what = "this is not a number",
            .where = {},
            .got = excerpt(source_, at),
            .expected = "a form such as 60, 1_000, 0.01, 1e-3 or 0.01f0",
            .cure = {}});
  }

  // The shortest decimal is the value, also of a Float32 literal: 0.01f0 is 0.01.
  std::string plain(source_.text.substr(begin, end - begin));
  std::erase(plain, '_');
  std::erase(plain, '+');
  std::ranges::replace(plain, 'f', 'e');
  Token token{.kind = TokenKind::number,
              .at = {begin, end},
              .text = source_.text.substr(begin, end - begin),
              .whole = whole};
  const char* last = plain.data() + plain.size();
  const auto real = std::from_chars(plain.data(), last, token.real);
  const auto integer = whole ? std::from_chars(plain.data(), last, token.integer) : real;
  if (real.ec != std::errc{} || real.ptr != last || integer.ec != std::errc{}) {
    refuse(source_, {begin, end},
           {.what = "the number is beyond what can be stored",
            .where = {},
            .got = excerpt(source_, {begin, end}),
            .expected = {},
            .cure = {}});
  }
  return token;
}

Token Lexer::name() {
  const std::size_t begin = at_;
  while (true) {
    if (const std::size_t length = name_character(at_); length > 0) at_ += length;
    // A dot joins two names; `relu.(x)` ends before its dot.
    else if (peek() == '.' && name_character(at_ + 1) > 0 && !is_digit(peek(1)))
      ++at_;
    else
      break;
  }
  return {.kind = TokenKind::name, .at = {begin, at_}, .text = source_.text.substr(begin, at_ - begin)};
}

Token Lexer::symbol() {
  const std::string_view rest = source_.text.substr(at_);
  for (const std::string_view known :
       {"...", "=>", "->", ".+", ".*", "(", ")", ",", ";", ":", "=", "+", "*", "-", "^", "."}) {
    if (!rest.starts_with(known)) continue;
    const std::size_t begin = at_;
    at_ += known.size();
    return {.kind = TokenKind::symbol, .at = {begin, at_}, .text = rest.substr(0, known.size())};
  }
  const std::size_t length = utf8_length(source_.text, at_);
  const Extent at{at_, at_ + std::max<std::size_t>(1, length)};
  refuse(source_, at,
         {.what = length == 0 ? "this byte is not valid UTF-8" : "this character has no meaning here",
          .where = {},
          .got = excerpt(source_, at),
          .expected = "layers, numbers, parentheses and commas",
          .cure = {}});
}

}  // namespace tangra::load
