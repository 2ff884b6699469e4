#pragma once
// Not for other rooms: what the small parts of a chain text mean: lengths, functions, initialisers. Each
// refuses, with the place in the text, what it cannot be.
#include <string>
#include <string_view>

#include "tangra/load/chain/functions.h"
#include "tangra/load/chain/initializers.h"
#include "tangra/load/chain/parser.h"

namespace tangra::load {

/// Weights of one layer, and entries of one value, at most.
inline constexpr Index most_entries = Index{1} << 31;

/// Without the module in front: `Flux.relu`, `NNlib.relu`.
std::string_view plain(std::string_view name);
bool is_one_of(std::string_view name, std::span<const std::string_view> names);

/// Refuses a part of the text, which the message quotes.
[[noreturn]] void fail(const Source& source, Extent at, std::string what, std::string expected = {},
                       std::string cure = {});

/// Refuses a name that nothing has here. `layer_fits`: whether a layer could stand here, else only a function
/// could.
[[noreturn]] void refuse_name(const Source& source, const Expression& expression, bool layer_fits);

/// A whole number of at least `least`. `what` is what messages call it: "a width".
Index read_length(const Source& source, const Expression& expression, const std::string& what = "a width",
                  Index least = 1);
/// A tuple of `count` whole numbers, or of any number of them where `count` is 0.
std::vector<Index> read_lengths(const Source& source, const Expression& expression, const std::string& what,
                                std::size_t count = 0, Index least = 1);
/// A name, a name with a number, or a lambda of these: relu, leakyrelu(0.2), x -> leakyrelu(x, 0.2).
Function read_function(const Source& source, const Expression& expression);
Initializer read_initializer(const Source& source, const Expression& expression);

/// The call f(x, ..) of x -> f(x, ..); null where the expression is no such lambda.
const Expression* call_of_lambda(const Expression& lambda);

}  // namespace tangra::load
