#pragma once
// Not for other rooms: the functions of chain texts in terms of the operator table.
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tangra/model/attributes.h"

namespace tangra::load {

struct Function {
  std::string op;  ///< of the operator table
  Attributes attributes;
  bool elementwise = true;  ///< else it acts on all features together, as softmax does
};

/// The function that Flux calls so, with the number that leakyrelu and elu may be given; none for an unknown
/// name.
std::optional<Function> find_function(std::string_view name, std::optional<double> number = std::nullopt);
/// Whether a number may be given to the function: leakyrelu(0.2).
bool takes_number(std::string_view name);
/// All names, for suggestions.
std::span<const std::string_view> function_names();

}  // namespace tangra::load
