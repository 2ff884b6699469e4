#pragma once
// Not for other rooms: the syntax of chain texts, a small part of Julia's, without knowing any layer.
#include <string>
#include <vector>

#include "tangra/base/index.h"
#include "tangra/load/chain/source.h"

namespace tangra::load {

struct Argument;

struct Expression {
  enum class Kind {
    name,       ///< relu
    number,     ///< 60, -0.5, 28 * 28, 28^2
    operation,  ///< + and * where a function is expected; .+ and .* as well
    call,       ///< name(arguments)
    pair,       ///< arguments[0] => arguments[1]
    lambda,     ///< name -> arguments[0]; (a, b) -> arguments[0], with the names a, b in arguments[1], ..
    tuple,      ///< (3, 3)
    colon,      ///< : alone
  };
  Kind kind = Kind::name;
  Extent at;
  std::string name;
  bool whole = false;  ///< a number without point and exponent
  Index integer = 0;   ///< where whole
  double real = 0;
  bool splat = false;  ///< dots behind it: xs...
  std::vector<Argument> arguments;
};

struct Argument {
  std::string keyword;  ///< empty where the argument goes by its position
  Extent keyword_at;
  Expression value;
};

/// The one expression of the text; `something = ` before it and a `;` behind it are passed over. Throws Error
/// where the text is malformed, and where calls are nested deeper than 200.
Expression parse(const Source& source);

}  // namespace tangra::load
